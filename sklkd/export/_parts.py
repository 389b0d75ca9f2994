"""What steps are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import SplineTransformer

from sklkd._sklearn import input_columns


def passes(step: Any) -> bool:
    """Whether a step changes nothing."""
    return step is None or (isinstance(step, str) and step == "passthrough")


def flat(steps: list[tuple[str, Any]], path: str = "") -> list[tuple[str, Any]]:
    """Steps with those of nested Pipelines in their place, without those that change nothing."""
    found: list[tuple[str, Any]] = []
    for name, step in steps:
        if isinstance(step, Pipeline):
            found += flat(step.steps, f"{path}{name}__")
        elif not passes(step):
            found.append((path + name, step))
    return found


def parts_of(transformer: ColumnTransformer) -> Iterator[tuple[str, Any, list[int]]]:
    """The parts of a fitted ColumnTransformer that give columns, each with the places of those that it reads."""
    for name, part, _ in transformer.transformers_:
        places = list(input_columns(transformer)[name])
        if places and not (isinstance(part, str) and part == "drop"):
            yield name, part, places


def unread(step: Any) -> list[int]:
    """Places of the columns that no part of a fitted ColumnTransformer reads; of other steps none."""
    if not isinstance(step, ColumnTransformer):
        return []
    read = {place for _, _, places in parts_of(step) for place in places}
    return [j for j in range(step.n_features_in_) if j not in read]


def leaves(step: Any) -> Iterator[Any]:
    """The transformers that a step is made of."""
    if isinstance(step, Pipeline):
        inside = [one for _, one in flat(step.steps)]
    elif isinstance(step, ColumnTransformer):
        inside = [part for _, part, _ in parts_of(step)]
    elif isinstance(step, FeatureUnion):
        inside = [part for _, part in step.transformer_list if part != "drop"]
    else:
        yield step
        return
    for one in inside:
        if not passes(one):
            yield from leaves(one)


def knots_of(step: SplineTransformer) -> list[NDArray]:
    """The knots of each column between which it was fitted."""
    return [spline.t[spline.k : len(spline.t) - spline.k] for spline in step.bsplines_]
