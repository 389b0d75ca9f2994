"""A disk that is full: an error that names file and cause, the old file as it was, and nothing beside it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sklkd import to_onnx

from .faults import ESTIMATORS, WRITERS, answers, everything_in, files_of_at_most, rows_for

pytest.importorskip("resource", reason="a system without limits on files")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def fitted():
    X, y = rows_for("offline-classifier")
    return ESTIMATORS["offline-classifier"]().fit(X, y), X, y


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
@pytest.mark.parametrize("writer", WRITERS)
def test_an_old_file_stays_whole_where_a_new_one_has_no_room(writer, share, fitted, tmp_path):
    path = tmp_path / "student.out"
    WRITERS[writer](*fitted, path)
    before = everything_in(tmp_path)
    room = int(share * len(before["student.out"]))
    message = rf"{writer.split()[0]} cannot write student\.(out|h): File too large"
    with files_of_at_most(room), pytest.raises(OSError, match=message):
        WRITERS[writer](*fitted, path)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_left_of_a_first_file_that_has_no_room(writer, fitted, tmp_path):
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        WRITERS[writer](*fitted, tmp_path / "student.out")
    assert everything_in(tmp_path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without a device that is full")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_device_is_named(writer, fitted, tmp_path):
    path = tmp_path / "student.out"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"cannot write student\.out: No space left on device"):
        WRITERS[writer](*fitted, path)
    assert path.is_symlink() and len(list(tmp_path.iterdir())) == 1


def test_a_link_and_the_rights_of_a_file_are_kept(fitted, tmp_path):
    (tmp_path / "other").mkdir()
    place, link = tmp_path / "other" / "student.onnx", tmp_path / "latest.onnx"
    link.symlink_to(place)
    to_onnx(fitted[0], link)
    place.chmod(0o640)
    to_onnx(fitted[0], link)
    assert link.is_symlink() and place.stat().st_mode & 0o777 == 0o640
    before = os.umask(0o027)
    try:
        to_onnx(fitted[0], tmp_path / "new.onnx")
    finally:
        os.umask(before)
    assert (tmp_path / "new.onnx").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["tree-regressor", pytest.param("offline-classifier", marks=pytest.mark.slow)])
@pytest.mark.parametrize("n_bytes", [0, 2_000, 20_000])
def test_a_fit_whose_checkpoint_has_no_room_goes_on_when_there_is(name, n_bytes, tmp_path):
    X, y = rows_for(name)
    expected = answers(ESTIMATORS[name]().fit(X, y), X)
    est, folder = ESTIMATORS[name]().set_params(checkpoint=tmp_path / "kept"), tmp_path / "kept"
    unfitted = set(vars(est))
    with files_of_at_most(n_bytes), pytest.raises(OSError, match=r"checkpoint cannot keep \S+: File too large"):
        est.fit(X, y)
    assert set(vars(est)) == unfitted
    assert list(folder.rglob(".*")) == []
    np.testing.assert_array_equal(answers(est.fit(X, y), X), expected)


@pytest.mark.parametrize("name", ["offline-classifier", "offline-regressor"])
def test_rows_in_files_that_have_no_room_name_the_parameter(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    X, y = rows_for(name)
    est = ESTIMATORS[name]().set_params(memory_limit=0).fit(X, y)
    state, before = dict(vars(est)), answers(est, X)
    with files_of_at_most(100), pytest.raises(OSError, match=r"memory_limit sends an array of .* raise memory_limit"):
        est.fit(X, y)
    assert vars(est) == state
    np.testing.assert_array_equal(answers(est, X), before)
    assert list(tmp_path.iterdir()) == []
