"""Fitting teachers: seeds, codes of classes, row weights, and what skorch nets take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import joblib
import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_memory, has_fit_parameter
from skorch import NeuralNet

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._interrupts import interrupts_heard
from sklkd._sklearn import _routing_enabled
from sklkd._skorch import cast_rows, cast_target, dataset_params, initialized_module, is_net
from sklkd._torch import seeded as alone_and_seeded
from sklkd._torch import torch_seed
from sklkd._warn import warn
from sklkd.exceptions import SampleWeightWarning
from sklkd.rows import Rows
from sklkd.teachers._adapt import adapt
from sklkd.teachers._answers import Answers
from sklkd.teachers._automl import folder_of_its_own
from sklkd.teachers._base import Teacher
from sklkd.teachers._clone import clone_teacher
from sklkd.teachers._in_context import is_costly
from sklkd.teachers._libraries import libraries
from sklkd.teachers._recognise import any_fitted, has_frozen_part, is_fitted, is_search, is_weighted, takes_codes

HANDING_ON = (StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor)
"""Ensembles whose members get the arguments of fit."""


@dataclass(frozen=True)
class Member:
    """A teacher with its name, its seed and the user's arguments of its fit."""

    name: str
    teacher: Any
    seed: int | None
    params: dict[str, Any]


