"""Measure a distilled estimator against its teacher, and against the same student without one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.estimators._access import checked_labels, checked_rows, other_models
from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._checked_targets import check_weight
from sklkd.report._baseline import check_baseline, make_baselines
from sklkd.report._cost import check_repeats, costs
from sklkd.report._measured import Measured, measured_student, measured_teacher
from sklkd.report._quality import (
    closeness_of_classes,
    closeness_of_labels,
    closeness_of_values,
    gain_retained,
    quality_of_classes,
    quality_of_labels,
    quality_of_values,
    quantile_levels,
)
from sklkd.report._result import DistillationReport
from sklkd.rows import Rows

BATCH = 10_000
"""At most so many rows in the batch that is timed."""

NAN = float("nan")
CLOSENESS = {
    "classification": ("agreement", "kl"),
    "multilabel": ("agreement", "kl"),
    "regression": ("rmse_to_teacher", "correlation_to_teacher"),
}
"""Columns that compare with the teacher."""


def distillation_report(
    est: Any,
    X: Any,
    y: ArrayLike,
    baseline: Any = True,
    *,
    X_train: Any = None,
    y_train: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    sample_weight_train: ArrayLike | None = None,
    n_repeats: int = 20,
    random_state: Any = None,
) -> DistillationReport:
    """Teacher, distilled student, and the same student without a teacher, side by side.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor, or one of the online or self mode
        Fitted. One that has dropped its teacher (``keep_teacher=False``, ``without_teacher()``), or had no more than
        its outputs (``Precomputed``, ``teacher_outputs``), gets a report without a row for the teacher, and a note. Of
        networks that were trained together, or of one that was its own teacher, the student is the one that is
        deployed; all other peers, exits and generations have rows as well, but for those that ``without_peers()`` or
        ``cut`` have dropped. The baseline is the same network trained without distillation, for which ``X_train`` and
        ``y_train`` are needed; peers have theirs each, from one training.
    X : array, frame or sparse matrix of shape (n, n_features)
        Rows to measure on, which neither student nor teacher should have seen.
    y : array of shape (n,) or (n, n_targets)
        Their labels or targets.
    baseline : bool or fitted estimator, default=True
        True: the same student, with the teacher's bin edges where it uses them, trained on labels only
        (``hard_weight=1, augment=None``); on ``X_train`` and ``y_train`` where they are given, which is the fair
        comparison. Otherwise, as the estimator keeps no training rows, it is cross-fitted on ``X`` and ``y`` in three
        folds: every row is predicted by a student trained on the two thirds that lack it. If these are fewer rows than
        the estimator was fitted on, the baseline looks worse, and ``gain_retained`` better, than it is; a note says so.
        This takes three trainings, ``est.n_jobs`` at once. An estimator: measured as it stands. False: no baseline.
    X_train, y_train : array-likes, default=None
        The rows that ``est`` was fitted on, for ``baseline=True``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows of ``X`` in all measures of quality.
    sample_weight_train : array-like, default=None
        Weights of the rows of ``X_train``.
    n_repeats : int, default=20
        How often a prediction is timed at most; timing stops after a second, but not before three repeats.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of a cross-fitted baseline.

    Returns
    -------
    DistillationReport
        Its columns are described there.

    Raises
    ------
    TypeError
        If ``est`` is no distilled estimator, such as a Pipeline that holds one, or ``baseline`` neither bool nor
        estimator.
    ValueError
        If y holds a class that ``est`` has not seen, only one of ``X_train`` and ``y_train`` is given, or rows are too
        few to cross-fit the baseline.

    References
    ----------
    S. Stanton, P. Izmailov, P. Kirichenko, A. Alemi, A. G. Wilson, "Does knowledge distillation really work?", NeurIPS
    2021: fidelity to the teacher (agreement, KL) and quality are different things; report both.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklearn.model_selection import train_test_split
    >>> from sklkd import DistilledClassifier, distillation_report
    >>> X, X_test, y, y_test = train_test_split(*load_iris(return_X_y=True), test_size=0.5, random_state=0)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> report = distillation_report(est, X_test, y_test, X_train=X, y_train=y)
    >>> list(report.rows)
    ['teacher', 'student', 'baseline']
    >>> bool(report.rows["student"]["bytes"] < report.rows["teacher"]["bytes"])
    True
    """
    if not isinstance(est, BaseDistilled):
        raise TypeError(
            f"est must be a fitted DistilledClassifier or DistilledRegressor, got {type(est).__name__}. Of a Pipeline, "
            "pass the last step, and rows that the steps before it have transformed; of a search, its best_estimator_."
        )
    check_is_fitted(est, "student_")
    check_repeats(n_repeats)
    check_baseline(baseline, X_train, y_train, sample_weight_train)
    X = checked_rows(est, X)
    rows = Rows(X, checked_labels(est, X, y), check_weight(sample_weight, X))
    training = None if X_train is None else Rows(X_train, y_train, sample_weight_train)

    notes: list[str] = []
    found = {"teacher": measured_teacher(est, X, notes), "student": measured_student(est)}
    baselines = make_baselines(est, rows, baseline, training, random_state, notes)
    found["baseline"] = baselines.get("student")
    for name, other in other_models(est).items():
        found[name] = measured_student(other)
        found[f"{name} baseline"] = baselines.get(name)
    if hasattr(est, "deployed_"):
        notes.append(f"Student: what is deployed, {est.deployed_!r}.")
    models = {name: model for name, model in found.items() if model is not None}
    return _report(est, models, rows, n_repeats, notes)


def _report(est: Any, models: dict[str, Measured], rows: Rows, n_repeats: int, notes: list[str]) -> DistillationReport:
    measures = _measures(est, models, rows)
    one_row, batch = _safe_indexing(rows.X, slice(1)), rows.X
    if len(rows) > BATCH:
        batch = _safe_indexing(rows.X, slice(BATCH))
    report = DistillationReport(
        task=est._fitted.task.kind,
        rows=measures,
        names={name: model.name for name, model in models.items()},
        n_rows=len(rows),
        n_batch=_num_samples(batch),
        chosen=_chosen(est),
        notes=notes,
        account=getattr(est, "account_", None),
    )
    gain = gain_retained(measures, report.loss, notes)
    for name, row in measures.items():
        row["gain_retained"] = gain if name == "student" else NAN
        row |= costs(models[name], one_row, batch, n_repeats)
    return report


def _measures(est: Any, models: dict[str, Measured], rows: Rows) -> dict[str, dict[str, float]]:
    """For each model how good its predictions are, and how close to the teacher's."""
    task, teacher = est._fitted.task, models.get("teacher")
    # a baseline has one output also where the teacher gives several quantiles
    found = {
        name: np.broadcast_to(model.predictions(rows.X), (len(rows), task.n_outputs)) for name, model in models.items()
    }
    levels = quantile_levels(getattr(getattr(est, "account_", None), "estimand", None))
    measures = {}
    for name, model in models.items():
        if task.multilabel:
            row = quality_of_labels(found[name], rows.y, rows.weight)
        elif task.classification:
            row = quality_of_classes(found[name], rows.y, task.classes, rows.weight, model.threshold)
        else:
            row = quality_of_values(found[name], rows.y, rows.weight, levels)
        if teacher is None or name == "teacher":
            row |= dict.fromkeys(CLOSENESS[task.kind], NAN)
        elif task.multilabel:
            row |= closeness_of_labels(found[name], found["teacher"], rows.weight)
        elif task.classification:
            thresholds = model.threshold, teacher.threshold
            row |= closeness_of_classes(found[name], found["teacher"], rows.weight, thresholds)
        else:
            row |= closeness_of_values(found[name], found["teacher"], rows.weight)
        measures[name] = row
    return measures


def _chosen(est: Any) -> dict[str, str]:
    """What parameters that were left to "auto" turned out to be, but for those that the account is about."""
    params = est.get_params(deep=False)
    auto = [name for name, value in params.items() if isinstance(value, str) and value == "auto"]
    if hasattr(est, "account_"):
        auto = [name for name in auto if name not in ("blend", "hard_weight")]
    return {name: str(getattr(est, f"{name}_")) for name in auto if hasattr(est, f"{name}_")}
