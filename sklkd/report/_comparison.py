"""Models measured on the same rows: values, intervals, and differences of the student to the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.report._intervals import (
    NAN,
    NOWHERE,
    Estimate,
    Interval,
    Sample,
    Spread,
    bootstrap_interval,
    exact_interval,
    exact_lower_bound,
    norm_interval,
    paired_interval,
)
from sklkd.report._measured import Measured
from sklkd.report._quality import (
    Measure,
    closeness_of_classes,
    closeness_of_labels,
    closeness_of_values,
    gain_retained,
    loss_among,
    quality_of_classes,
    quality_of_labels,
    quality_of_values,
    quantile_levels,
)

CLOSENESS = {
    "classification": ("agreement", "kl"),
    "multilabel": ("agreement", "kl"),
    "regression": ("rmse_to_teacher", "correlation_to_teacher"),
}
"""Columns that compare with the teacher."""

COMPARED = ("teacher", "student", "baseline")
"""Between which a gain is retained; and those to which the student has a difference."""

ROUNDING = 1e-12
"""Relative difference up to which two numbers are the same."""

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Results:
    """What was measured.

    Attributes
    ----------
    rows : dict of str to dict
        For each model the value of each measure.
    intervals : dict of str to dict
        The same with an :class:`Interval` each; empty where none were asked for.
    differences : dict of str to dict
        For "teacher" and "baseline", where they are, the student's measure minus theirs, as an :class:`Estimate`.
    agreement_at_least : float
        Lower bound of the student's agreement with the teacher; NaN without an exact one.
    """

    rows: dict[str, Row]
    intervals: dict[str, dict[str, Interval]]
    differences: dict[str, dict[str, Estimate]]
    agreement_at_least: float = NAN


@dataclass(frozen=True, eq=False)
class Comparison:
    """Measures of several models on the same rows.

    Parameters
    ----------
    measures : dict of str to dict
        For each model each of its measures.
    sample : Sample
        The rows, and how often they are drawn.
    loss : str
        The measure of which a gain is retained.
    """

    measures: dict[str, dict[str, Measure]]
    sample: Sample
    loss: str

    def part(self, index: NDArray) -> Comparison:
        """The same on some of the rows."""
        measures = {
            model: {name: one.take(index) for name, one in found.items()} for model, found in self.measures.items()
        }
        return Comparison(measures, self.sample.part(index), self.loss)

    def results(self) -> Results:
        """Everything that is asked of the measures; all intervals rest on the same draws of rows."""
        everything = [one.columns for found in self.measures.values() for one in found.values()]
        means = self.sample.means(np.hstack(everything))
        spread = self.sample.spread(np.hstack(everything)) if self.sample.n_bootstrap else None
        values: dict[str, dict[str, _Spread]] = {}
        start = 0
        for model, found in self.measures.items():
            values[model] = {}
            for name, one in found.items():
                which = slice(start, start + one.columns.shape[1])
                values[model][name] = _Spread.of(one, means, spread, which)
                start = which.stop
        if set(COMPARED) <= set(values):
            losses = {model: values[model][self.loss] for model in COMPARED}
            values["student"]["gain_retained"] = _Spread.joined(gain_retained, losses)
        return Results(
            {model: {name: one.value for name, one in found.items()} for model, found in values.items()},
            {} if spread is None else {model: self._intervals(model, found) for model, found in values.items()},
            {} if spread is None else self._differences(values),
            self._agreement_at_least(),
        )

    def _intervals(self, model: str, found: dict[str, _Spread]) -> dict[str, Interval]:
        intervals = {}
        for name, one in found.items():
            measure = self.measures[model].get(name)
            if measure is not None and measure.is_share and self.sample.counts:
                k = float(measure.columns.sum())
                intervals[name] = exact_interval(k, self.sample.n, self.sample.confidence)
            else:
                interval = one.interval(self.sample.confidence)
                norm = measure is not None and measure.is_norm
                intervals[name] = Interval(max(interval.low, 0.0), interval.high) if norm else interval
        return intervals

    def _differences(self, values: dict[str, dict[str, _Spread]]) -> dict[str, dict[str, Estimate]]:
        found: dict[str, dict[str, Estimate]] = {}
        for other in ("teacher", "baseline"):
            if other in values:
                both = [name for name in values["student"] if name in values[other]]
                found[other] = {name: self._difference(name, values["student"], values[other], other) for name in both}
        return found

    def _difference(self, name: str, student: dict[str, _Spread], others: dict[str, _Spread], other: str) -> Estimate:
        parts = {"student": student[name], "other": others[name]}
        joined = _Spread.joined(lambda pair: _difference(pair["student"], pair["other"]), parts)
        first, second = (self.measures[model][name] for model in ("student", other))
        if not (first.is_share and second.is_share and self.sample.counts):
            return Estimate(joined.value, *joined.interval(self.sample.confidence))
        apart = first.columns - second.columns
        counts = float((apart > 0).sum()), float((apart < 0).sum())
        return Estimate(joined.value, *paired_interval(*counts, self.sample.n, self.sample.confidence))

    def _agreement_at_least(self) -> float:
        agreement = self.measures["student"].get("agreement")
        if agreement is None or not (agreement.is_share and self.sample.counts and self.sample.n_bootstrap):
            return NAN
        return exact_lower_bound(float(agreement.columns.sum()), self.sample.n, self.sample.confidence)


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """a - b, and 0 for what differs by rounding alone: equal models are not to be told apart."""
    difference = a - b
    return np.where(np.abs(difference) <= ROUNDING * (np.abs(a) + np.abs(b)), 0.0, difference)


@dataclass(frozen=True, eq=False)
class _Spread:
    """A value, the same in each replicate, and without each unit that is drawn."""

    value: float
    drawn: NDArray[np.float64] | None = None
    without_one: NDArray[np.float64] | None = None
    deviations: NDArray[np.float64] | None = None  # of a norm

    @classmethod
    def of(cls, measure: Measure, means: NDArray, spread: Spread | None, which: slice) -> _Spread:
        value = float(measure.of_means(means[which]))
        if spread is None:
            return cls(value)
        drawn, without_one = spread.drawn[:, which], spread.without_one[:, which]
        deviations = np.abs(drawn - means[which]).sum(axis=1) if measure.is_norm else None
        return cls(value, measure.of_means(drawn), measure.of_means(without_one), deviations)

    @classmethod
    def joined(cls, function: Any, parts: dict[str, _Spread]) -> _Spread:
        """A function of several measures on the same rows: what is paired."""
        value = float(function({name: np.asarray(one.value) for name, one in parts.items()}))
        if any(one.drawn is None for one in parts.values()):
            return cls(value)
        drawn, without_one = (
            function({name: getattr(one, kind) for name, one in parts.items()}) for kind in ("drawn", "without_one")
        )
        apart = [one.deviations for one in parts.values() if one.deviations is not None]
        return cls(value, drawn, without_one, sum(apart[1:], apart[0]) if apart else None)

    def interval(self, confidence: float) -> Interval:
        if self.drawn is None or self.without_one is None or len(self.without_one) < 2:
            return NOWHERE
        if self.deviations is not None:
            return norm_interval(self.value, self.deviations, confidence)
        return bootstrap_interval(self.value, self.drawn, self.without_one, confidence)


def compared(
    est: Any, models: dict[str, Measured], found: dict[str, NDArray], y: NDArray, sample: Sample
) -> Comparison:
    """For each model how good its predictions are, and how close to the teacher's.

    Parameters
    ----------
    est : fitted estimator
    models : dict of str to Measured
    found : dict of str to ndarray of shape (n, n_outputs)
        Their predictions.
    y : ndarray
        Checked labels or targets.
    sample : Sample
    """
    task, teacher = est._fitted.task, models.get("teacher")
    levels = quantile_levels(getattr(getattr(est, "account_", None), "estimand", None))
    measures: dict[str, dict[str, Measure]] = {}
    for name, model in models.items():
        closeness: dict[str, Measure] = {}
        if task.multilabel:
            quality = quality_of_labels(found[name], y)
            if teacher is not None:
                closeness = closeness_of_labels(found[name], found["teacher"])
        elif task.classification:
            quality = quality_of_classes(found[name], y, task.classes, model.threshold)
            if teacher is not None:
                thresholds = model.threshold, teacher.threshold
                closeness = closeness_of_classes(found[name], found["teacher"], thresholds)
        else:
            quality = quality_of_values(found[name], y, levels)
            if teacher is not None:
                closeness = closeness_of_values(found[name], found["teacher"])
        measures[name] = quality if name == "teacher" else quality | closeness
    return Comparison(measures, sample, loss_among(measures["student"], task.kind))
