"""scikit-learn's transformers that bend every column by itself as graphs, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, SplineTransformer

from sklkd._sklearn import QUANTILE_MARGIN, power_scaler, spline_of_missing
from sklkd.export._categories import CannotWrite
from sklkd.export._compare import about_rows_ignored
from sklkd.export._graph import Graph
from sklkd.export._parts import knots_of
from sklkd.export._pieces import Pieces, write_pieces

Curve = Callable[[Graph, Any, str], str]
"""(graph, transformer, numbers) -> what it makes of them, both double."""

LEAST_POWER = np.spacing(1.0)
"""A power nearer to 0 is the logarithm."""


def _power(graph: Graph, step: PowerTransformer, numbers: str) -> str:
    zero = graph.constant(0.0, np.float64)
    if step.method == "box-cox":
        graph.refuse(graph.op("LessOrEqual", numbers, zero))
        found = _powers(graph, step.lambdas_, graph.op("Log", numbers))
    else:
        above, below = (graph.op("Max", side, zero) for side in (numbers, graph.op("Neg", numbers)))
        grown = _powers(graph, step.lambdas_, _log1p(graph, above))
        found = graph.op("Sub", grown, _powers(graph, 2 - step.lambdas_, _log1p(graph, below)))
    scaler = power_scaler(step)
    if scaler is None:
        return found
    centred = graph.op("Sub", found, graph.constant(scaler.mean_, np.float64))
    return graph.op("Div", centred, graph.constant(scaler.scale_, np.float64))


def _powers(graph: Graph, power: NDArray, logs: str) -> str:
    """``(exp(power * log) - 1) / power``, which is the logarithm itself where the power is 0."""
    is_log = np.abs(power) < LEAST_POWER
    factor = graph.constant(np.where(is_log, 1.0, power), np.float64)
    grown = graph.op("Div", _expm1(graph, graph.op("Mul", logs, factor)), factor)
    return graph.op("Where", graph.constant(is_log, bool), logs, grown) if is_log.any() else grown


def _log1p(graph: Graph, numbers: str) -> str:
    """With all digits of small numbers: ``log(1 + x)`` times what ``1 + x`` has lost of x."""
    one = graph.constant(1.0, np.float64)
    whole = graph.op("Add", numbers, one)
    kept = graph.op("Sub", whole, one)
    nothing = graph.op("Equal", kept, graph.constant(0.0, np.float64))
    lost = graph.op("Div", numbers, graph.op("Where", nothing, one, kept))
    return graph.op("Where", nothing, numbers, graph.op("Mul", graph.op("Log", whole), lost))


def _expm1(graph: Graph, numbers: str) -> str:
    """With all digits of small numbers: ``tanh(x / 2) * (exp(x) + 1)``; others have them anyway."""
    one, grown = graph.constant(1.0, np.float64), graph.op("Exp", numbers)
    half = graph.op("Tanh", graph.op("Mul", numbers, graph.constant(0.5, np.float64)))
    small = graph.op("Less", graph.op("Abs", numbers), graph.constant(np.log(2), np.float64))
    near = graph.op("Mul", half, graph.op("Add", grown, one))
    return graph.op("Where", small, near, graph.op("Sub", grown, one))


def _spline(graph: Graph, step: SplineTransformer, numbers: str) -> str:
    if step.extrapolation == "constant" and step.degree == 0:
        raise CannotWrite("extrapolation='constant' must have a degree of 1 or more, and 'linear' is the same of 0.")
    knots = knots_of(step)
    first, last = (np.array([one[end] for one in knots]) for end in (0, -1))
    absent = graph.op("IsNaN", numbers)
    if spline_of_missing(step) == "error":
        graph.refuse(absent)
    if step.extrapolation == "error":
        graph.refuse(graph.op("Less", numbers, graph.constant(first, np.float64)))
        graph.refuse(graph.op("Greater", numbers, graph.constant(last, np.float64)))
    given = numbers
    if step.extrapolation == "periodic":
        period = np.where(last > first, last - first, 1.0)
        given = _remainder(graph, graph.op("Sub", numbers, graph.constant(first, np.float64)), period)
        given = graph.op("Add", given, graph.constant(first, np.float64))
    columns = _pieces_of_splines(step, knots)
    found = write_pieces(graph, given, columns)
    if spline_of_missing(step) == "zeros":
        places = np.repeat(np.arange(len(knots)), columns[0].coefficients.shape[2])
        found = graph.op("Where", graph.columns(absent, places), graph.constant(0.0, np.float64), found)
    return found


def _remainder(graph: Graph, numbers: str, period: NDArray) -> str:
    """As Python has it, from 0 up to the period."""
    divisor = graph.constant(period, np.float64)
    rest = graph.op("Mod", numbers, divisor, fmod=1)
    below = graph.op("Less", rest, graph.constant(0.0, np.float64))
    return graph.op("Where", below, graph.op("Add", rest, divisor), rest)


def _pieces_of_splines(step: SplineTransformer, knots: list[NDArray]) -> list[Pieces]:
    """Polynomials through what the transformer gives at some points of each piece, which are all that it can give."""
    sampled = [_points_of(step, mine) for mine in knots]
    n_pieces = max(len(one.points) for one in sampled)
    cells = [np.append(one.points, np.repeat(one.points[-1:], n_pieces - len(one.points), axis=0)) for one in sampled]
    with about_rows_ignored():
        found = step.transform(np.stack(cells, axis=1))
    found = np.asarray(found.toarray() if hasattr(found, "toarray") else found, np.float64)
    outputs = found.reshape(n_pieces, -1, len(knots), found.shape[1] // len(knots))
    outer = {"linear": 1, "continue": step.degree}.get(step.extrapolation, 0)
    columns = []
    for j, one in enumerate(sampled):
        coefficients = np.zeros((outputs.shape[1], len(one.points), outputs.shape[3]))
        for i, (at, left, width) in enumerate(zip(one.points, one.left, one.width, strict=True)):
            power = outer if i in (0, len(one.points) - 1) else step.degree if np.ptp(at) else 0
            terms = ((at[:, None] - left) / width) ** np.arange(power + 1)
            coefficients[: power + 1, i] = np.linalg.lstsq(terms, outputs[i, :, j], rcond=None)[0]
        columns.append(Pieces(one.lower, one.upper, one.left, one.width, coefficients))
    return columns


class _Sampled(NamedTuple):
    """Edges, and some points of each piece, (n_pieces, n_points), of which the first and the last lie beyond."""

    lower: NDArray
    upper: NDArray
    left: NDArray
    width: NDArray
    points: NDArray


def _points_of(step: SplineTransformer, knots: NDArray) -> _Sampled:
    n = max(step.degree, 1) + 1
    inside = (1 - np.cos(np.pi * (np.arange(n) + 0.5) / n)) / 2
    known, count = np.unique(knots, return_counts=True)
    # where a knot is there several times, what it gives may be neither what the left nor what the right piece ends in
    alone = (count > 1) | (len(known) == 1)
    beyond = step.extrapolation not in ("error", "periodic")
    ends = np.diff(known)[[0, -1]] if len(known) > 1 else np.ones(2)
    left, width, stretch = [known[0]], [ends[0]], [-ends[0] * beyond]
    for i, knot in enumerate(known):
        is_last = i + 1 == len(known)
        if alone[i]:
            left.append(knot)
            width.append(1.0)
            stretch.append(0.0)
        left.append(knot)
        width.append(ends[1] if is_last else known[i + 1] - knot)
        stretch.append(ends[1] * beyond if is_last else width[-1])
    points = np.array(left)[:, None] + np.array(stretch)[:, None] * inside
    last = np.arange(len(known)) == len(known) - 1
    return _Sampled(known[alone | ~last], known[alone | last], np.array(left), np.array(width), points)


def _quantile(graph: Graph, step: QuantileTransformer, numbers: str) -> str:
    normal = step.output_distribution == "normal"
    levels = write_pieces(graph, numbers, [_levels(step, quantiles) for quantiles in step.quantiles_.T])
    first, last = (graph.constant(step.quantiles_[end], np.float64) for end in (0, -1))
    if normal:
        margin = graph.constant(QUANTILE_MARGIN, np.float64)
        highest = graph.op("Greater", graph.op("Add", numbers, margin), last)
        lowest = graph.op("Less", graph.op("Sub", numbers, margin), first)
    else:
        highest, lowest = (graph.op("Equal", numbers, end) for end in (last, first))
    levels = graph.op("Where", highest, graph.constant(1.0, np.float64), levels)
    levels = graph.op("Where", lowest, graph.constant(0.0, np.float64), levels)
    return _normal_quantiles(graph, levels) if normal else levels


def _levels(step: QuantileTransformer, quantiles: NDArray) -> Pieces:
    """The mean of the highest and the lowest level of a quantile that is there several times, lines in between."""
    known, first, count = np.unique(quantiles, return_index=True, return_counts=True)
    low, high = step.references_[first], step.references_[first + count - 1]
    several = count > 1
    base, slope, left = [low[0]], [0.0], [known[0]]
    for i, number in enumerate(known):
        if several[i]:
            base.append((low[i] + high[i]) / 2)
            slope.append(0.0)
            left.append(number)
        base.append(high[i])
        slope.append((low[i + 1] - high[i]) / (known[i + 1] - number) if i + 1 < len(known) else 0.0)
        left.append(number)
    coefficients = np.stack([base, slope])[:, :, None]
    return Pieces(known, known[several], np.array(left), np.ones(len(left)), coefficients)


_MIDDLE = (
    (3.387132872796366608, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
"""Numerators and denominators of Wichura's AS 241, which has 16 digits."""


