"""Everything of scikit-learn that is not its public interface, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.preprocessing import _data
from sklearn.utils import _safe_indexing
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_method_params, _check_sample_weight, _num_samples

Method = TypeVar("Method", bound=Callable[..., Any])

__all__ = [
    "CALLBACK_STATE",
    "QUANTILE_MARGIN",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_method_params",
    "_fit_context",
    "_get_column_indices",
    "_num_samples",
    "_routing_enabled",
    "_safe_indexing",
    "bags_leave_rows_out",
    "binned_rows",
    "checked_weights",
    "donors",
    "fit_task",
    "hist_trees",
    "input_columns",
    "is_hist_boosting",
    "n_fitted_rows",
    "named_parts",
    "numbered_leaves",
    "one_hot_widths",
    "power_scaler",
    "spline_of_missing",
    "target_dimensions",
    "threshold_rule",
    "with_callbacks",
]

if TYPE_CHECKING:

    class CallbackSupportMixin: ...

    def with_callbacks(method: Method) -> Method: ...

else:
    try:
        from sklearn.callback import CallbackSupportMixin, with_callbacks
    except ImportError:  # before scikit-learn 1.9

        class CallbackSupportMixin:
            """Without callbacks there is nothing to support."""

        def with_callbacks(method):
            return method


CALLBACK_STATE = frozenset(
    {"_skl_callbacks", "_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx"}
)
"""Attributes in which an estimator holds its callbacks, and during a fit their contexts."""


def fit_task(estimator: Any, n_stages: int) -> Any:
    """The ``CallbackContext`` of a fit of so many stages at most; None before scikit-learn 1.9.

    The underscore only hides the method from users: developers/callback_support of scikit-learn's documentation counts
    it as public for estimators of others.
    """
    begin = getattr(estimator, "_init_callback_context", None)
    return None if begin is None else begin(max_subtasks=n_stages)


QUANTILE_MARGIN: float = _data.BOUNDS_THRESHOLD
"""How near to the ends a ``QuantileTransformer`` with normal outputs takes a number for one of them."""


def check_no_text(values: Any, name: str) -> None:
    """Raise for text that is no number, without showing it, as NumPy's error would."""
    values = np.asarray(values)
    if values.dtype.kind != "O":
        return
    texts = [value for value in values.ravel() if isinstance(value, (str, bytes))]
    try:
        np.array(texts, dtype=object).astype(np.float64)
    except ValueError:
        raise ValueError(
            f"{name} must hold numbers, got text in {len(texts)} of {values.size} places: convert it first."
        ) from None


def checked_weights(sample_weight: Any, X: Any, dtype: Any = None) -> NDArray:
    """One weight per row, none negative and not all of them 0, which scikit-learn before 1.9 takes."""
    weight = np.asarray(sample_weight)
    check_no_text(weight, "sample_weight")
    if weight.size and not weight.any():
        raise ValueError("sample_weight must have a weight > 0, got only zeros.")
    return _check_sample_weight(weight, X, dtype=dtype, ensure_non_negative=True)


def threshold_rule(model: Any) -> tuple[float, bool, bool]:
    """Of a fitted ``FixedThresholdClassifier`` or ``TunedThresholdClassifierCV``.

    The threshold, whether it is one of ``decision_function``, and whether the score is that of the first class.
    """
    tuned = hasattr(model, "best_threshold_")
    methods = model._get_response_method()
    first = methods if isinstance(methods, str) else methods[0]
    threshold = model.best_threshold_ if tuned else model.threshold
    if isinstance(threshold, str):  # "auto"
        threshold = 0.5 if first == "predict_proba" else 0.0
    positive = model._curve_scorer._get_pos_label() if tuned else model.pos_label
    return float(threshold), first == "decision_function", positive is not None and positive == model.classes_[0]


def n_fitted_rows(ensemble: Any) -> int:
    """How many rows a bagged ensemble, or a forest, was fitted on."""
    return ensemble._n_samples


