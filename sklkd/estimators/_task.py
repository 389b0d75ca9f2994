"""What a student has to predict: classes, labels or targets, and how they are put in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from sklkd.students._scaling import TargetScaling
from sklkd.teachers import Outputs


@dataclass(frozen=True, eq=False)
class Task:
    """Classes for classification, else the scaling of the targets, or of the probabilities of several labels a row.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,), default=None
        Sorted labels.
    scaling : TargetScaling, default=None
        Mean and scale of the targets, and which values they can have.
    y_ndim : int, default=1
        Dimensions of y; predictions have as many where there is one output per target.
    multilabel : bool, default=False
        Whether y has a column of 0 and 1 for each of several labels, of which a row can have any. Outputs are then the
        probabilities of the labels, which the scaling makes of the network's outputs.
    """

    classes: NDArray | None = None
    scaling: TargetScaling | None = None
    y_ndim: int = 1
    multilabel: bool = False

    @property
    def classification(self) -> bool:
        """Whether each row has one of several classes."""
        return self.classes is not None

    @property
    def kind(self) -> str:
        """Return "classification", "multilabel" or "regression"."""
        if self.multilabel:
            return "multilabel"
        return "classification" if self.classification else "regression"

    @property
    def n_outputs(self) -> int:
        return len(self.classes) if self.classes is not None else len(self.target_scaling.center)

    @property
    def target_scaling(self) -> TargetScaling:
        """The scaling of a regression task."""
        if self.scaling is None:
            raise ValueError("a classification task has no scaling of targets.")
        return self.scaling

    @property
    def link(self) -> Callable[[Tensor], Tensor] | None:
        """From a network's outputs to what losses compare: standardized predictions, logits of several labels.

        None for classes, whose logits are the outputs.
        """
        if self.multilabel:
            return self.target_scaling.logits
        return None if self.scaling is None else self.scaling.standardized

    def encode(self, y: NDArray) -> NDArray:
        """Class codes (n,), 0 and 1 for several labels (n, n_outputs), or standardized targets (n, n_outputs)."""
        if self.classes is not None:
            return np.searchsorted(self.classes, y)
        if self.multilabel:
            return y.astype(np.int64)
        values = y.reshape(len(y), -1)
        return self.target_scaling.standardize(np.broadcast_to(values, (len(y), self.n_outputs)))

    def decode(self, encoded: NDArray) -> NDArray:
        """Labels, or targets of as many dimensions as y has."""
        if self.classes is not None:
            return self.classes[encoded]
        if self.multilabel:
            return encoded
        values = encoded * self.target_scaling.scale + self.target_scaling.center
        return values[:, 0] if self.y_ndim == 1 else values

    def standardize(self, outputs: Outputs) -> Outputs:
        """A regression teacher's outputs in units of the targets' standard deviation; others as they are."""
        if self.classes is not None or outputs.values is None:
            return outputs
        if outputs.values.shape[1] != self.n_outputs:
            raise ValueError(
                f"the teacher gives {outputs.values.shape[1]} value(s) per row, but y has {self.n_outputs}."
            )
        if self.multilabel:
            return outputs
        spread = None if outputs.spread is None else outputs.spread / self.target_scaling.scale
        values = self.target_scaling.standardize(self.target_scaling.ordered(outputs.values))
        return replace(outputs, values=values, spread=spread)

    def one_label_a_row(self, outputs: Outputs, y: NDArray, weight: Any) -> tuple[Outputs, NDArray, Any]:
        """Several labels a row as so many rows of two classes, which can be judged as classes; others as they are."""
        if not self.multilabel or outputs.values is None:
            return outputs, y, weight
        has = outputs.values.ravel()
        weights = None if weight is None else np.repeat(weight, self.n_outputs)
        return Outputs(proba=np.stack([1 - has, has], axis=1)), y.ravel(), weights

    def predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        """Probabilities, or standardized predictions, from a network's outputs."""
        if self.classes is not None:
            return softmax(outputs, axis=1)
        if self.multilabel:
            return self.target_scaling.values(outputs)
        scaling = self.target_scaling
        return scaling.ordered(outputs) if scaling.support == "real" else scaling.standardize(scaling.values(outputs))

    def values(self, outputs: NDArray) -> NDArray[np.float64]:
        """Predictions in the targets' units, shaped as the user's y, from a network's outputs."""
        values = self.target_scaling.values(outputs)
        return values[:, 0] if self.y_ndim == 1 and values.shape[1] == 1 else values


def of_outputs(outputs: Outputs) -> Any:
    """The probabilities or values of a teacher's outputs."""
    return outputs.proba if outputs.values is None else outputs.values
