"""Steps and the default student behind them as one student of the user's columns, for files without steps."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from sklkd._columns import ColumnCodec, ColumnSelection
from sklkd._columns._cells import is_missing
from sklkd.estimators._access import with_fitted
from sklkd.export._parts import flat, parts_of, passes
from sklkd.export._wrapped import Unwrapped
from sklkd.students._encoder import scaled
from sklkd.students._folded import Folded

ADVICE = "pass the last step, and run the steps before it where the rows come from, or export the whole with to_onnx."


@dataclass(frozen=True)
class _Column:
    """``factor * x + offset`` of a column x of the user's; where x is missing, ``missing``."""

    source: int
    factor: float = 1.0
    offset: float = 0.0
    missing: float = np.nan

    def affine(self, factor: float, offset: float) -> _Column:
        """The same of this column."""
        return _Column(self.source, self.factor * factor, self.offset * factor + offset, self.missing * factor + offset)


def composed(unwrapped: Unwrapped, folded: Folded) -> tuple[Unwrapped, Folded]:
    """The same model without steps, which reads the user's columns, and its student's arrays.

    Raises
    ------
    TypeError
        For steps that are not made of scalers and imputers of numbers.
    """
    if len(folded.categorical):
        raise TypeError(f"est gets categories from the steps before it, which C code cannot: {ADVICE}")
    first = unwrapped.steps[0][1]
    columns = [_Column(j) for j in range(first.n_features_in_)]
    for name, step in unwrapped.steps:
        columns = _after(name, step, columns)
    names = np.asarray(first.feature_names_in_, dtype=object) if hasattr(first, "feature_names_in_") else None
    read = sorted({column.source for column in columns}) if names is not None else list(range(first.n_features_in_))
    takes = unwrapped.est._fitted.handles_missing
    imputed = [not np.isnan(column.missing) for column in columns]
    if any(imputed) and not all(imputed) and not takes:
        raise TypeError(f"est imputes some columns and refuses gaps in others, which C code cannot: {ADVICE}")
    made = _folded(folded, columns, read)
    takes = takes or all(imputed)
    if not takes:
        made = replace(made, with_missing=np.empty(0, np.intp), missing_weights=made.missing_weights[:0])
    encoder = copy.copy(unwrapped.est.encoder_)
    encoder.codec_ = codec = ColumnCodec(invertible=False).fit(np.zeros((2, len(read))))
    columns_read = ColumnSelection(np.array(read), first.n_features_in_, None if names is None else names[read])
    est = with_fitted(unwrapped.est, encoder=encoder, network=made, handles_missing=takes, columns=columns_read)
    est.n_features_in_ = len(read)
    est.__dict__.pop("feature_names_in_", None)
    if names is not None:
        est.feature_names_in_ = codec.feature_names_in_ = names[read]
        codec._names = est.feature_names_in_.tolist()
    return replace(unwrapped, steps=[], est=est), made


