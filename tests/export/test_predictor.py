from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper

from sklkd import CPredictor, OnnxPredictor, to_c, to_onnx
from sklkd.export._format import FORMAT
from sklkd.export._predictor import _BoundRow, _runner

from .conftest import assert_parity


def test_a_process_that_serves_imports_neither_torch_nor_scikit_learn(served, fitted, problem, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(served._content)
    np.save(tmp_path / "rows.npy", problem[0])
    code = f"""
import numpy as np
from sklkd import OnnxPredictor
from sklkd.export._predictor import _BoundRow, _runner
predictor = OnnxPredictor({str(path)!r})
np.save({str(tmp_path / "proba.npy")!r}, predictor.predict_proba(np.load({str(tmp_path / "rows.npy")!r})))
"""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert {"numpy", "onnxruntime", "sklkd"} <= imported
    assert not imported & {"torch", "skorch", "sklearn", "pandas", "polars", "scipy", "onnx", "skl2onnx"}
    np.testing.assert_allclose(np.load(tmp_path / "proba.npy"), fitted.predict_proba(problem[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "uint8", "bool", "object"])
def test_one_row_and_many_of_any_dtype(fitted, served, dtype):
    X = np.random.RandomState(0).randint(0, 3, (1100, 6)).astype(dtype)
    expected = fitted.predict_proba(X)
    np.testing.assert_allclose(served.predict_proba(X), expected, rtol=0, atol=1e-5)
    one_by_one = np.concatenate([served.predict_proba(X[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(one_by_one, expected[:50], rtol=0, atol=1e-5)
    assert served.predict_proba(X).dtype == np.float64


def test_rows_in_any_container_and_layout(fitted, served, problem):
    X = problem[0]
    for rows in (X.tolist(), np.asfortranarray(X), X[::-2]):
        assert_parity(fitted, served, rows)
    np.testing.assert_array_equal(served.predict(pl.DataFrame(X)), served.predict(X))


def test_a_prediction_does_not_change_with_the_next_one(served, problem):
    X = problem[0]
    first = served.predict_proba(X[:1])
    kept = first.copy()
    served.predict_proba(X[1:2])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("n", [1, 2, 1300])
def test_missing_values_and_numbers_beyond_single_precision(fitted, served, n):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n, 6))
    X[:, 0], X[:, 3] = np.nan, 1e30
    assert_parity(fitted, served, X)


@pytest.mark.parametrize("n", [1, 2, 1300])
@pytest.mark.parametrize("cell", [np.inf, -np.inf])
def test_infinity_is_an_error(served, n, cell):
    X = np.zeros((n, 6))
    X[-1, 2] = cell
    with pytest.raises(ValueError, match=r"contains infinity .* \(column 2\)"):
        served.predict(X)


@pytest.mark.parametrize("tells", [True, False])
def test_infinity_is_found_whether_or_not_the_graph_tells(served, fitted, tells, monkeypatch):
    monkeypatch.setattr(_BoundRow, "graph_tells", lambda row: tells)
    again = OnnxPredictor(served._content)
    X = np.zeros((1, 6))
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=0, atol=1e-5)
    X[0, 1] = np.nan
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=0, atol=1e-5)
    X[0, 4] = np.inf
    with pytest.raises(ValueError, match=r"contains infinity .* \(column 4\)"):
        again.predict(X)


def test_a_runtime_with_other_parts_is_called_as_it_is():
    class Session:
        def run_with_iobinding(self, binding):
            return binding

    assert _runner(Session(), "binding")() == "binding"


def test_most_graphs_tell_of_infinity_themselves(served):
    again = OnnxPredictor(served._content)
    again.predict(np.zeros((1, 6)))
    assert again._graph_tells


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((2, 5)), ValueError, "X has 5 features, but OnnxPredictor is expecting 6 features as input"),
        (np.zeros((1, 5)), ValueError, "X has 5 features"),
        (np.zeros(6), ValueError, "Expected 2D array, got 1D array instead"),
        (np.zeros((0, 6)), ValueError, r"0 sample\(s\)"),
        ([["a"] * 6], ValueError, "was numeric at fit and must be numeric, got text in 1 of 1 rows"),
        (np.zeros((2, 6), complex), ValueError, "Complex data not supported"),
        (np.zeros((2, 6), "datetime64[s]"), ValueError, "dates or durations"),
    ],
)
def test_bad_rows(served, X, error, message):
    with pytest.raises(error, match=message):
        served.predict_proba(X)


def test_it_pickles_for_other_processes(served, problem):
    again = pickle.loads(pickle.dumps(served))
    np.testing.assert_array_equal(again.predict_proba(problem[0]), served.predict_proba(problem[0]))
    np.testing.assert_array_equal(again.predict_proba(problem[0][:1]), served.predict_proba(problem[0][:1]))
    assert again.n_threads == served.n_threads


