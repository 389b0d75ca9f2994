"""What the teacher says of the training rows: in-sample, out-of-bag, or cross-fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint, NotKeptError, NotPicklableError
from sklkd._progress import SILENT, Pieces, Progress
from sklkd._side_by_side import side_by_side, within
from sklkd._sklearn import _safe_indexing
from sklkd._splits import Split, make_splits
from sklkd._warn import warn
from sklkd.exceptions import TeacherWarning
from sklkd.rows import Rows
from sklkd.teachers import Outputs, Teacher, TeacherFitter, any_fitted, has_frozen_part, learns_in_context

FOLDS, FEWEST = 5, 50
"""Into how many folds "auto" cross-fits teachers that learn in context, and the distinct rows from which on it does."""


@dataclass
class Knowledge:
    """A teacher and its outputs for the training rows.

    Attributes
    ----------
    teacher : Teacher
        The adapter of the fitted teacher.
    outputs : Outputs or None
        One row per training row; None where the teacher was not asked.
    unseen : ndarray of bool, shape (n,)
        Rows whose outputs come from a teacher that was not fitted on them.
    source : {"in-sample", "oob", "cross-fit", "none"}
    """

    teacher: Teacher
    outputs: Outputs | None
    unseen: NDArray
    source: str


def gather(
    fitter: TeacherFitter,
    teacher: Any,
    rows: Rows,
    *,
    cv: Any,
    groups: Callable[[], NDArray],
    ask: bool,
    spread: bool,
    empty: Callable[..., NDArray] = np.empty,
    checkpoint: Checkpoint = NOTHING_KEPT,
    progress: Progress = SILENT,
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
    empty : callable, default=numpy.empty
        Makes an array of a shape and a dtype, for outputs.
    checkpoint : Checkpoint, default=NOTHING_KEPT
        Keeps the outputs, those of each fold as soon as they are there.
    progress : Progress, default=SILENT
        Has the stages "teacher" and "labelling".
    """
    folds = cv is not None and not isinstance(cv, str)
    if folds and any_fitted(teacher):
        raise ValueError(
            f"cv={cv!r} would refit the teacher on parts of the rows, but a fitted teacher is kept as it is: pass an "
            "unfitted teacher (sklearn.base.clone makes one), or cv=None, 'oob' or 'auto'."
        )
    if folds and has_frozen_part(teacher):
        raise ValueError(
            f"cv={cv!r} would call predictions out of sample that come from frozen parts of the teacher, which may "
            "have seen every row: pass it with nothing frozen (sklkd.teachers.unfrozen makes one), or cv=None, 'oob' "
            "or 'auto'."
        )
    with progress.stage("teacher"):
        adapter = fitter.adapt(teacher, fitter.fit(teacher, rows), rows)
    if not ask:
        return Knowledge(adapter, None, np.zeros(len(rows), bool), "none")

    def crossed(cv: Any) -> Knowledge:
        splits = checkpoint.kept("splits", lambda: make_splits(cv, rows, groups, fitter.split_params(rows)))
        options: dict[str, Any] = {"spread": spread, "empty": empty, "checkpoint": checkpoint, "progress": progress}
        return cross_fit(fitter, teacher, adapter, rows, splits, **options)

    def answer() -> tuple[Outputs | None, NDArray, str]:
        found = crossed(cv) if folds else None
        if isinstance(cv, str) and cv == "auto" and _gives_labels_again(teacher, adapter, groups):
            try:
                found = crossed(FOLDS)
            except (NotKeptError, NotPicklableError):
                raise
            except Exception as error:  # noqa: BLE001 - teachers of any kind fail in any way on a part of the rows
                warn(
                    f"cv='auto' takes the outputs of {adapter.name} for the training rows as they are, because it "
                    f"could not be cross-fitted ({type(error).__name__}): set cv=None, or cv to other folds.",
                    TeacherWarning,
                )
        if found is None:
            with within(fitter.estimator.n_jobs):
                found = outputs_of(adapter, rows, cv, spread, empty)
        return found.outputs, found.unseen, found.source

    with progress.stage("labelling"):
        knowledge = Knowledge(adapter, *checkpoint.kept("outputs", answer))
    progress.note("the outputs for %d training rows are %s", len(rows), knowledge.source)
    return knowledge


