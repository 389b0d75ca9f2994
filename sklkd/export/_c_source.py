"""The text of a C file: what it says of itself, its constants, and the code of ``student.c``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from sklkd._version import __version__
from sklkd.export._c_costs import Costs, costs_of, names_size
from sklkd.export._c_weights import Arrays, Weights, index_array, reads_some
from sklkd.export._file import SEAL, UNSEALED
from sklkd.export._format import C_FORMAT, KEY, jsonable
from sklkd.export._functions import FUNCTIONS
from sklkd.export._wrapped import Unwrapped
from sklkd.students._scaling import LEAST_LOG

TARGET_ARRAYS = {"real": ("center", "scale"), "positive": ("center", "gain", "bend"), "unit": ("gain", "shift")}
"""What of the scaling of targets each range needs."""

DIVISIONS_OF_A_PART = 10
"""Of a date, in ``student.c``."""

CODE = Path(__file__).with_name("student.c")
DATES = CODE.with_name("student_dates.c")
"""What files of different kinds share."""


def source(unwrapped: Unwrapped, weights: Weights, name: str) -> tuple[str, str]:
    """The C file and the header file of a fitted estimator, with its weights as they are to be stored.

    Parameters
    ----------
    unwrapped : Unwrapped
    weights : Weights
    name : str
        Of the student, for the header's include guard.
    """
    est, functions = unwrapped.est, unwrapped.functions
    data = _data(est, weights) + functions_text(functions)
    return with_parts(CODE, _about(est, weights), interface_of(est, name, functions), data)


def with_parts(path: Path, about: str, interface: str, data: str) -> tuple[str, str]:
    """A C file of this package with what differs between students, and its header file."""
    code, dates = (one.read_text(encoding="ascii") for one in (path, DATES))
    for mark, part in {"ABOUT": about, "INTERFACE": interface, "DATA": data, "DATES": dates}.items():
        code = code.replace(f"/* @{mark}@ */\n", part)
    return code, f"/* A student that sklkd has distilled: what its C file has for others. */\n{interface}"


def c_costs(est: Any, weights: Weights) -> Costs:
    """What the file takes on a device."""
    return costs_of(weights, est._fitted.task, _constants(est, weights), est.n_features_in_)


def _constants(est: Any, weights: Weights) -> Arrays:
    """C type and contents of every constant array."""
    scaling = est._fitted.task.scaling
    used = () if scaling is None else TARGET_ARRAYS[scaling.support]
    of_targets: Arrays = {f"target_{name}": ("sklkd_real", getattr(scaling, name)) for name in used}
    if scaling is not None and scaling.order:
        of_targets["target_order"] = index_array(np.array(scaling.order))
    dates = np.array(est.encoder_.calendar_, dtype=np.intp).reshape(-1, 2).T
    of_dates: Arrays = {f"date_{what}": index_array(one) for what, one in zip(("columns", "parts"), dates, strict=True)}
    return weights.arrays | of_targets | (of_dates if dates.size else {})


def _about(est: Any, weights: Weights) -> str:
    costs, names = c_costs(est, weights), sum(names_size(found) for found in names_of_categories(est).values())
    n_parts = len(est.encoder_.calendar_)
    of_part = f",\n *   and for each of {n_parts} parts of dates {DIVISIONS_OF_A_PART} divisions of doubles"
    of_dates = of_part if n_parts else ""
    of_names = f", and names of categories {names:,} (with pointers of 4)" if names else ""
    return f"""\
/* A small network that sklkd has distilled from a larger model. C99 or C++, no library but libm, no allocation, no
 * state: it may run in any number of threads.
 *
 *   cc -O3 -march=native -funroll-loops -fno-math-errno -ffp-contract=fast -c student.c
 *
 * On x86 with AVX-512 add -mprefer-vector-width=512, which most compilers do not choose by themselves.
 *
 * sklkd_real is double, or float with -DSKLKD_REAL=float, for processors without doubles: inputs and their scales are
 * then rounded, which matters for numbers that are large beside their spread. For two students in one program, rename
 * the functions of one: -Dsklkd_predict=other_predict, here and where they are called.
 *
 * One row takes at most
 *   {costs.multiply_adds:,} multiply-adds with weights,
 *   {costs.exponentials:,} exponentials, which are polynomials, {costs.divisions:,} divisions,
 *   {costs.square_roots:,} square roots, {costs.comparisons:,} comparisons with edges of bins{of_dates}.
 * Arrays on the stack take {costs.stack_one:,} bytes in sklkd_predict_one, {costs.stack_many:,} in sklkd_predict.
 * Constants take {costs.constants:,} bytes{of_names}; the code comes on top.
 *
 * {KEY}: {metadata(est)}
 */
