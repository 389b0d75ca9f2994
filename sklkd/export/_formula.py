"""What a fitted classifier or regressor computes, where that is a sum of leaves or of weighted columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.multioutput import MultiOutputRegressor

from sklkd.export import _linear, _trees
from sklkd.export._booster_trees import booster_trees
from sklkd.export._compare import about_rows_ignored
from sklkd.export._linear import Linear, linear_of
from sklkd.export._links import link_of
from sklkd.export._trees import Trees, mean_of, sklearn_trees

BAGS = (BaggingClassifier, BaggingRegressor)
N_ROWS, REACH = 50, 3.0


def formula_of(model: Any, width: int) -> Trees | Linear | None:
    """The trees or the weights of a fitted model, with the link that the model's predictions show.

    Parameters
    ----------
    model : classifier or regressor
        Fitted.
    width : int
        Columns that it takes.

    Returns
    -------
    Trees, Linear or None
        None where a model is neither, and where it makes something else of its sums.
    """
    if isinstance(model, MultiOutputRegressor):
        return _side_by_side([formula_of(one, width) for one in model.estimators_])
    found: Any = _mean_of_members(model) if isinstance(model, BAGS) else sklearn_trees(model)
    if found is None:
        found = booster_trees(model)
    if found is None:
        found = linear_of(model)
    if found is None:
        return None
    rows = np.random.RandomState(0).standard_normal((N_ROWS, width)) * REACH
    with about_rows_ignored():
        given = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)
    link = link_of(found.raw(rows), np.asarray(given, np.float64).reshape(N_ROWS, -1))
    return None if link is None else replace(found, link=link)


def compares_in_double(model: Any, width: int) -> bool:
    """Whether a model compares numbers with thresholds in double precision, so that rounding could change sides."""
    found = formula_of(model, width)
    return isinstance(found, Trees) and not found.single


def _mean_of_members(model: Any) -> Trees | None:
    """Of members that see every class, and give probabilities or values as they are."""
    members = list(zip(model.estimators_, model.estimators_features_, strict=True))
    found = [formula_of(one, len(columns)) for one, columns in members]
    parts = [one for one in found if isinstance(one, Trees) and one.link == "identity"]
    n_outputs = getattr(model, "n_classes_", len(parts[0].base) if parts else 0)
    if len(parts) < len(found) or any(len(one.base) != n_outputs or one.single != parts[0].single for one in parts):
        return None
    return mean_of(parts, [columns for _, columns in members])


def _side_by_side(parts: list[Any]) -> Trees | Linear | None:
    first = parts[0]
    if first is None or any(type(one) is not type(first) or one.link != first.link for one in parts):
        return None
    return (_trees if isinstance(first, Trees) else _linear).side_by_side(parts)
