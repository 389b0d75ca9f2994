"""Students of the user's own, and Pipelines."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor, to_onnx
from sklkd.export._rows import rows_before
from sklkd.students import TabularNet, TabularStudent
from sklkd.students._double import double_copy
from sklkd.teachers import Precomputed

from .conftest import PLAIN, assert_parity, net, quick

FOREST = RandomForestClassifier(10, random_state=0)


class Conv(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.head(torch.relu(self.conv(X)).mean((2, 3)))


class Doubled(TabularNet):
    """A subclass that does otherwise."""

    def forward(self, X):
        return 2 * super().forward(X)


def distil(teacher, student, X, y):
    return DistilledClassifier(teacher, student, **PLAIN).fit(X, y)


@pytest.fixture(scope="module")
def table(problem):
    X, y = problem
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame.insert(1, "word", np.where(X[:, 4] > 0, "None", np.where(X[:, 5] > 0, "u", "v")).astype(object))
    return frame, y


def coded(teacher=FOREST):
    """A teacher that takes the table."""
    return make_pipeline(make_column_transformer((OrdinalEncoder(), ["word"]), remainder="passthrough"), teacher)


@pytest.mark.parametrize(
    "student", [net(), TabularStudent("tiny", max_epochs=1, module=Doubled)], ids=["net", "subclass"]
)
def test_networks_behind_the_default_encoder(problem, table, ship, student):
    X, y = problem
    gaps = X.copy()
    gaps[::5, 2] = np.nan
    est = distil(HistGradientBoostingClassifier(max_iter=5), student, gaps, y)
    assert_parity(est, ship(est)[0], gaps)
    frame, y = table
    est = distil(coded(), student, frame, y)
    predictor, _ = ship(est)
    assert_parity(est, predictor, frame)
    assert_parity(est, predictor, frame.assign(word="never"))


@pytest.mark.parametrize("student", [net(), TabularStudent("tiny", max_epochs=1)], ids=["net", "tabular"])
def test_networks_behind_steps_of_the_users_own(problem, ship, student):
    X, y = problem
    est = distil(FOREST, make_pipeline(StandardScaler(), PCA(4), student), X, y)
    assert_parity(est, ship(est)[0], X)


class Probabilities(nn.Sequential):
    """It ends in a softmax, as skorch's classifiers have it."""

    def __init__(self, n_features, n_outputs):
        super().__init__(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, n_outputs), nn.Softmax(-1))


class InOneType(nn.Module):
    """It computes in one type, whatever comes."""

    dtype = torch.float32

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.n_features, self.n_outputs = n_features, n_outputs
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        weight, bias = (part.to(self.dtype) for part in self.linear.parameters())
        return nn.functional.linear(X.to(self.dtype), weight, bias)


class InDoubles(InOneType):
    dtype = torch.float64

    def forward(self, X):
        # losses and the optimizer have float32
        return super().forward(X) if not self.training else super().forward(X).float()


def test_modules_that_end_in_a_softmax(problem, ship):
    X, y = problem
    skorch_classifier = NeuralNetClassifier(Probabilities, max_epochs=2, train_split=None, verbose=0)
    for student in (net(Probabilities), skorch_classifier):
        est = distil(FOREST, student, X, y)
        for quantize in (None, "int8"):
            predictor, report = ship(est, quantize=quantize)
            assert report.largest_difference < (0.02 if quantize else 1e-5)
        np.testing.assert_allclose(
            est.predict_proba(X), est.student_.predict_proba(est.encoder_.transform(X)), atol=1e-5
        )
        np.testing.assert_allclose(predictor.predict_proba(X), est.predict_proba(X), atol=0.02)


@pytest.mark.parametrize("module", [InOneType, InDoubles])
def test_modules_that_compute_in_one_type(problem, ship, module):
    X, y = problem
    est = distil(FOREST, net(module), X, y)
    fitted = copy.copy(est._fitted)
    fitted.network = double_copy(est.student_.module_, float64=module is InDoubles)
    est._deploy(fitted)
    assert_parity(est, ship(est)[0], X)


