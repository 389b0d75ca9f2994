"""What a C file takes on a device: bytes of flash and stack, and operations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from sklkd.estimators._task import Task
from sklkd.export._c_weights import Arrays, Weights
from sklkd.export._integer import IntegerStudent

SIZES = {
    "float": 4,
    "double": 8,
    "sklkd_real": 8,
    "unsigned char": 1,
    "unsigned short": 2,
    "int": 4,
    "int8_t": 1,
    "int32_t": 4,
}
BLOCK = 32
"""Rows at a time, as ``student.c`` has it."""


@dataclass(frozen=True)
class Costs:
    """Of one C file; operations are those of one row, at most.

    Attributes
    ----------
    constants : int
        Bytes of the constant arrays.
    stack_one, stack_many : int
        Bytes of the arrays that are alive at the same time, for one row and for many.
    multiply_adds : int
        With weights, those that pad layers included.
    exponentials, divisions, square_roots : int
    comparisons : int
        With edges of bins.
    """

    constants: int
    stack_one: int
    stack_many: int
    multiply_adds: int
    exponentials: int
    divisions: int
    square_roots: int
    comparisons: int


def costs_of(weights: Weights, task: Task, arrays: Arrays, n_columns: int) -> Costs:
    """Count them.

    Parameters
    ----------
    weights : Weights
    task : Task
    arrays : dict
        All constants.
    n_columns : int
        Of the rows that are given.
    """
    folded, widths = weights.folded, weights.widths
    outputs = len(folded.layers[-1][1] if folded.layers else folded.bias)
    sizes = SIZES | {"weight": 1 if weights.eight_bits else 4}
    inputs = weights.inputs if len(folded.numeric) else 0
    # rows of categories and missing values are added by fours
    extra = len(folded.categorical) + len(folded.with_missing)
    rows = inputs + 2 * len(folded.binned) + -(-extra // 4) * 4
    n_parts = arrays["date_parts"][1].size if "date_parts" in arrays else 0
    wide = n_columns + n_parts if n_parts else 0
    silu = sum(widths[:-1])
    bounded = task.classification or task.target_scaling.support != "real"
    divided = task.classification or task.target_scaling.support == "unit"
    # two buffers and their alignment, two encoded rows, places in bins, a row with parts of dates; at most a pointer of
    # 8 and a float for each of the rows to add, or a value for each of a block
    one = 8 * max(widths) + 8 * inputs + 8 * len(folded.binned) + 8 * wide
    added = 12 * (extra + 3) if extra else 0
    found = 4 * BLOCK if len(folded.binned) else 0
    return Costs(
        constants=sum(sizes[kind] * array.size for kind, array in arrays.values()),
        stack_one=one + 64 + added,
        stack_many=BLOCK * one + 64 + added + found,
        multiply_adds=rows * widths[0] + sum(a * b for a, b in itertools.pairwise(widths)),
        exponentials=silu + bounded * outputs,
        divisions=2 * len(folded.numeric) + len(folded.binned) + silu + divided * outputs,
        square_roots=len(folded.numeric),
        comparisons=len(folded.edges) - 2 * len(folded.binned),
    )


@dataclass(frozen=True)
class IntegerCosts:
    """Of one C file without floating point; operations are those of one row, at most.

    Attributes
    ----------
    constants : int
        Bytes of the constant arrays.
    stack_one : int
        Bytes of the arrays on the stack.
    multiply_adds : int
        With weights.
    products : int
        Of 32 bits by 32 bits, of which all 64 are kept.
    ratios : int
        Divisions, each of which is a loop of 30 steps.
    comparisons : int
        With edges of bins.
    """

    constants: int
    stack_one: int
    multiply_adds: int
    products: int
    ratios: int
    comparisons: int


def integer_costs_of(student: IntegerStudent, task: Task) -> IntegerCosts:
    """Count them.

    Parameters
    ----------
    student : IntegerStudent
    task : Task
    """
    folded = student.folded
    widths = [len(bias) for bias in student.biases]
    numbers, binned = len(folded.numeric), len(folded.binned)
    rows = numbers + 2 * binned + len(folded.categorical) + len(folded.with_missing)
    support = None if task.scaling is None else task.scaling.support
    of_output = {None: 0, "real": 1, "unit": 8, "positive": 9}[support]
    return IntegerCosts(
        constants=sum(SIZES[kind] * array.size for kind, array in student.arrays.values()),
        stack_one=8 * max(widths),
        multiply_adds=rows * widths[0] + sum(a * b for a, b in itertools.pairwise(widths)),
        products=10 * numbers + binned + 9 * sum(widths[:-1]) + of_output * widths[-1],
        ratios=numbers + binned,
        comparisons=len(folded.edges) - 2 * binned,
    )


def names_size(names: list[Any]) -> int:
    """Bytes of a column's names of categories, and of the pointers to them where these have 4."""
    texts = [name.encode() if isinstance(name, str) else b"-" for name in names]
    return sum(len(text) + 1 + 4 for text in texts) + 4
