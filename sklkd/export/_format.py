"""What a file says about itself, and how values are spelt in its string inputs."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY = "sklkd"
"""Name of the file's metadata entry, a JSON object."""

FORMAT = 4
"""Counts up when files change so that older versions would misread them; older files are read. 2: thresholds, and
several outputs of one target. 3: several labels a row. 4: a digest, and no entries for what there is none of."""

C_FORMAT = 5
"""The same of C files. 3: rows and outputs in integers. 4: several labels a row. 5: a digest."""

MISSING = "\ue000"
"""What a missing value is in a string input; a private-use character, which no real category should hold."""

ALSO_MISSING = ("None", "nan", "<NA>")
"""What ONNX Runtime makes of None, NaN and ``pandas.NA`` in a string input that someone else has filled."""

UNSEEN = "\ue001"
"""What a category becomes that fit did not see, before it reaches the graph; any other unknown string does as well."""


def jsonable(values: NDArray[Any], what: str) -> list[Any]:
    """Labels or categories as JSON has them; scalars of NumPy become the Python numbers that they equal.

    Raises
    ------
    ValueError
        For dates, bytes, decimals and the like.
    """
    found = [one.item() if isinstance(one, np.generic) else one for one in values.tolist()]
    for one in found:
        if not isinstance(one, (str, int, float)):
            raise ValueError(
                f"{what} must be strings, numbers or booleans to be written down, got {type(one).__name__}: convert "
                "them before fit."
            )
    return found


def spellings(categories: list[Any], column: str) -> list[str]:
    """Categories as the strings of a graph's input.

    Strings stay as they are. Numbers are spelt as Python does (``3``, ``2.5``, ``True``), and begin with U+E000 where
    the column has strings too, so that 3 and "3" stay apart.

    Raises
    ------
    ValueError
        For categories that are neither strings nor numbers, and for strings that begin as missing values do.
    """
    mixed = any(isinstance(category, str) for category in categories)
    spelt = []
    for category in categories:
        if isinstance(category, str):
            if category.startswith((MISSING, UNSEEN)):
                raise ValueError(
                    f"Column {column}: categories that begin with the private-use characters U+E000 or U+E001, which "
                    "stand for missing and unseen values, cannot be exported: rename them."
                )
            spelt.append(category)
        elif isinstance(category, numbers.Number) or type(category).__name__ == "bool":
            spelt.append((MISSING if mixed else "") + str(category))
        else:
            raise ValueError(
                f"Column {column}: categories must be strings, numbers or booleans to be exported, got "
                f"{type(category).__name__}: convert the column before fit."
            )
    return spelt
