"""What is exported: an estimator, the steps before it, and rows to compare with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sklkd._columns import has_one_dimension
from sklkd._columns._cells import Coded, cell_types
from sklkd._columns._tables import open_table
from sklkd._sklearn import _safe_indexing
from sklkd.export._formula import compares_in_double
from sklkd.export._parts import flat, leaves, unread
from sklkd.export._rows import learnt_texts, rows_before, training_like_rows
from sklkd.export._wrapped import Unwrapped, unwrap
from sklkd.students import InputEncoder


@dataclass
class Source:
    """An estimator and how rows come to it.

    Attributes
    ----------
    unwrapped : Unwrapped
        The user's model taken apart.
    own_steps : list of (str, transformer)
        Before the network, in the user's own student.
    rows : array or frame
        On which graph and estimator are compared.
    shape : tuple of int
        Of one row, without columns that the first step drops by name.
    names : list of str or None
        Of these columns.
    text : list of int
        Columns that go to steps as strings.
    unread : list of int
        Columns of an array that no step reads, which may hold anything.
    """

    unwrapped: Unwrapped
    own_steps: list[Any]
    rows: Any
    shape: tuple[int, ...]
    names: list[str] | None
    text: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)

    @property
    def est(self) -> Any:
        """The distilled estimator."""
        return self.unwrapped.est

    @property
    def steps(self) -> list[Any]:
        """The steps before it."""
        return self.unwrapped.steps

    def student_shape(self) -> tuple[int, ...]:
        """Of one row as the estimator's encoder gives it."""
        row = _safe_indexing(self.rows, [0])
        if self.steps:
            row = Pipeline(self.steps).transform(row)
        return np.shape(self.est.encoder_.transform(row))[1:]

    @property
    def coded(self) -> bool:
        """Whether the estimator's own encoder reads the user's columns."""
        return not self.steps and isinstance(self.est.encoder_, InputEncoder)

    @property
    def has_dates(self) -> bool:
        """Whether the estimator's own encoder reads dates."""
        return self.coded and bool(self.est.encoder_.calendar_)

    @property
    def compares_in_double(self) -> bool:
        """Whether the student is no network, and rounding its numbers could change sides of a threshold."""
        return not self.est._fitted.is_net and compares_in_double(self.est.student_, *self.student_shape())

    @property
    def one_tensor(self) -> bool:
        """Whether all columns are numbers of an array."""
        if self.coded:
            codec = self.est.encoder_.codec_
            return self.names is None and all(categories is None for categories in codec.categories_)
        return self.names is None and not self.text

    @property
    def inputs(self) -> list[str]:
        """What the graph's inputs are called."""
        if self.one_tensor:
            return ["X"]
        return self.names or [f"x{j}" for j in range(self.shape[0])]


def open_source(model: Any, X: Any) -> Source:
    """Take a model apart.

    Raises
    ------
    TypeError
        For a model that is not made of a distilled estimator.
    NotImplementedError
        For a model that reads texts, and for wrappers whose predictions are not those of one student.
    ValueError
        Where rows are needed, or the estimator gets other columns than numbers from the steps before it.
    """
    unwrapped = unwrap(model)
    steps, est = unwrapped.steps, unwrapped.est
    # the last step before a network makes float32 of what they give
    own = flat(est.encoder_.steps[: -1 if est._fitted.is_net else None]) if _is_pipeline(est.encoder_) else []
    plain = not steps and isinstance(est.encoder_, InputEncoder)
    if steps and isinstance(est.encoder_, InputEncoder) and est.encoder_.codec_._lookups:
        raise ValueError(
            "est gets categories from the steps before it, which cannot be exported: let them code categories as "
            "numbers, or leave them to the estimator."
        )
    reader = steps[0][1] if steps else est
    if not hasattr(reader, "n_features_in_") and (X is None or has_one_dimension(X)):
        raise NotImplementedError(
            "est reads texts, which have no columns for a graph to take: export a student that reads the numbers of "
            "their vectorizer, and keep that beside it, or pickle est.without_teacher()."
        )
    names = getattr(reader, "feature_names_in_", None)
    if X is None:
        X = _made_up(est, steps, own)
    X = unwrapped.read(X)
    names = None if names is None else [str(name) for name in names]
    first = (steps or own or [("", None)])[0][1]
    read = columns_by_name(first) if isinstance(first, ColumnTransformer) and names is not None else None
    if read is None:
        read = names
    looked_at = X[read] if read != names else X
    text = [] if plain else _text_columns(looked_at)
    if steps or own:
        # also where the given rows hold none
        learnt = learnt_texts(Pipeline(steps + own))
        places = range(np.shape(X)[1]) if read is None or names is None else [names.index(name) for name in read]
        text = sorted({*text, *(j for j, place in enumerate(places) if place in learnt)})
    dropped = unread(first) if names is None else []
    text = [j for j in text if j not in dropped]
    return Source(unwrapped, own, X, np.shape(looked_at)[1:], read, text, dropped)


def columns_by_name(transformer: ColumnTransformer) -> list[str] | None:
    """The columns that a fitted ColumnTransformer reads, in the frame's order; None where it knows some by place."""
    read: set[str] = set()
    for _, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        named = [columns] if isinstance(columns, str) else columns
        if not isinstance(named, (list, tuple, np.ndarray)) or not all(isinstance(one, str) for one in named):
            return None
        read.update(named)
    return [name for name in transformer.feature_names_in_ if name in read]


def _is_pipeline(model: Any) -> bool:
    return isinstance(model, Pipeline)


def made_up_rows(unwrapped: Unwrapped) -> Any:
    """Rows for a model with the default student."""
    return _made_up(unwrapped.est, unwrapped.steps, [])


def _made_up(est: Any, steps: list[Any], own: list[Any]) -> Any:
    """Rows for an estimator: like those of training, as far as its encoder and the steps tell how these are."""
    missing = est._fitted.handles_missing
    given = None
    if isinstance(est.encoder_, InputEncoder):
        if not steps:
            return training_like_rows(est, missing=missing)
        parts = leaves(Pipeline(steps))
        given = training_like_rows(est, missing=missing and all(get_tags(one).input_tags.allow_nan for one in parts))
    if not (steps or own):
        raise ValueError(
            "X must be given, some rows to compare the graph with: they cannot be made up for arrays of more than two "
            "dimensions."
        )
    if own:
        given = rows_before(own, None, missing=missing, gaps=missing)
    rows = rows_before(steps, given, missing=missing)
    first = (steps or own)[0][1]
    names = getattr(first, "feature_names_in_", None)
    if names is None or not isinstance(first, (ColumnTransformer, FeatureUnion)):
        return rows
    pandas = sys.modules.get("pandas")
    if pandas is None:
        raise ValueError("X must be given, some rows to compare the graph with: a frame, as the steps take it.")
    return pandas.DataFrame(rows, columns=names).infer_objects()


def _text_columns(X: Any) -> list[int]:
    """Columns that hold strings."""
    if np.ndim(X) != 2:
        return []
    table = open_table(X)
    if table.matrix() is not None:
        return []
    return [j for j in range(table.shape[1]) if _is_text(table.column(j))]


def _is_text(column: Any) -> bool:
    if isinstance(column, np.ndarray):
        return False
    values = column.values if isinstance(column, Coded) else column
    return any(issubclass(kind, str) for kind in cell_types(list(values), "")[0])
