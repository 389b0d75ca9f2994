"""The user's columns, and the one float64 matrix that everything inside works on."""

from sklkd._columns._cells import UNSEEN
from sklkd._columns._codec import ColumnCodec
from sklkd._columns._rows import identical_rows

__all__ = ["UNSEEN", "ColumnCodec", "identical_rows"]
