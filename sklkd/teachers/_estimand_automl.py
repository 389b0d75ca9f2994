"""What predictors of AutoML libraries estimate."""

from __future__ import annotations

from typing import Any

from sklkd.teachers._estimand import Estimand, quantile_estimand
from sklkd.teachers._estimand_weights import reweighted

OF_MEDIANS = ("mean_absolute_error", "median_absolute_error")
"""Metrics of which AutoGluon makes the objective of its members."""


def read_autogluon(predictor: Any, classifier: bool) -> Estimand:
    """What a ``TabularPredictor`` estimates: its type of problem, its metric and its weights say it."""
    name = type(predictor).__name__
    if classifier:
        weighed = predictor.sample_weight in ("balance_weight", "auto_weight")
        source = f"{name}(sample_weight={predictor.sample_weight!r})" if weighed else name
        return reweighted(source, balanced=True) if weighed else Estimand("probability", name)
    if predictor.problem_type == "quantile":
        return quantile_estimand([float(level) for level in predictor.quantile_levels], name)
    metric = predictor.eval_metric.name
    if metric in OF_MEDIANS:
        return Estimand("median", f"{name}(eval_metric={metric!r})")
    return Estimand("mean", name)
