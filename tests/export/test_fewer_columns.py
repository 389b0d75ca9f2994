"""Files of a student that reads fewer columns than its teacher ask for these alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from sklkd.students import TabularStudent

from .conftest import PLAIN

READ = ["late", "sign"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.standard_normal((200, 5)), columns=["noise", "sign", "size", "other", "late"])
    return X, (X["sign"] + X["late"] > 0).to_numpy().astype(int)


@pytest.mark.parametrize("given", [False, True], ids=["made up", "rows"])
@pytest.mark.parametrize("steps", [[], [StandardScaler()], [StandardScaler().set_output(transform="pandas")]])
@pytest.mark.parametrize("container", [pd.DataFrame, np.asarray], ids=["frame", "array"])
def test_files_ask_for_the_columns_of_the_student(tmp_path, table, container, steps, given):
    frame, y = table
    X = container(frame)
    if steps and not hasattr(X, "columns"):
        steps = [StandardScaler()]
    student = TabularStudent("tiny", max_epochs=8)
    teacher = RandomForestClassifier(10, random_state=0)
    est = DistilledClassifier(teacher, student, columns=[4, 1], **PLAIN)
    model = make_pipeline(*steps, est).fit(X, y) if steps else est.fit(X, y)
    expected = model.predict_proba(X)
    own = X if steps else container(frame[READ])
    onnx, c = tmp_path / "student.onnx", tmp_path / "student.c"
    to_onnx(model, onnx, X=X if given else None)
    assert OnnxPredictor(onnx).n_features_in_ == own.shape[1]
    np.testing.assert_allclose(OnnxPredictor(onnx).predict_proba(own), expected, atol=1e-5)
    reads_some = hasattr(X, "columns")
    for quantize, tolerance in ((None, 1e-5), ("int8", 0.05), ("integer", 0.05)):
        to_c(model, c, X=X if given else None, quantize=quantize)
        predictor = CPredictor(c)
        assert predictor.n_features_in_ == (len(READ) if reads_some else own.shape[1])
        np.testing.assert_allclose(predictor.predict_proba(own), expected, atol=tolerance)
        if reads_some:
            np.testing.assert_array_equal(predictor.predict_proba(X[READ]), predictor.predict_proba(own))
    if reads_some:
        moved = frame[frame.columns[::-1]]
        np.testing.assert_allclose(OnnxPredictor(onnx).predict_proba(moved), expected, atol=1e-5)


def test_all_columns_in_another_order_are_read_in_that_of_x(table):
    X, y = table
    teacher, student = RandomForestClassifier(10, random_state=0), TabularStudent("tiny", max_epochs=8)
    est = DistilledClassifier(teacher, student, columns=[4, 1, 0, 3, 2], **PLAIN)
    est.fit(X.to_numpy(), y)
    assert est.columns_.tolist() == [0, 1, 2, 3, 4]
    same = DistilledClassifier(teacher, student, **PLAIN).fit(X.to_numpy(), y)
    np.testing.assert_array_equal(est.predict_proba(X.to_numpy()), same.predict_proba(X.to_numpy()))
