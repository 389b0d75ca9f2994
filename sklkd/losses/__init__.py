"""Distillation losses: each is a torch module with scikit-learn parameters, usable by itself on two tensors."""

from sklkd.losses._base import Loss
from sklkd.losses._logit_mse import LogitMSELoss
from sklkd.losses._soft_target import SoftTargetLoss
from sklkd.losses._target import TargetLoss

__all__ = [
    "LogitMSELoss",
    "Loss",
    "SoftTargetLoss",
    "TargetLoss",
]
