"""A folded student in integers: scales chosen so that nothing overflows, its arrays, and what the C file computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.estimators._task import Task
from sklkd.export._c_weights import Arrays, Weights, index_array, reads_some
from sklkd.export._fixed_point import LARGEST, MISSING
from sklkd.students._folded import Folded
from sklkd.students._scaling import LEAST_LOG

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ONE = 2**30
ROOT = [1073741455, -536823322, 401616827, -326644623, 254150047, -161025216, 67430936, -13196170]
"""1 / sqrt(1 + x) for x from 0 to 1, a polynomial in units of ``1 / ONE``, to 3.5e-7."""
POWER = [536870857, 372134483, 128925157, 29989790, 4804775, 1016701]
"""2**x / 2 in the same way, to 6e-8."""
STEPS, LAST = 8, 16
"""Entries of the table of sigmoids for each 1, and where it ends; a cubic about the nearest entry is within 2.5e-7."""
SIGMOIDS = np.rint(ONE / (1 + np.exp(-np.arange(STEPS * LAST + 1) / STEPS))).astype(np.int64)
LOG2_E = 1549082005

REACH = 128
"""Interquartile ranges from a column's median that its integers reach at least. The smoothly clipped number is then
2.999 of at most 3."""
FINEST = 2**12
"""Integers that an interquartile range needs."""
ROOM = LARGEST * (1 - 2**-7)
"""What sums may reach before their terms are rounded."""
LEAST_SILU = 0.2785
ROOT_ERROR, SIGMOID_ERROR = 4e-7, 2.5e-7


class IntegerStudent:
    """The arrays of a student with weights of 8 bits, whose other numbers are integers of 32.

    A sum in layer i is an integer in units of ``2**-units[i]``, such that the largest that any row can give fits. What
    the float file multiplies with the scales of the next weights, the integer file multiplies with ``gains``.

    Parameters
    ----------
    weights : Weights
        Of 8 bits.
    task : Task
    threshold : float or None
        The decision threshold.

    Attributes
    ----------
    shifts : ndarray of int, shape (m,)
        Of the numeric columns: a number is its integer times ``2**-shift``.
    out_shifts : list of int
        The same of the outputs.
    arrays : dict
        C type and contents of every constant array.
    least_difference : int or None
        Of the two scores, from which on the second class is predicted; None without a threshold.
    resolution : float
        Scores, before they become probabilities or values, are at most half of this away from those of the student
        that the weights stand for, for numbers within reach. Where the two largest differ by more, the label is the
        same.

    Raises
    ------
    NotImplementedError
        Where a column or a weight is too large for 32 bits.
    """

    def __init__(self, weights: Weights, task: Task, threshold: float | None):
        self.weights, self._task = weights, task
        folded = self.folded = weights.folded
        self._set_columns(folded)
        bounds = self._set_first(weights)
        error = self._first_error()
        self.layers: list[Ints] = []
        self.gains: list[tuple[Ints, int]] = []
        for (codes, scale), (_, bias) in zip(weights.layers, folded.layers, strict=True):
            codes, scale = codes.astype(np.int64), np.where(codes.any(axis=1), scale, 0.0)
            largest, most = np.maximum(-bounds[0], bounds[1]), np.maximum(bounds[1], LEAST_SILU)
            stands_for = codes * scale[:, None]
            bounds = _bounds(bias, -LEAST_SILU * np.ones(len(scale)), bounds[1], stands_for)
            self._add_unit(bounds, last=len(self.layers) == len(folded.layers) - 1)
            gain, shift = _mantissas(np.ldexp(scale, self.units[-1] - self.units[-2]))
            self.layers.append(codes)
            self.gains.append((gain, shift))
            self.biases.append(_whole(np.ldexp(bias, self.units[-1])))
            # of the activation, in real units; then of its product with the gain, in units of this layer's sums
            active = 1.1 * error + largest * SIGMOID_ERROR + np.ldexp(0.5, -self.units[-2])
            sums = np.ldexp(active * scale, self.units[-1]) + np.ldexp(most, self.units[-2] - shift - 1) + 0.5
            error = np.ldexp(sums @ np.abs(codes) + 0.5, -self.units[-1])
        self.resolution = 2 * float(error.max())
        self.least_difference = None if threshold is None else self._least_difference(threshold)
        self._set_targets(np.maximum(-bounds[0], bounds[1]))

    def _add_unit(self, bounds: tuple[Floats, Floats], *, last: bool) -> None:
        """Choose the unit of a layer's sums, of which none is beyond the bounds."""
        largest = np.maximum(-bounds[0], bounds[1])
        scaling = self._task.scaling
        if last and scaling is not None and scaling.support == "unit":
            largest = largest + np.abs(scaling.shift)
        most = max(float(largest.max()), 1.0)
        if most > ROOM:
            raise NotImplementedError(
                "est has weights too large for sums of 32 bits, which a diverged training may leave: train it again, "
                "or write it with quantize='int8'."
            )
        self.units.append(int(np.floor(np.log2(ROOM / most))))

    def _set_columns(self, folded: Folded) -> None:
        reach = np.abs(folded.center) + REACH * folded.scale
        of_edges = np.repeat(folded.binned, np.diff(folded.starts))
        edges = folded.edges * folded.scale[of_edges] + folded.center[of_edges]
        np.maximum.at(reach, of_edges, np.abs(edges))
        self.shifts = np.floor(np.log2(LARGEST / reach)).astype(np.int64)
        coarse = np.ldexp(folded.scale, self.shifts) < FINEST
        if coarse.any():
            j = np.flatnonzero(coarse)[0]
            raise NotImplementedError(
                f"column {folded.numeric[j]} (from 0) is too large beside its spread for integers of 32 bits: its "
                f"median is {folded.center[j]:.6g}, its numbers reach {reach[j]:.6g}, and its interquartile range is "
                f"{folded.scale[j]:.6g}. Subtract the median, or take logarithms, before fit, or use quantize='int8'."
            )
        self.center = _whole(np.ldexp(folded.center, self.shifts))
        self.third = _whole(np.ldexp(3 * folded.scale, self.shifts))
        self.edges = _whole(np.ldexp(edges, self.shifts[of_edges]))

    def _set_first(self, weights: Weights) -> tuple[Floats, Floats]:
        """Choose the unit of the first layer's sums and what columns multiply; bounds of all sums, in real units."""
        folded = weights.folded
        self.codes = {
            "clip": weights.clip[0].astype(np.int64),
            "value": weights.values[0].astype(np.int64),
            "category": weights.level_values[0].astype(np.int64),
            "missing": weights.missing_weights[0].astype(np.int64),
        }
        scales = {
            "clip": 3 * weights.clip[1],
            "value": weights.values[1],
            "category": weights.level_values[1],
            "missing": weights.missing_weights[1],
        }
        groups = {
            "clip": np.arange(len(folded.numeric)),
            "value": weights.of_edges,
            "category": weights.of_levels,
            "missing": np.arange(len(folded.with_missing)),
        }
        low, high = np.minimum(folded.bias, 0), np.maximum(folded.bias, 0)
        for name, group in groups.items():
            least, most = np.zeros((2, len(scales[name]), len(low)), dtype=np.int64)
            np.minimum.at(least, group, self.codes[name])
            np.maximum.at(most, group, self.codes[name])
            if name == "clip":  # of both signs
                most = np.abs(self.codes[name])
                least = -most
            scales[name] = np.where((least != most).any(axis=1), scales[name], 0.0)
            low, high = low + scales[name] @ least, high + scales[name] @ most
        self.units: list[int] = []
        self._add_unit((low, high), last=not folded.layers)
        self.factors = {name: _whole(np.ldexp(scale, self.units[0])) for name, scale in scales.items()}
        self.biases = [_whole(np.ldexp(folded.bias, self.units[0]))]
        return low, high

    def _first_error(self) -> Floats:
        """The largest error of the first layer's sums, in real units."""
        error = np.full(len(self.folded.bias), 0.5)
        # the median and a third of the range are rounded, and so are products and factors
        clipped = self.factors["clip"] * (0.7 / self.third + ROOT_ERROR) + 1
        error += clipped @ np.abs(self.codes["clip"])
        codes = self.codes["value"]
        for b, factor in enumerate(self.factors["value"].tolist()):
            mine = slice(self.folded.starts[b], self.folded.starts[b + 1])
            rise = np.abs(np.diff(codes[mine], axis=0))
            # edges and medians are rounded, and so is the part of the way between edges
            moved = 1 / np.maximum(np.diff(self.edges[mine]), 1) + 2 / ONE
            error += (factor * moved[:, None] * rise + 0.5 * rise).max(axis=0) + 0.5 * np.abs(codes[mine]).max(axis=0)
        for name in ("category", "missing"):
            most = np.abs(self.codes[name]).max(axis=0, initial=0)
            error += 0.5 * len(self.factors[name]) * most
        return np.ldexp(error, -self.units[0])

    def _least_difference(self, threshold: float) -> int:
        with np.errstate(divide="ignore"):
            log_odds = np.log(threshold) - np.log1p(-threshold)
        # two scores differ by less than 2**32
        return int(np.clip(np.ceil(np.ldexp(log_odds, self.units[-1])), -(2**33), 2**33))

    def _set_targets(self, bound: Floats) -> None:
        """How the last layer's sums become what the file gives."""
        scaling, unit = self._task.scaling, self.units[-1]
        self.targets: dict[str, Ints] = {}
        if scaling is None:
            self.out_shifts = [unit] * len(bound)
            return
        if scaling.order:
            # each place may get the sum of any output
            bound = np.full_like(bound, bound.max())
        if scaling.support == "unit":
            self.out_shifts = [30] * len(bound)
            self.targets = {"gain": _whole(scaling.gain * ONE), "offset": _whole(np.ldexp(scaling.shift, unit))}
            return
        if scaling.support == "real":
            most = np.abs(scaling.center) + scaling.scale * (bound + 1)
        else:
            beyond = np.maximum(scaling.gain * bound - scaling.bend, 0)
            most = 1.01 * scaling.center * np.exp(np.minimum(scaling.bend, scaling.gain * bound)) * (1 + beyond)
        out_shifts = np.floor(np.log2(ROOM / most)).astype(np.int64)
        self.out_shifts = out_shifts.tolist()
        if scaling.support == "real":
            factors = np.ldexp(scaling.scale, out_shifts - unit)
            self.targets = {"offset": _whole(np.ldexp(scaling.center, out_shifts))}
        else:
            # the power of 2 is halved, and its units are those of ONE
            factors = np.ldexp(scaling.center, out_shifts + 1)
            bend = np.minimum(np.ldexp(scaling.bend, unit), LARGEST)
            self.targets = {"gain": _whole(scaling.gain * ONE), "bend": _whole(bend)}
        factor, shift = zip(*map(_mantissas, factors), strict=True)
        self.targets |= {"factor": np.array(factor, dtype=np.int64), "shift": np.array(shift, dtype=np.int64)}

    @property
    def least_log(self) -> int:
        """The least logarithm of a positive value in units of the center."""
        return int(max(np.ldexp(LEAST_LOG, self.units[-1]), -LARGEST))

    @property
    def arrays(self) -> Arrays:
        """C type and contents of every constant array; those of nothing are left out."""
        folded = self.folded
        found: Arrays = {"bias": _int32(self.biases[0])}
        if len(folded.numeric):
            found |= {"number_center": _int32(self.center), "number_third": _int32(self.third)}
            found["root"] = _int32(ROOT)
        if reads_some(folded):
            found["numeric"] = index_array(folded.numeric)
        if len(folded.categorical):
            found["categorical"] = index_array(folded.categorical)
            found["category_starts"] = index_array(folded.level_starts)
            found["category_rows"] = index_array(folded.levels)
        if len(folded.binned):
            found["edges"] = _int32(self.edges)
            found |= {name: index_array(getattr(folded, name)) for name in ("binned", "starts")}
        if len(folded.with_missing):
            found["with_missing"] = index_array(folded.with_missing)
        for name, codes in self.codes.items():
            found |= {f"{name}_weights": ("int8_t", codes), f"{name}_factors": _int32(self.factors[name])}
        for i, (codes, (gain, _), bias) in enumerate(zip(self.layers, self.gains, self.biases[1:], strict=True), 1):
            # each unit's weights side by side
            found |= {f"layer_{i}_weights": ("int8_t", codes.T), f"layer_{i}_gain": _int32(gain)}
            found[f"bias_{i}"] = _int32(bias)
        support = "" if self._task.scaling is None else self._task.scaling.support
        if self.layers or support == "unit":
            found["sigmoids"] = _int32(SIGMOIDS)
        if support == "positive":
            found["power_of_2"] = _int32(POWER)
        found |= {f"target_{name}": _int32(array) for name, array in self.targets.items()}
        if self._task.scaling is not None and self._task.scaling.order:
            found["target_order"] = index_array(np.array(self._task.scaling.order))
        return {name: (kind, array) for name, (kind, array) in found.items() if array.size}

    def outputs(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """What the file gives for rows of integers, (n, n_outputs), to the last bit."""
        return self._finish(self._sums(rows.astype(np.int64))).astype(np.int32)

    def _sums(self, rows: Ints) -> Ints:
        h = self._first(rows)
        for i, (codes, (gain, shift)) in enumerate(zip(self.layers, self.gains, strict=True)):
            active = _scaled(h, _sigmoid(h, self.units[i]), 30)
            h = _scaled(active, gain, shift) @ codes + self.biases[i + 1]
        return h

    def _first(self, X: Ints) -> Ints:
        folded, codes, factors = self.folded, self.codes, self.factors
        x = X[:, folded.numeric]
        missing = x == MISSING
        x = np.where(missing, self.center, x)
        h = self.biases[0] + (np.sign(x - self.center) * self._clipped(np.abs(x - self.center))) @ codes["clip"]
        h += (missing[:, folded.with_missing] * factors["missing"]) @ codes["missing"]
        for b, factor in enumerate(factors["value"].tolist()):
            edges, v = self.edges[folded.starts[b] : folded.starts[b + 1]], x[:, folded.binned[b]]
            at = np.searchsorted(edges[1:-1], v, side="right")
            low, high = edges[at], edges[at + 1]
            part = np.where(v <= low, 0, np.where(v >= high, ONE, _ratio(v - low, np.maximum(high - low, 1))))
            upper = _scaled(part, factor, 30)[:, None]
            row = folded.starts[b] + at
            h += (factor - upper) * codes["value"][row] + upper * codes["value"][row + 1]
        for i, j in enumerate(folded.categorical):
            start, known = folded.level_starts[i], folded.level_starts[i + 1] - folded.level_starts[i] - 2
            code = X[:, j]
            place = np.where(code == MISSING, known, np.where((code >= 0) & (code < known), code, known + 1))
            h += factors["category"][i] * codes["category"][folded.levels[start + place]]
        return h

    def _clipped(self, size: Ints) -> Ints:
        ratio = _ratio(np.minimum(size, self.third), np.maximum(size, self.third))
        root = _polynomial(ROOT, _scaled(ratio, ratio, 30))
        return _scaled(np.where(size <= self.third, _scaled(ratio, root, 30), root), self.factors["clip"], 30)

    def _finish(self, h: Ints) -> Ints:
        if self._task.scaling is None:
            return h
        h = self._task.scaling.ordered(h)
        support, unit, targets = self._task.scaling.support, self.units[-1], self.targets
        if support == "real":
            return targets["offset"] + _scaled(h, targets["factor"], targets["shift"])
        u = _scaled(h, targets["gain"], 30)
        if support == "unit":
            return _sigmoid(u + targets["offset"], unit)
        capped = np.maximum(np.minimum(u, targets["bend"]), self.least_log)
        power = capped * LOG2_E
        part = (power >> unit) & (ONE - 1)
        shift = np.minimum(targets["shift"] - (power >> (unit + 30)) + 30, 62)
        value = _scaled(_polynomial(POWER, part), targets["factor"], shift)
        return np.maximum(value + ((value * np.maximum(u - targets["bend"], 0)) >> unit), 1)


def _whole(numbers: Any) -> Ints:
    return np.rint(numbers).astype(np.int64)


def _int32(numbers: Any) -> tuple[str, Ints]:
    return "int32_t", np.asarray(numbers, dtype=np.int64)


def _bounds(bias: Floats, low: Floats, high: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The least and the largest sum of a bias and any of the products of weights with numbers around 0."""
    up, down = np.maximum(weights, 0), np.minimum(weights, 0)
    return np.minimum(bias, 0) + low @ up + high @ down, np.maximum(bias, 0) + high @ up + low @ down


def _mantissas(numbers: Any) -> tuple[Ints, int]:
    """Integers of 30 bits, and the shift that they share: numbers times ``2**shift``."""
    _, exponent = np.frexp(np.max(np.abs(numbers), initial=0.0))
    shift = min(30 - int(exponent), 62)
    return _whole(np.ldexp(numbers, shift)), shift


def _scaled(x: Any, factor: Any, shift: Any) -> Ints:
    return (x * factor + (np.int64(1) << (shift - 1))) >> shift


def _ratio(part: Ints, whole: Ints) -> Ints:
    """Parts of at most the whole, in units of ``1 / ONE``, rounded down; below ``ONE``."""
    wide = (whole >= 2**31).astype(np.int64)
    return np.minimum(((part >> wide) << 30) // (whole >> wide), ONE - 1)


def _polynomial(coefficients: list[int], x: Ints) -> Ints:
    y = np.full_like(x, coefficients[-1])
    for one in coefficients[-2::-1]:
        y = one + _scaled(y, x, 30)
    return y


def _sigmoid(x: Ints, unit: int) -> Ints:
    place = np.minimum((np.abs(x) << 27) >> unit, len(SIGMOIDS) - 1 << 24)
    near = (place + (1 << 23)) >> 24
    d, s = (place - (near << 24)) * 8, SIGMOIDS[near]
    first = _scaled(s, ONE - s, 30)
    second, third = _scaled(first, ONE - 2 * s, 30), _scaled(first, ONE - 6 * first, 30)
    s = s + _scaled(d, first + _scaled(d, (second >> 1) + _scaled(d, _scaled(third, ONE // 6, 30), 30), 30), 30)
    return np.where(x < 0, ONE - s, s)