def _gives_labels_again(teacher: Any, adapter: Teacher, groups: Callable[[], NDArray]) -> bool:
    """Whether an unfitted teacher's answers for its own rows are near to the labels, and clones of it cost nothing."""
    if any_fitted(teacher) or has_frozen_part(teacher) or adapter.has_out_of_bag or not learns_in_context(teacher):
        return False
    return int(groups().max()) + 1 >= FEWEST


def outputs_of(
    adapter: Teacher, rows: Rows, cv: Any, spread: bool = False, empty: Callable[..., NDArray] = np.empty
) -> Knowledge:
    """Outputs of the teacher itself: out-of-bag, or else in-sample."""
    if cv == "oob" or (cv == "auto" and adapter.has_out_of_bag):
        try:
            predictions, unseen = adapter.out_of_bag(rows.X, rows.y, rows.weight)
        except ValueError:
            # "auto": fitted on other rows, or on these in another order
            if cv == "oob":
                raise
        else:
            outputs = _out_of_bag_outputs(adapter, rows.X, predictions, spread)
            return Knowledge(adapter, Outputs.collected([outputs], len(rows), empty), unseen, "oob")
    return Knowledge(
        adapter, adapter.outputs(rows.X, spread=spread, empty=empty), np.zeros(len(rows), bool), "in-sample"
    )


def _out_of_bag_outputs(adapter: Teacher, X: Any, predictions: NDArray, spread: bool) -> Outputs:
    if adapter.classes is not None:
        return Outputs(proba=predictions)
    # members disagree no less where some of them have seen the row
    return Outputs(values=predictions, spread=adapter.outputs(X, spread=True).spread if spread else None)


def cross_fit(
    fitter: TeacherFitter,
    teacher: Any,
    adapter: Teacher,
    rows: Rows,
    splits: list[Split],
    *,
    spread: bool,
    empty: Callable[..., NDArray] = np.empty,
    checkpoint: Checkpoint = NOTHING_KEPT,
    progress: Progress = SILENT,
) -> Knowledge:
    """Outputs for each fold from a clone fitted without it; rows of no fold keep the full teacher's."""
    unseen = np.zeros(len(rows), bool)
    for _, test in splits:
        unseen[test] = True
    pieces = progress.pieces(len(splits))
    folds = [
        (fitter, teacher, rows, train, test, spread, checkpoint.part(f"fold-{k}"), pieces)
        for k, (train, test) in enumerate(splits)
    ]
    parts = side_by_side(fitter.estimator.n_jobs, predict_fold, folds)
    order = np.concatenate([test for _, test in splits])
    rest = np.flatnonzero(~unseen)
    if len(rest):
        parts.append(adapter.outputs(_safe_indexing(rows.X, rest), spread=spread))
        order = np.concatenate([order, rest])
    # margins of different folds may be there for some only
    if any(part.margins is None for part in parts):
        parts = [replace(part, margins=None) for part in parts]
    outputs = Outputs.collected(parts, len(rows), empty)
    return Knowledge(adapter, outputs.take(np.argsort(order)), unseen, "cross-fit")


def predict_fold(
    fitter: TeacherFitter,
    teacher: Any,
    rows: Rows,
    train: NDArray,
    test: NDArray,
    spread: bool,
    checkpoint: Checkpoint,
    pieces: Pieces,
) -> Outputs:
    """Fit a clone without a fold, and predict the fold with it, at once."""

    def predict() -> Outputs:
        part = rows.take(train).copied()
        fitted = fitter.fit(teacher, part, refit=True)
        adapter = fitter.adapt(teacher, fitted, part, refit=True)
        return fitter.answers(teacher, part, refit=True).of(adapter, _safe_indexing(rows.X, test), spread=spread)

    outputs = checkpoint.kept("outputs", predict)
    pieces.advance()
    return outputs
