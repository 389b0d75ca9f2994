"""A report as tables and lines, before it is text or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sklkd.report._comparison import COMPARED
from sklkd.report._contents import Contents
from sklkd.report._formats import (
    COSTS,
    label,
    level,
    ratio,
    seconds,
    units,
    written,
    written_difference,
    written_interval,
)

ACCOUNT = "What the fit decided"
"""Heading of the account."""


@dataclass(frozen=True)
class Section:
    """A heading, a table whose first column names its lines, and lines of text; each may be empty."""

    heading: str
    head: list[str] = field(default_factory=list)
    body: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def title(report: Contents) -> str:
    """The first line."""
    task = "several labels a row" if report.task == "multilabel" else report.task
    return f"Distillation report: {task}, {report.n_rows:,} rows"


def cells(report: Contents) -> list[list[str]]:
    """A line a column: what it is called and the value of each model."""
    lines = []
    for column in report.columns:
        values = [row[column] for row in report.rows.values()]
        if not np.isnan(values).all():
            lines.append([label(column, report.task, report.n_batch), *(written(column, one) for one in values)])
    return lines


def sections(report: Contents) -> list[Section]:
    """What comes behind the table of the models; empty ones are left out."""
    account = [] if report.account is None else str(report.account).splitlines()
    every = [
        Section("How sure", lines=report.verdicts),
        _intervals(report),
        _differences(report),
        _groups(report),
        _regions(report),
        _reliability(report),
        Section(ACCOUNT, lines=account),
        _notes(report),
    ]
    return [one for one in every if one.body or one.lines]


def _notes(report: Contents) -> Section:
    lines = []
    if "teacher" in report.rows:
        teacher, student = report.rows["teacher"], report.rows["student"]
        size, row, batch = (ratio(teacher[key] / student[key]) for key in ("bytes", "us_one_row", "us_per_row"))
        smaller = "" if np.isnan(teacher["bytes"]) else f"{size} times smaller, "
        lines.append(f"Student against teacher: {smaller}{row} times as fast for one row, {batch} times in a batch.")
    if report.seconds:
        parts = ", ".join(f"{name} {seconds(value)}" for name, value in report.seconds.items())
        lines.append(f"The fit took {seconds(sum(report.seconds.values()))}: {parts}.")
    if report.chosen:
        lines.append("Chosen by auto: " + ", ".join(f"{name}={value}" for name, value in report.chosen.items()) + ".")
    return Section("Notes", lines=lines + report.notes)


def _quality(report: Contents) -> Iterable[str]:
    return (column for column in report.columns if column not in COSTS)


def _intervals(report: Contents) -> Section:
    body = []
    for column in _quality(report):
        found = [report.intervals.get(model, {}).get(column) for model in report.rows]
        texts = ["-" if one is None else written_interval(column, one) for one in found]
        if any(one != "-" for one in texts):
            body.append([label(column, report.task), *texts])
    return Section(f"Intervals, {level(report.confidence)}, over rows", ["", *report.rows], body)


def _differences(report: Contents) -> Section:
    body = []
    for column in _quality(report):
        found = [pairs.get(column) for pairs in report.differences.values()]
        texts = ["-" if one is None else written_difference(column, one) for one in found]
        if any(one != "-" for one in texts):
            body.append([label(column, report.task), *texts])
    head = ["", *(f"student - {other}" for other in report.differences)]
    return Section(f"Differences, {level(report.confidence)} intervals, paired by row", head, body)


def _groups(report: Contents) -> Section:
    loss, body = report.loss, []
    close = "rmse_to_teacher" if report.task == "regression" else "agreement"
    models = [model for model in COMPARED if model in report.rows]
    others = [model for model in models if model != "student"]
    for group in report.groups:
        found = group.results
        cells = [f"{group.n_rows:,}", *(written(loss, found.rows[model][loss]) for model in models)]
        for other in others:
            estimate = found.differences.get(other, {}).get(loss)
            cells.append("-" if estimate is None else written_difference(loss, estimate))
        if "teacher" in report.rows:
            interval = found.intervals.get("student", {}).get(close)
            around = "" if interval is None else f" ({written_interval(close, interval)})"
            cells.append(f"{written(close, found.rows['student'][close])}{around}")
        body.append([group.name, *cells])
    head = ["", "rows", *models, *(f"student - {other}" for other in others)]
    head += [label(close, report.task)] if "teacher" in report.rows else []
    return Section(f"Groups: {label(loss, report.task)}", head, body)


def _regions(report: Contents) -> Section:
    if not len(report.furthest):
        return Section("")
    what, write = {
        "classification": ("half the sum of the differences of probabilities", "{:.3f}".format),
        "multilabel": ("mean difference of the labels' probabilities", "{:.3f}".format),
    }.get(report.task, ("mean difference of the predictions", units))
    lines = [f"Over all rows {write(report.mean_distance)} ({what})."]
    for region in report.regions:
        value, low, high = map(write, region.distance)
        lines.append(
            f"{value} ({low} to {high}) where {region}: {region.n_rows:,} rows. Found on one half of the rows, "
            "measured on the other."
        )
    if not report.regions:
        lines.append("No region of the columns stands out.")
    numbers = ", ".join(map(str, report.furthest[:10].tolist()))
    lines.append(f"The rows with the largest differences, counted from 0: {numbers}.")
    return Section("Where student and teacher differ most", lines=lines)


def _reliability(report: Contents) -> Section:
    models = list(report.reliability)
    ranges = sorted({(one.low, one.high) for bins in report.reliability.values() for one in bins})
    body = []
    for low, high in ranges:
        line = [f"{low:.2f} to {high:.2f}"]
        for model in models:
            found = next((one for one in report.reliability[model] if one.low == low), None)
            if found is None:
                line += ["0", "-", "-"]
            else:
                interval = f" ({found.accuracy_low:.3f} to {found.accuracy_high:.3f})"
                around = "" if np.isnan(found.accuracy_low) else interval
                line += [f"{found.n:,}", f"{found.confidence:.3f}", f"{found.accuracy:.3f}{around}"]
        body.append(line)
    head = ["probability", *(what for model in models for what in (f"{model}: n", "mean", "right"))]
    return Section("Reliability of the predicted class's probability", head, body)
