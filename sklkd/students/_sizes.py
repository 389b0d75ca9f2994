"""How large a default student is: hidden widths and bins of a preset, or the most that budgets allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklkd.students._encoder import InputEncoder
from sklkd.students._tabular_net import ColumnEncoding


@dataclass(frozen=True)
class Size:
    """A preset: hidden widths, the most bins a column gets, and how many parameters the network may have."""

    hidden: tuple[int, ...]
    max_bins: int
    max_parameters: int


SIZES = {
    "tiny": Size((32, 32), 24, 5_000),
    "small": Size((128, 128, 128), 96, 97_000),
    "base": Size((256, 256, 256), 96, 400_000),
}

# Numbers of parameters that are aimed at: the least, steps of 1 %, and the presets' own
AIMS = np.unique(np.r_[1, np.geomspace(100, 1e7, 1_158), [size.max_parameters for size in SIZES.values()]])
NARROWEST = 4


def architecture(size: Size, n_inputs: int, n_outputs: int) -> tuple[tuple[int, ...], int]:
    """Hidden widths and the number of bins in all, for inputs (numbers, indicators, levels) that are there anyway.

    Bins take what the hidden layers leave of the budget, and at least a quarter of it: where the data have so many
    columns that they leave nothing, the hidden layers shrink.
    """
    hidden = np.array(size.hidden)
    while True:
        widths = [*hidden, n_outputs]
        behind = sum((a + 1) * b for a, b in itertools.pairwise(widths)) + hidden[0]
        bins = (size.max_parameters - behind) // hidden[0] - n_inputs
        if hidden[0] <= 8 or bins >= size.max_parameters // hidden[0] // 4:
            return tuple(int(width) for width in hidden), max(int(bins), 0)
        hidden = np.maximum(hidden * 7 // 8, 8)


@dataclass(frozen=True)
class NetInputs:
    """What the data decide of a :class:`TabularNet`.

    Attributes
    ----------
    n_numeric, n_missing, n_levels : int
        Numeric columns, those of them with an indicator of missing values, and levels of all categories.
    n_outputs : int
    n_units : int
        Targets whose mean and scale are kept; 0 for classification.
    room : ndarray of shape (n_features,)
        The most bins that each column can have.
    sparse : bool, default=False
        Whether columns are those of a wide sparse table.
    """

    n_numeric: int
    n_missing: int
    n_levels: int
    n_outputs: int
    n_units: int
    room: NDArray
    sparse: bool = False

    @property
    def n_inputs(self) -> int:
        """Inputs that are there without bins."""
        return self.n_numeric + self.n_missing + self.n_levels


@dataclass(frozen=True)
class Plan:
    """An architecture: hidden widths, bins of all columns and the most of one."""

    hidden: tuple[int, ...]
    n_bins: int
    max_bins: int

    def costs(self, inputs: NetInputs) -> dict[str, int]:
        """What a network of this architecture takes, by the name of the budget."""
        n_bins = min(self.n_bins, int(np.minimum(inputs.room, self.max_bins).sum()))
        widths = [inputs.n_inputs + n_bins, *self.hidden, inputs.n_outputs]
        parameters = sum((a + 1) * b for a, b in itertools.pairwise(widths))
        # buffers: a column number in int64, slope and shift of a bin; column and code of a level; float64 units
        buffers = 16 * n_bins + 8 * (inputs.n_numeric + inputs.n_missing) + 12 * inputs.n_levels + 16 * inputs.n_units
        return {"max_parameters": parameters, "max_bytes": 4 * parameters + buffers}


def preset_plan(size: Size, inputs: NetInputs) -> Plan:
    """The architecture of a preset.

    A wide sparse table is read by one hidden layer as wide as the preset's, whatever the number of columns: with 10,292
    of texts, three layers have a log loss of 0.53, one of 0.41, and one of 32 units, a quarter of the parameters, of
    0.48 (benchmarks/README.md, "Sparse tables").
    """
    if inputs.sparse:
        return Plan(size.hidden[:1], 0, 0)
    hidden, n_bins = architecture(size, inputs.n_inputs, inputs.n_outputs)
    return Plan(hidden, n_bins, size.max_bins)


def largest_plan(limits: dict[str, float], inputs: NetInputs) -> Plan:
    """The architecture with the most parameters among those that keep all budgets.

    It is picked from one fixed row of candidates, so that a larger budget never gives a smaller network.

    Parameters
    ----------
    limits : dict of str to float
        By name: "max_parameters", "max_bytes"; one at least.
    inputs : NetInputs

    Raises
    ------
    ValueError
        If the smallest candidate does not fit.
    """
    best, most, least = None, 0.0, dict.fromkeys(limits, np.inf)
    for plan in candidates(inputs):
        costs = plan.costs(inputs)
        least = {name: min(value, costs[name]) for name, value in least.items()}
        if costs["max_parameters"] > most and all(costs[name] <= limit for name, limit in limits.items()):
            best, most = plan, costs["max_parameters"]
    if best is None:
        name = next(name for name, limit in limits.items() if least[name] > limit)
        smallest = f"{least[name]:,.0f}".replace(",", "_")
        raise ValueError(
            f"{name} must be >= {smallest} for {inputs.n_inputs} encoded columns and {inputs.n_outputs} outputs, got "
            f"{name}={limits[name]}: the smallest network does not fit. Raise it, or leave out columns or categories."
        )
    return best


def candidates(inputs: NetInputs) -> Iterator[Plan]:
    """Architectures of growing size for the data at hand: between the presets, and beyond them."""
    for aim in AIMS:
        yield preset_plan(between_presets(float(aim)), inputs)


def smallest(encoding: ColumnEncoding, n_outputs: int) -> int:
    """Parameters of the smallest network for the columns of an encoding."""
    n_numeric, n_missing, n_levels = (
        len(part) for part in (encoding.numeric, encoding.with_missing, encoding.level_code)
    )
    inputs = NetInputs(n_numeric, n_missing, n_levels, n_outputs, 0, np.zeros(0))
    return int(next(candidates(inputs)).costs(inputs)["max_parameters"])


def between_presets(max_parameters: float) -> Size:
    """The nearest preset, its widths scaled by the square root of the ratio of the budgets; a preset gives itself."""
    presets = sorted(SIZES.values(), key=lambda size: size.max_parameters)
    budgets = np.log([size.max_parameters for size in presets])
    nearest = presets[int(np.argmin(np.abs(budgets - np.log(max_parameters))))]
    scale = (max_parameters / nearest.max_parameters) ** 0.5
    bins = np.exp(np.interp(np.log(max_parameters), budgets, np.log([size.max_bins for size in presets])))
    hidden = tuple(max(NARROWEST, round(width * scale)) for width in nearest.hidden)
    return Size(hidden, round(float(bins)), round(max_parameters))


def room_for_bins(Z: NDArray, encoder: InputEncoder) -> NDArray:
    """The most bins of each encoded column: between its distinct values, and none for categories or two values."""
    room = np.zeros(Z.shape[1], int)
    for j, levels in enumerate(encoder.cardinalities_):
        if levels == 0:
            n_values = len(np.unique(Z[~np.isnan(Z[:, j]), j]))
            room[j] = n_values - 1 if n_values > 2 else 0
    return room