def test_images(ship, tmp_path):
    rng = np.random.RandomState(0)
    X = rng.random_sample((60, 1, 6, 6)).astype(np.float32)
    y = (X.mean((1, 2, 3)) > 0.5).astype(int)
    est = distil(Precomputed(np.eye(2)[y] * 0.8 + 0.1, classes=[0, 1]), net(Conv), X, y)
    predictor, _ = ship(est, X=X)
    assert_parity(est, predictor, X)
    assert_parity(est, predictor, X[:1])
    with pytest.raises(
        ValueError, match=r"X must have the shape \(n, 1, 6, 6\) that it had at fit, got \(60, 1, 6, 5\)"
    ):
        predictor.predict(X[..., 1:])
    X[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        predictor.predict(X)
    with pytest.raises(ValueError, match="X must be given"):
        to_onnx(est, tmp_path / "other.onnx")


@pytest.mark.parametrize(
    "steps",
    [[StandardScaler()], [MinMaxScaler(), PCA(3)], [StandardScaler().set_output(transform="pandas")]],
    ids=["scaler", "two", "pandas"],
)
@pytest.mark.parametrize("as_frame", [False, True])
def test_pipelines(problem, ship, steps, as_frame):
    X, y = problem
    X = pd.DataFrame(X, columns=list("abcdef")) if as_frame else X
    model = make_pipeline(*steps, DistilledClassifier(FOREST, quick(), **PLAIN)).fit(X, y)
    predictor, _ = ship(model)
    assert_parity(model, predictor, X)
    assert list(predictor.metadata_["dtypes"]) == (list("abcdef") if as_frame else ["X"])


def test_a_pipeline_that_imputes_takes_missing_values(problem, ship):
    X, y = problem[0].copy(), problem[1]
    X[::5, 2] = np.nan
    student = DistilledClassifier(FOREST, quick(), **PLAIN)
    model = make_pipeline(SimpleImputer(), StandardScaler(), student).fit(X, y)
    predictor, report = ship(model)
    assert report.n_rows > 1000
    assert_parity(model, predictor, X)
    assert_parity(model, predictor, X[:1])


def test_a_pipeline_that_imputes_in_double_precision(problem, ship):
    X, y = problem[0] + 1e7, problem[1]
    X[::5, 2] = np.nan
    student = DistilledClassifier(FOREST, quick(), **PLAIN)
    model = make_pipeline(SimpleImputer(strategy="median"), student).fit(X, y)
    predictor, report = ship(model)
    assert report.numbers == "float64"
    assert_parity(model, predictor, X)


def test_a_pipeline_that_does_not_impute_refuses_missing_values(problem, ship):
    X, y = problem
    from sklearn.linear_model import LogisticRegression

    student = DistilledClassifier(LogisticRegression(), quick(), **PLAIN)
    predictor, _ = ship(make_pipeline(StandardScaler(), student).fit(X, y))
    for n in (1, 5):
        gap = np.where(np.arange(6) == 2, np.nan, X[:n])
        with pytest.raises(ValueError, match="contains NaN or another missing value"):
            predictor.predict_proba(gap)


def test_a_pipeline_of_columns(table, ship):
    frame, y = table
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["word"]),
        remainder="passthrough",
    )
    model = make_pipeline(columns, DistilledClassifier(FOREST, quick(), **PLAIN)).fit(frame, y)
    for rows in (frame, None):
        predictor, _ = ship(model, X=rows)
        assert_parity(model, predictor, frame)
        assert_parity(model, predictor, frame.assign(word="never"))
        assert_parity(model, predictor, frame.assign(word=pd.Categorical(frame["word"])))
    assert predictor.metadata_["dtypes"]["word"] == "string"
    with pytest.raises(ValueError, match=r"Column 'word' held strings when it was exported, got a value of type float"):
        predictor.predict(frame.assign(word=3))


@pytest.mark.parametrize("dtype", ["object", "category"])
@pytest.mark.parametrize(
    "imputer",
    [SimpleImputer(strategy="most_frequent"), SimpleImputer(strategy="constant", fill_value="gap"), None],
    ids=["most frequent", "constant", "none"],
)
def test_a_pipeline_of_columns_with_missing_strings(table, ship, imputer, dtype):
    frame, y = table
    cells = np.where(frame["a"] > 1, "3.0", frame["word"]).astype(object)
    cells[np.arange(len(cells)) % 7 == 0] = np.nan
    cells[np.arange(len(cells)) % 9 == 0] = "nan"
    far = frame["b"].mask(np.arange(len(frame)) % 5 == 0) + 1e7  # takes double precision
    frame = frame.assign(word=pd.Series(cells, dtype=dtype), b=far)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    one_hot = make_pipeline(imputer, one_hot) if imputer else one_hot
    columns = make_column_transformer((one_hot, ["word"]), (SimpleImputer(), ["a", "b", "c"]))
    model = make_pipeline(columns, DistilledClassifier(FOREST, quick(), **PLAIN)).fit(frame, y)
    for rows in (frame, None):
        predictor, report = ship(model, X=rows)
        assert report.numbers == "float64"
        assert_parity(model, predictor, frame)
        for word in ("3.0", "nan", "None", "u", "never", np.nan):
            cells = pd.Series(["v"] + [word] * (len(frame) - 1), dtype=dtype)
            assert_parity(model, predictor, frame.assign(word=cells))


def test_made_up_rows_have_missing_values_where_steps_impute(table):
    frame = table[0]
    columns = make_column_transformer(
        (SimpleImputer(), ["a"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["word"]),
        remainder="passthrough",
    ).fit(frame)
    rows = pd.DataFrame(rows_before([("columns", columns)], None, missing=False), columns=frame.columns)
    assert rows.isna().any().to_dict() == {"a": True, "word": True, "b": False, "c": False}


def test_a_regressor_in_a_pipeline(problem, ship):
    X = problem[0]
    y = 100 * X[:, :2] + 5000
    student = DistilledRegressor(ExtraTreesRegressor(10, random_state=0), quick(), **PLAIN)
    model = make_pipeline(StandardScaler(), student).fit(X, y)
    np.testing.assert_allclose(ship(model)[0].predict(X), model.predict(X), rtol=0, atol=1e-3)


def test_what_cannot_be_exported_says_so(problem, table, tmp_path):
    X, y = problem
    path = tmp_path / "model.onnx"
    est = distil(FOREST, net(), X, y)
    with pytest.raises(ValueError, match=r"opset must be at most 20 for a network of your own, got opset=21"):
        to_onnx(est, path, opset=21)
    frame, y = table
    student = DistilledClassifier(coded(), quick(), **PLAIN)
    model = make_pipeline(FunctionTransformer(), student).fit(frame, y)
    with pytest.raises(ValueError, match="est gets categories from the steps before it"):
        to_onnx(model, path)
    student = DistilledClassifier(FOREST, quick(), **PLAIN)
    model = make_pipeline(FunctionTransformer(np.cbrt), student).fit(X, y)
    with pytest.raises(
        NotImplementedError,
        match=r"Step .functiontransformer. .* cannot be exported: of functions only np.exp.* leave such a step out",
    ):
        to_onnx(model, path, X=X)
    assert not path.exists()