def test_threads_do_not_mix_their_rows(served, problem):
    X = problem[0]
    expected = served.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: served.predict_proba(X[i % 400 : i % 400 + 1]), range(4000)))
    np.testing.assert_allclose(np.concatenate(found), np.tile(expected, (10, 1)), rtol=0, atol=1e-6)


def test_more_threads_predict_the_same(served, problem):
    many = OnnxPredictor(served._content, n_threads=2)
    np.testing.assert_allclose(many.predict_proba(problem[0]), served.predict_proba(problem[0]), rtol=0, atol=1e-6)


def test_attributes(fitted, served):
    np.testing.assert_array_equal(served.classes_, fitted.classes_)
    assert served.n_features_in_ == 6
    assert not hasattr(served, "feature_names_in_")


@pytest.mark.parametrize("n_threads", [0, 1.5, None])
def test_bad_threads(served, n_threads):
    with pytest.raises(ValueError, match="n_threads must be a whole number >= 1, got n_threads="):
        OnnxPredictor(served._content, n_threads=n_threads)


def test_files_of_another_origin_or_a_newer_version(served, tmp_path):
    value = helper.make_tensor_value_info("X", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["X"], ["Y"])],
        "other",
        [value],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1])],
    )
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(ValueError, match=r"path must be a whole file that sklkd\.to_onnx has written"):
        OnnxPredictor(other.SerializeToString())
    model = onnx.load_from_string(served._content)
    entry = model.metadata_props[0]
    assert f'"format":{FORMAT}' in entry.value
    entry.value = entry.value.replace(f'"format":{FORMAT}', f'"format":{FORMAT + 1}')
    with pytest.raises(ValueError, match=r"written by sklkd .*: update sklkd\."):
        OnnxPredictor(model.SerializeToString())
    with pytest.raises(FileNotFoundError):
        OnnxPredictor(tmp_path / "nothing.onnx")


@pytest.mark.parametrize("predictor", [OnnxPredictor, CPredictor])
@pytest.mark.parametrize("damage", ["cut off", "text", "empty", "folder"])
def test_damaged_files_are_named(fitted, tmp_path, predictor, damage, capfd):
    path = tmp_path / "student.bin"
    (to_onnx if predictor is OnnxPredictor else to_c)(fitted, path)
    content = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"cut off": content[:200], "text": "keine Datei für uns".encode(), "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"path must be a .*file that sklkd\.to_.* has written, got .*student\.bin'"):
        predictor(path)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("predictor", [OnnxPredictor, CPredictor])
def test_no_byte_of_a_file_can_change_unseen(fitted, tmp_path, predictor):
    """Weights that have changed gave other answers."""
    path = tmp_path / "student.bin"
    (to_onnx if predictor is OnnxPredictor else to_c)(fitted, path)
    content = path.read_bytes()
    for place in np.linspace(0, len(content) - 1, 60).astype(int):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"path must be a whole file that sklkd\.to_.* has written, got .*student"):
            predictor(path)


def test_line_ends_of_another_machine_are_no_damage(fitted, problem, tmp_path):
    to_c(fitted, tmp_path / "student.c")
    told = CPredictor(tmp_path / "student.c", flags=("-O0",)).predict_proba(problem[0])
    (tmp_path / "student.c").write_bytes((tmp_path / "student.c").read_bytes().replace(b"\n", b"\r\n"))
    again = CPredictor(tmp_path / "student.c", flags=("-O0",))
    np.testing.assert_array_equal(again.predict_proba(problem[0]), told)


@pytest.mark.parametrize("entry", ["format", "classes_dtype", "row_shape", "categories", "feature_names"])
@pytest.mark.parametrize("value", [None, "x", [1], {"a": 1}], ids=repr)
def test_metadata_of_older_files_that_are_damaged(served, entry, value):
    """They have no digest, but entries for what there is none of."""
    model = onnx.load_from_string(served._content)
    about = json.loads(model.metadata_props[0].value) | {"format": 3}
    about = {"feature_names": None, "categories": {}, "text": [], "empty": []} | about
    del about["digest"]
    model.metadata_props[0].value = json.dumps(about)
    np.testing.assert_array_equal(OnnxPredictor(model.SerializeToString()).classes_, served.classes_)
    about[entry] = value
    model.metadata_props[0].value = json.dumps(about)
    try:
        OnnxPredictor(model.SerializeToString())
    except ValueError as error:
        assert "path must be a whole file that sklkd.to_onnx has written" in str(error)


def test_without_onnxruntime_the_extra_is_named(served, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'sklkd\[onnx\]'"):
        OnnxPredictor(served._content)
