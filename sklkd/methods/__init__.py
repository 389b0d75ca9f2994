"""Methods of the online and the self mode: networks that learn from each other, or from themselves."""

from sklkd.methods._born_again import BornAgain
from sklkd.methods._codistillation import Codistillation
from sklkd.methods._collaborative_ensemble import CollaborativeEnsemble
from sklkd.methods._deep_to_shallow import DeepToShallow
from sklkd.methods._epoch_to_epoch import EpochToEpoch
from sklkd.methods._gated_ensemble import GatedEnsemble
from sklkd.methods._last_batch import LastBatch
from sklkd.methods._mutual_learning import MutualLearning
from sklkd.methods._online import OnlineMethod
from sklkd.methods._same_class_pairs import SameClassPairs
from sklkd.methods._self import SelfMethod, SelfObjective
from sklkd.methods._virtual_teacher import VirtualTeacher

__all__ = [
    "BornAgain",
    "Codistillation",
    "CollaborativeEnsemble",
    "DeepToShallow",
    "EpochToEpoch",
    "GatedEnsemble",
    "LastBatch",
    "MutualLearning",
    "OnlineMethod",
    "SameClassPairs",
    "SelfMethod",
    "SelfObjective",
    "VirtualTeacher",
]
