"""A fitted model taken apart: steps, the student in it, and what wrappers around the student do to its outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklkd._sklearn import target_dimensions, threshold_rule
from sklkd.estimators._access import reading_own_columns, with_fitted
from sklkd.estimators._base import BaseDistilled
from sklkd.export._functions import FUNCTIONS
from sklkd.export._parts import flat
from sklkd.students._folded import Folded
from sklkd.students._scaling import TargetScaling


@dataclass(frozen=True)
class Calibration:
    """Other logits, ``logits @ weight + bias``.

    Attributes
    ----------
    weight : ndarray of shape (n_classes, n_classes)
    bias : ndarray of shape (n_classes,)
    one_by_one : bool
        Whether probabilities are normalised sigmoids of these logits, not their softmax.
    """

    weight: NDArray
    bias: NDArray
    one_by_one: bool = False

    def folded(self, folded: Folded) -> Folded:
        """A default student whose outputs are these logits."""
        if folded.layers:
            weight, bias = folded.layers[-1]
            last = weight @ self.weight, bias @ self.weight + self.bias
            return replace(folded, layers=(*folded.layers[:-1], last))
        parts = ("clip", "values", "missing_weights", "level_values")
        mixed = {name: getattr(folded, name) @ self.weight for name in parts}
        return replace(folded, bias=folded.bias @ self.weight + self.bias, **mixed)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Probabilities by lines between points of each logit, or of the difference of two, then divided by their sum.

    Attributes
    ----------
    members : list of list of (ndarray, ndarray)
        The points' x, which increase, and y, for each class, or for the second of two; probabilities are the mean of
        what several members give.
    """

    members: list[list[tuple[NDArray, NDArray]]]


@dataclass(frozen=True)
class Unwrapped:
    """What a fitted model consists of.

    Attributes
    ----------
    steps : list of (str, transformer)
        Before the student's estimator.
    est : DistilledClassifier, DistilledRegressor or another distilled estimator
        As if fitted on the columns that its student reads, with the threshold, scale and number of dimensions that its
        wrappers give to its predictions.
    calibration : Calibration or Isotonic or None
    functions : tuple of callable
        Of NumPy, applied to values one after the other.
    """

    steps: list[Any]
    est: Any
    calibration: Calibration | Isotonic | None = None
    functions: tuple[Any, ...] = ()

    def read(self, X: Any) -> Any:
        """The columns that the model needs of rows."""
        columns = self.est._fitted.columns
        return X if self.steps or columns is None else columns.of(X)

    def check_quantize(self, quantize: str | None) -> None:
        """Only networks have weights to be stored in fewer bits."""
        if quantize is not None and not self.est._fitted.is_net:
            raise ValueError(
                f"quantize must be None where the student is no network, got quantize={quantize!r} and a "
                f"{type(self.est.student_).__name__}."
            )

    def of_values(self, values: NDArray) -> NDArray:
        """What the functions make of values."""
        with np.errstate(all="ignore"):
            for function in self.functions:
                values = function(values)
        return values


def unwrap(model: Any) -> Unwrapped:
    """Take a fitted model apart.

    Raises
    ------
    TypeError
        For a model that is not made of a distilled estimator.
    NotImplementedError
        For a wrapper whose predictions are not those of one student.
    """
    if isinstance(model, BaseDistilled):
        check_is_fitted(model, "student_")
        return Unwrapped([], reading_own_columns(model))
    if isinstance(model, Pipeline):
        inner, steps = unwrap(model.steps[-1][1]), flat(model.steps[:-1])
        if steps and not inner.steps:
            steps += _selection(inner.est)
        return replace(inner, steps=steps + inner.steps)
    if isinstance(model, FrozenEstimator):
        return unwrap(model.estimator)
    if isinstance(model, (FixedThresholdClassifier, TunedThresholdClassifierCV)):
        return _with_threshold(model)
    if isinstance(model, CalibratedClassifierCV):
        return _calibrated(model)
    if isinstance(model, TransformedTargetRegressor):
        return _with_targets(model)
    if hasattr(model, "best_estimator_"):
        return unwrap(model.best_estimator_)
    if hasattr(model, "cv_results_"):
        raise NotImplementedError(
            f"{type(model).__name__} has no best_estimator_ to export, since it was fitted with refit=False: fit the "
            "estimator with its best_params_."
        )
    raise TypeError(
        "est must be a distilled estimator, or a Pipeline, search, FrozenEstimator, calibration, threshold or "
        f"TransformedTargetRegressor around one, fitted, got {type(model).__name__}: distil it first."
    )


