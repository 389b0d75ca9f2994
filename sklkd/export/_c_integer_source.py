"""The text of a C file without floating point: what it says of itself, its constants, and ``student_integer.c``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from sklkd.export._c_costs import IntegerCosts, integer_costs_of, names_size
from sklkd.export._c_source import (
    array_text,
    include_guard,
    lookup,
    metadata,
    n_outputs,
    names_of_categories,
    other_functions,
    with_parts,
)
from sklkd.export._c_weights import reads_some
from sklkd.export._fixed_point import FixedPoint
from sklkd.export._format import KEY
from sklkd.export._integer import LOG2_E, POWER, ROOT, SIGMOIDS, IntegerStudent

CODE = Path(__file__).with_name("student_integer.c")


def fixed_point(est: Any, student: IntegerStudent) -> FixedPoint:
    """Between the rows and outputs of an estimator and the integers of its file."""
    return FixedPoint(_shifts(est, student), student.out_shifts, classification=est._fitted.task.classification)


def integer_source(est: Any, student: IntegerStudent, name: str) -> tuple[str, str]:
    """The C file and the header file of a fitted estimator in integers.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor
    student : IntegerStudent
    name : str
        Of the student, for the header's include guard.
    """
    about = _about(est, student, integer_costs_of(student, est._fitted.task))
    return with_parts(CODE, about, _interface(est, student, name), _data(est, student))


def _shifts(est: Any, student: IntegerStudent) -> list[int]:
    """Of all columns; 0 for codes of categories."""
    shifts = np.zeros(est.n_features_in_, dtype=np.int64)
    shifts[student.folded.numeric] = student.shifts
    return shifts.tolist()


def _about(est: Any, student: IntegerStudent, costs: IntegerCosts) -> str:
    names = sum(names_size(found) for found in names_of_categories(est).values())
    of_names = f", and names of categories {names:,} (with pointers of 4)" if names else ""
    error, labels = f"{student.resolution:.2g}", ""
    if est._fitted.threshold is not None:
        labels = (
            f" Labels are the same where the difference of the scores is more than {error} away from the logarithm of "
            "the threshold's odds."
        )
    elif est._fitted.task.classification:
        labels = f" Labels are the same where the two largest scores differ by more than {error}."
    about = {
        "columns": _shifts(est, student),
        "outputs": student.out_shifts,
        "missing": est._fitted.handles_missing,
    }
    how = textwrap.fill(
        'Weights have 8 bits, as with quantize="int8". Without rounding they would give scores (outputs, before they '
        f"become probabilities or values) that are at most {student.resolution / 2:.2g} away from those of this file, "
        f"for numbers that fit in 32 bits.{labels} For two students in one program, rename the functions of "
        "one: -Dsklkd_predict=other_predict, here and where they are called.",
        118,
        initial_indent=" * ",
        subsequent_indent=" * ",
    )
    return f"""\
/* A small network that sklkd has distilled from a larger model, in integers: nothing in it is floating point. C99 or
 * C++, no library, no allocation, no state: it may run in any number of threads.
 *
 *   cc -Os -c student.c
 *
{how}
 *
 * One row takes at most
 *   {costs.multiply_adds:,} multiply-adds of 32 bits with weights, {costs.products:,} products of 64 bits,
 *   {costs.ratios:,} divisions, each a loop of 30 steps, {costs.comparisons:,} comparisons with edges of bins.
 * Arrays on the stack take {costs.stack_one:,} bytes.
 * Constants take {costs.constants:,} bytes{of_names}; the code comes on top, 1 to 2 KB with -Os.
 *
 * {KEY}: {metadata(est, integer=about)}
 */
"""


def _interface(est: Any, student: IntegerStudent, name: str) -> str:
    """Types, sizes and functions, each with a comment."""
    missing = "a missing one is SKLKD_MISSING" if est._fitted.handles_missing else "none may be missing"
    multilabel = est._fitted.task.multilabel
    out = "probabilities of the labels, in the order of the columns of y" if multilabel else "values in the units of y"
    if est._fitted.task.classification:
        out = """scores of the classes, in the order of "classes";
 * exp(score) / (sum of exp(scores)) is a probability"""
    guard = include_guard(name)
    return f"""\
