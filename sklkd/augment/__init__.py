"""Synthetic rows for the teacher to label: more of them, close to the real ones."""

from sklkd.augment._base import Sampler
from sklkd.augment._gibbs import GibbsSampler
from sklkd.augment._mixup import Mixup
from sklkd.augment._munge import MUNGE
from sklkd.augment._noise import GaussianNoise
from sklkd.augment._nrfi import NRFI
from sklkd.augment._threshold import ThresholdSampler

__all__ = ["MUNGE", "NRFI", "GaussianNoise", "GibbsSampler", "Mixup", "Sampler", "ThresholdSampler"]
