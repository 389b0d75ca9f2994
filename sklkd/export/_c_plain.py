"""The text of a C file for trees and linear models, and what it takes on a device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from sklkd.estimators._access import with_fitted
from sklkd.estimators._estimator_fit import LEAST_LOG
from sklkd.export._c_costs import SIZES, names_size
from sklkd.export._c_source import (
    array_text,
    float_text,
    functions_text,
    interface_of,
    lookup,
    metadata,
    names_of_categories,
    real_text,
    with_parts,
)
from sklkd.export._c_weights import Arrays, index_array
from sklkd.export._format import KEY
from sklkd.export._formula import formula_of
from sklkd.export._linear import Linear
from sklkd.export._links import LINKS
from sklkd.export._trees import Trees
from sklkd.export._wrapped import Calibration, Unwrapped
from sklkd.students._plain_encoder import PlainEncoder
from sklkd.students._scaling import LEAST_LOG as LEAST_LOG_OF_VALUES

CODE = Path(__file__).with_name("student_plain.c")


@dataclass(frozen=True)
class PlainCosts:
    """Of one C file; operations are those of one row, at most.

    Attributes
    ----------
    constants : int
        Bytes of the constant arrays.
    stack_one : int
        Bytes of the arrays on the stack.
    multiply_adds : int
        With weights.
    comparisons : int
        With thresholds of trees.
    """

    constants: int
    stack_one: int
    multiply_adds: int
    comparisons: int


class PlainStudent:
    """A student that is no network, as a C file has it.

    Parameters
    ----------
    unwrapped : Unwrapped

    Raises
    ------
    NotImplementedError
        For other models than trees and linear ones, and for steps before them.
    """

    def __init__(self, unwrapped: Unwrapped):
        self.unwrapped, self.est = unwrapped, unwrapped.est
        student, encoder = self.est.student_, self.est.encoder_
        if unwrapped.steps or not isinstance(encoder, PlainEncoder):
            raise NotImplementedError(
                f"est must have no steps before a student that is no network to become C code, got some before a "
                f"{type(student).__name__}: run them where the rows come from, or export est with to_onnx."
            )
        found = formula_of(student, len(encoder.get_feature_names_out()))
        if found is None:
            raise NotImplementedError(
                f"student ({type(student).__name__}) cannot become C code, which trees and linear models can: export "
                "it with to_onnx, or distil into a network."
            )
        if isinstance(found, Trees) and self.est._fitted.task.classification and found.link == "identity":
            found = replace(found, values=found.values.astype(np.float32).astype(np.float64))
        self.formula = found
        self.arrays = self._arrays()

    def predictor(self) -> Any:
        """The estimator with what the file stores in the place of its student."""
        stored = _Stored(self.formula, self.unwrapped.calibration)
        # categories may be missing also where numbers may not
        return with_fitted(self.est, net=stored, handles_missing=True)

    @property
    def costs(self) -> PlainCosts:
        found, parts = self.formula, len(self.est.encoder_.calendar_)
        widest = 8 * (len(found.base) + self.est._fitted.task.n_outputs * (self.unwrapped.calibration is not None))
        return PlainCosts(
            constants=sum(SIZES[kind] * array.size for kind, array in self.arrays.values()),
            stack_one=widest + (8 * (self.est.n_features_in_ + parts) if parts else 0),
            multiply_adds=found.weight.size if isinstance(found, Linear) else 0,
            comparisons=_comparisons(found) if isinstance(found, Trees) else 0,
        )

    def source(self, name: str) -> tuple[str, str]:
        """The C file and its header file; ``name`` is that of the student, for the header's include guard."""
        functions = self.unwrapped.functions
        interface = interface_of(self.est, name, functions)
        return with_parts(CODE, self._about(), interface, self._data() + functions_text(functions))

    def _arrays(self) -> Arrays:
        """C type and contents of every constant array."""
        found, encoder, fitted = self.formula, self.est.encoder_, self.est._fitted
        numeric = np.flatnonzero(encoder._numeric)
        arrays: Arrays = {"numeric": index_array(numeric), "base": ("sklkd_real", found.base)}
        zero, unit = encoder.zero_[numeric], encoder.unit_[numeric]
        if zero.any() or (unit != 1).any():
            arrays |= {"number_zero": ("sklkd_real", zero), "number_unit": ("sklkd_real", unit)}
        if not encoder.keep_missing:
            if fitted.handles_missing:
                arrays["number_fill"] = ("sklkd_real", (encoder.center_[numeric] - zero) / unit)
            arrays["with_missing"] = index_array(np.flatnonzero(encoder._numeric & encoder.missing_))
        categorical = np.flatnonzero(~encoder._numeric)
        if len(categorical):
            tables = [encoder._levels[j] for j in categorical]
            codes = [encoder.cardinalities_[j] for j in categorical]
            arrays["categorical"] = index_array(categorical)
            arrays["level_starts"] = index_array(np.cumsum([0, *map(len, tables)]))
            arrays["levels"] = ("int", np.concatenate(tables).astype(int))
            arrays["hot_column"] = index_array(np.repeat(np.arange(len(codes)), codes))
            arrays["hot_level"] = index_array(np.concatenate([np.arange(n) for n in codes]))
        dates = np.array(encoder.calendar_, dtype=np.intp).reshape(-1, 2).T
        arrays |= {f"date_{what}": index_array(one) for what, one in zip(("columns", "parts"), dates, strict=True)}
        if isinstance(found, Linear):
            arrays["weights"] = ("sklkd_real", found.weight)
        else:
            arrays |= _of_trees(found, "float" if fitted.task.classification else "sklkd_real")
        if isinstance(calibration := self.unwrapped.calibration, Calibration):
            arrays |= {f"calibration_{name}": ("sklkd_real", getattr(calibration, name)) for name in ("weight", "bias")}
        if fitted.limits is not None:
            arrays |= self._of_targets()
        return {name: (kind, array) for name, (kind, array) in arrays.items() if array.size}

    def _of_targets(self) -> Arrays:
        """Where values may lie, and the units in which a wrapper around the estimator gives them."""
        limits, scaling = self.est._fitted.limits, self.est._fitted.task.scaling
        arrays: Arrays = {}
        if limits.support != "real":
            least = limits.center * (np.exp(LEAST_LOG_OF_VALUES) if limits.support == "positive" else 0)
            arrays["least"] = ("sklkd_real", least)
        scale = scaling.scale / limits.scale
        shift = scaling.center - limits.center * scale
        if (scale != 1).any() or shift.any():
            arrays |= {"target_scale": ("sklkd_real", scale), "target_shift": ("sklkd_real", shift)}
        return arrays

    def _data(self) -> str:
        found, encoder, fitted, arrays = self.formula, self.est.encoder_, self.est._fitted, self.arrays
        links = {
            "SECOND_OF_TWO": found.link == "second of two",
            "ONE_BY_ONE": found.link == "one by one",
            "SOFTMAX": found.link == "softmax",
            "EXPIT": found.link in ("expit", "second of two", "one by one"),
        }
        of_sum = {"exp": "(sklkd_real)exp((double)(v))", "expit": "expit(v)", "one by one": "expit(v)"}
        support = None if fitted.limits is None else fitted.limits.support
        sizes = {
            "CLASSES": int(fitted.task.classification),
            "THRESHOLD": int(fitted.threshold is not None),
            "ALLOW_MISSING": int(fitted.handles_missing),
            "NUMBERS": int(encoder._numeric.sum()),
            "SHIFTED": int("number_zero" in arrays),
            "FILLED": int("number_fill" in arrays),
            "INDICATORS": _size(arrays, "with_missing"),
            "CATEGORICAL": _size(arrays, "categorical"),
            "DATE_PARTS": len(encoder.calendar_),
            "ENCODED": len(encoder.get_feature_names_out()),
            "SUMS": len(found.base),
            "TREES": _size(arrays, "roots"),
            "INNER": _size(arrays, "left"),
            "MISSING_LEFT(at)": "missing_left[at]" if "missing_left" in arrays else "0",
            "DIVISOR": real_text(getattr(found, "divisor", 1.0)),
            **{name: int(used) for name, used in links.items()},
            "LINK(v)": of_sum.get(found.link, "(v)"),
            "CALIBRATED": int("calibration_weight" in arrays),
            "LEAST_LOG": real_text(LEAST_LOG),
            "LIMITED": int("least" in arrays),
            "MOST": "1" if support == "unit" else "HUGE_VAL",
            "RESCALED": int("target_scale" in arrays),
        }
        parts = [f"#define {name} {size}\n" for name, size in sizes.items()]
        parts.append(f"typedef {'float' if getattr(found, 'single', False) else 'double'} compared;\n")
        for name, (kind, array) in arrays.items():
            parts.append(array_text(name, kind, [_number(number, kind) for number in np.ravel(array).tolist()]))
        if fitted.threshold is not None:
            parts.append(f"static const sklkd_real threshold = {real_text(fitted.threshold)};\n")
        if names := names_of_categories(self.est):
            parts.append(lookup(names))
        return "".join(parts)

    def _about(self) -> str:
        costs, names = self.costs, sum(names_size(found) for found in names_of_categories(self.est).values())
        of_names = f", and names of categories {names:,} (with pointers of 4)" if names else ""
        what = "linear model" if isinstance(self.formula, Linear) else "tree or sum of trees"
        return f"""\
/* A {what} that sklkd has distilled from a larger model. C99 or C++, no library but libm, no allocation, no state: it
 * may run in any number of threads.
 *
 *   cc -O3 -march=native -c student.c
 *
 * sklkd_real is double, or float with -DSKLKD_REAL=float, for processors without doubles. For two students in one
 * program, rename the functions of one: -Dsklkd_predict=other_predict, here and where they are called.
 *
 * One row takes at most {costs.multiply_adds:,} multiply-adds with weights, and {costs.comparisons:,} comparisons with
 * thresholds. Arrays on the stack take {costs.stack_one:,} bytes.
 * Constants take {costs.constants:,} bytes{of_names}; the code comes on top.
 *
 * {KEY}: {metadata(self.est)}
 */
"""


