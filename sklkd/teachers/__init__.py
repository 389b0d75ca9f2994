"""What a teacher knows: adapters from fitted models to outputs, features, split thresholds and out-of-bag rows."""

from sklkd.teachers._adapt import adapt, is_fitted, layers, takes_codes
from sklkd.teachers._base import Teacher
from sklkd.teachers._confirm import confirm_estimand
from sklkd.teachers._decision import decision_threshold
from sklkd.teachers._estimand import Estimand
from sklkd.teachers._outputs import FLOOR, Outputs
from sklkd.teachers._precomputed import Precomputed
from sklkd.teachers._probe import accepts_missing

__all__ = [
    "FLOOR",
    "Estimand",
    "Outputs",
    "Precomputed",
    "Teacher",
    "accepts_missing",
    "adapt",
    "confirm_estimand",
    "decision_threshold",
    "is_fitted",
    "layers",
    "takes_codes",
]


def __getattr__(name):
    if name == "TeacherFitter":
        from sklkd.knowledge import TeacherFitter as x
    elif name in ("can_clone", "reduced_teacher", "unfrozen"):
        from sklkd.estimators import _sketch

        x = getattr(_sketch, {"reduced_teacher": "sketch", "unfrozen": "thawed"}.get(name, name))
    else:
        raise AttributeError(name)
    return x
