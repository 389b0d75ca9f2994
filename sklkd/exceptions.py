"""Errors and warnings of sklkd's own."""

from __future__ import annotations


class SklkdWarning(UserWarning):
    """Base of the library's warnings."""


class TeacherWarning(SklkdWarning):
    """The teacher answers worse than no teacher would, which usually means that it is given the wrong columns."""


class SampleWeightWarning(SklkdWarning):
    """The teacher cannot use ``sample_weight``; only the student does."""


class DivergedError(ValueError):
    """A training whose loss is no longer finite."""