class TeacherFitter:
    """Fits unfitted teachers, or clones of fitted ones: seeds them, codes their labels, hands arguments on.

    Parameters
    ----------
    estimator : object
        The distilled estimator: its ``memory``, ``n_jobs``, ``teacher_fit_params`` and metadata routing.
    classes : ndarray or None
        Sorted classes; None for regression.
    seed : int or None
        Seeds each ``random_state`` of the teacher that is None. None: they stay None.
    multilabel : bool, default=False
        Whether teachers are classifiers of several labels a row.
    checkpoint : Checkpoint, default=NOTHING_KEPT
        Keeps the teachers that are fitted here on all rows.
    """

    def __init__(
        self,
        estimator: Any,
        classes: NDArray | None,
        seed: int | None,
        *,
        multilabel: bool = False,
        checkpoint: Checkpoint = NOTHING_KEPT,
    ):
        self.checkpoint = checkpoint
        self.estimator, self.classes, self.seed, self.multilabel = estimator, classes, seed, multilabel
        self.memory = check_memory(estimator.memory)
        self._warned: set[str] = set()

    def fit(self, teacher: Any, rows: Rows, *, refit: bool = False) -> Any:
        """The teacher, fitted: as it stands where it is already, unless ``refit``; else a fitted clone."""
        fitted = [(one.name, self._fit_one(one, rows, refit)) for one in self._members(teacher)]
        return fitted if isinstance(teacher, list) else fitted[0][1]

    def _members(self, teacher: Any) -> list[Member]:
        """The members of a list of teachers, or a teacher that is alone."""
        params = self.estimator.teacher_fit_params or {}
        if not isinstance(teacher, list):
            return [Member("teacher", teacher, self.seed, params)]
        of_member = params_by_member(params, [name for name, _ in teacher])
        seeds = np.random.RandomState(self.seed).randint(np.iinfo(np.int32).max, size=len(teacher)).tolist()
        return [
            Member(name, member, None if self.seed is None else seed, of_member[name])
            for (name, member), seed in zip(teacher, seeds, strict=True)
        ]

    def _fit_one(self, member: Member, rows: Rows, refit: bool) -> Any:
        if not refit and is_fitted(member.teacher):
            return member.teacher
        checkpoint = NOTHING_KEPT if refit else self.checkpoint
        return checkpoint.kept(
            f"teacher.{member.name}", lambda: self.memory.cache(fit_teacher)(*self._fit_arguments(member, rows, refit))
        )

    def _fit_arguments(
        self, member: Member, rows: Rows, refit: bool
    ) -> tuple[Any, Any, NDArray, dict[str, Any], int | None]:
        """What :func:`fit_teacher` is given."""
        teacher, params, y = member.teacher, member.params, rows.y
        if self.classes is not None and takes_codes(teacher):
            # over the classes present: boosters refuse codes that are missing between others
            present, y = np.unique(y, return_inverse=True)
            params = with_codes(params, present)
        params = self._routed(member.name, teacher, rows) | params
        copied = clone_teacher(teacher) if refit else clone_unfitted_members(teacher)
        copied = folder_of_its_own(copied, again=refit)
        return seeded(copied, member.seed), rows.X, y, params, member.seed

    def answers(self, teacher: Any, rows: Rows, *, refit: bool = False) -> Answers:
        """How what ``fit`` makes of a teacher is asked: by way of ``memory``, where it is costly and not kept.

        A kept teacher, or a frozen part, has no key that would be the same in another process.
        """
        kept = has_frozen_part(teacher) or (not refit and any_fitted(teacher))
        if not isinstance(self.memory, Memory) or self.memory.location is None or kept or not is_costly(teacher):
            return Answers()
        fits = [self._fit_arguments(member, rows, refit) for member in self._members(teacher)]
        return Answers(self.memory, joblib.hash((fits, self.classes, self.multilabel)))

    def adapt(self, teacher: Any, fitted: Any, rows: Rows, *, refit: bool = False) -> Teacher:
        """The adapter of what ``fit`` made of a teacher.

        A class that a teacher fitted here has not seen gets the floor; of one that the user has fitted it is an error.
        What the adapter has to learn from rows, such as whether a module returns probabilities, it learns from these.
        """
        return self._adapt(teacher, fitted, rows, refit).prepared(rows.X)

    def _adapt(self, teacher: Any, fitted: Any, rows: Rows, refit: bool) -> Teacher:
        if isinstance(fitted, list):
            pairs = zip(teacher, fitted, strict=True)
            members = [(name, self._adapt(own, made, rows, refit)) for (name, own), (_, made) in pairs]
            adapter = adapt(members, self.classes, multilabel=self.multilabel)
            adapter.estimator = fitted
            return adapter
        if self.classes is None or (not refit and is_fitted(teacher)):
            return adapt(fitted, self.classes, multilabel=self.multilabel)
        return adapt(fitted, self.classes, seen=np.unique(rows.y), missing="floor")

    def split_params(self, rows: Rows) -> dict[str, Any]:
        """What the splits of ``cv`` are given beside rows and labels, such as ``groups``."""
        if _routing_enabled() and hasattr(self.estimator.cv, "get_metadata_routing"):
            return dict(process_routing(self.estimator, "fit", **_metadata(rows))["splitter"].split)
        return {name: value for name, value in rows.metadata.items() if name == "groups"}

    def _routed(self, name: str, teacher: Any, rows: Rows) -> dict[str, Any]:
        """Keyword arguments of the teacher's fit that come from those of ours."""
        if _routing_enabled() and hasattr(teacher, "get_metadata_routing"):
            given = _metadata(rows)
            return dict(process_routing(self.estimator, "fit", **given)[name].fit) if given else {}
        splits = is_search(teacher) or is_weighted(teacher)
        groups = {"groups": rows.metadata["groups"]} if splits and "groups" in rows.metadata else {}
        return self._weight_params(teacher, rows.weight) | groups

    def _weight_params(self, teacher: Any, weight: NDArray | None) -> dict[str, NDArray]:
        """Keyword arguments that carry ``sample_weight`` into the teacher's fit; a warning where nothing can."""
        if weight is None:
            return {}
        keyword = weight_name(teacher)
        if keyword is not None:
            return {keyword: weight}
        kind = type(teacher).__name__
        if kind not in self._warned:
            self._warned.add(kind)
            warn(
                f"{kind}.fit takes no sample_weight, so that only the student is weighted: pass a teacher that takes "
                "it, or a fitted one.",
                SampleWeightWarning,
            )
        return {}


def clone_unfitted_members(teacher: Any) -> Any:
    """An unfitted clone of a teacher, in which fitted members of ``WeightedTeachers`` are kept, as those of a list."""
    made = clone_teacher(teacher)
    if is_weighted(teacher):
        kept = {name: each for name, each in teacher.teachers if is_fitted(each) and hasattr(each, "get_params")}
        made.teachers = [
            (name, FrozenEstimator(kept[name]) if name in kept and not isinstance(each, FrozenEstimator) else each)
            for name, each in made.teachers
        ]
    return made


