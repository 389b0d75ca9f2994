"""Clones of a teacher that are fitted only to measure how good it is on rows that it has not seen."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from sklkd.teachers._clone import clone_teacher

MEMBERS, ROUNDS, FASTEST = 100, 30, 0.3
"""A reduced teacher's members, its least rounds and its largest learning rate."""

ROUND_NAMES = ("n_estimators", "max_iter", "iterations", "num_boost_round", "num_trees")
RATE_NAMES = ("learning_rate", "eta")


@dataclass(frozen=True)
class Defaults:
    """What a library boosts with where a parameter is None or not given; a rate of None is chosen by itself."""

    rounds: int
    rate: float | None
    rounds_name: str


LIBRARIES = {
    "xgboost": Defaults(100, 0.3, "n_estimators"),
    "lightgbm": Defaults(100, 0.1, "n_estimators"),
    "catboost": Defaults(1000, None, "iterations"),
}


def reduced_teacher(teacher: Any) -> Any:
    """A clone that costs about a third of a teacher and predicts nearly as well; the teacher where there is none.

    Bagged ensembles get at most 100 members. Boosters whose learning rate stays at most 0.3 get a third of their
    rounds, not less than 30, at three times the rate. Both are looked for at any depth of the parameters; everything
    else stays as it is.

    Parameters
    ----------
    teacher : estimator or list of (str, estimator)
        With ``get_params``.

    Returns
    -------
    estimator or list of (str, estimator)
        Unfitted, where something was reduced.

    Examples
    --------
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from sklkd.teachers import reduced_teacher
    >>> reduced_teacher(GradientBoostingRegressor())
    GradientBoostingRegressor(learning_rate=0.30..., n_estimators=33)
    """
    if isinstance(teacher, list):
        return [(name, reduced_teacher(member)) for name, member in teacher]
    if isinstance(teacher, FrozenEstimator):
        return teacher
    params = {"": teacher, **teacher.get_params(deep=True)}
    frozen = tuple(f"{name}__" for name, part in params.items() if isinstance(part, FrozenEstimator))
    fewer: dict[str, Any] = {}
    for name, part in params.items():
        if not hasattr(part, "get_params") or isinstance(part, (type, FrozenEstimator)) or name.startswith(frozen):
            continue
        fewer |= _fewer(part, f"{name}__" if name else "")
    return clone_teacher(teacher).set_params(**fewer) if fewer else teacher


def _fewer(estimator: Any, prefix: str) -> dict[str, Any]:
    """The parameters of one estimator that change, by their names in the whole teacher."""
    own = estimator.get_params(deep=False)
    library = next(
        (
            LIBRARIES[name]
            for each in type(estimator).__mro__
            if (name := each.__module__.partition(".")[0]) in LIBRARIES
        ),
        None,
    )
    rounds_name = next((name for name in ROUND_NAMES if own.get(name) is not None), None)
    if library is not None and rounds_name is None:
        rounds_name = library.rounds_name
    if rounds_name is None:
        return {}
    rounds = own.get(rounds_name)
    rounds = library.rounds if rounds is None and library is not None else rounds
    if not isinstance(rounds, (int, np.integer)):
        return {}
    rounds = int(rounds)
    rate_name = next((name for name in RATE_NAMES if name in own), RATE_NAMES[0])
    rate = own.get(rate_name)
    if rate is None and library is not None:
        rate = library.rate
    if library is None and rate_name not in own:
        return {f"{prefix}{rounds_name}": MEMBERS} if rounds_name == "n_estimators" and rounds > MEMBERS else {}
    if rounds < 3 * ROUNDS:
        return {}
    if rate is None and library is not None:
        # chosen by the library for the number of rounds
        return {f"{prefix}{rounds_name}": rounds // 3}
    # three times 0.1 is a little more than 0.3
    if isinstance(rate, float) and 3 * rate <= FASTEST * (1 + 1e-9):
        return {f"{prefix}{rounds_name}": rounds // 3, f"{prefix}{rate_name}": 3 * rate}
    return {}


def unfrozen(teacher: Any) -> Any:
    """A clone of a teacher in which nothing is frozen: fitting it fits all its parts.

    Frozen estimators at any depth are replaced by clones of what they hold, and ensembles that take their members
    prefit fit them.

    Parameters
    ----------
    teacher : estimator or list of (str, estimator)

    Returns
    -------
    estimator or list of (str, estimator)
        Unfitted.

    Examples
    --------
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklkd.teachers import unfrozen
    >>> tree = DecisionTreeClassifier().fit(*load_iris(return_X_y=True))
    >>> unfrozen(CalibratedClassifierCV(FrozenEstimator(tree)))
    CalibratedClassifierCV(estimator=DecisionTreeClassifier())
    """
    if isinstance(teacher, list):
        return [(name, unfrozen(member)) for name, member in teacher]
    if isinstance(teacher, FrozenEstimator):
        return unfrozen(teacher.estimator)
    teacher = clone_teacher(teacher)
    _unfreeze(teacher)
    return teacher


def _unfreeze(estimator: Any) -> None:
    """Unfreeze the parts of a clone in place."""
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        return
    # a deep look from here would also list what is inside of frozen parts; only names of one level are set
    params = {name: part for name, part in estimator.get_params(deep=True).items() if "__" not in name}
    changes: dict[str, Any] = {
        name: unfrozen(part) for name, part in params.items() if isinstance(part, FrozenEstimator)
    }
    changes |= _fit_members(estimator, params)
    if changes:
        estimator.set_params(**changes)
    for name, part in params.items():
        if name not in changes and hasattr(part, "get_params"):
            _unfreeze(part)


def _fit_members(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of an ensemble of prefit members with which it fits them."""
    changes: dict[str, Any] = {}
    if params.get("prefit") is True:
        changes["prefit"] = False
    if isinstance(params.get("cv"), str) and params["cv"] == "prefit":
        changes["cv"] = inspect.signature(type(estimator)).parameters["cv"].default
        if params.get("refit") is False:
            changes["refit"] = True
    return changes
