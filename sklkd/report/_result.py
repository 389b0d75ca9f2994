"""The report: a table, a frame and a picture."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from sklkd.estimators.offline._account import DistillationAccount
from sklkd.report._picture import picture


def _gain(value: float) -> str:
    # where the teacher gains little, the ratio says no more than that
    return f"{'>' if value > 0 else '<-'}200%" if abs(value) > 2 else f"{value:.0%}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def _microseconds(value: float) -> str:
    return f"{value:,.1f} µs" if value < 10 else f"{value:,.0f} µs"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def _units(value: float) -> str:
    """A number in the target's units, whose size is not known."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.4g}"


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


FORMATS: dict[str, tuple[str, Any]] = {
    "score": ("score", "{:.4f}".format),
    "f1": ("macro F1", "{:.4f}".format),
    "log_loss": ("log loss", "{:.4f}".format),
    "rmse": ("RMSE", _units),
    "pinball": ("pinball loss", _units),
    "coverage": ("targets at or below", "{:.1%}".format),
    "brier": ("Brier score", "{:.4f}".format),
    "ece": ("calibration error", "{:.4f}".format),
    "gain_retained": ("gain retained", _gain),
    "agreement": ("agreement with teacher", "{:.1%}".format),
    "kl": ("KL from teacher", "{:.4f}".format),
    "rmse_to_teacher": ("RMSE to teacher", _units),
    "correlation_to_teacher": ("correlation to teacher", "{:.4f}".format),
    "parameters": ("parameters", _count),
    "bytes": ("pickled", _bytes),
    "fit_seconds": ("training", _seconds),
    "us_one_row": ("one row", _microseconds),
    "us_per_row": ("per row of a batch", _microseconds),
}
"""Columns in order: what they are called in print, and how a number is written."""

COSTS = {
    "parameters": "parameters",
    "bytes": "bytes, pickled",
    "fit_seconds": "seconds of training",
    "us_one_row": "microseconds to predict one row",
    "us_per_row": "microseconds per row of a batch",
}
"""Columns that a picture can have across, and what they are called there."""

ACCOUNT = "What the fit decided"
"""Heading of the account."""

PAGE = 100
"""Characters of a printed line."""

HIGHER = {"score", "f1", "gain_retained", "agreement", "correlation_to_teacher"}
CALLED = {"teacher": "teacher", "student": "distilled student", "baseline": "same student\nwithout a teacher"}


