"""Warnings that point to the user's line."""

from __future__ import annotations

import sys
import warnings

BETWEEN = frozenset({"sklkd", "sklearn", "skorch", "joblib", "contextlib", "concurrent", "threading", "functools"})
"""Packages whose frames lie between the user's line and a warning."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line that belongs to none of ``BETWEEN``: the user's call of ``fit``, say.

    Parameters
    ----------
    message : str
    category : type
        Of the warning.

    Notes
    -----
    ``warnings.warn(skip_file_prefixes=...)`` does the same from Python 3.12 on. Where no such frame exists, as in a
    worker process, the outermost frame is named.
    """
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