#ifndef {guard}
#define {guard}

#include <stddef.h>
#include <stdint.h>

#define SKLKD_FEATURES {est.n_features_in_}
#define SKLKD_OUTPUTS {n_outputs(est)}
#define SKLKD_MISSING INT32_MIN

/* A number is its integer times 2^-shift: of each column of a row, and of each output. */
{_list("SKLKD_SHIFTS", _shifts(est, student))}
{_list("SKLKD_OUT_SHIFTS", student.out_shifts)}

#ifdef __cplusplus
extern "C" {{
#endif

/* row: SKLKD_FEATURES integers, the columns in the order of fit: each number times 2^shift, rounded, and INT32_MAX or
 * -INT32_MAX where that is beyond 32 bits; {missing}. A category is its code, from 0, or
 * -1 if fit did not see it. At the top of the C file "categories" lists them in the order of their codes, and "names"
 * the columns.
 * out: for each row SKLKD_OUTPUTS integers, times 2^-shift the {out} */
void sklkd_predict_one(const int32_t *row, int32_t *out);
void sklkd_predict(const int32_t *rows, size_t n, int32_t *out);
{other_functions(est, "int32_t")}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _list(name: str, numbers: list[int]) -> str:
    parts = [", ".join(map(str, numbers[start : start + 20])) for start in range(0, len(numbers), 20)]
    body = ", \\\n    ".join(parts)
    return f"#define {name} {{ \\\n    {body} }}"


def _data(est: Any, student: IntegerStudent) -> str:
    """Sizes, constants, and the names of categories."""
    folded, names, task = student.folded, names_of_categories(est), est._fitted.task
    support = "" if task.scaling is None else task.scaling.support
    widths = [len(bias) for bias in student.biases]
    sizes = {
        "CLASSES": int(task.classification),
        "THRESHOLD": int(student.least_difference is not None),
        "REAL": int(support == "real"),
        "POSITIVE": int(support == "positive"),
        "UNIT": int(support == "unit"),
        "ORDERED": int(task.scaling is not None and len(task.scaling.order) > 0),
        "NUMBERS": len(folded.numeric),
        "BINNED": len(folded.binned),
        "WITH_MISSING": len(folded.with_missing),
        "CATEGORICAL": len(folded.categorical),
        "HIDDEN": len(student.layers),
        "WIDTH": widths[0],
        "WIDEST": max(widths),
        "LAST_UNIT": student.units[-1],
        "ROOT_DEGREE": len(ROOT) - 1,
        "LAST_SIGMOID": len(SIGMOIDS) - 1,
        "NUMERIC(j)": "numeric[j]" if reads_some(folded) else "(j)",
    }
    if support == "positive":
        sizes |= {"POWER_DEGREE": len(POWER) - 1, "LOG2_E": LOG2_E, "LEAST_LOG": student.least_log}
    if student.least_difference is not None:
        sizes["LEAST_DIFFERENCE"] = student.least_difference
    parts = [f"#define {key} {size}\n" for key, size in sizes.items()]
    for key, (kind, array) in student.arrays.items():
        parts.append(array_text(key, kind, [str(number) for number in np.ravel(array).tolist()]))
    parts.append(_layers(student, widths))
    if names:
        parts.append(lookup(names))
    return "".join(parts)


def _layers(student: IntegerStudent, widths: list[int]) -> str:
    """A macro that does something for every layer after the first."""
    calls = []
    for i, (_, shift) in enumerate(student.gains, 1):
        sizes = f"{widths[i - 1]}, {widths[i]}, {student.units[i - 1]}, {shift}"
        calls.append(f" \\\n    DO(layer_{i}_weights, bias_{i}, layer_{i}_gain, {sizes})")
    return f"#define LAYERS(DO){''.join(calls)}\n"
