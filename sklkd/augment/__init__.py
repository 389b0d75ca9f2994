"""Synthetic rows for the teacher to label: more of them, close to the real ones."""

from sklkd.augment._base import Sampler
from sklkd.augment._munge import MUNGE

__all__ = ["MUNGE", "Sampler"]
