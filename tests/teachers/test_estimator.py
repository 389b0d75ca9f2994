"""Anything with scikit-learn's methods."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklkd.teachers import adapt

X, CODES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])
Y = NAMES[CODES]


def test_logistic_margins():
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    outputs = adapt(model, NAMES).outputs(X)
    assert np.allclose(outputs.margins, model.decision_function(X))
    assert np.allclose(outputs.proba, model.predict_proba(X))
    assert np.allclose(softmax(outputs.margins, axis=1), outputs.proba)


def test_two_classes_have_one_margin_split_in_halves():
    model = LogisticRegression().fit(X[:100], Y[:100])
    margins = adapt(model, NAMES[:2]).outputs(X).margins
    assert np.allclose(margins[:, 1] - margins[:, 0], model.decision_function(X))
    assert np.allclose(margins.sum(axis=1), 0)


def test_no_margins_from_a_decision_that_is_not_calibrated():
    model = LinearDiscriminantAnalysis().fit(X, Y)
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, model.predict_proba(X))
    neighbours = KNeighborsClassifier().fit(X, Y)
    assert adapt(neighbours, NAMES).outputs(X).margins is None


def test_decision_function_through_softmax_or_logistic():
    model = LinearSVC().fit(X, Y)
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, softmax(model.decision_function(X), axis=1))
    two = RidgeClassifier().fit(X[:100], Y[:100])
    assert np.allclose(adapt(two, NAMES[:2]).outputs(X).proba[:, 1], expit(two.decision_function(X)))
    assert adapt(Perceptron().fit(X, Y), NAMES).outputs(X).proba.shape == (150, 3)


def test_pairwise_decisions_are_not_classes():
    # with three classes there are three pairs
    model = SVC(decision_function_shape="ovo").fit(X, Y)
    assert np.array_equal(adapt(model, NAMES).outputs(X).proba, np.eye(3)[np.searchsorted(NAMES, model.predict(X))])


class Labels:
    """Answers with labels alone."""

    def __init__(self, labels, classes=None):
        self.labels = np.asarray(labels)
        if classes is not None:
            self.classes_ = np.asarray(classes)

    def predict(self, X):
        return self.labels


def test_hard_labels():
    outputs = adapt(Labels(["b", "a", "b"]), ["a", "b"]).outputs(np.zeros((3, 1)))
    assert outputs.proba.tolist() == [[0, 1], [1, 0], [0, 1]]
    # in its own order of classes, one of which is not ours
    outputs = adapt(Labels(["b", "c", "a"], classes=["c", "b", "a"]), ["a", "b"]).outputs(np.zeros((3, 1)))
    assert outputs.proba.tolist() == [[0, 1], [0.5, 0.5], [1, 0]]
    assert adapt(Labels([[1], [0]]), [0, 1]).outputs(np.zeros((2, 1))).proba.tolist() == [[0, 1], [1, 0]]


def test_unknown_label():
    with pytest.raises(ValueError, match="predict of Labels returned 'z', which is none of the classes"):
        adapt(Labels(["a", "z"]), ["a", "b"]).outputs(np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"one row per row of X \(3\), got 2 rows"):
        adapt(Labels(["a", "b"]), ["a", "b"]).outputs(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="one label per row, got shape"):
        adapt(Labels([["a", "b"]]), ["a", "b"]).outputs(np.zeros((1, 1)))


def test_regressor():
    model = LinearRegression().fit(X[:, :2], X[:, 2:])
    assert np.array_equal(adapt(model).outputs(X[:, :2]).values, model.predict(X[:, :2]))
    assert adapt(model).outputs(X[:, :2], spread=True).spread is None


def test_the_wrong_kind():
    with pytest.raises(TypeError, match="must be a classifier here, got LinearRegression, which is a regressor"):
        adapt(LinearRegression(), [0, 1])
    with pytest.raises(TypeError, match="must be a regressor here, got LogisticRegression, which is a classifier"):
        adapt(LogisticRegression())
    with pytest.raises(
        TypeError, match="teacher must have predict_proba or decision_function or predict, got 'forest'"
    ):
        adapt("forest", [0, 1])
    with pytest.raises(TypeError, match="teacher must have predict, got"):
        adapt(object())


TWO_LABELS = np.column_stack([np.arange(60) % 2, np.arange(60) % 3])


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3),
        DecisionTreeClassifier(),
        KNeighborsClassifier(),
        MultiOutputClassifier(LogisticRegression()),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3]}, cv=2, scoring=lambda model, X, y: 0.0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator, lambda model: [("a", model)]])
def test_several_columns_of_labels(model, wrap):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    model.fit(rows, TWO_LABELS)
    with pytest.raises(ValueError, match="is a multi-output classifier; a teacher must have one column of labels"):
        adapt(wrap(model), [0, 1]).outputs(rows)