def _selection(est: Any) -> list[tuple[str, ColumnTransformer]]:
    """A step that gives a student the columns that it reads."""
    columns = est._fitted.columns
    if columns is None:
        return []
    step = ColumnTransformer([("columns", "passthrough", columns.indices.tolist())])
    return [("columns", step.fit(np.zeros((1, columns.n_all))))]


def _with_threshold(model: Any) -> Unwrapped:
    check_is_fitted(model)
    inner = unwrap(getattr(model, "estimator_", model.estimator))
    threshold, is_logit, of_first = threshold_rule(model)
    if is_logit:
        threshold = float(expit(-threshold if of_first else threshold))
    elif of_first:
        threshold = 1 - threshold
    if of_first:
        # it is the first class up to this probability of the second
        threshold = float(np.nextafter(threshold, np.inf))
    return replace(inner, est=_with_classes(inner.est, model, threshold))


def _with_classes(est: Any, model: Any, threshold: float | None) -> Any:
    """The estimator with a wrapper's labels, which may have been codes for it, and its threshold."""
    task = est._fitted.task
    if len(task.classes) != len(model.classes_):
        raise NotImplementedError(
            f"{type(model).__name__} has {len(model.classes_)} classes, and the student in it {len(task.classes)}: fit "
            "the student on rows of every class."
        )
    return with_fitted(est, threshold=threshold, task=replace(task, classes=np.asarray(model.classes_)))


def _calibrated(model: CalibratedClassifierCV) -> Unwrapped:
    check_is_fitted(model)
    members = model.calibrated_classifiers_
    found = members[0]
    is_isotonic = found.method == "isotonic"
    if len(members) > 1 and not (is_isotonic and all(one.estimator is found.estimator for one in members)):
        raise NotImplementedError(
            f"CalibratedClassifierCV holds {len(members)} classifiers, one of each fold, not one "
            "student: calibrate FrozenEstimator(student), or set ensemble=False."
        )
    inner = unwrap(found.estimator)
    if inner.calibration is not None:
        raise NotImplementedError("A calibrated classifier is calibrated again: calibrate the student itself, once.")
    est = _with_classes(inner.est, model, None)
    if is_isotonic:
        lines = [[(one.X_thresholds_, one.y_thresholds_) for one in member.calibrators] for member in members]
        return replace(inner, est=est, calibration=Isotonic(lines))
    n = len(model.classes_)
    if found.method == "temperature":
        # scikit-learn makes logits -d and d of the difference d of two
        beta = found.calibrators[0].beta_
        weight = _of_difference(2 * beta) if n == 2 else np.eye(n) * beta
        calibration = Calibration(weight, np.zeros(n))
    elif n == 2:
        sigmoid = found.calibrators[0]
        calibration = Calibration(_of_difference(-sigmoid.a_), np.array([0.0, -sigmoid.b_]))
    else:
        weight, bias = (np.array([-getattr(one, name) for one in found.calibrators]) for name in ("a_", "b_"))
        calibration = Calibration(np.diag(weight), bias, one_by_one=True)
    return replace(inner, est=est, calibration=calibration)


def _of_difference(factor: float) -> NDArray:
    """Logits 0 and ``factor`` times the difference of two logits."""
    return np.array([[0.0, -factor], [0.0, factor]])


def _with_targets(model: TransformedTargetRegressor) -> Unwrapped:
    check_is_fitted(model)
    inner = unwrap(model.regressor_)
    transformer, functions = model.transformer_, inner.functions
    task = inner.est._fitted.task
    scaling = task.scaling
    scalers = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
    if isinstance(transformer, FunctionTransformer) and transformer.inverse_func is None:
        pass
    elif isinstance(transformer, FunctionTransformer) and transformer.inverse_func in FUNCTIONS:
        functions = (*functions, transformer.inverse_func)
    elif isinstance(transformer, scalers) and scaling.support == "real" and not functions:
        zero = transformer.inverse_transform(np.zeros((1, transformer.n_features_in_)))[0]
        scale = transformer.inverse_transform(np.ones((1, transformer.n_features_in_)))[0] - zero
        scaling = TargetScaling(scaling.center * scale + zero, scaling.scale * np.abs(scale))
    else:
        known = ", ".join(f"np.{function.__name__}" for function in FUNCTIONS)
        named = getattr(getattr(transformer, "inverse_func", None), "__name__", None) or type(transformer).__name__
        raise NotImplementedError(
            f"TransformedTargetRegressor cannot be exported with {named} as the way back to the targets: use one of "
            f"{known} as inverse_func, or a scaler of targets that may have any value."
        )
    task = replace(task, scaling=scaling, y_ndim=target_dimensions(model))
    return replace(inner, est=with_fitted(inner.est, task=task), functions=functions)