"""


def interface_of(est: Any, name: str, functions: tuple[Any, ...]) -> str:
    """Types, sizes and functions, each with a comment."""
    task = est._fitted.task
    missing = (
        "a missing one is NAN" if est._fitted.handles_missing else "none may be missing: NAN and infinity give NAN"
    )
    times = ""
    if any(est.encoder_.codec_.times_):
        times = "\n * A date is its seconds since 1970 by its own clock, without leap seconds; a duration its seconds."
    out = (
        'probabilities of the classes, in the order of "classes"'
        if task.classification
        else _values_in_words(task, functions)
    )
    guard = include_guard(name)
    return f"""\
#ifndef {guard}
#define {guard}

#include <stddef.h>

/* the same for the C file and its callers */
#ifndef SKLKD_REAL
#define SKLKD_REAL double
#endif
typedef SKLKD_REAL sklkd_real;

#define SKLKD_FEATURES {est.n_features_in_}
#define SKLKD_OUTPUTS {n_outputs(est)}

#ifdef __cplusplus
extern "C" {{
#endif

/* row: SKLKD_FEATURES numbers, the columns in the order of fit; {missing}.{times}
 * A category is its code, from 0, or -1 if fit did not see it. At the top of the C file "categories" lists them in the
 * order of their codes, and "names" the columns.
 * out: for each row SKLKD_OUTPUTS {out} */
void sklkd_predict_one(const sklkd_real *row, sklkd_real *out);
void sklkd_predict(const sklkd_real *rows, size_t n, sklkd_real *out);
{other_functions(est, "sklkd_real")}
#ifdef __cplusplus
}}
#endif

#endif
"""


def include_guard(name: str) -> str:
    """Of the header file of a student."""
    return f"SKLKD_{re.sub('[^A-Za-z0-9]', '_', name).upper()}_H"


def other_functions(est: Any, number: str) -> str:
    """Those that find labels and codes of categories, where there are any; ``number`` is the type of outputs."""
    found = ""
    if est._fitted.task.classification:
        found += f"""
/* the place of the predicted class among "classes", from 0: {_rule_in_words(est._fitted.threshold)} */
int sklkd_label(const {number} *out);
"""
    if names_of_categories(est):
        found += """
