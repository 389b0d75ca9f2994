"""The errors and warnings of sklkd."""

from __future__ import annotations


class SklkdWarning(UserWarning):
    """Base of the library's warnings."""


class TeacherWarning(SklkdWarning):
    """The teacher does worse than the class prior or the mean, usually because it is given the wrong columns."""


class SampleWeightWarning(SklkdWarning):
    """The teacher cannot use ``sample_weight``; only the student does."""


class CheckpointWarning(SklkdWarning):
    """A fit starts anew, or does a part of it again, though its ``checkpoint`` holds something."""


class DivergedError(ValueError):
    """The loss of a training is no longer finite."""