def bags_leave_rows_out(bagging: Any) -> bool:
    """Whether the members of a fitted ``Bagging*`` were fitted on parts of the rows."""
    return bool(bagging.bootstrap or bagging._max_samples < bagging._n_samples)


def is_hist_boosting(estimator: Any) -> bool:
    """Whether it is a fitted ``HistGradientBoosting*``."""
    return hasattr(estimator, "_predictors") and hasattr(estimator, "_bin_mapper")


def hist_trees(boosting: Any) -> list[Sequence[Any]]:
    """The trees of a ``HistGradientBoosting*``: for each round one tree per output, each with its ``nodes``."""
    return boosting._predictors


def hist_baseline(boosting: Any) -> NDArray[np.float64]:
    """What is added to its trees, (n_outputs,)."""
    return np.ravel(boosting._baseline_prediction).astype(np.float64)


def gradient_baseline(boosting: Any) -> NDArray[np.float64]:
    """What is added to the trees of a ``GradientBoosting*`` whose ``init`` is no estimator, (n_outputs,)."""
    return np.ravel(boosting._raw_predict_init(np.zeros((1, boosting.n_features_in_)))).astype(np.float64)


def binned_rows(boosting: Any, X: Any) -> NDArray[np.float64]:
    """Rows as the trees of a ``HistGradientBoosting*`` take them: encoded categories first."""
    return np.ascontiguousarray(boosting._preprocess_X(X, reset=False))


def numbered_leaves(boosting: Any, rows: NDArray[np.float64]) -> NDArray[np.int32]:
    """The number of the leaf in which each tree of a ``HistGradientBoosting*`` puts each of its ``binned_rows``.

    It is what a copy of the tree predicts whose nodes hold their own number. Shape (n, n_trees).
    """
    known, position = boosting._bin_mapper.make_known_categories_bitsets()
    trees = [tree for trees in hist_trees(boosting) for tree in trees]
    leaves = np.empty((len(rows), len(trees)), dtype=np.int32, order="F")
    for t, tree in enumerate(trees):
        nodes = tree.nodes.copy()
        nodes["value"] = np.arange(len(nodes))
        numbered = type(tree)(nodes, tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets)
        leaves[:, t] = numbered.predict(rows, known, position, n_threads=1)
    return leaves


def donors(imputer: Any) -> tuple[NDArray, NDArray[np.bool_]]:
    """The training rows of a fitted ``KNNImputer``, and where their values are missing."""
    return imputer._fit_X, imputer._mask_fit_X


def one_hot_widths(encoder: Any) -> list[int]:
    """How many columns a fitted ``OneHotEncoder`` makes of each of its own."""
    return encoder._n_features_outs


def power_scaler(transformer: Any) -> Any:
    """The fitted ``StandardScaler`` behind a ``PowerTransformer``'s powers, or None."""
    return transformer._scaler if transformer.standardize else None


def spline_of_missing(transformer: Any) -> str:
    """What a ``SplineTransformer`` makes of a missing value: "error" or "zeros", which scikit-learn has from 1.8 on."""
    return getattr(transformer, "handle_missing", "error")


def target_dimensions(model: Any) -> int:
    """Of y as a ``TransformedTargetRegressor`` was fitted on it."""
    return model._training_dim


def named_parts(transformer: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, part and columns of each part of a fitted ``ColumnTransformer``, those of the remainder as of the others.

    scikit-learn before 1.7 keeps the remainder's by place where the others are given by name.
    """
    for name, part, columns in transformer.transformers_:
        if getattr(columns, "future_dtype", None) == "str":
            columns = [str(transformer.feature_names_in_[place]) for place in input_columns(transformer)[name]]
        yield name, part, columns


def input_columns(transformer: Any) -> dict[str, Any]:
    """For each part of a fitted ``ColumnTransformer`` the numbers of the columns that it is given."""
    return transformer._transformer_to_input_indices
