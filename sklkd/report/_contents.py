"""What a report holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sklkd.estimators.offline._account import DistillationAccount
from sklkd.report._comparison import Results
from sklkd.report._formats import FORMATS
from sklkd.report._groups import Group
from sklkd.report._intervals import Estimate, Interval
from sklkd.report._quality import loss_among
from sklkd.report._regions import Region
from sklkd.report._reliability import ReliabilityBin
from sklkd.report._verdict import verdicts


@dataclass(frozen=True, repr=False)
class Contents:
    """The numbers of a :class:`DistillationReport`, which describes them; what writes it reads them from here."""

    task: str
    rows: dict[str, dict[str, float]]
    names: dict[str, str]
    n_rows: int
    n_batch: int
    chosen: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    account: DistillationAccount | None = None
    confidence: float = 0.95
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)
    differences: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    agreement_at_least: float = float("nan")
    groups: list[Group] = field(default_factory=list)
    furthest: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    mean_distance: float = float("nan")
    regions: list[Region] = field(default_factory=list)
    reliability: dict[str, list[ReliabilityBin]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def verdicts(self) -> list[str]:
        """Sentences: better, worse or not distinguishable, by the loss; and how often labels agree at least."""
        results = Results(self.rows, self.intervals, self.differences, self.agreement_at_least)
        return verdicts(results, self.task, self.loss, self.n_rows, self.confidence)

    @property
    def loss(self) -> str:
        """The column with the loss: "log_loss", "rmse", or "pinball" where the teacher estimates quantiles."""
        return loss_among(self.rows["student"], self.task)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return [name for kind in FORMATS for name in self.rows["student"] if name.partition(" ")[0] == kind]