def teacher_router(owner: Any, teachers: Sequence[tuple[str, Any]]) -> MetadataRouter:
    """What hands metadata of an estimator's ``fit`` on to its teachers and its splitter ``cv``."""
    router = MetadataRouter(owner=owner).add_self_request(owner)
    mapping = MethodMapping().add(caller="fit", callee="fit")
    for name, teacher in teachers:
        if hasattr(teacher, "get_metadata_routing"):
            router.add(**{name: teacher}, method_mapping=mapping)
    if hasattr(owner.cv, "get_metadata_routing"):
        router.add(splitter=owner.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
    return router


def _metadata(rows: Rows) -> dict[str, Any]:
    """Metadata of the rows, their weights included."""
    return rows.metadata if rows.weight is None else rows.metadata | {"sample_weight": rows.weight}


def params_by_member(params: dict[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Arguments of the fits of several teachers, from names like ``name__argument``."""
    of_member: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in params.items():
        name, _, argument = key.partition("__")
        if name not in of_member or not argument:
            raise ValueError(
                f"teacher_fit_params must have keys <name of the teacher>__<argument> where teacher is a list, with a "
                f"name among {sorted(names)}, got {key!r}."
            )
        of_member[name][argument] = value
    return of_member


def with_codes(params: dict[str, Any], classes: NDArray) -> dict[str, Any]:
    """The same, with the labels of an ``eval_set`` as the codes that the teacher is fitted on."""

    def coded(y: Any) -> NDArray:
        known = np.isin(y, classes)
        if not known.all():
            raise ValueError(
                "teacher_fit_params: the labels of eval_set must be among those that the teacher is fitted on, got "
                f"{np.count_nonzero(~known)} of {known.size} that are not."
            )
        return np.searchsorted(classes, y)

    # of a Pipeline's last step its name comes first
    sets = {key: value for key, value in params.items() if key.rpartition("__")[2] == "eval_set" and value is not None}
    return params | {key: [(X, coded(y)) for X, y in pairs] for key, pairs in sets.items()}


def fit_teacher(unfitted: Any, X: Any, y: NDArray, fit_params: dict[str, Any], seed: int | None) -> Any:
    """Fit an unfitted teacher; a function of its own so that joblib can cache it.

    A skorch net gets rows and targets in the dtype and shape that it takes; one inside another estimator casts what
    reaches it by itself, so that the steps before it see what the user passed.
    """
    # a net draws all the time, and in threads waits for others; what holds nets may itself fit them in threads
    with alone_and_seeded(seed) if is_net(unfitted) and seed is not None else torch_seed(seed):
        if is_net(unfitted):
            X, y = net_rows(unfitted, X, y)
        else:
            _let_nets_cast(unfitted, y)
        with interrupts_heard():
            unfitted.fit(X, y, **fit_params)
    # FLAML's fit returns nothing
    return unfitted


def net_rows(net: NeuralNet, X: Any, y: NDArray) -> tuple[Any, NDArray]:
    """Rows in the dtype of a net's module (frames as they are), and the labels or targets that it takes."""
    module = initialized_module(net)
    X = cast_rows(module, X)
    return X, cast_target(net, module, y, X)


def _let_nets_cast(teacher: Any, y: NDArray) -> None:
    """Set the dataset of every net inside an unfitted teacher, in place, but for students of distilled estimators."""
    if not hasattr(teacher, "get_params"):
        return
    parts = teacher.get_params(deep=True)
    for name, net in parts.items():
        if not is_net(net) or is_fitted(net) or any(map(_is_distilled, _holders(teacher, parts, name))):
            continue
        params = dataset_params(net, integers=y.dtype.kind in "iub")
        teacher.set_params(**{f"{name}__{param}": value for param, value in params.items()})


def _holders(teacher: Any, parts: dict[str, Any], name: str) -> list[Any]:
    """The objects inside which a parameter lies, from the teacher inwards."""
    prefixes = list(accumulate(name.split("__")[:-1], "{}__{}".format))
    return [teacher, *(parts[prefix] for prefix in prefixes if prefix in parts)]


def _is_distilled(estimator: Any) -> bool:
    return "sklkd" in libraries(estimator)


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
    if isinstance(teacher, FrozenEstimator):
        return "sample_weight"
    # in scikit-learn 1.6 the signatures of these have it, whatever their members take
    if not isinstance(teacher, HANDING_ON) and has_fit_parameter(teacher, "sample_weight"):
        return "sample_weight"
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