def _normal_quantiles(graph: Graph, levels: str) -> str:
    """As far from 0 as scikit-learn cuts them off."""

    def double(value: float) -> str:
        return graph.constant(value, np.float64)

    least = QUANTILE_MARGIN - np.spacing(1.0)
    levels = graph.op("Min", graph.op("Max", levels, double(least)), double(1 - least))
    from_half = graph.op("Sub", levels, double(0.5))
    middle = graph.op("Sub", double(0.425**2), graph.op("Mul", from_half, from_half))
    near = graph.op("Mul", from_half, _ratio(graph, middle, _MIDDLE))
    level = graph.op("Min", levels, graph.op("Sub", double(1.0), levels))
    root = graph.op("Sqrt", graph.op("Neg", graph.op("Log", level)))
    tail = _ratio(graph, graph.op("Sub", root, double(1.6)), _TAIL)
    far_tail = _ratio(graph, graph.op("Sub", root, double(5.0)), _FAR_TAIL)
    tail = graph.op("Where", graph.op("Greater", root, double(5.0)), far_tail, tail)
    tail = graph.op("Mul", graph.op("Sign", from_half), tail)
    is_near = graph.op("LessOrEqual", graph.op("Abs", from_half), double(0.425))
    return graph.op("Where", is_near, near, tail)


def _ratio(graph: Graph, numbers: str, polynomials: Any) -> str:
    """Of two polynomials, given by the coefficients of rising powers."""
    parts = []
    for coefficients in polynomials:
        total = graph.constant(coefficients[-1], np.float64)
        for one in coefficients[-2::-1]:
            total = graph.op("Add", graph.op("Mul", total, numbers), graph.constant(one, np.float64))
        parts.append(total)
    return graph.op("Div", *parts)


CURVES: dict[type, Curve] = {
    PowerTransformer: _power,
    QuantileTransformer: _quantile,
    SplineTransformer: _spline,
}
