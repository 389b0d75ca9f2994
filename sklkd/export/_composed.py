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
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from sklkd._columns import ColumnCodec, ColumnSelection
from sklkd._columns._cells import is_missing
from sklkd.estimators._access import with_fitted
from sklkd.export._categories import learnt, tables_of, takes_unseen
from sklkd.export._parts import flat, parts_of, passes
from sklkd.export._wrapped import Unwrapped
from sklkd.students._encoder import scaled
from sklkd.students._folded import Folded

ADVICE = "pass the last step, and run the steps before it where the rows come from, or export the whole with to_onnx."


@dataclass(frozen=True)
class _Column:
    """``factor * x + offset`` of a column x of the user's; where x is missing, ``missing``, which may be a category."""

    source: int
    factor: float = 1.0
    offset: float = 0.0
    missing: Any = np.nan

    def affine(self, factor: float, offset: float) -> _Column:
        """The same of this column."""
        return _Column(self.source, self.factor * factor, self.offset * factor + offset, self.missing * factor + offset)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Numbers in place of a column's categories, then of a missing and of an unseen one."""

    source: int
    categories: list[Any]
    numbers: NDArray[np.float64]

    def affine(self, factor: float, offset: float) -> _Levels:
        """The same of these numbers."""
        return replace(self, numbers=self.numbers * factor + offset)


def composed(unwrapped: Unwrapped, folded: Folded) -> tuple[Unwrapped, Folded]:
    """The same model without steps, which reads the user's columns, and its student's arrays.

    Raises
    ------
    TypeError
        For steps that are not made of scalers, imputers, ``OneHotEncoder`` and ``OrdinalEncoder``.
    """
    if len(folded.categorical):
        raise TypeError(f"est gets categories from the steps before it, which C code cannot: {ADVICE}")
    first = unwrapped.steps[0][1]
    columns: list[Any] = [_Column(j) for j in range(first.n_features_in_)]
    for name, step in unwrapped.steps:
        columns = _after(name, step, columns)
    names = np.asarray(first.feature_names_in_, dtype=object) if hasattr(first, "feature_names_in_") else None
    read = sorted({column.source for column in columns}) if names is not None else list(range(first.n_features_in_))
    takes = unwrapped.est._fitted.handles_missing
    levels = {column.source: column.categories for column in columns if isinstance(column, _Levels)}
    imputed = [not np.isnan(column.missing) for column in columns if isinstance(column, _Column)]
    if not takes and any(np.isnan(column.numbers).any() for column in columns if isinstance(column, _Levels)):
        raise TypeError(f"est refuses gaps that its encoders make of categories, which C code cannot: {ADVICE}")
    if any(imputed) and not all(imputed) and not takes:
        raise TypeError(f"est imputes some columns and refuses gaps in others, which C code cannot: {ADVICE}")
    made = _folded(folded, columns, read)
    takes = takes or all(imputed)
    if not takes:
        made = replace(made, with_missing=np.empty(0, np.intp), missing_weights=made.missing_weights[:0])
    encoder = copy.copy(unwrapped.est.encoder_)
    encoder.codec_ = codec = ColumnCodec(invertible=False).fit(np.zeros((2, len(read))))
    # of which nothing is known, so that it may hold strings
    codec._empty = ~np.isin(read, [column.source for column in columns])
    for j, source in enumerate(read):
        if source in levels:
            codec.learn_categories(j, levels[source])
    columns_read = ColumnSelection(np.array(read), first.n_features_in_, None if names is None else names[read])
    est = with_fitted(unwrapped.est, encoder=encoder, network=made, handles_missing=takes, columns=columns_read)
    est.n_features_in_ = len(read)
    est.__dict__.pop("feature_names_in_", None)
    if names is not None:
        est.feature_names_in_ = codec.feature_names_in_ = names[read]
        codec._names = est.feature_names_in_.tolist()
    return replace(unwrapped, steps=[], est=est), made


def _after(path: str, step: Any, columns: list[Any]) -> list[Any]:
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
    if type(step) is SimpleImputer and is_missing(step.missing_values):
        fills = step.statistics_.tolist()
        kept = [step.keep_empty_features or not is_missing(fill) for fill in fills]
        filled = [_filled(column, fill) for column, fill, keep in zip(columns, fills, kept, strict=True) if keep]
        marked = [columns[j] for j in step.indicator_.features_] if step.add_indicator else []
        return filled + [_marked(column) for column in marked]
    if type(step) in (OneHotEncoder, OrdinalEncoder):
        return _encoded(path, step, columns)
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
        "est must have no other steps than scalers, imputers, OneHotEncoder and OrdinalEncoder to become C code, got a "
        f"Pipeline with step {path!r} ({type(step).__name__}): {ADVICE}"
    )


def _filled(column: Any, fill: Any) -> Any:
    """A column whose missing values an imputer fills."""
    if isinstance(column, _Levels):
        return replace(column, numbers=np.where(np.isnan(column.numbers), fill, column.numbers))
    return replace(column, missing=fill) if is_missing(column.missing) else column


