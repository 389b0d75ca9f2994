"""The report: a table, a frame and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklkd import _whole_files
from sklkd.report._card import model_card
from sklkd.report._contents import Contents
from sklkd.report._formats import COSTS, FORMATS, HIGHER, label
from sklkd.report._frames import FRAMES, check_part
from sklkd.report._html import fragment, page
from sklkd.report._picture import picture
from sklkd.report._text import text

CALLED = {"teacher": "teacher", "student": "distilled student", "baseline": "same student\nwithout a teacher"}


@dataclass(frozen=True, repr=False)
class DistillationReport(Contents):
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
                                targets at or below the predictions; of several quantiles ``coverage 0.1`` and so on,
                                and ``inside 0.1 to 0.9``: part from the least quantile to the largest
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
    confidence : float
        Of all intervals and bounds.
    intervals : dict of str to dict
        For each model those of its measures of quality, as ``(low, high)``: exact for shares of rows (Clopper and
        Pearson), else by the bootstrap over rows. Empty with ``n_bootstrap=0``.
    differences : dict of str to dict
        For "teacher" and "baseline", if there are any, the student's measures minus theirs, as ``(value, low, high)``,
        from the same draws of rows for both.
    agreement_at_least : float
        In at least so large a part of rows like these the student's label is the teacher's, with this confidence, by
        the exact one-sided bound; NaN where rows have different weights or several labels.
    groups : list of Group
        For ``by``: ``name``, ``n_rows`` and ``results``, which has ``rows``, ``intervals`` and ``differences`` as here.
    furthest : ndarray of int
        Numbers of the rows whose predictions are furthest from the teacher's, the furthest first; at most 20.
    mean_distance : float
        How far predictions are from the teacher's, mean over the rows: half the sum of the differences of the
        probabilities of classes; the mean difference of several labels' probabilities, or of values.
    regions : list of Region
        Where that is larger than elsewhere: ``conditions`` on columns, ``n_rows``, and ``distance``, measured on rows
        that the region was not found from. Empty if none stands out, or there are fewer than 200 rows.
    reliability : dict of str to list
        Classification: for teacher and student the bins of ``ece`` in which there are predictions.
    seconds : dict of str to float
        What the stages of the fit took, as the estimator's ``fit_seconds_`` has them.
    """

    def to_frame(self, part: str = "models") -> Any:
        """The numbers as a pandas DataFrame.

        Parameters
        ----------
        part : {"models", "differences", "groups", "reliability"}, default="models"
            ``"models"``: one row a model, with the columns of ``rows``, then ``score_low``, ``score_high`` and so on,
            the ends of their intervals. ``"differences"``: one row for each measure and each model that the student is
            compared with, with ``value``, ``low`` and ``high``. ``"groups"``: as ``"models"``, one row for each group
            and model. ``"reliability"``: one row for each model and bin.

        Returns
        -------
        pandas DataFrame

        Raises
        ------
        ImportError
            Without pandas, which ``pip install 'sklkd[pandas]'`` brings.
        ValueError
            If there is no such part.
        """
        return FRAMES[check_part(part)](self)

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
        better = "" if y.startswith(("coverage", "inside")) else f" ({'higher' if y in HIGHER else 'lower'} is better)"
        upwards = f"{label(y, self.task, self.n_batch)}{better}"
        return picture(ax, points, texts, (across, upwards))

    def to_html(self, path: Any = None) -> str:
        """One HTML page that needs nothing beside it, light or dark as the browser asks for.

        Parameters
        ----------
        path : str or path, default=None
            The file to write, in UTF-8; None: none.

        Returns
        -------
        str
            The page.
        """
        made = page(self)
        if path is not None:
            _whole_files.write({Path(path): lambda file: file.write(made.encode())}, "to_html cannot write")
        return made

    def to_model_card(self, model: Any = None) -> Any:
        """A model card of skops with the report's findings in the sections where readers look for them.

        Parameters
        ----------
        model : estimator, default=None
            The distilled estimator that the card is about, of which skops shows the parameters; None: no such section.

        Returns
        -------
        skops.card.Card
            To be added to, and saved with ``card.save("README.md")``.

        Raises
        ------
        ImportError
            Without skops, which ``pip install skops`` brings.
        """
        return model_card(self, model)

    def __str__(self) -> str:
        return text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return fragment(self)
