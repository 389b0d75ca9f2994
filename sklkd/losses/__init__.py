"""Distillation losses: each is a torch module with scikit-learn parameters, usable by itself on two tensors."""

from sklkd.losses._base import Loss
from sklkd.losses._corrected_target import CorrectedTargetLoss
from sklkd.losses._dist import DISTLoss
from sklkd.losses._dkd import DKDLoss
from sklkd.losses._logit_mse import LogitMSELoss
from sklkd.losses._soft_target import SoftTargetLoss
from sklkd.losses._target import TargetLoss

__all__ = [
    "CorrectedTargetLoss",
    "DISTLoss",
    "DKDLoss",
    "LogitMSELoss",
    "Loss",
    "SoftTargetLoss",
    "TargetLoss",
]