class _Stored:
    """A classifier or regressor that computes what a C file does."""

    def __init__(self, formula: Trees | Linear, calibration: Any):
        self.formula, self.calibration = formula, calibration

    def predict(self, X: NDArray) -> NDArray[np.float64]:
        """Values (n, n_outputs)."""
        return LINKS[self.formula.link](self.formula.raw(X))

    def predict_proba(self, X: NDArray) -> NDArray[np.float64]:
        """Probabilities (n, n_classes)."""
        found = self.predict(X)
        if self.calibration is None:
            return found
        with np.errstate(divide="ignore"):
            logits = np.maximum(np.log(found), LEAST_LOG)
        return softmax(logits @ self.calibration.weight + self.calibration.bias, axis=1)


def _of_trees(trees: Trees, kind: str) -> Arrays:
    """Inner nodes, numbered by themselves, and leaves."""
    leaf = trees.left < 0
    place = np.where(leaf, -1 * np.cumsum(leaf), np.cumsum(~leaf) - 1)
    inner = ~leaf
    arrays: Arrays = {
        "roots": ("int", place[trees.roots]),
        "feature": index_array(trees.feature[inner]),
        "threshold_of_node": ("float" if trees.single else "double", trees.threshold[inner]),
        "left": ("int", place[trees.left[inner]]),
        "right": ("int", place[trees.right[inner]]),
        "leaves": (kind, trees.values[leaf]),
    }
    if trees.missing_left.any():
        arrays["missing_left"] = index_array(trees.missing_left[inner].astype(int))
    return arrays


def _comparisons(trees: Trees) -> int:
    """On the longest way through each tree, in all."""
    depth = np.zeros(len(trees.left), int)
    at = trees.roots
    while len(at := at[trees.left[at] >= 0]):
        for side in (trees.left, trees.right):
            depth[side[at]] = depth[at] + 1
        at = np.concatenate([trees.left[at], trees.right[at]])
    return sum(int(part.max()) for part in np.split(depth, trees.roots[1:]))


def _number(number: float, kind: str) -> str:
    if np.isinf(number):
        return f"({kind}){'-' if number < 0 else ''}HUGE_VAL"
    return {"sklkd_real": real_text, "double": repr, "float": float_text}.get(kind, str)(number)


def _size(arrays: Arrays, name: str) -> int:
    return arrays[name][1].size if name in arrays else 0
