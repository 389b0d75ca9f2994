"""scikit-learn's perceptrons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import make_classification, make_regression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklkd.teachers import adapt, layers

X, CODES = make_classification(80, 4, n_informative=3, n_redundant=0, n_classes=3, random_state=0)
XR, YR = make_regression(60, 4, n_targets=2, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@pytest.mark.parametrize(
    ("activation", "function"),
    [("relu", lambda z: z * (z > 0)), ("tanh", np.tanh), ("logistic", expit), ("identity", lambda z: z)],
)
def test_hidden_layers(activation, function):
    net = MLPClassifier((7, 5), activation=activation, max_iter=20, random_state=0).fit(X, CODES)
    teacher = adapt(net, [0, 1, 2])
    assert layers(net) == {"hidden.0": (7,), "hidden.1": (5,)}
    hidden = [function(X @ net.coefs_[0] + net.intercepts_[0])]
    hidden.append(function(hidden[0] @ net.coefs_[1] + net.intercepts_[1]))
    assert np.allclose(teacher.features(X, "hidden.0"), hidden[0])
    assert np.allclose(teacher.features(X), hidden[1])
    assert np.allclose(teacher.features(sparse.csr_array(X)), hidden[1])
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba, net.predict_proba(X))
    assert np.allclose(outputs.margins, hidden[1] @ net.coefs_[2] + net.intercepts_[2])
    with pytest.raises(ValueError, match=r"no layer 'hidden.2'; it has 'hidden.0', 'hidden.1'"):
        teacher.features(X, "hidden.2")


def test_two_classes_and_regression():
    two = MLPClassifier((5,), max_iter=20, random_state=0).fit(X, CODES % 2)
    outputs = adapt(two, [0, 1]).outputs(X)
    assert np.allclose(outputs.proba, two.predict_proba(X))
    assert np.allclose(expit(outputs.margins[:, 1] - outputs.margins[:, 0]), two.predict_proba(X)[:, 1])
    regressor = MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0).fit(XR, YR)
    assert np.allclose(adapt(regressor).outputs(XR).values, regressor.predict(XR))
    last = adapt(regressor).features(XR)
    assert np.allclose(last @ regressor.coefs_[1] + regressor.intercepts_[1], regressor.predict(XR))


def test_no_hidden_layer():
    net = MLPClassifier((), max_iter=5).fit(X, CODES)
    assert layers(net) == {}
    with pytest.raises(ValueError, match="MLPClassifier has no layers; use a loss that compares outputs"):
        adapt(net, [0, 1, 2]).features(X)
