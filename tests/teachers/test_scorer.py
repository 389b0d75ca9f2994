"""Outlier detectors, density estimators and other scorers as teachers of a regressor."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklkd.teachers import adapt

X = make_blobs(120, 3, random_state=0)[0]


class Decides:
    """Of the user's own, with a score and nothing else."""

    def decision_function(self, X):
        return np.asarray(X)[:, 0]


SCORERS = [
    IsolationForest(n_estimators=5, random_state=0),
    IsolationForest(n_estimators=5, max_features=0.7, random_state=0),
    OneClassSVM(),
    LocalOutlierFactor(novelty=True),
    KernelDensity(),
    GaussianMixture(2, random_state=0),
    PCA(1),
    make_pipeline(StandardScaler(), IsolationForest(n_estimators=5, random_state=0)),
    GridSearchCV(KernelDensity(), {"bandwidth": [0.5, 1.0]}, cv=2),
]


@pytest.mark.parametrize("model", SCORERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator])
def test_scores_are_the_values(model, wrap):
    model = clone(model).fit(X)
    inside = model.best_estimator_ if hasattr(model, "best_estimator_") else model
    teacher = adapt(wrap(model))
    assert teacher.reads_as == "scores"
    assert np.allclose(teacher.outputs(X).values[:, 0], inside.score_samples(X))
    assert len(teacher.thresholds(X)) == 3


def test_a_decision_function_alone():
    assert np.array_equal(adapt(Decides()).outputs(X).values[:, 0], X[:, 0])


def test_the_splits_of_an_isolation_forest():
    forest = IsolationForest(n_estimators=5, max_features=0.7, random_state=0).fit(X)
    tree, columns = forest.estimators_[0].tree_, forest.estimators_features_[0]
    thresholds = adapt(forest).thresholds(X)[columns[tree.feature[0]]][0]
    assert np.isclose(thresholds, tree.threshold[0]).any()
    assert adapt(forest).fallbacks == []


def test_an_outlier_detector_as_a_classifier_gives_its_labels():
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X)
    assert np.array_equal(adapt(forest, [-1, 1]).outputs(X).proba[:, 1] == 1, forest.predict(X) == 1)
