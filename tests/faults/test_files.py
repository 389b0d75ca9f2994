"""Files that are damaged, that are another's, and that two processes write at once."""

from __future__ import annotations

import os
import shutil
import warnings

import numpy as np
import pytest

from sklkd import CPredictor, OnnxPredictor
from sklkd.exceptions import CheckpointWarning

from .faults import DAMAGES, ESTIMATORS, WRITERS, answers, of_two_writers, rows_for

pytest.importorskip("onnx")
READERS = {"to_onnx": OnnxPredictor, "to_c": CPredictor}


@pytest.fixture(scope="module")
def models():
    """Two students that are told apart by their files."""
    X, y = rows_for("offline-classifier")
    return [ESTIMATORS["offline-classifier"]().set_params(random_state=seed).fit(X, y) for seed in (0, 1)]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("writer", READERS)
def test_a_damaged_file_is_refused_or_answers_as_the_whole_one(writer, damage, models, tmp_path):
    X, y = rows_for("offline-classifier")
    path = tmp_path / "student"
    WRITERS[writer](models[0], X, y, path)
    expected = answers(READERS[writer](path), X)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    try:
        predictor = READERS[writer](path)
    except ValueError as error:
        assert "whole file" in str(error) and str(path) in str(error)
    except RuntimeError as error:
        assert writer == "to_c" and "failed" in str(error)
    else:
        np.testing.assert_array_equal(answers(predictor, X), expected)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["emptied", "cut to a half", "doubled"])
def test_each_damaged_file_of_a_checkpoint_is_made_again(damage, tmp_path):
    name = "tree-regressor"
    X, y = rows_for(name)
    est = ESTIMATORS[name]().set_params(checkpoint=tmp_path / "kept")
    expected = answers(est.fit(X, y), X)
    files = sorted(one for one in (tmp_path / "kept").rglob("*") if one.is_file())
    n_told = 0
    for file in files:
        shutil.copytree(tmp_path / "kept", tmp_path / "copy")
        path = tmp_path / "copy" / file.relative_to(tmp_path / "kept")
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            np.testing.assert_array_equal(answers(est.set_params(checkpoint=tmp_path / "copy").fit(X, y), X), expected)
        n_told += any(one.category is CheckpointWarning for one in told)
        shutil.rmtree(tmp_path / "copy")
    # of those that are read: what is made of others is read in their place
    assert n_told > 5 or damage == "doubled"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.parametrize("writer", ["to_onnx", "to_c"])
def test_a_file_that_two_processes_write_is_that_of_one(writer, models, tmp_path):
    n, n_mixed = of_two_writers(models, writer, tmp_path / "student", 5)
    assert n > 10 and n_mixed == 0
