"""What skorch nets estimate, from their criterion."""

from __future__ import annotations

from typing import Any

from sklkd.teachers._estimand import Estimand
from sklkd.teachers._estimand_boosters import assumed
from sklkd.teachers._estimand_weights import equal, reweighted

CRITERIA = {
    "L1Loss": "median",
    "SmoothL1Loss": "robust location",
    "HuberLoss": "robust location",
    "PoissonNLLLoss": "rate",
}
"""Kinds by torch's criteria that do not estimate the mean."""


def read_net(net: Any, classifier: bool) -> Estimand:
    """What a fitted skorch net estimates; class probabilities, or the mean, are assumed where its criterion is silent.

    A net is trained by a loop that its user may have changed, so that only what departs from the usual is known.
    """
    name = type(net).__name__
    criterion = getattr(net, "criterion_", None)
    loss = type(criterion).__name__
    if classifier:
        for key in ("weight", "pos_weight"):
            given = getattr(criterion, key, None)
            if given is not None and not equal([*given.reshape(-1).tolist(), *([1.0] if key == "pos_weight" else [])]):
                return reweighted(f"{name}(criterion={loss}({key}=...))")
    elif loss in CRITERIA:
        return Estimand(CRITERIA[loss], f"{name}(criterion={loss})")
    return assumed(name, classifier)
