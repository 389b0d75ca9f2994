"""Students: small networks, their input encoding, and the skorch net that trains them."""

from sklkd.students._encoder import InputEncoder
from sklkd.students._muon import Muon
from sklkd.students._tabular_net import TabularNet
from sklkd.students._tabular_student import TabularStudent, WarmupCosine

__all__ = ["InputEncoder", "Muon", "TabularNet", "TabularStudent", "WarmupCosine"]
