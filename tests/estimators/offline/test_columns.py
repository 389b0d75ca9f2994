"""``columns``: the student reads some of the columns, the teacher all."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.compose import make_column_selector
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor, distillation_report
from sklkd.losses import LeafEmbeddingLoss
from sklkd.students import TabularStudent

NAMES = ["noise", "sign", "size", "later", "kind"]


def quick(max_epochs=12):
    return TabularStudent("tiny", max_epochs=max_epochs)


@pytest.fixture(scope="module")
def table():
    """A frame whose labels depend on three columns, one of them a category."""
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.standard_normal((300, 4)), columns=NAMES[:4])
    X["kind"] = pd.Categorical.from_codes(rng.randint(3, size=300), ["low", "mid", "top"])
    y = (X["sign"] + X["later"] + 2 * (X["kind"] == "top") > 0.5).to_numpy().astype(int)
    return X, y


@pytest.fixture(scope="module")
def numbers(table):
    X, y = table
    return X.drop(columns="kind").assign(kind=X["kind"].cat.codes.astype(float)), y


def distil(X, y, columns, student=None, **params):
    teacher = RandomForestClassifier(20, random_state=0)
    return DistilledClassifier(teacher, student or quick(), columns=columns, random_state=0, **params).fit(X, y)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["sign", "kind"], ["sign", "kind"]),
        (("kind", "sign"), ["kind", "sign"]),
        ([-1, 1], ["kind", "sign"]),
        (np.array([False, True, False, False, True]), ["sign", "kind"]),
        (slice("sign", "later"), ["sign", "size", "later"]),
        (make_column_selector("sign|kind"), ["sign", "kind"]),
        (3, ["sign", "later", "kind"]),
    ],
    ids=["names", "tuple", "positions", "mask", "slice", "selector", "number"],
)
def test_the_student_reads_these_columns_alone(numbers, columns, expected):
    X, y = numbers
    est = distil(X, y, columns, quick(2), blend=0)
    assert est.columns_.tolist() == expected
    assert est.encoder_.codec_.feature_names_in_.tolist() == expected
    assert est.teacher_.n_features_in_ == est.n_features_in_ == len(NAMES)
    alone = est.predict_proba(X[expected])
    rng = np.random.RandomState(1)
    others = X.assign(**{name: rng.permutation(X[name]) for name in NAMES if name not in expected}, extra=1)
    for rows in (X, others, X[expected[::-1]], others[rng.permutation(others.columns)]):
        np.testing.assert_array_equal(est.predict_proba(rows), alone)


@pytest.mark.parametrize(
    "container",
    [np.asarray, sparse.csr_matrix, sparse.csc_array, pl.from_pandas, lambda X: X.to_numpy().astype(object)],
    ids=["array", "csr", "csc", "polars", "objects"],
)
def test_columns_of_every_container(numbers, container):
    X, y = numbers
    rows, alone = container(X), container(X[["sign", "kind"]])
    est = distil(rows, y, [1, 4], augment=None)
    np.testing.assert_array_equal(est.predict_proba(rows), est.predict_proba(alone))
    assert est.score(alone, y) > 0.7


def test_strings_dates_and_gaps_stay_with_their_columns(table):
    X, y = table
    X = X.assign(when=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(X)), unit="D"))
    X.loc[::9, "kind"] = None
    teacher = make_pipeline(
        StandardScaler().set_output(transform="pandas"), RandomForestClassifier(20, random_state=0)
    ).fit(X[["sign", "later"]], y)

    def ask(rows):
        return teacher.predict_proba(rows[["sign", "later"]])

    est = DistilledClassifier(ask, quick(2), columns=["kind", "when", "sign"], random_state=0).fit(X, y)
    assert [one is not None for one in est.encoder_.codec_.categories_] == [True, False, False]
    assert est.encoder_.codec_.times_ == [None, "dates", None]
    np.testing.assert_array_equal(est.predict_proba(X), est.predict_proba(X[["sign", "kind", "when"]]))


def test_a_column_that_is_not_known_at_prediction_teaches():
    """The teacher reads the noise of the labels' cause, which the student never sees (privileged information)."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((3000, 3))
    probability = 1 / (1 + np.exp(-2 * X[:, 0]))
    y = (rng.uniform(size=3000) < probability).astype(int)
    X[:, 2] = probability
    train, test = slice(200), slice(200, None)
    teacher = RandomForestRegressor(50, min_samples_leaf=3, random_state=0).fit(X[train][:, 2:], probability[train])

    def ask(rows):
        known = teacher.predict(rows[:, 2:])
        return np.column_stack([1 - known, known])

    own = {"student": quick(), "columns": [0, 1], "random_state": 0, "augment": None}
    taught = DistilledClassifier(ask, hard_weight=0, blend=0, **own).fit(X[train], y[train])
    untaught = DistilledClassifier(ask, hard_weight=1, **own).fit(X[train], y[train])
    errors = [np.abs(est.predict_proba(X[test][:, :2])[:, 1] - probability[test]).mean() for est in (taught, untaught)]
    assert errors[0] < 0.7 * errors[1]


