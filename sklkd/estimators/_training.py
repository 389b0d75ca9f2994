"""Students of both kinds, networks and other estimators: one way to their encoder, and to their training."""

from __future__ import annotations

from typing import Any

from sklkd.estimators._estimator_fit import EstimatorTraining, TrainedEstimator
from sklkd.estimators._estimator_fit import fit_encoder as fit_plain_encoder
from sklkd.estimators._fitted_estimator import estimator_handles_missing
from sklkd.estimators._student_fit import StudentTraining, TrainedStudent
from sklkd.estimators._student_fit import fit_encoder as fit_encoder_of_net
from sklkd.estimators._student_pipeline import handles_missing
from sklkd.estimators._task import Task
from sklkd.rows import Rows
from sklkd.students._encoder import InputEncoder
from sklkd.students._estimator_student import EstimatorStudent
from sklkd.students._resolve import Student

AnyStudent = Student | EstimatorStudent
AnyTraining = StudentTraining | EstimatorTraining
AnyTrained = TrainedStudent | TrainedEstimator


def fit_encoder(student: AnyStudent, rows: Rows) -> tuple[Any, Any]:
    """The encoder, fitted on labelled rows, and what was made of them, or None."""
    if isinstance(student, EstimatorStudent):
        return fit_plain_encoder(student, rows)
    return fit_encoder_of_net(student, rows)


def training_of(
    student: AnyStudent, task: Task, thresholds: Any, seed: int, verbose: int = 0, **options: Any
) -> AnyTraining:
    """How a student is trained; the options are those of ``StudentTraining``."""
    if isinstance(student, EstimatorStudent):
        kept = {name: options[name] for name in ("encoder", "checkpoint") if name in options}
        return EstimatorTraining(student, task, seed, **kept)
    return StudentTraining(student, task, thresholds, seed, verbose, **options)


def predicts_missing(trained: AnyTrained, X: Any) -> bool:
    """Whether a trained student predicts for a row with a missing value."""
    if isinstance(trained, TrainedEstimator) and not isinstance(trained.encoder, InputEncoder):
        return estimator_handles_missing(trained, X)
    return handles_missing(trained.encoder, X)