def _marked(column: Any) -> Any:
    """1 where a column is missing, else 0."""
    if isinstance(column, _Levels):
        return replace(column, numbers=np.isnan(column.numbers).astype(float))
    return _Column(column.source, 0.0, 0.0, float(is_missing(column.missing)))


def _encoded(path: str, encoder: Any, columns: list[Any]) -> list[_Levels]:
    """What an encoder makes of columns of categories."""
    what = f"step {path!r} ({type(encoder).__name__})"
    if not takes_unseen(encoder):
        raise TypeError(
            f"{what} takes categories for an error that fit did not see, which C code cannot: set handle_unknown="
            f"{'ignore' if isinstance(encoder, OneHotEncoder) else 'use_encoded_value'!r}."
        )
    found = []
    for column, known, table in zip(columns, encoder.categories_, tables_of(encoder), strict=True):
        if not isinstance(column, _Column) or (column.factor, column.offset) != (1.0, 0.0):
            raise TypeError(f"{what} must get columns as they are, or imputed, to become C code: {ADVICE}")
        cells = learnt(known).tolist()
        rows = [i for i, cell in enumerate(cells) if not is_missing(cell)]
        places = {cells[i]: i for i in rows}
        if is_missing(column.missing):
            # where no gap was there at fit it is a category like any other that was not
            missing = next((i for i, cell in enumerate(cells) if is_missing(cell)), len(cells))
        else:
            missing = places.get(column.missing, len(cells))
        table = table.toarray() if hasattr(table, "toarray") else table
        numbers = table[[*rows, missing, len(cells)]]
        found += [_Levels(column.source, list(places), each) for each in numbers.T]
    return found


def _folded(folded: Folded, columns: list[Any], read: list[int]) -> Folded:
    """The student of these columns as one of the user's."""
    width = folded.clip.shape[1]
    levels = _of_levels(folded, columns)
    categorical = [j for j, source in enumerate(read) if source in levels]
    numbers = {column.source for column in columns} - levels.keys()
    sources = [source for source in read if source in numbers]
    numeric = np.array([j for j, source in enumerate(read) if source in numbers], dtype=np.intp)
    center, scale, clip = np.zeros(len(numeric)), np.ones(len(numeric)), np.zeros((len(numeric), width))
    bins: dict[int, int] = {}  # number of the user's -> column of the student's
    missing, bias = np.zeros((len(numeric), width)), folded.bias.copy()
    for k, column in enumerate(columns):
        if isinstance(column, _Levels):
            continue
        if column.source in levels:
            raise _used_twice()
        j = sources.index(column.source)
        if column.factor == 0:
            fixed = _gives(folded, k, column.offset)
            bias += fixed
            missing[j] += _gives(folded, k, column.missing) - fixed
            continue
        if j in bins:
            raise _used_twice()
        bins[j] = k
        scale[j] = folded.scale[k] / column.factor
        center[j] = (folded.center[k] - column.offset) / column.factor
        clip[j] = folded.clip[k]
        # the scaled value of a missing one is 0
        missing[j] += _gives(folded, k, column.missing) - _gives(folded, k, folded.center[k])
    places = {int(k): i for i, k in enumerate(folded.binned)}
    binned = [j for j in sorted(bins) if bins[j] in places]
    of_levels = [levels[read[j]] for j in categorical]
    ends = np.cumsum([0, *map(len, of_levels)]).astype(np.intp)
    pieces = [slice(*folded.starts[places[bins[j]] :][:2]) for j in binned]
    return replace(
        folded,
        numeric=numeric,
        center=center,
        scale=scale,
        clip=clip,
        binned=np.array(binned, dtype=np.intp),
        starts=np.cumsum([0, *(piece.stop - piece.start for piece in pieces)]).astype(np.intp),
        edges=np.concatenate([folded.edges[piece] for piece in pieces] or [folded.edges[:0]]),
        values=np.concatenate([folded.values[piece] for piece in pieces] or [folded.values[:0]]),
        with_missing=np.arange(len(numeric)),
        missing_weights=missing,
        categorical=np.array(categorical, dtype=np.intp),
        level_starts=ends,
        levels=np.arange(ends[-1]),
        level_values=np.concatenate([np.empty((0, width)), *of_levels]),
        bias=bias,
    )


def _used_twice() -> TypeError:
    return TypeError(f"est must read every column once to become C code, but its steps use one twice: {ADVICE}")


def _of_levels(folded: Folded, columns: list[Any]) -> dict[int, NDArray[np.float64]]:
    """What the categories of a column, a missing and an unseen one give the first layer, (n_levels, w), by column."""
    found: dict[int, NDArray[np.float64]] = {}
    known: dict[int, list[Any]] = {}
    for k, column in enumerate(columns):
        if not isinstance(column, _Levels):
            continue
        if known.setdefault(column.source, column.categories) != column.categories:
            raise _used_twice()
        numbers, place = np.unique(column.numbers, return_inverse=True)
        given = np.stack([_gives(folded, k, number) for number in numbers])[place]
        found[column.source] = found.get(column.source, 0.0) + given
    return found


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
