"""What a student has to predict, as far as the teacher says it: the range of values, and how many there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sklkd.estimators._task import Task
from sklkd.knowledge import Knowledge
from sklkd.students._scaling import order_of


def task_of_teacher(task: Task, knowledge: Knowledge) -> Task:
    """The task with what the teacher says of targets: which values they can have, and how many there are.

    A teacher of several quantiles gives several values for one target, which never cross in the student.
    """
    if task.scaling is None or task.multilabel:
        return task
    estimand = knowledge.teacher.estimand
    mean = task.scaling.center
    possible = {"positive": (mean > 0).all(), "unit": ((mean >= 0) & (mean <= 1)).all()}.get(estimand.support, True)
    scaling = replace(task.scaling, support=estimand.support) if possible else task.scaling
    values = None if knowledge.outputs is None else knowledge.outputs.values
    if values is not None and len(scaling.center) == 1 and estimand.levels and values.shape[1] == len(estimand.levels):
        n = values.shape[1]
        order = order_of(estimand.levels) if estimand.kind == "quantile" else ()
        scaling = replace(scaling, center=np.repeat(scaling.center, n), scale=np.repeat(scaling.scale, n), order=order)
    return replace(task, scaling=scaling)


def standardized(knowledge: Knowledge, task: Task) -> Knowledge:
    """The same with outputs in units of the targets' standard deviation."""
    if knowledge.outputs is None:
        return knowledge
    return replace(knowledge, outputs=task.standardize(knowledge.outputs))
