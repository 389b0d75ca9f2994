"""Files that predict for Dask collections, in processes that import neither torch nor scikit-learn."""

from __future__ import annotations

import shutil
import subprocess
import sys

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_regression
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, OnnxPredictor, to_c, to_onnx

from ..frames import ParityClassifier, frame
from .conftest import PLAIN, quick

COLUMNS = ("label", "word", "level", "code", "flag", "count", "1", "text", "grade", "when", "took", "month")


def onnx_of(est, folder):
    to_onnx(est, folder / "student.onnx")
    return OnnxPredictor(folder / "student.onnx")


def c_of(est, folder, **options):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler called cc")
    return CPredictor(to_c(est, folder / "student.c", **options).path, flags=("-O1",))


def integer_c_of(est, folder):
    return c_of(est, folder, quantize="integer")


every_form = pytest.mark.parametrize("form", [onnx_of, c_of, integer_c_of])


def same(lazy, expected):
    """What is known before it is computed, and what comes out."""
    assert isinstance(lazy, da.Array) and lazy.dtype == expected.dtype and lazy.shape[1:] == expected.shape[1:]
    found = lazy.compute(scheduler="sync")
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if expected.dtype.kind == "f":  # of a row's single precision the last digit depends on the rows beside it
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected)


@every_form
def test_arrays_of_several_chunks(form, fitted, problem, tmp_path):
    predictor, X = form(fitted, tmp_path), problem[0]
    lazy = da.from_array(X, chunks=(150, 4))
    same(predictor.predict(lazy), predictor.predict(X))
    same(predictor.predict_proba(lazy), predictor.predict_proba(X))
    with pytest.raises(ValueError, match="5 features"):
        predictor.predict(lazy[:, :5])


@every_form
def test_frames_with_columns_of_every_kind(form, tmp_path):
    columns = [name for name in COLUMNS if form is not integer_c_of or name not in ("when", "month")]
    X = frame(150, 0, columns)
    est = DistilledClassifier(ParityClassifier(), quick(), **PLAIN).fit(X, np.where(np.arange(150) % 2, "odd", "even"))
    predictor = form(est, tmp_path)
    for given in (X, X[columns[::-1]].assign(more=1)):
        ddf = dd.from_pandas(given, npartitions=4)
        same(predictor.predict(ddf), predictor.predict(X))
        same(predictor.predict_proba(ddf), predictor.predict_proba(X))
    ddf = dd.from_pandas(X, npartitions=4)
    same(predictor.predict_proba(ddf[ddf["label"] > 1e9]), predictor.predict_proba(X)[:0])
    with pytest.raises(ValueError, match=r"without \['level'\]"):
        predictor.predict(ddf.drop(columns="level"))
    with pytest.raises(ValueError, match="'took' must hold durations"):
        predictor.predict(ddf.assign(took=1.0))


@pytest.mark.parametrize("n_targets", [1, 2])
@every_form
def test_values(form, n_targets, tmp_path):
    X, y = make_regression(150, 5, n_targets=n_targets, random_state=0)
    predictor = form(DistilledRegressor(RandomForestRegressor(3, random_state=0), quick(), **PLAIN).fit(X, y), tmp_path)
    for lazy in (da.from_array(X, chunks=(60, -1)), dd.from_pandas(pd.DataFrame(X), npartitions=2)):
        same(predictor.predict(lazy), predictor.predict(X))
        with pytest.raises(AttributeError, match="regressor"):
            predictor.predict_proba(lazy)


@every_form
def test_several_labels_a_row(form, problem, tmp_path):
    X = problem[0]
    y = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 1], axis=1).astype(int)
    predictor = form(DistilledClassifier(ExtraTreesClassifier(3, random_state=0), quick(), **PLAIN).fit(X, y), tmp_path)
    lazy = da.from_array(X, chunks=(150, -1))
    same(predictor.predict(lazy), predictor.predict(X))
    same(predictor.predict_proba(lazy), predictor.predict_proba(X))


def test_a_process_that_predicts_with_dask_imports_neither_torch_nor_scikit_learn(served, problem, tmp_path):
    path, rows, proba = (tmp_path / name for name in ("model.onnx", "rows.npy", "proba.npy"))
    path.write_bytes(served._content)
    np.save(rows, problem[0])
    code = f"""
import sys
import dask.array as da, numpy as np
from sklkd import OnnxPredictor
X = da.from_array(np.load({str(rows)!r}), chunks=(100, -1))
np.save({str(proba)!r}, OnnxPredictor({str(path)!r}).predict_proba(X).compute())
print(*({{"torch", "skorch", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    np.testing.assert_array_equal(np.load(proba), served.predict_proba(problem[0]))


@pytest.mark.slow
def test_processes_open_the_file_anew(fitted, problem, tmp_path):
    X = problem[0]
    for predictor in (onnx_of(fitted, tmp_path), c_of(fitted, tmp_path)):
        lazy = predictor.predict_proba(da.from_array(X, chunks=(100, -1)))
        np.testing.assert_array_equal(lazy.compute(scheduler="processes", num_workers=2), predictor.predict_proba(X))
