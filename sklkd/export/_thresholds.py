"""Numbers on both sides of the thresholds of a student's trees, for rows that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.export._formula import formula_of
from sklkd.export._trees import Trees
from sklkd.students._plain_encoder import PlainEncoder


def thresholds_of(student: Any, encoder: PlainEncoder) -> dict[int, NDArray]:
    """The thresholds with which trees compare each of the user's columns, in its own units."""
    found = formula_of(student, len(encoder.get_feature_names_out()))
    if not isinstance(found, Trees):
        return {}
    numeric = [j for j, n_codes in enumerate(encoder.cardinalities_) if n_codes == 0]
    of_columns = {numeric[k]: thresholds for k, thresholds in found.thresholds().items() if k < len(numeric)}
    return {j: one * encoder.unit_[j] + encoder.zero_[j] for j, one in of_columns.items()}


def with_thresholds(rng: np.random.RandomState, numbers: NDArray, thresholds: NDArray) -> NDArray[np.float64]:
    """Two thirds of the numbers replaced: by thresholds, by the next numbers above, and by what lies between them."""
    n_rows = len(numbers)
    at = rng.randint(len(thresholds), size=n_rows)
    here, above = thresholds[at], thresholds[np.minimum(at + 1, len(thresholds) - 1)]
    between = here + rng.random(n_rows) * (above - here)
    return np.choose(
        rng.randint(6, size=n_rows), [here, np.nextafter(here, np.inf), between, between, numbers, numbers]
    )
