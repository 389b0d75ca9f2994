"""What the user gives an offline fit to learn from: checks that come before anything is done."""

from __future__ import annotations

from typing import Any

from sklkd._named import check_names
from sklkd.losses import Loss
from sklkd.students._estimator_student import EstimatorStudent
from sklkd.teachers import Precomputed, tags_of

NamedLosses = list[tuple[str, Loss]]


def check_hard_weight(hard_weight: Any, losses: NamedLosses) -> None:
    """Raise where nothing would train the student's output, or where a loss that trains alone is not by itself."""
    for _, loss in losses:
        if loss.always_alone and (len(losses) > 1 or hard_weight not in ("auto", 0, 1)):
            what = f"{len(losses)} losses" if len(losses) > 1 else f"hard_weight={hard_weight}"
            raise ValueError(
                f"{type(loss).__name__} trains alone, without labels or other losses; got {what}. Pass it by itself, "
                "with hard_weight='auto'."
            )
    if hard_weight == 0 and not any(loss.teaches_output for _, loss in losses):
        names = ", ".join(type(loss).__name__ for _, loss in losses)
        raise ValueError(
            f"hard_weight must be > 0 with losses on hidden layers alone ({names}), which do not train the student's "
            "output; got hard_weight=0. Raise it, or add a loss on outputs such as SoftTargetLoss."
        )


def check_losses_of_student(student: Any, losses: NamedLosses) -> None:
    """Raise where a loss can train networks alone, and the student is none."""
    if not isinstance(student, EstimatorStudent):
        return
    for _, loss in losses:
        if not loss.fits_estimators:
            raise ValueError(
                f"loss must be SoftTargetLoss() with temperature=1, or TargetLoss() with kind='squared', where the "
                f"student is no network: a {type(student.model).__name__} minimises log loss or squared error alone; "
                f"got {loss!r}. Leave loss=None, or let a network be the student."
            )


def is_scorer(teacher: Any) -> bool:
    """Whether a teacher scores rows and has no targets: an outlier detector, a density, or what only scores samples."""
    if tags_of(teacher).estimator_type in ("outlier_detector", "density_estimator"):
        return True
    return hasattr(teacher, "score_samples") and not hasattr(teacher, "predict")


def given_teacher(estimator: Any, teacher_outputs: Any, loss_names: list[str], kind: str) -> Any:
    """The teacher to distil, or the outputs in its place."""
    if teacher_outputs is not None:
        return Precomputed(teacher_outputs)
    teacher = estimator.teacher
    if teacher is None:
        raise TypeError(
            "teacher must be an estimator, a torch module, a list of (name, teacher) or Precomputed, got teacher=None; "
            "or pass teacher_outputs to fit."
        )
    if isinstance(teacher, list):
        check_names("teacher", teacher, {*estimator.get_params(deep=False), *loss_names})
    wanted, other = ("regressor", "classifier") if kind == "regression" else ("classifier", "regressor")
    for one in [one for _, one in teacher] if isinstance(teacher, list) else [teacher]:
        if isinstance(one, type):
            raise TypeError(f"teacher must be an instance, got the class {one.__name__}: call it, {one.__name__}().")
        if tags_of(one).estimator_type == other:
            raise TypeError(f"teacher must be a {wanted} here, got {type(one).__name__}, which is a {other}.")
    return teacher
