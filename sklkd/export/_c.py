"""An estimator as one C file."""

from __future__ import annotations

import json
import numbers
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklkd.estimators._base import BaseDistilled
from sklkd.export import _c_code as code
from sklkd.students._folded import Folded, fold

BLOCK = 16
"""Rows at a time in a batch: what they share is read once, and what they need fits the fastest cache."""


@dataclass(frozen=True)
class CReport:
    """What :func:`to_c` has written.

    Attributes
    ----------
    path : str
        The file.
    bytes : int
        Size of its constants once compiled: weights, edges, scales. The code adds a few kilobytes.
    quantize : str or None
        As given.
    largest_difference : float or None
        Of all probabilities from the estimator's, or of all values in units of the target's standard deviation, by
        what rounding weights to 8 bits does; None where no rows were given to compare.
    agreement : float or None
        Share of these rows with the same label; of regressors, the R2 of the values for the estimator's.
    """

    path: str
    bytes: int
    quantize: str | None
    largest_difference: float | None
    agreement: float | None


def to_c(est: Any, path: str | PathLike[str], *, X: Any = None, quantize: str | None = None) -> CReport:
    """Write encoding and student as one C99 file: no allocation, no library but libm.

    The file says how it is compiled and called. It takes the columns in the order of fit as numbers, missing ones as
    NAN, categories as codes, which its function ``sklkd_code`` finds for strings, and gives probabilities in the order
    of ``classes_``, or values in the units of y. In Python, :class:`CPredictor` compiles and calls it.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor
        Fitted, with the default student.
    path : str or path
        File to write.
    X : array or frame of shape (n, n_features), default=None
        Rows on which rounded weights are compared with the estimator.
    quantize : {"int8"}, default=None
        Store weights in 8 bits, with one scale per column or unit that they come from: a quarter of the size, and a
        little less exact. None: 32 bits, within 1e-5 of the estimator's probabilities.

    Returns
    -------
    CReport

    Raises
    ------
    TypeError
        For an estimator that is not one of sklkd's, or whose student is not the default one.
    ValueError
        For another ``quantize``, and for categories or classes that are neither strings, numbers nor booleans.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import DistilledClassifier
    >>> from sklkd.export import to_c
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_c(est, Path(folder) / "iris.c", X=X, quantize="int8")
    >>> report.bytes < 8_000, report.agreement > 0.95
    (True, True)
    """
    if quantize not in (None, "int8"):
        raise ValueError(f"quantize must be None or 'int8', got quantize={quantize!r}.")
    if not isinstance(est, BaseDistilled):
        raise TypeError(
            f"est must be a distilled estimator, got {type(est).__name__}: of a Pipeline pass the last step, and run "
            "the others where its input comes from."
        )
    check_is_fitted(est, "student_")
    folded = fold(est.encoder_, est.student_.module_)
    if folded is None:
        raise TypeError(
            "est must have the default student to become C code, got a network or an encoder of your own: export it "
            "with to_onnx."
        )
    packed = _Packed(folded, quantize)
    Path(path).write_text(_file(est, packed), encoding="ascii")
    difference, agreement = (None, None) if X is None else _compare(est, folded, packed.rounded(), X)
    return CReport(str(path), packed.bytes(), quantize, difference, agreement)


def _compare(est: Any, exact: Folded, rounded: Folded, X: Any) -> tuple[float, float]:
    coded = est.encoder_.codec_.transform(X)
    expected, got = exact.outputs(coded), rounded.outputs(coded)
    if est._classes is None:
        variance = np.sum((expected - expected.mean(axis=0)) ** 2)
        agreement = float(1 - np.sum((got - expected) ** 2) / variance) if variance > 0 else 1.0
        return float(np.abs(got - expected).max()), agreement
    proba = [np.exp(z - z.max(1, keepdims=True)) for z in (expected, got)]
    first, second = (e / e.sum(1, keepdims=True) for e in proba)
    return float(np.abs(first - second).max()), float(np.mean(first.argmax(1) == second.argmax(1)))


