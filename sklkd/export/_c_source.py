"""The text of a C file: what it says of itself, its constants, and the code of ``student.c``."""

from __future__ import annotations

import json
import numbers
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._version import __version__
from sklkd.export._c_weights import Weights
from sklkd.export._format import C_FORMAT, KEY
from sklkd.students._scaling import LEAST_LOG

TARGET_ARRAYS = {"real": ("center", "scale"), "positive": ("center", "gain", "bend"), "unit": ("gain", "shift")}
"""What of the scaling of targets each range needs."""

CODE = Path(__file__).with_name("student.c")


def source(est: Any, weights: Weights) -> str:
    """A fitted estimator, with its weights as they are to be stored."""
    code = CODE.read_text(encoding="ascii")
    return code.replace("/* @ABOUT@ */\n", _about(est, weights)).replace("/* @DATA@ */\n", _data(est, weights))


def _about(est: Any, weights: Weights) -> str:
    missing = (
        "a missing one is NAN" if est._fitted.handles_missing else "none may be missing: NAN and infinity give NAN"
    )
    task, others = est._fitted.task, ""
    out = "the probabilities of the classes, in the order below" if task.classification else _values_in_words(task)
    if task.classification:
        others += f"""\
 *   int sklkd_label(const sklkd_real *out);
 *       the place of the predicted class among "classes" below, from 0: {_rule_in_words(est._fitted.threshold)}
"""
    if _names(est):
        others += """\
 *   int sklkd_code(int column, const char *text);
 *       the code of a category that is a string, -1 for one that fit did not see; columns count from 0
"""
    return f"""\
/* A small network that sklkd has distilled from a larger model. C99, no library but libm, no allocation, no state: it
 * may run in any number of threads.
 *
 *   void sklkd_predict_one(const sklkd_real *row, sklkd_real *out);
 *   void sklkd_predict(const sklkd_real *rows, size_t n, sklkd_real *out);
 *       row: {est.n_features_in_} numbers, the columns in the order of fit; {missing}. A category is
 *       its code, from 0, or -1 if fit did not see it; "categories" below lists them in the order of their codes.
 *       out: for each row {out}
{others} *
 *   cc -O3 -march=native -funroll-loops -fno-math-errno -ffp-contract=fast -c student.c
 *
 * sklkd_real is double, or float with -DSKLKD_REAL=float, for processors without doubles: inputs and their scales are
 * then rounded, which matters for numbers that are large beside their spread. For two students in one program, rename
 * the functions of one: -Dsklkd_predict=other_predict. Constants take {weights.bytes:,} bytes.
 *
 * {KEY}: {_metadata(est)}
 */
"""


def _values_in_words(task: Any) -> str:
    ranges = {"real": "", "positive": ", all above 0", "unit": ", from 0 to 1"}
    return f"{task.n_outputs} value(s) in the units of y{ranges[task.scaling.support]}"


def _rule_in_words(threshold: float | None) -> str:
    return "the most probable one" if threshold is None else f"1 from a probability of {threshold:.6g} on, else 0"


def _metadata(est: Any) -> str:
    codec = est.encoder_.codec_
    categories = [None if found is None else _plain(found, "categories") for found in codec.categories_]
    task = est._fitted.task
    about = {
        "format": C_FORMAT,
        "version": __version__,
        "classes": None if task.classes is None else _plain(task.classes, "classes"),
        "dtype": None if task.classes is None else task.classes.dtype.str,
        "threshold": est._fitted.threshold,
        "support": None if task.scaling is None else task.scaling.support,
        "one_target": task.classes is None and task.y_ndim == task.n_outputs == 1,
        "names": [str(name) for name in est.feature_names_in_] if hasattr(est, "feature_names_in_") else None,
        "categories": categories,
        "empty": np.flatnonzero(codec._empty).tolist(),
        "n_outputs": est.student_.module_.output.out_features,
    }
    # a slash could end the comment, a question mark begin a trigraph
    return json.dumps(about, ensure_ascii=True).replace("/", "\\u002f").replace("?", "\\u003f")


def _plain(values: NDArray, what: str) -> list[Any]:
    found = values.tolist()
    for one in found:
        if not isinstance(one, (str, numbers.Real)):
            raise ValueError(
                f"{what} must be strings, numbers or booleans to be written down, got {type(one).__name__}: convert "
                "them before fit."
            )
    return found


