"""What a teacher knows: adapters from fitted models to outputs, features, split thresholds and out-of-bag rows."""

from sklkd.teachers._adapt import adapt, layers
from sklkd.teachers._answers import Answers
from sklkd.teachers._base import Teacher
from sklkd.teachers._clone import clone_teacher
from sklkd.teachers._confirm import confirm_estimand, natural_if_balanced, shifted_in_error
from sklkd.teachers._decision import decision_threshold
from sklkd.teachers._estimand import Estimand
from sklkd.teachers._fit import TeacherFitter, fit_teacher, seeded, teacher_router, weight_name
from sklkd.teachers._in_context import is_costly, learns_in_context
from sklkd.teachers._outputs import FLOOR, Outputs
from sklkd.teachers._precomputed import Precomputed
from sklkd.teachers._probe import accepts_missing
from sklkd.teachers._recognise import any_fitted, can_clone, has_frozen_part, is_fitted, is_weighted, takes_codes
from sklkd.teachers._reduced import reduced_teacher, unfrozen
from sklkd.teachers._rows import CHUNK, chunks
from sklkd.teachers._tags import tags_of, tags_of_all
from sklkd.teachers._weighted import WeightedTeachers

__all__ = [
    "CHUNK",
    "FLOOR",
    "Answers",
    "Estimand",
    "Outputs",
    "Precomputed",
    "Teacher",
    "TeacherFitter",
    "WeightedTeachers",
    "accepts_missing",
    "adapt",
    "any_fitted",
    "can_clone",
    "chunks",
    "clone_teacher",
    "confirm_estimand",
    "decision_threshold",
    "fit_teacher",
    "has_frozen_part",
    "is_costly",
    "is_fitted",
    "is_weighted",
    "layers",
    "learns_in_context",
    "natural_if_balanced",
    "reduced_teacher",
    "seeded",
    "shifted_in_error",
    "tags_of",
    "tags_of_all",
    "takes_codes",
    "teacher_router",
    "unfrozen",
    "weight_name",
]
