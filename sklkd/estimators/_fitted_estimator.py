"""What predictions need of a fitted estimator whose student is no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._estimator_fit import LEAST_LOG, TrainedEstimator
from sklkd.estimators._fitted_student import FittedStudent, runs_in_float64
from sklkd.estimators._student_fit import TrainedStudent
from sklkd.losses import Loss
from sklkd.rows import Rows
from sklkd.students._estimator_student import probabilities, values
from sklkd.students._scaling import TargetScaling
from sklkd.teachers._probe import rows_with_missing


@dataclass(eq=False)
class FittedEstimator(FittedStudent):
    """A fitted classifier or regressor as a student; ``net`` is that.

    Attributes
    ----------
    limits : TargetScaling, default=None
        Where predictions may lie; None for classes.
    losses : list of (str, Loss)
        Whose weight the soft targets had, for ``partial_fit``.
    """

    limits: TargetScaling | None = None
    losses: Sequence[tuple[str, Loss]] = ()

    is_net: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """There is no network to be prepared."""

    def _of_piece(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities (n, n_classes), or standardized predictions (n, n_outputs)."""
        encoded = self._encoded(X)
        if self.task.classification:
            with np.errstate(divide="ignore"):
                return np.maximum(np.log(probabilities(self.net, encoded, self.task.n_outputs)), LEAST_LOG)
        assert self.limits is not None
        # those of the fit: the task's scaling may be another one, of a wrapper around the estimator
        return self.limits.standardize(self.limits.limited(values(self.net, encoded)))

    def trained_losses(self) -> Sequence[tuple[str, Loss]]:
        return self.losses


def fitted_student(trained: TrainedStudent | TrainedEstimator, rows: Rows, **parts: Any) -> FittedStudent:
    """What predicts, of a trained student of either kind; ``parts`` are those of :class:`FittedStudent`."""
    if isinstance(trained, TrainedStudent):
        return FittedStudent(trained.encoder, trained.net, float64=runs_in_float64(trained, rows), **parts)
    task, limits = parts["task"], parts["task"].scaling
    if limits is not None:
        # predictions are in the targets' units already
        parts["task"] = replace(task, scaling=replace(limits, support="real"))
    return FittedEstimator(trained.encoder, trained.net, limits=limits, losses=trained.losses, **parts)


def estimator_handles_missing(trained: TrainedEstimator, X: Any) -> bool:
    """Whether a fitted encoder and the estimator behind it predict for a row with a missing value."""
    try:
        for row in rows_with_missing(_safe_indexing(X, [0])):
            values(trained.net, trained.encoder.transform(row))
    except MemoryError:  # is no refusal
        raise
    except Exception:  # noqa: BLE001 - someone else's steps, refusing in their own way
        return False
    return True