def _after(path: str, step: Any, columns: list[_Column]) -> list[_Column]:
    """What a step makes of columns."""
    if passes(step) or (type(step) is FunctionTransformer and step.func is None):
        return columns
    if isinstance(step, Pipeline):
        for name, inside in flat(step.steps):
            columns = _after(f"{path}__{name}", inside, columns)
        return columns
    if isinstance(step, (ColumnTransformer, FeatureUnion)):
        if isinstance(step, ColumnTransformer):
            parts = [(name, part, [columns[place] for place in places]) for name, part, places in parts_of(step)]
        else:
            parts = [(name, part, columns) for name, part in step.transformer_list if part != "drop"]
        weights, found = step.transformer_weights or {}, []
        for name, part, given in parts:
            weight = weights.get(name, 1.0)
            found += [column.affine(weight, 0.0) for column in _after(f"{path}__{name}", part, given)]
        return found
    if type(step) is SimpleImputer and is_missing(step.missing_values) and step.statistics_.dtype.kind in "fiu":
        kept = ~np.isnan(step.statistics_) | step.keep_empty_features
        filled = [
            replace(column, missing=float(fill)) if np.isnan(column.missing) else column
            for column, fill, keep in zip(columns, step.statistics_, kept, strict=True)
            if keep
        ]
        marked = [columns[j] for j in step.indicator_.features_] if step.add_indicator else []
        return filled + [_Column(one.source, 0.0, 0.0, float(np.isnan(one.missing))) for one in marked]
    if type(step) in (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler) and not getattr(step, "clip", False):
        width = len(columns)
        if isinstance(step, MinMaxScaler):
            factor, offset = step.scale_, step.min_
        else:
            center = getattr(step, "mean_", getattr(step, "center_", None))
            if isinstance(step, StandardScaler) and not step.with_mean:
                center = None
            factor = np.ones(width) if step.scale_ is None else 1 / step.scale_
            offset = np.zeros(width) if center is None else -center * factor
        return [column.affine(*line) for column, *line in zip(columns, factor, offset, strict=True)]
    raise TypeError(
        f"est must have no other steps than scalers and imputers of numbers to become C code, got a Pipeline with step "
        f"{path!r} ({type(step).__name__}): {ADVICE}"
    )


def _folded(folded: Folded, columns: list[_Column], read: list[int]) -> Folded:
    """The student of these columns as one of the user's."""
    width = folded.clip.shape[1]
    center, scale, clip = np.zeros(len(read)), np.ones(len(read)), np.zeros((len(read), width))
    bins: dict[int, int] = {}  # column of the user's -> that of the student
    missing, bias = np.zeros((len(read), width)), folded.bias.copy()
    for k, column in enumerate(columns):
        j = read.index(column.source)
        if column.factor == 0:
            fixed = _gives(folded, k, column.offset)
            bias += fixed
            missing[j] += _gives(folded, k, column.missing) - fixed
            continue
        if j in bins:
            raise TypeError(f"est must read every column once to become C code, but its steps use one twice: {ADVICE}")
        bins[j] = k
        scale[j] = folded.scale[k] / column.factor
        center[j] = (folded.center[k] - column.offset) / column.factor
        clip[j] = folded.clip[k]
        # the scaled value of a missing one is 0
        missing[j] += _gives(folded, k, column.missing) - _gives(folded, k, folded.center[k])
    places = {int(k): i for i, k in enumerate(folded.binned)}
    binned = [j for j in sorted(bins) if bins[j] in places]
    pieces = [slice(*folded.starts[places[bins[j]] :][:2]) for j in binned]
    return replace(
        folded,
        numeric=np.arange(len(read)),
        center=center,
        scale=scale,
        clip=clip,
        binned=np.array(binned, dtype=np.intp),
        starts=np.cumsum([0, *(piece.stop - piece.start for piece in pieces)]).astype(np.intp),
        edges=np.concatenate([folded.edges[piece] for piece in pieces] or [folded.edges[:0]]),
        values=np.concatenate([folded.values[piece] for piece in pieces] or [folded.values[:0]]),
        with_missing=np.arange(len(read)),
        missing_weights=missing,
        bias=bias,
    )


def _gives(folded: Folded, k: int, value: float) -> NDArray[np.float64]:
    """What a student's column gives the first layer, (w,), at a value; 0 is what a missing one is scaled to."""
    z = float(np.float32(scaled(np.array([value]), folded.center[k : k + 1], folded.scale[k : k + 1])[0]))
    gap = np.isnan(z)
    z = 0.0 if gap else z
    found = z / np.sqrt(1 + (z / 3) ** 2) * folded.clip[k]
    for i in np.flatnonzero(folded.binned == k):
        mine = slice(*folded.starts[i : i + 2])
        found = found + [np.interp(z, folded.edges[mine], units) for units in folded.values[mine].T]
    for i in np.flatnonzero(folded.with_missing == k) if gap else ():
        found = found + folded.missing_weights[i]
    return found
