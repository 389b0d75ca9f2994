"""Teachers that learn in context and count the rows that they are asked for."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

CALLS: list[int] = []
"""Rows of each call, of whichever teacher."""


class _Memorising(BaseEstimator):
    """Labels weighted by closeness: for its own rows they are the labels again, as of an in-context model."""

    def __init__(self, n_estimators=4):
        self.n_estimators = n_estimators

    def fit(self, X, y):
        self.X_, self.y_ = np.asarray(X, dtype=float), np.asarray(y)
        if isinstance(self, ClassifierMixin):
            self.classes_ = np.unique(y)
        return self

    def _closeness(self, X):
        CALLS.append(len(X))
        distance = ((np.asarray(X, dtype=float)[:, None] - self.X_) ** 2).sum(axis=2)
        close = 1 / (1e-9 + distance)
        return close / close.sum(axis=1, keepdims=True)


class TabPFNClassifier(ClassifierMixin, _Memorising):
    """Of a package's name, without the package."""

    def predict_proba(self, X):
        return self._closeness(X) @ (self.y_[:, None] == self.classes_).astype(float)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class TabPFNRegressor(RegressorMixin, _Memorising):
    """Of a package's name, without the package."""

    def predict(self, X):
        return self._closeness(X) @ self.y_


def placed(name, *classes):
    """A package and a module of it that holds these classes, by which they can be pickled, for ``sys.modules``."""
    package, module = ModuleType(name.partition(".")[0]), ModuleType(name)
    for one in classes:
        one.__module__ = name
        setattr(module, one.__name__, one)
    return {package.__name__: package, name: module}


PACKAGE = placed("tabpfn.classifier", TabPFNClassifier, TabPFNRegressor)


class CountedNeighbours(KNeighborsClassifier):
    def predict_proba(self, X):
        CALLS.append(len(X))
        return super().predict_proba(X)


class CountedNeighboursRegressor(KNeighborsRegressor):
    def predict(self, X):
        CALLS.append(len(X))
        return super().predict(X)


class CountedProcess(GaussianProcessClassifier):
    def predict_proba(self, X):
        CALLS.append(len(X))
        return super().predict_proba(X)


class CountedProcessRegressor(GaussianProcessRegressor):
    def predict(self, X, **options):
        CALLS.append(len(X))
        return super().predict(X, **options)