def test_all_that_a_fit_takes(numbers):
    X, y = numbers
    weight = np.random.RandomState(0).uniform(0.5, 2, len(X))
    est = distil(X, y, 3, loss=LeafEmbeddingLoss(), hard_weight=0.5, cv="oob")
    assert len(est.columns_) == 3
    est = DistilledClassifier(
        RandomForestClassifier(20, random_state=0),
        quick(),
        columns=["sign", "later"],
        random_state=0,
        keep_teacher=True,
    ).fit(X, y, sample_weight=weight, X_transfer=X[::2])
    before = est.predict_proba(X)
    est.partial_fit(X, y, X_transfer=X)
    assert not np.array_equal(est.predict_proba(X), before)
    other = pickle.loads(pickle.dumps(est.without_teacher()))
    np.testing.assert_array_equal(other.predict_proba(X[["later", "sign"]]), est.predict_proba(X))


def test_regressors_pipelines_and_folds(numbers):
    X, _ = numbers
    y = 2 * X["sign"] + X["later"]
    teacher = RandomForestRegressor(20, random_state=0)
    own = Pipeline([("scale", StandardScaler()), ("net", quick(4))])
    est = DistilledRegressor(teacher, own, columns=["sign", "later"], random_state=0)
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), est).fit(X, y)
    assert pipe[-1].encoder_.n_features_in_ == 2
    assert pipe.score(X, y) > 0.5
    assert np.corrcoef(cross_val_predict(est, X, y, cv=2), y)[0, 1] > 0.7


def test_the_report_asks_the_teacher_for_all_columns(numbers):
    X, y = numbers
    est = distil(X, y, 2, blend=0)
    report = distillation_report(est, X, y, X_train=X, y_train=y, n_repeats=1)
    assert report.rows["teacher"]["score"] == est.teacher_.score(X, y)
    assert report.rows["student"]["score"] == est.score(X[est.columns_], y)
    assert report.rows["baseline"]["parameters"] == report.rows["student"]["parameters"]
    light = distillation_report(est.without_teacher(), X[est.columns_], y, baseline=False, n_repeats=1)
    assert light.rows["student"]["score"] == report.rows["student"]["score"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["sign", "absent"], "absent"),
        ([7], "columns must be names or positions"),
        ([1.5], "columns must be names or positions"),
        (["sign", "sign"], "none twice"),
        ([], "at least one column"),
        (6, "at most the number of columns"),
        (0, "columns"),
        ("sign", "columns"),
    ],
)
def test_refused(numbers, columns, says):
    X, y = numbers
    with pytest.raises(ValueError, match=says):
        distil(X, y, columns)


def test_other_rows_than_tables_are_refused():
    X = np.zeros((20, 2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="columns must be None where X is no table"):
        distil(X, np.arange(20) % 2, [0])


def test_a_number_needs_a_teacher_that_can_be_asked(numbers):
    X, y = numbers
    outputs = np.column_stack([1 - y, y]).astype(float)
    est = DistilledClassifier(None, quick(), columns=2, random_state=0)
    with pytest.raises(ValueError, match="columns must be names or positions where outputs"):
        est.fit(X, y, teacher_outputs=outputs)
    assert est.set_params(columns=["sign"]).fit(X, y, teacher_outputs=outputs).columns_.tolist() == ["sign"]


def test_rows_without_the_columns_are_refused(numbers):
    X, y = numbers
    est = distil(X, y, ["sign", "kind"], quick(2), blend=0)
    with pytest.raises(ValueError, match="without \\['kind'\\]"):
        est.predict(X[["sign"]])
    with pytest.raises(ValueError, match="3 features"), pytest.warns(UserWarning, match="feature names"):
        est.predict(X.to_numpy()[:, :3])
    with pytest.raises(ValueError, match="feature names"):
        est.partial_fit(X[["sign", "kind"]], y)
