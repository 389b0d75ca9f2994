"""The user's columns, and the one float64 matrix that everything inside works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklkd._columns._cells import UNSEEN, is_missing
from sklkd._columns._reader import ColumnReader
from sklkd._columns._rows import identical_rows, rows_with_missing
from sklkd._columns._selection import ColumnSelection
from sklkd._columns._sparse import WIDE, dense, is_csr
from sklkd._columns._texts import checked_texts, has_one_dimension, text_codes
from sklkd._columns._times import DATES

if TYPE_CHECKING:
    from sklkd._columns._codec import ColumnCodec

__all__ = [
    "DATES",
    "UNSEEN",
    "WIDE",
    "ColumnCodec",
    "ColumnReader",
    "ColumnSelection",
    "checked_texts",
    "dense",
    "has_one_dimension",
    "identical_rows",
    "is_csr",
    "is_missing",
    "rows_with_missing",
    "text_codes",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "ColumnCodec":  # imports scikit-learn, which a process that only reads does without
            from sklkd._columns._codec import ColumnCodec

            return ColumnCodec
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
