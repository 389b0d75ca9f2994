"""Online distillation, networks that are trained together: what classifier and regressor share."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklkd._named import named_pairs
from sklkd._progress import Progress
from sklkd._sklearn import Interval
from sklkd.estimators._fitted_student import FittedStudent
from sklkd.estimators._task import Task
from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.estimators.online._cohort_fit import (
    DEPLOYED,
    CohortTraining,
    Peer,
    budgeted,
    ensemble_net,
    hold_out,
    make_peers,
    named_peers,
    peer_losses,
)
from sklkd.methods import MutualLearning, OnlineMethod
from sklkd.rows import Rows
from sklkd.students._cohort import JoinedEncoder

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseOnline(BaseWithoutTeacher):
    """What the online classifier and regressor share; they differ in labels, outputs and predictions."""

    _parameter_constraints: dict = BaseWithoutTeacher._parameter_constraints | {
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

    def _train(self, rows: Rows, task: Task, seed: int, progress: Progress) -> FittedStudent:
        method = self._chosen_method(MutualLearning(), OnlineMethod, task)
        pairs = named_peers(self.peers, set(self.get_params(deep=False)))
        names = [name for name, _ in pairs]
        if self.deploy not in {*names, *DEPLOYED}:
            raise ValueError(f"deploy must be one of {[*DEPLOYED, *names]}, got deploy={self.deploy!r}.")
        train_seed, *seeds = np.random.RandomState(seed).randint(2**31 - 1, size=len(pairs) + 1).tolist()
        stops, validation = budgeted(pairs), None
        if self.deploy == "best" or stops or method.holds_out:
            rows, validation = hold_out(rows, task, self.validation_fraction, train_seed)
        with progress.stage("encoding"):
            peers = make_peers(pairs, task, rows, seeds)
        with progress.stage("training"):
            training = CohortTraining(method, task, train_seed, self.verbose, stops, progress.advances())
            trainer = training.run(peers, rows, validation)
        self.method_ = method
        self.peer_losses_ = peer_losses(peers, task, validation or rows) if self.deploy == "best" else {}
        self.deployed_ = self._chosen_peer(peers)
        encoders = [peer.encoder for peer in peers]
        joined = encoders[0] if all(one is encoders[0] for one in encoders) else JoinedEncoder(encoders)
        trained = {peer.name: (peer.encoder, peer.net) for peer in peers}
        trained["ensemble"] = joined, ensemble_net(trainer, method, task)
        students = {name: self._fitted_student(encoder, net, task, rows) for name, (encoder, net) in trained.items()}
        deployed = students[self.deployed_]
        deployed.others = {name: one for name, one in students.items() if name != self.deployed_}
        return deployed

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
        return {name: student.net for name, student in self._by_name().items() if name != "ensemble"}

    def _by_name(self) -> dict[str, FittedStudent]:
        """The deployed student and the others, peers in the order of the user."""
        students = {self.deployed_: self._fitted, **self._fitted.others}
        names = [name for name, _ in named_peers(self.peers, set())] + ["ensemble"]
        return {name: students[name] for name in names if name in students}

    def with_peer(self, name: str) -> Self:
        """A copy that predicts with another peer, or with all.

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
        students = self._by_name()
        if name not in students:
            raise ValueError(f"name must be one of {list(students)}, got name={name!r}.")
        others = {other: replace(student, others={}) for other, student in students.items() if other != name}
        other = self._predicting_with(replace(students[name], others=others))
        other.deployed_ = name
        return other

    def without_peers(self) -> Self:
        """A light copy to pickle and ship: of the peers it has only the deployed one."""
        check_is_fitted(self, "student_")
        return self._predicting_with(replace(self._fitted, others={}))

    def _for_deployment(self) -> Self:
        return self.without_peers()

    def _other_models(self) -> dict[str, Self]:
        return {name if name == "ensemble" else f"peer {name}": self.with_peer(name) for name in self._fitted.others}

    def _without_distillation(self) -> Self:
        """Unfitted: the same networks, of which none learns from another, and the same one deployed."""
        return clone(self).set_params(method=MutualLearning(weight=0), deploy=self.deployed_, verbose=0)
