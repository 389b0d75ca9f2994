"""A fit that fails leaves the estimator as it was."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklkd import DistilledClassifier
from sklkd.exceptions import DivergedError

from .problems import Net, classes, quick, skorch_net


class Broken(Net):
    """It fails once it is trained with more than 60 rows."""

    def forward(self, X):
        if self.training and len(X) > 60:
            raise RuntimeError("out of memory, say")
        return super().forward(X)


def test_nothing_is_left_of_a_failed_first_fit():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), skorch_net(module=Broken))
    before = set(vars(est))
    with pytest.raises(RuntimeError, match="out of memory"):
        est.fit(X, y)
    assert set(vars(est)) == before
    with pytest.raises(NotFittedError):
        est.predict(X)


@pytest.mark.parametrize("failing", ["fit", "partial_fit"])
def test_a_fitted_estimator_stays_what_it_was(failing):
    X, y = classes()
    few, labels = X[:50], np.where(y[:50] == "ant", "bee", y[:50])
    est = DistilledClassifier(LogisticRegression(), skorch_net(module=Broken), augment=None, random_state=0)
    est.fit(few, labels)
    proba, state = est.predict_proba(X), dict(vars(est))
    with pytest.raises((RuntimeError, ValueError)):
        getattr(est, failing)(X, labels if failing == "fit" else np.where(y == "ant", "bee", y))
    with pytest.raises((RuntimeError, ValueError)):
        getattr(est, failing)(X, np.where(y == "ant", "bee", y))
    assert all(vars(est)[name] is value for name, value in state.items()) and set(vars(est)) == set(state)
    np.testing.assert_array_equal(est.predict_proba(X), proba)
    assert list(est.classes_) == ["bee", "cat"] and est.n_features_in_ == 5
    # and can go on
    est.partial_fit(few, labels)


def test_diverging_further_training_changes_nothing():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), skorch_net(), augment=None, random_state=0).fit(X, y)
    proba, history = est.predict_proba(X), len(est.history_)
    est.student_.set_params(optimizer__lr=float("nan"))
    with pytest.raises(DivergedError, match="diverged"):
        est.partial_fit(X, y)
    np.testing.assert_array_equal(est.predict_proba(X), proba)
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), proba, atol=1e-5)
    assert len(est.history_) == history


def test_a_second_fit_forgets_the_first():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), random_state=0)
    fresh = est.fit(X, y).predict_proba(X)
    est.fit(X[:60, :3], np.where(y[:60] == "ant", "x", "y"))
    assert list(est.classes_) == ["x", "y"] and est.n_features_in_ == 3
    np.testing.assert_array_equal(est.fit(X, y).predict_proba(X), fresh)