def _data(est: Any, weights: Weights) -> str:
    """Sizes, constants, and the names of categories."""
    folded, names, task = weights.folded, _names(est), est._fitted.task
    support = "" if task.scaling is None else task.scaling.support
    sizes = {
        "SKLKD_FEATURES": est.n_features_in_,
        "SKLKD_OUTPUTS": len(folded.layers[-1][1] if folded.layers else folded.bias),
        "CLASSES": int(task.classification),
        "THRESHOLD": int(est._fitted.threshold is not None),
        "POSITIVE": int(support == "positive"),
        "UNIT": int(support == "unit"),
        "LEAST_LOG": f"({LEAST_LOG})",
        "ALLOW_MISSING": int(est._fitted.handles_missing),
        "EIGHT_BITS": int(weights.eight_bits),
        "NUMBERS": len(folded.numeric),
        "INPUTS": weights.inputs,
        "BINNED": len(folded.binned),
        "WITH_MISSING": len(folded.with_missing),
        "CATEGORICAL": len(folded.categorical),
        "NAMED": int(bool(names)),
        "HIDDEN": len(folded.layers),
        "WIDTH": weights.widths[0],
        "WIDEST": max(weights.widths),
        "LAST": weights.widths[-1],
        "NUMERIC(j)": "numeric[j]" if len(folded.categorical) else "(j)",
    }
    parts = [f"#define {name} {size}\n" for name, size in sizes.items()]
    parts.append(f"typedef {'signed char' if weights.eight_bits else 'float'} weight;\n\n")
    parts += [_array(name, kind, array) for name, (kind, array) in weights.arrays.items()]
    if task.scaling is not None:
        used = TARGET_ARRAYS[support]
        parts += [_array(f"target_{name}", "sklkd_real", getattr(task.scaling, name)) for name in used]
    if est._fitted.threshold is not None:
        parts.append(f"static const sklkd_real threshold = {est._fitted.threshold!r};\n")
    parts.append(_layers(weights))
    if names:
        parts.append(_lookup(names))
    return "".join(parts)


def _array(name: str, kind: str, array: NDArray) -> str:
    digits = {"float": "%.9g", "sklkd_real": "%.17g", "weight": "%.9g"}.get(kind, "%d")
    numbers = [digits % number for number in np.ravel(array).tolist()]
    lines = [",".join(numbers[start : start + 16]) for start in range(0, len(numbers), 16)]
    body = ",\n".join(lines)
    return f"static const {kind} {name}[] = {{\n{body}}};\n"


def _layers(weights: Weights) -> str:
    """A macro that does something for every layer after the first."""
    calls = []
    for i, (inputs, outputs) in enumerate(zip(weights.widths, weights.widths[1:], strict=False), 1):
        scale = f"layer_{i}_scale" if weights.eight_bits else "0"
        calls.append(f" \\\n    DO(layer_{i}_weights, bias_{i}, {scale}, {inputs}, {outputs})")
    return f"#define LAYERS(DO){''.join(calls)}\n"


def _names(est: Any) -> dict[int, list[Any]]:
    """The categories of columns that have strings."""
    found = {j: one.tolist() for j, one in enumerate(est.encoder_.codec_.categories_) if one is not None}
    return {j: names for j, names in found.items() if any(isinstance(one, str) for one in names)}


def _lookup(names: dict[int, list[Any]]) -> str:
    tables, cases = [], []
    for j, found in names.items():
        # categories that are numbers hold their place, under a name that no string has
        quoted = ", ".join(_quoted(one) if isinstance(one, str) else '"\\377"' for one in found)
        tables.append(f"static const char *const names_{j}[] = {{{quoted}, 0}};\n")
        cases.append(f"    case {j}: return names_{j};\n")
    return f"""
{"".join(tables)}
static const char *const *names_of(int column)
{{
    switch (column) {{
{"".join(cases)}    default: return 0;
    }}
}}
"""


def _quoted(text: str) -> str:
    characters = []
    for byte in text.encode():
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        characters.append(chr(byte) if plain else f"\\{byte:03o}")
    return f'"{"".join(characters)}"'