class _Packed:
    """A folded student's arrays as the file holds them: padded to multiples of 8, in 32 or 8 bits."""

    def __init__(self, folded: Folded, quantize: str | None):
        self.scaled = quantize is not None
        self.folded = folded = _centred(folded) if self.scaled else folded
        of_edges = np.repeat(np.arange(len(folded.binned)), np.diff(folded.starts))
        of_levels = np.zeros(len(folded.level_values), dtype=np.intp)
        of_levels[folded.levels] = np.repeat(np.arange(len(folded.categorical)), np.diff(folded.level_starts))
        self.clip, self.clip_scale = self._round(folded.clip, np.arange(len(folded.clip)))
        self.values, self.value_scale = self._round(folded.values, of_edges)
        self.gap_values, self.gap_scale = self._round(folded.gap_values, np.arange(len(folded.gaps)))
        self.level_values, self.level_scale = self._round(folded.level_values, of_levels)
        self.of_edges, self.of_levels = of_edges, of_levels
        self.layers = [self._round(weight, np.arange(len(weight))) for weight, _ in folded.layers]
        self.widths = [_padded(folded.clip.shape[1]), *(_padded(len(bias)) for _, bias in folded.layers)]

    def _round(self, weight: NDArray, group: NDArray) -> tuple[NDArray, NDArray]:
        """Weights as they are stored, and the scale of each group of rows."""
        if not self.scaled:
            return weight.astype(np.float32), np.ones(0)
        most = np.zeros(group.max(initial=-1) + 1)
        np.maximum.at(most, group, np.abs(weight).max(axis=1))
        scale = np.where(most > 0, most / 127, 1.0).astype(np.float32).astype(np.float64)
        return np.clip(np.rint(weight / scale[group, None]), -127, 127).astype(np.int8), scale

    def rounded(self) -> Folded:
        """What the stored weights stand for."""
        if not self.scaled:
            return self.folded
        # folded values begin at 0
        values = self.values * self.value_scale[self.of_edges, None]
        first = values[self.folded.starts[:-1]]
        layers = [
            (stored * scale[:, None], bias)
            for (stored, scale), (_, bias) in zip(self.layers, self.folded.layers, strict=True)
        ]
        return replace(
            self.folded,
            clip=self.clip * self.clip_scale[:, None],
            values=values - first[self.of_edges],
            bias=self.folded.bias + first.sum(axis=0),
            gap_values=self.gap_values * self.gap_scale[:, None],
            level_values=self.level_values * self.level_scale[self.of_levels, None],
            layers=tuple(layers),
        )

    def arrays(self) -> dict[str, tuple[str, NDArray]]:
        """C type and contents of every constant array; those of nothing are left out."""
        folded, width = self.folded, self.widths[0]
        found: dict[str, tuple[str, NDArray]] = {
            "center": ("sklkd_real", folded.center),
            "scale": ("sklkd_real", folded.scale),
            "clip": ("weight", _pad(self.clip, _padded(len(self.clip)), width)),
            "bias": ("float", _pad(folded.bias[None], 1, width)),
            "edges": ("float", folded.edges),
            "values": ("weight", _pad(self.values, len(self.values), width)),
            "gap_values": ("weight", _pad(self.gap_values, len(self.gap_values), width)),
            "level_values": ("weight", _pad(self.level_values, len(self.level_values), width)),
        }
        if len(folded.categorical):
            found["numeric"] = ("", folded.numeric)
        for name in ("binned", "starts", "gaps", "categorical", "level_starts", "levels"):
            found[name] = ("", getattr(folded, name))
        if not len(folded.binned):
            del found["starts"]
        if not len(folded.categorical):
            del found["level_starts"]
        if self.scaled:
            for name in ("clip_scale", "value_scale", "gap_scale", "level_scale"):
                found[name] = ("float", getattr(self, name))
        for i, ((stored, scale), (_, bias)) in enumerate(zip(self.layers, folded.layers, strict=True), 1):
            found[f"weight_{i}"] = ("weight", _pad(stored, self.widths[i - 1], self.widths[i]))
            found[f"bias_{i}"] = ("float", _pad(bias[None], 1, self.widths[i]))
            if self.scaled:
                found[f"scale_{i}"] = ("float", _pad(scale[None], 1, self.widths[i - 1]))
        typed = {name: (kind or _index_type(array), array) for name, (kind, array) in found.items() if array.size}
        if "center" not in typed:  # C has no arrays of nothing, and these are named whatever there is
            typed |= {name: ("sklkd_real", np.ones(1)) for name in ("center", "scale")}
            typed |= {"clip_scale": ("float", np.ones(1))} if self.scaled else {}
        return typed

    def bytes(self) -> int:
        """Size of the constants."""
        sizes = {"float": 4, "sklkd_real": 8, "unsigned char": 1, "unsigned short": 2, "int": 4}
        sizes["weight"] = 1 if self.scaled else 4
        return sum(sizes[kind] * array.size for kind, array in self.arrays().values())


