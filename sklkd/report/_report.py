"""Measure a distilled estimator against its teacher, and against the same student without one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklkd._sklearn import _num_samples
from sklkd.estimators._access import checked_labels, checked_rows, other_models
from sklkd.estimators._checked_targets import check_weight
from sklkd.report._baseline import check_baseline, make_baselines
from sklkd.report._columns_of import Columns, column_by
from sklkd.report._comparison import CLOSENESS, compared
from sklkd.report._cost import batch_of, check_repeats, costs
from sklkd.report._groups import grouped
from sklkd.report._intervals import N_BOOTSTRAP, NAN, Sample, check_confidence
from sklkd.report._measured import Measured, measured_student, measured_teacher
from sklkd.report._quality import distance_from_teacher
from sklkd.report._regions import find_regions
from sklkd.report._reliability import reliability_bins, sure_and_right
from sklkd.report._result import DistillationReport
from sklkd.report._unwrap import Unwrapped
from sklkd.rows import Rows

FURTHEST = 20
"""Rows that are named as those with the largest differences."""


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
    by: Any = None,
    confidence: float = 0.95,
    n_bootstrap: int = N_BOOTSTRAP,
) -> DistillationReport:
    """Teacher, distilled student, and the same student without a teacher, side by side, and how sure that is.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor, or one of the online or self mode; or what stands around one
        Fitted. Around it there may be a Pipeline, of which it is the last step (the teacher is asked behind the
        steps, too), a search that has found it, or a FrozenEstimator. Notes below say what gets rows.
    X : array, frame or sparse matrix of shape (n, n_features)
        Rows to measure on, which neither student nor teacher should have seen; of a Pipeline, as it takes them.
    y : array of shape (n,) or (n, n_targets)
        Their labels or targets.
    baseline : bool or fitted estimator, default=True
        True: the same student, with the teacher's bin edges where it uses them, trained on labels only
        (``hard_weight=1, augment=None``); on ``X_train`` and ``y_train`` where they are given, which is the fair
        comparison, else cross-fitted on ``X`` and ``y`` in three folds, ``est.n_jobs`` at once. An estimator: measured
        as it stands, on ``X`` as it is given. False: no baseline.
    X_train, y_train : array-likes, default=None
        The rows that ``est`` was fitted on, for ``baseline=True``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows of ``X`` in all measures of quality. A row counts by its weight and remains one row.
    sample_weight_train : array-like, default=None
        Weights of the rows of ``X_train``.
    n_repeats : int, default=20
        How often a prediction is timed at most; timing stops after a second, but not before three repeats.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds of a cross-fitted baseline, and draws rows for intervals; with None the same ones each time.
    by : str or array-like of shape (n,), default=None
        A column of the frame ``X``, or a value a row: the same measures for groups of rows, with intervals. Up to ten
        values are a group each; of more, the ten largest categories, or four ranges of a number or date.
    confidence : float, default=0.95
        Of all intervals and bounds, each for itself.
    n_bootstrap : int, default=1000
        Replicates for intervals; 0: no intervals. They cost less than a second whatever the rows are: of more than
        10,000 rows, 10,000 random groups are drawn in their place.

    Returns
    -------
    DistillationReport
        Its columns are described there.

    Raises
    ------
    TypeError
        If ``est`` neither is nor holds a distilled estimator, or ``baseline`` is neither bool nor estimator.
    ValueError
        If y holds a class that ``est`` has not seen, only one of ``X_train`` and ``y_train`` is given, rows are too few
        to cross-fit the baseline, or ``by`` is no column and has not one value a row.

    Notes
    -----
    An estimator that has dropped its teacher (``keep_teacher=False``, ``without_teacher()``), or had no more than its
    outputs (``Precomputed``, ``teacher_outputs``), gets a report without a row for the teacher, and a note. Of networks
    that were trained together, or of one that was its own teacher, the student is the one that is deployed; all other
    peers, exits and generations have rows as well, but for those that ``without_peers()`` or ``cut`` have dropped. The
    baseline is then the same network trained without distillation, for which ``X_train`` and ``y_train`` are needed;
    peers have theirs each, from one training.

    A baseline that is cross-fitted on the rows of the report predicts every row by a student trained on the two thirds
    that lack it. If these are fewer rows than the estimator was fitted on, the baseline looks worse, and
    ``gain_retained`` better, than it is; a note says so.

    Intervals are over rows: they say what other rows of the same kind could have shown, of these very models. Another
    training, or another teacher, varies beyond that. They are bias-corrected and accelerated bootstrap intervals, exact
    ones for shares of rows that count the same, and conservative ones for the calibration error. All measures share the
    draws, so that differences are paired.

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
    check_repeats(n_repeats)
    check_confidence(confidence, n_bootstrap)
    check_baseline(baseline, X_train, y_train, sample_weight_train)
    inside, given = Unwrapped(est), X
    column = None if by is None else column_by(by, X)
    notes: list[str] = []
    est = inside.est
    X = checked_rows(est, inside.rows(X))
    rows = Rows(X, checked_labels(est, X, y), check_weight(sample_weight, X))
    training = None if X_train is None else Rows(inside.rows(X_train), y_train, sample_weight_train)
    if inside.transforms:
        notes.append(
            f"All but a baseline of your own are asked behind the steps of the {inside.path[0]}, whose time and size "
            "are not counted."
        )

    found = {"teacher": measured_teacher(est, X, notes), "student": measured_student(est)}
    own = given if inside.transforms else None
    baselines = make_baselines(est, rows, baseline, training, random_state, notes, own)
    found["baseline"] = baselines.get("student")
    for name, other in other_models(est).items():
        found[name] = measured_student(other)
        found[f"{name} baseline"] = baselines.get(name)
    if hasattr(est, "deployed_"):
        notes.append(f"Student: what is deployed, {est.deployed_!r}.")
    models = {name: model for name, model in found.items() if model is not None}
    sample = Sample(len(rows), rows.weight, int(n_bootstrap), float(confidence), copy.deepcopy(random_state))
    return _report(est, models, rows, sample, given, column, n_repeats, notes)


