"""Clones of a teacher that are fitted to find out how good it is; they are made in ``sklkd.teachers``."""

from sklkd.teachers import can_clone
from sklkd.teachers import reduced_teacher as sketch
from sklkd.teachers import unfrozen as thawed

__all__ = ["can_clone", "sketch", "thawed"]
