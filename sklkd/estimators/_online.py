"""Online distillation, networks that are trained together: what classifier and regressor share."""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklkd._named import named_pairs
from sklkd._sklearn import Interval
from sklkd.estimators._merge import Merged
from sklkd.estimators._peers import (
    ANSWERS,
    Peer,
    budgeted,
    ensemble_of,
    make_peers,
    named_peers,
    peer_losses,
    set_aside,
    train_peers,
)
from sklkd.estimators._unaided import BaseUnaided
from sklkd.methods import MutualLearning, OnlineMethod
from sklkd.students._cohort import JoinedEncoder


class BaseOnline(BaseUnaided):
    """What the online classifier and regressor share; they differ in labels, outputs and predictions."""

    _parameter_constraints: dict = BaseUnaided._parameter_constraints | {
        "deploy": [str],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    }
    _named = ("peers",)

    def __init__(
        self,
        peers: Any = 2,
        *,
        method: Any = None,
        deploy: str = "best",
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.peers = peers
        self.method = method
        self.deploy = deploy
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def _students(self) -> list[Any]:
        return [student for _, student in named_pairs(self.peers)]

    def _train(self, merged: Merged, seed: int) -> None:
        method = self._chosen_method(MutualLearning(), OnlineMethod)
        pairs = named_peers(self.peers, set(self.get_params(deep=False)))
        names = [name for name, _ in pairs]
        if self.deploy not in {*names, *ANSWERS}:
            raise ValueError(f"deploy must be one of {[*ANSWERS, *names]}, got deploy={self.deploy!r}.")
        task = self._wanted()
        train_seed, *seeds = np.random.RandomState(seed).randint(2**31 - 1, size=len(pairs) + 1).tolist()
        stops, held = budgeted(pairs), None
        if self.deploy == "best" or stops or method.holds_out:
            merged, held = set_aside(merged, task.classification, self.validation_fraction, train_seed)
        peers = make_peers(pairs, task, merged, seeds)
        trainer = train_peers(peers, method, task, merged, train_seed, self.verbose, held, stops)
        self.method_ = method
        judges = merged if held is None else held
        self.peer_losses_ = peer_losses(peers, task, judges) if self.deploy == "best" else {}
        nets: dict[str, Any] = {peer.name: (peer.encoder, peer.net) for peer in peers}
        encoders = [peer.encoder for peer in peers]
        together = encoders[0] if all(one is encoders[0] for one in encoders) else JoinedEncoder(encoders)
        nets["ensemble"] = together, ensemble_of(trainer, method, task.classification)
        self._answers = {name: (encoder, self._finished(net)) for name, (encoder, net) in nets.items()}
        self.deployed_ = self._chosen_peer(peers)
        self.encoder_, self.student_ = self._answers[self.deployed_]

    def _chosen_peer(self, peers: list[Peer]) -> str:
        if self.deploy == "best":
            return min(self.peer_losses_, key=lambda name: self.peer_losses_[name])
        if self.deploy == "smallest":
            return min(peers, key=lambda peer: peer.n_parameters).name
        return self.deploy

    @property
    def peers_(self) -> dict[str, Any]:
        """The trained nets by name."""
        check_is_fitted(self, "student_")
        return {name: net for name, (_, net) in self._answers.items() if name != "ensemble"}

    def with_peer(self, name: str) -> Self:
        """A copy that answers with another peer, or with all.

        Parameters
        ----------
        name : str
            A peer's, or "ensemble".

        Returns
        -------
        OnlineDistilledClassifier or OnlineDistilledRegressor
            It shares what was trained with this one.
        """
        check_is_fitted(self, "student_")
        if name not in self._answers:
            raise ValueError(f"name must be one of {list(self._answers)}, got name={name!r}.")
        other = copy.copy(self)
        other.deployed_ = name
        other.encoder_, other.student_ = self._answers[name]
        other._keep_float64()
        return other

    def without_peers(self) -> Self:
        """A light copy to pickle and ship: only what is deployed is left of the peers."""
        check_is_fitted(self, "student_")
        light = copy.copy(self)
        light._answers = {self.deployed_: (self.encoder_, self.student_)}
        return light

    def _light(self) -> Self:
        return self.without_peers()

    def _parts(self) -> dict[str, Self]:
        others = [name for name in self._answers if name != self.deployed_]
        return {name if name == "ensemble" else f"peer {name}": self.with_peer(name) for name in others}

    def _alone(self) -> Self:
        """Unfitted: the same networks, of which none learns from another, and the same one deployed."""
        return clone(self).set_params(method=MutualLearning(weight=0), deploy=self.deployed_, verbose=0)
