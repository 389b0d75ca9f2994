"""Distillation losses: each is a torch module with scikit-learn parameters, usable by itself on two tensors."""

from sklkd.losses._ab import ABLoss
from sklkd.losses._active_hint import ActiveHintLoss
from sklkd.losses._attention import AttentionTransferLoss
from sklkd.losses._base import Loss
from sklkd.losses._cc import CCLoss
from sklkd.losses._corrected_target import CorrectedTargetLoss
from sklkd.losses._crd import CRDLoss
from sklkd.losses._dist import DISTLoss
from sklkd.losses._dkd import DKDLoss
from sklkd.losses._factor_transfer import FactorTransferLoss
from sklkd.losses._fitnet import FitNetLoss
from sklkd.losses._fsp import FSPLoss
from sklkd.losses._irg import IRGLoss
from sklkd.losses._kdsvd import KDSVDLoss
from sklkd.losses._leaf_embedding import LeafEmbeddingLoss
from sklkd.losses._logit_mse import LogitMSELoss
from sklkd.losses._multilabel_target import MultilabelTargetLoss
from sklkd.losses._nst import NSTLoss
from sklkd.losses._ofd import OFDLoss
from sklkd.losses._pinball import PinballLoss
from sklkd.losses._pkt import PKTLoss
from sklkd.losses._review_kd import ReviewKDLoss
from sklkd.losses._rkd import RKDAngleLoss, RKDDistanceLoss
from sklkd.losses._simkd import SimKDLoss
from sklkd.losses._soft_target import SoftTargetLoss
from sklkd.losses._sp import SPLoss
from sklkd.losses._target import TargetLoss
from sklkd.losses._vid import VIDLoss

__all__ = [
    "ABLoss",
    "ActiveHintLoss",
    "AttentionTransferLoss",
    "CCLoss",
    "CRDLoss",
    "CorrectedTargetLoss",
    "DISTLoss",
    "DKDLoss",
    "FSPLoss",
    "FactorTransferLoss",
    "FitNetLoss",
    "IRGLoss",
    "KDSVDLoss",
    "LeafEmbeddingLoss",
    "LogitMSELoss",
    "Loss",
    "MultilabelTargetLoss",
    "NSTLoss",
    "OFDLoss",
    "PKTLoss",
    "PinballLoss",
    "RKDAngleLoss",
    "RKDDistanceLoss",
    "ReviewKDLoss",
    "SPLoss",
    "SimKDLoss",
    "SoftTargetLoss",
    "TargetLoss",
    "VIDLoss",
]
