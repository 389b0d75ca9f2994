"""What the teacher says of the training rows: in-sample, out-of-bag, or cross-fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory, has_fit_parameter
from skorch import NeuralNet, NeuralNetBinaryClassifier

from sklkd._sklearn import _routing_enabled, _safe_indexing
from sklkd.exceptions import SampleWeightWarning
from sklkd.rows import Rows
from sklkd.teachers import Outputs, Teacher, adapt, is_fitted, takes_codes
from sklkd.teachers._torch import as_tensor

Split = tuple[NDArray, NDArray]


@dataclass
class Knowledge:
    """A teacher and its answers for the training rows.

    Attributes
    ----------
    teacher : Teacher
        The adapter of the fitted teacher.
    outputs : Outputs or None
        One row per training row; None where the teacher was not asked.
    unseen : ndarray of bool, shape (n,)
        Rows whose answer comes from a teacher that was not fitted on them.
    source : {"in-sample", "oob", "cross-fit", "none"}
    """

    teacher: Teacher
    outputs: Outputs | None
    unseen: NDArray
    source: str


class TeacherFitter:
    """Fits unfitted teachers, or clones of fitted ones: seeds them, codes their labels, hands weights on.

    Parameters
    ----------
    estimator : object
        The distilled estimator: its ``memory`` and metadata routing.
    classes : ndarray or None
        Sorted classes; None for regression.
    seed : int or None
        Seeds the ``random_state``s of the teacher that are None. None: they stay None.
    """

    def __init__(self, estimator: Any, classes: NDArray | None, seed: int | None):
        self.estimator, self.classes, self.seed = estimator, classes, seed
        self.memory = check_memory(estimator.memory)
        self._warned: set[str] = set()

    def fit(self, teacher: Any, rows: Rows, *, refit: bool = False) -> Any:
        """The teacher, fitted: as it stands where it is already, unless ``refit``; else a fitted clone."""
        if not isinstance(teacher, list):
            return self._fit_one("teacher", teacher, rows, refit, self.seed)
        seeds = np.random.RandomState(self.seed).randint(np.iinfo(np.int32).max, size=len(teacher)).tolist()
        return [
            (name, self._fit_one(name, member, rows, refit, None if self.seed is None else seed))
            for (name, member), seed in zip(teacher, seeds, strict=True)
        ]

    def _fit_one(self, name: str, teacher: Any, rows: Rows, refit: bool, seed: int | None) -> Any:
        if not refit and is_fitted(teacher):
            return teacher
        y = rows.y
        if self.classes is not None and takes_codes(teacher):
            # over the classes present: boosters refuse gaps
            y = np.unique(y, return_inverse=True)[1]
        params = self._weight_params(name, teacher, rows.weight)
        return self.memory.cache(fit_teacher)(seeded(clone(teacher), seed), rows.X, y, params, seed)

    def adapt(self, teacher: Any, fitted: Any, rows: Rows, *, refit: bool = False) -> Teacher:
        """The adapter of what ``fit`` made of a teacher.

        A class that a teacher fitted here has not seen gets the floor; of one that the user has fitted it is an error.
        """
        if isinstance(fitted, list):
            pairs = zip(teacher, fitted, strict=True)
            members = [(name, self.adapt(own, made, rows, refit=refit)) for (name, own), (_, made) in pairs]
            adapter = adapt(members, self.classes)
            adapter.estimator = fitted
            return adapter
        if self.classes is None or (not refit and is_fitted(teacher)):
            return adapt(fitted, self.classes)
        return adapt(fitted, self.classes, seen=np.unique(rows.y), missing="floor")

    def _weight_params(self, name: str, teacher: Any, weight: NDArray | None) -> dict[str, NDArray]:
        """Keyword arguments that carry ``sample_weight`` into the teacher's fit; a warning where nothing can."""
        if weight is None:
            return {}
        if _routing_enabled() and hasattr(teacher, "get_metadata_routing"):
            return dict(process_routing(self.estimator, "fit", sample_weight=weight)[name].fit)
        keyword = weight_name(teacher)
        if keyword is not None:
            return {keyword: weight}
        kind = type(teacher).__name__
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(
                f"{kind}.fit takes no sample_weight, so that only the student is weighted: pass a teacher that takes "
                "it, or a fitted one.",
                SampleWeightWarning,
                stacklevel=2,
            )
        return {}


def fit_teacher(unfitted: Any, X: Any, y: NDArray, fit_params: dict[str, Any], seed: int | None) -> Any:
    """Fit an unfitted teacher; a function of its own so that joblib can cache it."""
    with torch_seed(seed):
        if isinstance(unfitted, NeuralNet):
            return unfitted.fit(*net_rows(unfitted, X, y))
        if holds_net(unfitted):
            X, y = (part.astype(np.float32) if part.dtype == np.float64 else part for part in (np.asarray(X), y))
        return unfitted.fit(X, y, **fit_params)


