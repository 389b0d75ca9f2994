"""A fitted student is trained further, by ``partial_fit``."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklkd.estimators._deduplicate import Deduplication
from sklkd.estimators._estimator_fit import TrainedEstimator
from sklkd.estimators._fitted_student import FittedStudent
from sklkd.estimators._student_fit import TrainedStudent
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.estimators.offline._transfer_rows import TeacherOutputs, unlabelled_rows
from sklkd.knowledge import Knowledge
from sklkd.rows import Rows


def train_further(fitted: FittedStudent, rows: Rows, X_transfer: Any, random_state: Any) -> FittedStudent:
    """Train a copy of a fitted student further on new rows, with the same teacher and blending.

    Parameters
    ----------
    fitted : FittedStudent
    rows : Rows
        Checked, with labels or targets in the user's terms, and weights.
    X_transfer : array, frame or sparse matrix, or None
        Checked unlabelled rows.
    random_state : int, RandomState or None

    Raises
    ------
    ValueError
        If the teacher is needed and was dropped.
    """
    net, task, teacher = copy.deepcopy(fitted.net), fitted.task, fitted.teacher
    losses = list(fitted.trained_losses())
    if losses and teacher is None:
        raise ValueError("partial_fit needs the teacher, which keep_teacher=False has dropped: set keep_teacher=True.")
    ask = TeacherOutputs(teacher, task, any(loss.needs_spread for _, loss in losses))
    outputs = ask.of(rows.X) if losses else None
    knowledge = Knowledge(teacher, outputs, np.zeros(len(rows), bool), "in-sample")
    distinct = Deduplication(rows).distinct_rows(task.encode(rows.y), knowledge)
    distinct = replace(distinct, columns=fitted.columns)
    unlabelled = []
    if X_transfer is not None and losses:
        unlabelled.append(ask.label(unlabelled_rows(X_transfer, distinct.codec, fitted.handles_missing)))
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    unlabelled = [fitted.blending.targets(replace(part, columns=fitted.columns)) for part in unlabelled]
    if fitted.is_net:
        trained = TrainedStudent(fitted.encoder, net, task)
        trained.train_further(fitted.blending.targets(distinct), unlabelled, TeacherLayers(losses, teacher, task), seed)
    else:
        estimator = TrainedEstimator(fitted.encoder, net, task, losses)
        estimator.train_further(fitted.blending.with_labels(distinct, task), unlabelled, fitted.blending.hard_weight)
    return replace(fitted, net=net)
