"""Rows without labels on which the student learns from the teacher: the user's, and synthetic ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from sklkd._columns import has_one_dimension, is_csr
from sklkd._progress import SILENT, Progress
from sklkd._side_by_side import within
from sklkd._sklearn import _num_samples
from sklkd.augment import MUNGE
from sklkd.estimators._student_fit import Thresholds
from sklkd.estimators._task import Task
from sklkd.estimators.offline._blending import Blending
from sklkd.rows import Rows
from sklkd.teachers import CHUNK, Answers, Outputs, Teacher, chunks

# At most, and always so many where the teacher alone is imitated; 60,000 are better than 30,000 by 0.4 % at the mean of
# 12 sets, but cost the teacher's predictions (benchmarks/README.md, "Synthetic rows" and "Imitation")
SYNTHETIC_ROWS, COPIES = 40_000, 10
# For each distinct training row of a costly teacher, so that it is asked at most five times a row in all: its outputs
# for the real rows are one, its labels for some of them less than a half, and where these outputs are in-sample, clones
# of it are asked for validation rows, less than 1.3
UNSEEN, SEEN = 3, 2
PIECE = 2_000  # rows at least, and no fewer than the training rows, that a costly teacher is asked at once
# What orders synthetic rows: columns that the teacher splits most, and groups of values of each
ORDERED_BY, GROUPS = 4, 16
# Label-only students have memorised the real rows: the more of the targets is theirs, the less these rows weigh beside
# synthetic ones (benchmarks/README.md, "Weights of real rows")
LEAST_WEIGHT = 0.02


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """Asks a teacher for standardized outputs.

    Attributes
    ----------
    teacher : Teacher
    task : Task
    spread : bool
        Whether a loss needs the spread of an ensemble's members.
    n_jobs : int or None
        Cores for a teacher that leaves it open.
    answers : Answers, default=Answers()
        By which a costly teacher is asked.
    piece : int, default=20000
        Rows that a costly teacher is asked at once.
    """

    teacher: Teacher
    task: Task
    spread: bool
    n_jobs: int | None = None
    answers: Answers = field(default_factory=Answers)
    piece: int = CHUNK

    def label(self, rows: Rows, progress: Progress = SILENT) -> Rows:
        """The rows with the teacher's outputs."""
        return replace(rows, outputs=self.of(rows.X, progress))

    def of(self, X: Any, progress: Progress = SILENT) -> Outputs:
        """The outputs for some rows; of the pieces in which a costly teacher is asked is told.

        Raises
        ------
        ValueError
            If the teacher is outputs for the training rows alone.
        """
        if not self.teacher.answers_new_rows:
            raise ValueError(
                "X_transfer, augment and partial_fit need a teacher that can be asked about new rows, got outputs of "
                "the first rows alone: pass the teacher, or X_transfer=None and augment=None."
            )
        with within(self.n_jobs):
            if not self.teacher.costly:
                outputs = self.teacher.outputs(X, spread=self.spread, empty=np.empty)
            else:
                outputs = Outputs.collected(self._in_pieces(X, progress), _num_samples(X), np.empty)
        return self.task.standardize(outputs)

    def _in_pieces(self, X: Any, progress: Progress) -> Iterator[Outputs]:
        pieces = progress.pieces(-(-_num_samples(X) // self.piece))
        for part in chunks(X, self.piece):
            yield self.answers.of(self.teacher, part, spread=self.spread)
            pieces.advance()


def unlabelled_rows(X: Any, codec: Any, handles_missing: bool) -> Rows:
    """The user's unlabelled rows."""
    rows = Rows(X, codec=codec, matrix=None if codec is None else codec.transform(X))
    if rows.matrix is not None and not handles_missing and rows.with_missing().any():
        raise ValueError(
            "X_transfer must be rows like those of X: it contains NaN or another missing value, which the teacher does "
            "not take: impute it first."
        )
    return rows


def chosen_sampler(augment: Any, rows: Rows, teacher: Teacher, has_unlabelled: bool) -> Any:
    """What makes synthetic rows; for "auto" nothing in wide sparse tables, beside unlabelled rows, or from outputs."""
    if not isinstance(augment, str):
        if augment is not None and has_one_dimension(rows.table):
            raise ValueError(
                f"augment must be 'auto' or None where X holds texts, got {type(augment).__name__}: samplers change "
                "the values of columns. Pass more texts as X_transfer."
            )
        return clone(augment, safe=False)
    few = rows.matrix is None or is_csr(rows.matrix) or len(rows) < 2
    if has_unlabelled or not teacher.answers_new_rows or few:
        return None
    return MUNGE()


def n_synthetic_rows(
    n_synthetic: int | str, rows: Rows, teacher: Teacher, *, imitates: bool, n_unlabelled: int = 0
) -> int:
    """How many rows are made beside the distinct real ones, where the user does not say it.

    Of a costly teacher the user's unlabelled rows count among them.
    """
    if not isinstance(n_synthetic, str):
        return n_synthetic
    n = SYNTHETIC_ROWS if imitates else min(COPIES * len(rows), SYNTHETIC_ROWS)
    if not teacher.costly:
        return n
    unseen = rows.out_of_sample is not None and bool(rows.out_of_sample.all())
    return max(0, min(n, (UNSEEN if unseen else SEEN) * len(rows) - n_unlabelled))


def synthetic_rows(sampler: Any, rows: Rows, codec: Any, n: int, seed: int) -> Rows:
    """Rows like the real ones, of which at most as many as are made are looked at.

    ``codec`` is the invertible form of the rows' own, or None; samplers that can work on its matrix do, so that the
    user's container is made once, for the teacher.
    """
    if len(rows) > SYNTHETIC_ROWS:
        rows = rows.take(np.sort(np.random.RandomState(seed).permutation(len(rows))[:SYNTHETIC_ROWS]))
    # a fitted sampler holds the rows; the estimator keeps its parameters alone
    sampler = clone(sampler, safe=False)
    # rows are drawn as often as they weigh, which shares a row's weight among its copies
    weighted = not np.allclose(rows.weight, 1) and has_fit_parameter(sampler, "sample_weight")
    weight = {"sample_weight": rows.weight} if weighted else {}
    if codec is not None and hasattr(sampler, "fit_coded"):
        coded = sampler.fit_coded(codec, rows.coded, X=rows.X, **weight).sample_coded(n, random_state=seed)
        return Rows(codec.inverse_transform(coded), codec=rows.codec, matrix=coded)
    X = sampler.fit(rows.X, **weight).sample(n, random_state=seed)
    return Rows(X, codec=rows.codec, matrix=None if rows.codec is None else rows.codec.transform(X))


def beside_synthetic(rows: Rows, blending: Blending) -> Rows:
    """Real rows with the weight that they have beside synthetic ones."""
    return replace(rows, weight=rows.weight * weight_beside_synthetic(blending))


def weight_beside_synthetic(blending: Blending) -> float:
    """What a real row weighs where a synthetic one weighs 1."""
    return max(1 - blending.blend, LEAST_WEIGHT)


def similar_next_to_each_other(coded: NDArray | None, thresholds: Thresholds) -> Any:
    """An order of rows in which those that trees treat alike follow each other.

    Their paths through a tree are then mostly the one before, which the processor has at hand: forests of 300 trees
    take 0.56 to 0.66 of the time for 40,000 rows (benchmarks/README.md, "Synthetic rows").
    """
    if coded is None or not thresholds:
        return slice(None)
    most_split = np.argsort([-gain.sum() for _, gain in thresholds], kind="stable")[:ORDERED_BY]
    ranks = np.argsort(np.argsort(coded[:, most_split], axis=0), axis=0)
    return np.lexsort((ranks * GROUPS // len(ranks)).T[::-1])