@contextmanager
def torch_seed(seed: int | None) -> Iterator[None]:
    """Seed torch's global generator, which nets draw from, and leave it as it was; None: let it run on."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def net_rows(net: NeuralNet, X: Any, y: NDArray) -> tuple[Any, NDArray]:
    """Rows in the dtype of a skorch net's module (frames as they are), and the labels or targets that it takes."""
    with torch.random.fork_rng(devices=[]):
        module = clone(net).set_params(verbose=0).initialize().module_
    if isinstance(X, np.ndarray) or sparse.issparse(X):
        X = as_tensor(X, module, device="cpu").numpy()
    codes = y.dtype.kind in "iu" and not isinstance(net, NeuralNetBinaryClassifier)
    dtype = next((part.dtype for part in module.parameters() if part.is_floating_point()), torch.get_default_dtype())
    target = torch.as_tensor(y).to(torch.int64 if codes else dtype).numpy()
    return X, target if y.dtype.kind in "iu" else target.reshape(len(y), -1)


def holds_net(teacher: Any) -> bool:
    """Whether a Pipeline or a search ends in a skorch net."""
    if isinstance(teacher, Pipeline):
        return holds_net(teacher.steps[-1][1])
    if is_search(teacher):
        return holds_net(teacher.estimator)
    return isinstance(teacher, NeuralNet)


def seeded(teacher: Any, seed: int | None) -> Any:
    """Give every ``random_state`` of a teacher that is None a seed of its own."""
    if seed is None:
        return teacher
    rng = check_random_state(seed)
    params = teacher.get_params(deep=True)
    names = sorted(name for name in params if name == "random_state" or name.endswith("__random_state"))
    seeds = {name: int(rng.randint(np.iinfo(np.int32).max)) for name in names if params[name] is None}
    return teacher.set_params(**seeds) if seeds else teacher


def weight_name(teacher: Any) -> str | None:
    """The keyword under which a teacher's fit takes row weights, or None."""
    if isinstance(teacher, Pipeline):
        name, last = teacher.steps[-1]
        inner = None if last is None or last == "passthrough" else weight_name(last)
        return None if inner is None else f"{name}__{inner}"
    if isinstance(teacher, FrozenEstimator) or has_fit_parameter(teacher, "sample_weight"):
        return "sample_weight"
    # these hand on what they are given as **fit_params
    if hasattr(teacher, "estimators") and (hasattr(teacher, "voting") or hasattr(teacher, "weights")):
        return _weight_name_of_all(teacher.estimators)
    if hasattr(teacher, "estimators") and hasattr(teacher, "final_estimator"):
        final = [] if teacher.final_estimator is None else [("final_estimator", teacher.final_estimator)]
        return _weight_name_of_all([*teacher.estimators, *final])
    if is_search(teacher):
        return weight_name(teacher.estimator)
    return None


def _weight_name_of_all(members: list[tuple[str, Any]]) -> str | None:
    names = {weight_name(member) for _, member in members if not isinstance(member, str)}
    return "sample_weight" if names == {"sample_weight"} else None


def is_search(teacher: Any) -> bool:
    """Whether it is a GridSearchCV or its like, fitted or not."""
    return hasattr(teacher, "estimator") and hasattr(teacher, "refit")


def gather(
    fitter: TeacherFitter,
    teacher: Any,
    rows: Rows,
    *,
    cv: Any,
    groups: Callable[[], NDArray],
    ask: bool,
    spread: bool,
    n_jobs: int | None,
) -> Knowledge:
    """Fit the teacher where it has to be, and ask it for the training rows once.

    Parameters
    ----------
    fitter : TeacherFitter
    teacher : object
        Fitted or not.
    rows : Rows
    cv : None, "auto", "oob", int, splitter or iterable of splits
    groups : callable
        Gives, of shape (n,), the number of each row's group of identical rows, which an int ``cv`` never separates.
    ask : bool
        False: only fit it.
    spread : bool
        Whether the members' disagreement is wanted (regression).
    n_jobs : int or None
        Folds fitted at once.
    """
    folds = cv is not None and not isinstance(cv, str)
    if folds and any_fitted(teacher):
        raise ValueError(
            f"cv={cv!r} would refit the teacher on parts of the rows, but a fitted teacher is kept as it is: pass an "
            "unfitted teacher (sklearn.base.clone makes one), or cv=None, 'oob' or 'auto'."
        )
    adapter = fitter.adapt(teacher, fitter.fit(teacher, rows), rows)
    if not ask:
        return Knowledge(adapter, None, np.zeros(len(rows), bool), "none")
    if folds:
        splits = make_splits(cv, rows, groups)
        return cross_fit(fitter, teacher, adapter, rows, splits, spread=spread, n_jobs=n_jobs)
    if cv == "oob" or (cv == "auto" and adapter.has_out_of_bag):
        try:
            answer, unseen = adapter.out_of_bag(rows.X, rows.y, rows.weight)
        except ValueError:
            # "auto": fitted on other rows, or on these in another order
            if cv == "oob":
                raise
        else:
            return Knowledge(adapter, _out_of_bag_outputs(adapter, rows.X, answer, spread), unseen, "oob")
    return Knowledge(adapter, adapter.outputs(rows.X, spread=spread), np.zeros(len(rows), bool), "in-sample")