def _report(
    est: Any,
    models: dict[str, Measured],
    rows: Rows,
    sample: Sample,
    X: Any,
    column: Columns | None,
    n_repeats: int,
    notes: list[str],
) -> DistillationReport:
    """``X``: the rows as the user has them, whose columns are named."""
    task = est._fitted.task
    # a baseline has one output also where the teacher gives several quantiles
    found = {
        name: np.broadcast_to(model.predictions(rows.X), (len(rows), task.n_outputs)) for name, model in models.items()
    }
    comparison = compared(est, models, found, rows.y, sample)
    results = comparison.results()
    unknown = dict.fromkeys(("gain_retained", *CLOSENESS[task.kind]), NAN)
    measures = {name: unknown | row for name, row in results.rows.items()}
    if {"teacher", "baseline"} <= set(models) and np.isnan(measures["student"]["gain_retained"]):
        notes.append("No gain to retain: the teacher's loss is not below that of the student without it.")
    return DistillationReport(
        task=task.kind,
        rows={name: row | costs(models[name], rows.X, n_repeats) for name, row in measures.items()},
        names={name: model.name for name, model in models.items()},
        n_rows=len(rows),
        n_batch=_num_samples(batch_of(rows.X)),
        chosen=_chosen(est),
        notes=notes,
        account=getattr(est, "account_", None),
        confidence=sample.confidence,
        intervals=results.intervals,
        differences=results.differences,
        agreement_at_least=results.agreement_at_least,
        seconds=est.fit_seconds_,
        groups=[] if column is None else grouped(column, comparison, notes),
        reliability=_reliability(task, models, found, rows.y, sample),
        **_where_they_differ(task, found, X, sample),
    )


def _reliability(task: Any, models: Any, found: dict[str, NDArray], y: NDArray, sample: Sample) -> dict[str, Any]:
    if task.kind == "regression":
        return {}
    return {
        name: reliability_bins(*sure_and_right(found[name], y, task.classes), sample)
        for name in ("teacher", "student")
        if name in models
    }


def _where_they_differ(task: Any, found: dict[str, NDArray], X: Any, sample: Sample) -> dict[str, Any]:
    if "teacher" not in found:
        return {}
    distance = distance_from_teacher(found["student"], found["teacher"], task.kind)
    order = np.argsort(-distance, kind="stable")[:FURTHEST]
    return {
        "furthest": order[distance[order] > 0],
        "mean_distance": float(sample.means(distance[:, None])[0]),
        "regions": find_regions(X, distance, sample),
    }


def _chosen(est: Any) -> dict[str, str]:
    """What parameters that were left to "auto" turned out to be, but for those that the account is about."""
    params = est.get_params(deep=False)
    auto = [name for name, value in params.items() if isinstance(value, str) and value == "auto"]
    if hasattr(est, "account_"):
        auto = [name for name in auto if name not in ("blend", "hard_weight")]
    return {name: str(getattr(est, f"{name}_")) for name in auto if hasattr(est, f"{name}_")}