/* the code of a category that is a string, -1 for one that fit did not see; columns count from 0 */
int sklkd_code(int column, const char *text);
"""
    return found


def _values_in_words(task: Any, functions: tuple[Any, ...]) -> str:
    if functions:
        return "value(s) in the units of y"
    if task.multilabel:
        return "probabilities of the labels, in the order of the columns of y"
    ranges = {"real": "", "positive": ", all above 0", "unit": ", from 0 to 1"}
    return f"value(s) in the units of y{ranges[task.scaling.support]}"


def _rule_in_words(threshold: float | None) -> str:
    return "the most probable one" if threshold is None else f"1 from a probability of {threshold:.6g} on, else 0"


def metadata(est: Any, **more: Any) -> str:
    """What the file says of its columns and classes, in one line of JSON."""
    codec = est.encoder_.codec_
    categories = [None if found is None else jsonable(found, "categories") for found in codec.categories_]
    task = est._fitted.task
    about = {
        "format": C_FORMAT,
        "version": __version__,
        SEAL: UNSEALED,
        "classes": None if task.classes is None else jsonable(task.classes, "classes"),
        "dtype": None if task.classes is None else task.classes.dtype.str,
        "threshold": est._fitted.threshold,
        "support": None if task.scaling is None else task.scaling.support,
        "multilabel": task.multilabel,
        "one_target": task.classes is None and task.y_ndim == task.n_outputs == 1,
        "names": [str(name) for name in est.feature_names_in_] if hasattr(est, "feature_names_in_") else None,
        "categories": categories,
        "times": codec.times_,
        "empty": np.flatnonzero(codec._empty).tolist(),
        "n_outputs": n_outputs(est),
        **more,
    }
    # a slash could end the comment, a question mark begin a trigraph
    return json.dumps(about, ensure_ascii=True).replace("/", "\\u002f").replace("?", "\\u003f")


def n_outputs(est: Any) -> int:
    """Probabilities or values of a row."""
    return est._fitted.task.n_outputs


def _data(est: Any, weights: Weights) -> str:
    """Sizes, constants, and the names of categories."""
    folded, names, task = weights.folded, names_of_categories(est), est._fitted.task
    support = "" if task.scaling is None else task.scaling.support
    sizes = {
        "CLASSES": int(task.classification),
        "THRESHOLD": int(est._fitted.threshold is not None),
        "POSITIVE": int(support == "positive"),
        "UNIT": int(support == "unit"),
        "ORDERED": int(task.scaling is not None and len(task.scaling.order) > 0),
        "LEAST_LOG": real_text(LEAST_LOG),
        "ALLOW_MISSING": int(est._fitted.handles_missing),
        "EIGHT_BITS": int(weights.eight_bits),
        "NUMBERS": len(folded.numeric),
        "DATE_PARTS": len(est.encoder_.calendar_),
        "INPUTS": weights.inputs,
        "BINNED": len(folded.binned),
        "WITH_MISSING": len(folded.with_missing),
        "CATEGORICAL": len(folded.categorical),
        "HIDDEN": len(folded.layers),
        "WIDTH": weights.widths[0],
        "WIDEST": max(weights.widths),
        "LAST": weights.widths[-1],
        "NUMERIC(j)": "numeric[j]" if reads_some(folded) else "(j)",
    }
    parts = [f"#define {name} {size}\n" for name, size in sizes.items()]
    parts.append(f"typedef {'signed char' if weights.eight_bits else 'float'} weight;\n\n")
    kinds = {"sklkd_real": real_text, "float": float_text}
    if not weights.eight_bits:
        kinds["weight"] = float_text
    for name, (kind, array) in _constants(est, weights).items():
        texts = [kinds.get(kind, str)(number) for number in np.ravel(array).tolist()]
        # single bytes are loaded as short vectors, and flash is scarce where they are used
        aligned = kind == "weight" and not weights.eight_bits
        parts.append(("ALIGNED " if aligned else "") + array_text(name, kind, texts))
    if est._fitted.threshold is not None:
        parts.append(f"static const sklkd_real threshold = {real_text(est._fitted.threshold)};\n")
    parts.append(_layers(weights))
    if names:
        parts.append(lookup(names))
    return "".join(parts)


def functions_text(functions: tuple[Any, ...]) -> str:
    """What is done to values, by libm."""
    if not functions:
        return "#define AFTERWARDS 0\n"
    lines = "".join(f"    v = (sklkd_real)({FUNCTIONS[function].c});\n" for function in functions)
    return f"#define AFTERWARDS 1\nstatic sklkd_real afterwards(sklkd_real v)\n{{\n{lines}    return v;\n}}\n"


def array_text(name: str, kind: str, numbers: list[str]) -> str:
    """The definition of a constant array."""
    lines = [",".join(numbers[start : start + 16]) for start in range(0, len(numbers), 16)]
    body = ",\n".join(lines)
    return f"static const {kind} {name}[] = {{\n{body}}};\n"


def float_text(number: float) -> str:
    """A number of single precision in C."""
    digits = f"{number:.9g}"
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"


def real_text(number: float) -> str:
    """A number of the file's own type in C."""
    return f"(sklkd_real){number!r}"


def _layers(weights: Weights) -> str:
    """A macro that does something for every layer after the first."""
    calls = []
    for i, (inputs, outputs) in enumerate(zip(weights.widths, weights.widths[1:], strict=False), 1):
        scale = f"layer_{i}_scale" if weights.eight_bits else "NULL"
        calls.append(f" \\\n    DO(layer_{i}_weights, bias_{i}, {scale}, {inputs}, {outputs})")
    return f"#define LAYERS(DO){''.join(calls)}\n"


def names_of_categories(est: Any) -> dict[int, list[Any]]:
    """The categories of columns that have strings."""
    found = {j: one.tolist() for j, one in enumerate(est.encoder_.codec_.categories_) if one is not None}
    return {j: names for j, names in found.items() if any(isinstance(one, str) for one in names)}


def lookup(names: dict[int, list[Any]]) -> str:
    """Tables of names, and the function that finds a category's code."""
    tables, cases = [], []
    for j, found in names.items():
        # categories that are numbers hold their place, under a name that no string has
        quoted = ", ".join(_quoted(one) if isinstance(one, str) else '"\\377"' for one in found)
        tables.append(f"static const char *const names_{j}[] = {{{quoted}, NULL}};\n")
        cases.append(f"    case {j}: return names_{j};\n")
    return f"""
{"".join(tables)}
static const char *const *names_of(int column)
{{
    switch (column) {{
{"".join(cases)}    default: return NULL;
    }}
}}

int sklkd_code(int column, const char *text)
{{
    const char *const *name = names_of(column);
    int code;
    for (code = 0; name && name[code]; code++)
        if (!strcmp(name[code], text))
            return code;
    return -1;
}}
"""


def _quoted(text: str) -> str:
    characters = []
    for byte in text.encode():
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        characters.append(chr(byte) if plain else f"\\{byte:03o}")
    return f'"{"".join(characters)}"'