def any_fitted(teacher: Any) -> bool:
    """Whether a teacher, or one of a list of them, was fitted by the user."""
    return any(is_fitted(member) for _, member in teacher) if isinstance(teacher, list) else is_fitted(teacher)


def _out_of_bag_outputs(adapter: Teacher, X: Any, answer: NDArray, spread: bool) -> Outputs:
    if adapter.classes is not None:
        return Outputs(proba=answer)
    # members disagree no less where some of them have seen the row
    return Outputs(values=answer, spread=adapter.outputs(X, spread=True).spread if spread else None)


def cross_fit(
    fitter: TeacherFitter,
    teacher: Any,
    adapter: Teacher,
    rows: Rows,
    splits: list[Split],
    *,
    spread: bool,
    n_jobs: int | None,
) -> Knowledge:
    """Answers for each fold from a clone fitted without it; rows of no fold keep the full teacher's."""
    unseen = np.zeros(len(rows), bool)
    for _, test in splits:
        if unseen[test].any():
            raise ValueError("cv must hold out each row at most once, got splits whose test rows overlap.")
        unseen[test] = True
    # scikit-learn's own, which hand the metadata routing on to the workers
    parts = Parallel(n_jobs=n_jobs)(
        delayed(answer_fold)(fitter, teacher, rows, train, test, spread) for train, test in splits
    )
    order = np.concatenate([test for _, test in splits])
    rest = np.flatnonzero(~unseen)
    if len(rest):
        parts.append(adapter.outputs(_safe_indexing(rows.X, rest), spread=spread))
        order = np.concatenate([order, rest])
    # margins of different folds may be there for some only
    if any(part.margins is None for part in parts):
        parts = [replace(part, margins=None) for part in parts]
    return Knowledge(adapter, Outputs.concatenate(parts).take(np.argsort(order)), unseen, "cross-fit")


def answer_fold(
    fitter: TeacherFitter, teacher: Any, rows: Rows, train: NDArray, test: NDArray, spread: bool
) -> Outputs:
    """Fit a clone without a fold, and ask it for the fold."""
    part = rows.take(train)
    fitted = fitter.fit(teacher, part, refit=True)
    return fitter.adapt(teacher, fitted, part, refit=True).outputs(_safe_indexing(rows.X, test), spread=spread)


def make_splits(cv: Any, rows: Rows, groups: Callable[[], NDArray]) -> list[Split]:
    """Splits as index arrays."""
    if isinstance(cv, (int, np.integer)):
        return group_splits(int(cv), rows, groups())
    splits = check_cv(cv).split(rows.X, rows.y)
    n = len(rows.y)
    return [(np.arange(n)[train], np.arange(n)[test]) for train, test in splits]


def group_splits(n_splits: int, rows: Rows, group: NDArray) -> list[Split]:
    """Splits that keep identical rows together and spread classes evenly.

    They depend on the distinct rows alone: not on their order, on how often a row comes, or on rows without weight,
    which are left out.
    """
    kept = np.arange(len(group)) if rows.weight is None else np.flatnonzero(rows.weight)
    group = np.unique(group[kept], return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    if n_groups < n_splits:
        raise ValueError(f"cv={n_splits} needs as many distinct rows, got {n_groups}: lower cv, or set cv=None.")
    label = np.zeros(n_groups, dtype=int)
    if rows.y.ndim == 1:
        code = np.unique(rows.y[kept], return_inverse=True)[1]
        np.maximum.at(label, group, code)
    # neighbours in this order go to different folds: every fold has its part of all classes, or of the target's range
    order = np.lexsort((np.random.RandomState(0).permutation(n_groups), label))
    fold = np.empty(n_groups, dtype=int)
    fold[order] = np.arange(n_groups) % n_splits
    return [(kept[fold[group] != k], kept[fold[group] == k]) for k in range(n_splits)]
