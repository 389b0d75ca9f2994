"""Methods of the online and the self mode: how networks teach each other, or themselves."""

from sklkd.methods._codistillation import Codistillation
from sklkd.methods._collaborative_ensemble import CollaborativeEnsemble
from sklkd.methods._gated_ensemble import GatedEnsemble
from sklkd.methods._mutual_learning import MutualLearning
from sklkd.methods._online import OnlineMethod

__all__ = ["Codistillation", "CollaborativeEnsemble", "GatedEnsemble", "MutualLearning", "OnlineMethod"]