@dataclass(frozen=True, repr=False)
class DistillationReport:
    """Teacher, student and baseline, measured; made by :func:`distillation_report`.

    Printing it gives a table, a notebook shows it as one; :meth:`to_frame` has the numbers, :meth:`plot` a picture.

    ==========================  ======================================================================================
    ``score``                   accuracy, by the decision rule of each model; of several labels a row the part of the
                                rows all of whose labels are right; for regression R2, mean over the targets
    ``f1``                      several labels a row: F1 of each label, mean over the labels
    ``log_loss``                classification, as :func:`sklearn.metrics.log_loss`; of several labels the mean
    ``brier``, ``ece``          classification: Brier score (with two classes or several labels of one column), and
                                expected calibration error of the most probable class, or of each label, over 15 bins
    ``rmse``                    regression, mean over the targets
    ``pinball``                 regression, where the teacher estimates a median or quantiles: the loss whose minimum
                                these are, mean over the levels
    ``coverage``                regression, where the teacher estimates another location than the mean: part of the
                                targets at or below the predictions; of several quantiles ``coverage 0.1`` and so on
    ``gain_retained``           (loss of the baseline - loss of the student) / (loss of the baseline - loss of the
                                teacher), with the log loss, RMSE or pinball loss; 1: as good as the teacher. NaN where
                                the teacher gains nothing over the baseline
    ``agreement``, ``kl``       classification: how often the label is the teacher's, each by its own decision rule;
                                mean Kullback-Leibler divergence from the teacher's probabilities, in nats; of several
                                labels both are means over the labels
    ``rmse_to_teacher``         regression: between the two predictions, mean over the targets
    ``correlation_to_teacher``  regression: Pearson's, mean over the targets
    ``parameters``              weights of networks and linear models; of trees a column and a threshold a split, and
                                the values of each leaf. NaN where they cannot be counted
    ``bytes``                   of the pickled model; student and baseline without the teacher
    ``fit_seconds``             of training, where the model has recorded it: networks their epochs, searches their
                                last fit; NaN otherwise. Of a cross-fitted baseline, the mean over the folds; of peers
                                and exits, that of the training of all
    ``us_one_row``              median microseconds of a prediction for one row (``predict_proba`` or ``predict``, with
                                all that checks and encodes)
    ``us_per_row``              the same for a batch of up to 10,000 rows, divided by their number
    ==========================  ======================================================================================

    Attributes
    ----------
    task : {"classification", "multilabel", "regression"}
    rows : dict of str to dict
        For "teacher", "student" and "baseline", those that there are, the value of each column; NaN where a column
        does not apply or is not known. Then those of other networks that were trained with the student: "peer large",
        "ensemble", "exit hidden.0", "generation 0"; and of the same peers trained without distillation, "peer large
        baseline".
    names : dict of str to str
        What each of them is.
    n_rows : int
        Rows that were measured on.
    n_batch : int
        Rows of the batch that was timed.
    chosen : dict of str to str
        What those of the estimator's parameters that were "auto" turned out to be, but for those in ``account``.
    notes : list of str
        What is missing, or has to be known to read the numbers.
    account : DistillationAccount or None
        The estimator's ``account_``: what the teacher was taken for, what ``blend`` and ``hard_weight`` are and rest
        on, losses on validation rows. None where there is no teacher.
    """

    task: str
    rows: dict[str, dict[str, float]]
    names: dict[str, str]
    n_rows: int
    n_batch: int
    chosen: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    account: DistillationAccount | None = None

    @property
    def loss(self) -> str:
        """The column with the loss: "log_loss", "rmse", or "pinball" where the teacher estimates quantiles."""
        if "pinball" in self.rows["student"]:
            return "pinball"
        return "rmse" if self.task == "regression" else "log_loss"

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return [name for kind in FORMATS for name in self.rows["student"] if name.partition(" ")[0] == kind]

    def to_frame(self) -> Any:
        """The numbers as a pandas DataFrame, one row a model.

        Raises
        ------
        ImportError
            Without pandas, which ``pip install 'sklkd[pandas]'`` brings.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "DistillationReport.to_frame needs pandas: pip install 'sklkd[pandas]'. The same numbers are in rows."
            ) from error
        frame = pd.DataFrame.from_dict(self.rows, orient="index", columns=self.columns)
        return frame.astype({"parameters": "Int64", "bytes": "Int64"})

    def plot(self, ax: Any = None, *, x: str = "us_one_row", y: str | None = None) -> Any:
        """Draw quality against cost: one point a model.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.
        x : {"us_one_row", "us_per_row", "bytes", "parameters", "fit_seconds"}, default="us_one_row"
            The column across, on a logarithmic axis.
        y : str, default=None
            Any other column, upwards; None: the loss.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        ValueError
            If there is no such column, or no model has a value in it.
        """
        y = self.loss if y is None else y
        quality = [name for name in self.columns if name not in COSTS]
        for parameter, name, known in (("x", x, list(COSTS)), ("y", y, quality)):
            if name not in known:
                raise ValueError(f"{parameter} must be one of {known}, got {parameter}={name!r}.")
        points = {model: (row[x], row[y]) for model, row in self.rows.items() if np.isfinite([row[x], row[y]]).all()}
        if not points:
            raise ValueError(f"no model has both {x!r} and {y!r}: choose other columns.")
        texts = {
            model: f"{CALLED.get(model, model)}\n{self.names[model]}\n{FORMATS[x][1](cost)}"
            for model, (cost, _) in points.items()
        }
        across = COSTS[x] + (f" of {self.n_batch:,}" if x == "us_per_row" else "")
        better = "" if y.startswith("coverage") else f" ({'higher' if y in HIGHER else 'lower'} is better)"
        upwards = f"{self._label(y)}{better}"
        return picture(ax, points, texts, (across, upwards))

    def __str__(self) -> str:
        table = [["", *self.rows], ["", *(self.names[model] for model in self.rows)], *self._cells()]
        widths = [max(len(line[j]) for line in table) for j in range(len(table[0]))]
        lines = [self._title()]
        for block in _blocks(widths):
            for line in table:
                cells = [line[j].rjust(widths[j]) for j in block]
                lines.append("  ".join([line[0].ljust(widths[0]), *cells]).rstrip())
        if self.account is not None:
            lines.append(ACCOUNT)
            lines += [_wrapped(line, "  ") for line in str(self.account).splitlines()]
        return "\n".join([*lines, *map(_wrapped, self._remarks())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(tag: str, cells: list[str], scope: str) -> str:
            first, *others = map(escape, cells)
            return f'<tr><th scope="{scope}">{first}</th>{"".join(f"<{tag}>{cell}</{tag}>" for cell in others)}</tr>'

        head = ["", *(f"{model} ({self.names[model]})" for model in self.rows)]
        body = "".join(line("td", cells, "row") for cells in self._cells())
        account = [] if self.account is None else str(self.account).splitlines()
        return (
            f"<table><caption>{escape(self._title())}</caption><thead>{line('th', head, 'col')}</thead>"
            f"<tbody>{body}</tbody></table>"
            + (f"<h4>{ACCOUNT}</h4>{_html_list(account)}" if account else "")
            + _html_list(self._remarks())
        )

    def _title(self) -> str:
        task = "several labels a row" if self.task == "multilabel" else self.task
        return f"Distillation report: {task}, {self.n_rows:,} rows"

    def _label(self, column: str) -> str:
        if column == "score":
            return {"regression": "R2", "multilabel": "all labels right"}.get(self.task, "accuracy")
        if column == "us_per_row":
            return f"per row of {self.n_batch:,}"
        kind, _, level = column.partition(" ")
        return f"{FORMATS[kind][0]} {level}".rstrip()

    def _cells(self) -> list[list[str]]:
        """A line a column: what it is called and the value of each model."""
        lines = []
        for column in self.columns:
            values = [row[column] for row in self.rows.values()]
            if not np.isnan(values).all():
                written = FORMATS[column.partition(" ")[0]][1]
                cells = ["-" if np.isnan(value) else written(value) for value in values]
                lines.append([self._label(column), *cells])
        return lines

    def _remarks(self) -> list[str]:
        remarks = []
        if "teacher" in self.rows:
            teacher, student = self.rows["teacher"], self.rows["student"]
            size, row, batch = (_ratio(teacher[key] / student[key]) for key in ("bytes", "us_one_row", "us_per_row"))
            smaller = "" if np.isnan(teacher["bytes"]) else f"{size} times smaller, "
            remarks.append(
                f"Student against teacher: {smaller}{row} times as fast for one row, {batch} times in a batch."
            )
        if self.chosen:
            remarks.append(
                "Chosen by auto: " + ", ".join(f"{name}={value}" for name, value in self.chosen.items()) + "."
            )
        return remarks + self.notes


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, PAGE, initial_indent=indent, subsequent_indent=f"{indent}  ")


def _html_list(lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _blocks(widths: list[int]) -> list[list[int]]:
    """The columns of a table but the first, in groups that fit a page beside it."""
    blocks: list[list[int]] = []
    used = 0
    for j in range(1, len(widths)):
        used += widths[j] + 2
        if not blocks or used > PAGE:
            blocks.append([])
            used = widths[0] + widths[j] + 2
        blocks[-1].append(j)
    return blocks
