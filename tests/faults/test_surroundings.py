"""Locale, time zone, home and other variables of the environment change nothing that is learnt or written."""

from __future__ import annotations

import pytest

from .faults import SURROUNDINGS, elsewhere

pytest.importorskip("onnx")


@pytest.mark.slow
def test_surroundings_change_no_answer_and_no_file(tmp_path):
    expected = elsewhere(tmp_path / "a folder with spaces and ü", {})
    assert len(expected) == 3
    for number, (name, surroundings) in enumerate(SURROUNDINGS.items()):
        assert elsewhere(tmp_path / str(number), surroundings) == expected, name