def _centred(folded: Folded) -> Folded:
    """The same student, with each column's values around 0, which takes fewer bits, and the middle in the bias."""
    values, bias = folded.values.copy(), folded.bias.copy()
    for start, end in zip(folded.starts, folded.starts[1:], strict=False):
        middle = (values[start:end].max(axis=0) + values[start:end].min(axis=0)) / 2
        values[start:end] -= middle
        bias += middle
    return replace(folded, values=values, bias=bias)


def _padded(n: int) -> int:
    return max(-(-n // 8) * 8, 8)


def _pad(array: NDArray, rows: int, width: int) -> NDArray:
    return np.pad(array, ((0, rows - array.shape[0]), (0, width - array.shape[1])))


def _index_type(array: NDArray) -> str:
    most = array.max(initial=0)
    return "unsigned char" if most < 2**8 else "unsigned short" if most < 2**16 else "int"


def _file(est: Any, packed: _Packed) -> str:
    folded, scaled = packed.folded, packed.scaled
    arrays = packed.arrays()
    has = {name: name in arrays for name in ("binned", "gaps", "categorical", "numeric")}
    table = has["binned"] or has["gaps"] or has["categorical"]
    categories = est.encoder_.codec_.categories_
    names = {j: found.tolist() for j, found in enumerate(categories) if found is not None}
    text = {j: found for j, found in names.items() if any(isinstance(one, str) for one in found)}
    sizes = {
        "SKLKD_FEATURES": est.n_features_in_,
        "SKLKD_OUTPUTS": len(folded.layers[-1][1] if folded.layers else folded.bias),
        "NUMBERS": len(folded.numeric),
        "INPUTS": _padded(len(folded.numeric)),
        "WIDTH": packed.widths[0],
        "BINNED": len(folded.binned),
        "GAPS": len(folded.gaps),
        "CATEGORICAL": len(folded.categorical),
        "BLOCK": BLOCK,
        "LOOKED_UP": 2 * len(folded.binned) + len(folded.gaps) + len(folded.categorical) + 3,
    }
    classification = est._classes is not None
    parts = [
        _comment(est, packed, text),
        code.PREAMBLE,
        *(f"#define {name} {size}\n" for name, size in sizes.items()),
        f"typedef {'signed char' if scaled else 'float'} weight;\n\n",
        "void sklkd_predict_one(const sklkd_real *row, sklkd_real *out);\n",
        "void sklkd_predict(const sklkd_real *rows, size_t n, sklkd_real *out);\n",
        *(["int sklkd_code(int column, const char *text);\n"] if text else []),
        "\n",
        *(_array(name, kind, array) for name, (kind, array) in arrays.items()),
    ]
    if not classification:
        parts += [_array("target_center", "sklkd_real", est._center), _array("target_scale", "sklkd_real", est._scale)]
    if classification or folded.layers:
        parts.append(code.MATHS)
    if folded.layers:
        parts.append(code.SCALED_SILU if scaled else code.SILU)
    parts += [code.LAYERS, code.encode(columns=has["numeric"], gaps=est._allow_nan, scaled=scaled)]
    if table:
        parts.append(code.ADD_ROWS)
        parts.append(
            code.look_up(
                bins=has["binned"],
                gaps=has["gaps"],
                categories=has["categorical"],
                columns=has["numeric"],
                scaled=scaled,
            )
        )
    parts.append(code.finish(classification=classification))
    parts += [make(packed.widths, table=table, scaled=scaled) for make in (code.answer_one, code.answer_many)]
    parts.append(code.INTERFACE)
    if text:
        parts.append(_lookup_code(text))
    return "".join(parts)


def _comment(est: Any, packed: _Packed, text: dict[int, list[Any]]) -> str:
    gaps = "a missing one is NAN" if est._allow_nan else "none may be missing: NAN and infinity give NAN"
    out = "the probabilities of the classes" if est._classes is not None else "the targets, in their units"
    lookup = ""
    if text:
        lookup = """\
 *   int sklkd_code(int column, const char *text);
 *       the code of a category that is a string, -1 for one that fit did not see; columns count from 0
"""
    return f"""\
/* A small network that sklkd has distilled from a larger model. C99, no library but libm, no allocation, no state: it
 * may run in any number of threads.
 *
 *   void sklkd_predict_one(const sklkd_real *row, sklkd_real *out);
 *   void sklkd_predict(const sklkd_real *rows, size_t n, sklkd_real *out);
 *       row: {est.n_features_in_} numbers, the columns in the order of fit; {gaps}. A category is
 *       its code, from 0, or -1 if fit did not see it; "categories" below lists them in the order of their codes.
 *       out: for each row {out}, in the order below
{lookup} *
 *   cc -O3 -march=native -fno-math-errno -ffp-contract=fast -c student.c
 *
 * sklkd_real is double, or float with -DSKLKD_REAL=float, for processors without doubles: inputs and their scales are
 * then rounded, which matters for numbers that are large beside their spread. For two students in one program, rename
 * the functions of one: -Dsklkd_predict=other_predict. Constants take {packed.bytes():,} bytes.
 *
 * {code.MARK}{_metadata(est)}
 */
"""


def _metadata(est: Any) -> str:
    codec = est.encoder_.codec_
    categories = [None if found is None else _plain(found, "categories") for found in codec.categories_]
    about = {
        "format": code.FORMAT,
        "classes": None if est._classes is None else _plain(est.classes_, "classes"),
        "dtype": None if est._classes is None else est.classes_.dtype.str,
        "one_target": est._classes is None and est._y_ndim == 1,
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


def _array(name: str, kind: str, array: NDArray) -> str:
    digits = {"float": "%.9g", "sklkd_real": "%.17g", "weight": "%.9g"}.get(kind, "%d")
    cells = [digits % cell for cell in np.ravel(array).tolist()]
    lines = [",".join(cells[start : start + 16]) for start in range(0, len(cells), 16)]
    body = ",\n".join(lines)
    return f"static const {kind} {name}[] = {{\n{body}}};\n"


def _lookup_code(text: dict[int, list[Any]]) -> str:
    tables, cases = [], []
    for j, found in text.items():
        # categories that are numbers hold their place, under a name that no string has
        names = ", ".join(_quoted(one) if isinstance(one, str) else '"\\377"' for one in found)
        tables.append(f"static const char *const names_{j}[] = {{{names}, 0}};\n")
        cases.append(f"    case {j}: name = names_{j}; break;\n")
    return "\n" + "".join(tables) + code.CODE.replace("@CASES@", "".join(cases))


def _quoted(text: str) -> str:
    cells = []
    for byte in text.encode():
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        cells.append(chr(byte) if plain else f"\\{byte:03o}")
    return f'"{"".join(cells)}"'
