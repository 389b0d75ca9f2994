"""Between a network's outputs and targets in their own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TargetScaling:
    """Mean and standard deviation of the targets, and which values they can have."""

    center: NDArray
    scale: NDArray
    support: str = "real"

    def standardize(self, values: Any) -> NDArray:
        return (np.asarray(values) - self.center) / self.scale

    def values(self, outputs: NDArray) -> NDArray:
        return outputs * self.scale + self.center

    def standardized(self, outputs: Any) -> Any:
        return outputs
