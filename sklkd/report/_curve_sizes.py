"""The students of a compression curve, and how large they are."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklkd.report._cost import parameters, pickled_bytes
from sklkd.students import TabularStudent
from sklkd.students._estimator_student import is_estimator_student
from sklkd.teachers import clone_teacher


def check_sizes(sizes: Any, student: Any) -> None:
    """Raise for what is no list of sizes, and where a student that is no network has no sizes of its own."""
    if isinstance(sizes, (str, dict)) or (sizes is not None and len(sizes) == 0):
        raise ValueError(f"sizes must be a list of one size at least, or None, got sizes={sizes!r}.")
    if sizes is None and is_estimator_student(student):
        raise ValueError(
            f"sizes must be given for student={student!r}, which has no number of parameters to be set: pass dicts of "
            "its parameters, such as [{'max_depth': 2}, {'max_depth': 4}]."
        )


def sized_student(student: Any, size: Any) -> Any:
    """The estimator's own student with another budget or other parameters; or what is given in its place."""
    if isinstance(size, dict):
        if not hasattr(student, "set_params"):
            raise TypeError(f"sizes: a dict has parameters of a student with set_params, got student={student!r}.")
        return clone_teacher(student).set_params(**size)
    if isinstance(size, bool) or not isinstance(size, Integral):
        return size
    budget = {"max_parameters": int(size), "max_bytes": None}
    if student is None or isinstance(student, str):
        return TabularStudent(max_parameters=int(size))
    if isinstance(student, TabularStudent):
        return clone(student).set_params(**budget)
    if isinstance(student, Pipeline) and isinstance(student.steps[-1][1], TabularStudent):
        name = student.steps[-1][0]
        return clone(student).set_params(**{f"{name}__{key}": value for key, value in budget.items()})
    raise TypeError(
        f"sizes: an integer is the max_parameters of a TabularStudent, got {size} for student={student!r}: pass the "
        "students themselves, or dicts of their parameters, one a size."
    )


def sizes_of(est: Any) -> tuple[float, float]:
    """Parameters and bytes of a fitted estimator's student: of a network what its weights take, else the pickle."""
    if not est._fitted.is_net:
        return parameters(est.student_), pickled_bytes(est.student_)
    module = est.student_.module_
    return parameters(module), sum(part.numel() * part.element_size() for part in module.state_dict().values())
