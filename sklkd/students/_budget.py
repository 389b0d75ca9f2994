"""The largest default student within budgets of parameters, bytes or microseconds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklkd.students._encoder import InputEncoder
from sklkd.students._sizes import SIZES, Size, architecture
from sklkd.students._tabular_net import ColumnEncoding

# Numbers of parameters that are aimed at: the least, steps of 1 %, and the presets' own
AIMS = np.unique(np.r_[1, np.geomspace(100, 1e7, 1_158), [size.max_parameters for size in SIZES.values()]])
NARROWEST = 4
# Microseconds of one row through the network in torch, rounded from several runs of benchmarks/latency.py, which fits
# them to 72 architectures; the model was within a tenth of what was measured for most of them on an idle machine
BASE_US, LAYER_US, BINS_US, PARAMETER_US = 31.0, 10.0, 12.0, 1e-4


@dataclass(frozen=True)
class Table:
    """What the data bring into a :class:`TabularNet`.

    Attributes
    ----------
    n_numeric, n_gaps, n_levels : int
        Numeric columns, those of them with an indicator of missing values, and levels of all categories.
    n_outputs : int
    n_units : int
        Targets whose mean and scale are kept; 0 for classification.
    room : ndarray of shape (n_features,)
        The most bins that each column can have.
    """

    n_numeric: int
    n_gaps: int
    n_levels: int
    n_outputs: int
    n_units: int
    room: NDArray

    @property
    def n_inputs(self) -> int:
        """Inputs that are there without bins."""
        return self.n_numeric + self.n_gaps + self.n_levels


@dataclass(frozen=True)
class Plan:
    """An architecture: hidden widths, bins of all columns and the most of one."""

    hidden: tuple[int, ...]
    n_bins: int
    max_bins: int

    def costs(self, table: Table) -> dict[str, float]:
        """What a network of this architecture takes, by name of the budget."""
        n_bins = min(self.n_bins, int(np.minimum(table.room, self.max_bins).sum()))
        widths = [table.n_inputs + n_bins, *self.hidden, table.n_outputs]
        parameters = sum((a + 1) * b for a, b in itertools.pairwise(widths))
        # buffers: a column number in int64, slope and shift of a bin; column and code of a level; float64 units
        buffers = 16 * n_bins + 8 * (table.n_numeric + table.n_gaps) + 12 * table.n_levels + 16 * table.n_units
        microseconds = BASE_US + LAYER_US * len(self.hidden) + BINS_US * (n_bins > 0) + PARAMETER_US * parameters
        return {"max_parameters": parameters, "max_bytes": 4 * parameters + buffers, "max_latency_us": microseconds}


def preset_plan(size: Size, table: Table) -> Plan:
    """The architecture of a preset."""
    hidden, n_bins = architecture(size, table.n_inputs, table.n_outputs)
    return Plan(hidden, n_bins, size.max_bins)


def largest_plan(limits: dict[str, float], table: Table) -> Plan:
    """The architecture with the most parameters among those that keep all budgets.

    It is picked from one fixed row of candidates, so that a larger budget never gives a smaller network.

    Parameters
    ----------
    limits : dict of str to float
        By name: "max_parameters", "max_bytes", "max_latency_us"; one at least.
    table : Table

    Raises
    ------
    ValueError
        If the smallest candidate does not fit.
    """
    best, most, least = None, 0.0, dict.fromkeys(limits, np.inf)
    for plan in candidates(table):
        costs = plan.costs(table)
        least = {name: min(value, costs[name]) for name, value in least.items()}
        if costs["max_parameters"] > most and all(costs[name] <= limit for name, limit in limits.items()):
            best, most = plan, costs["max_parameters"]
    if best is None:
        name = next(name for name, limit in limits.items() if least[name] > limit)
        smallest = f"{least[name]:.1f}" if name == "max_latency_us" else f"{least[name]:,.0f}".replace(",", "_")
        raise ValueError(
            f"{name} must be >= {smallest} for {table.n_inputs} encoded columns and {table.n_outputs} outputs, got "
            f"{name}={limits[name]}: the smallest network does not fit. Raise it, or leave out columns or categories."
        )
    return best


def candidates(table: Table) -> Iterator[Plan]:
    """Architectures of growing size for the data at hand: between the presets, and beyond them."""
    for aim in AIMS:
        yield preset_plan(between_presets(float(aim)), table)


def smallest(encoding: ColumnEncoding, n_outputs: int) -> int:
    """Parameters of the smallest network for the columns of an encoding."""
    n_numeric, n_gaps, n_levels = (len(part) for part in (encoding.numeric, encoding.gaps, encoding.level_code))
    table = Table(n_numeric, n_gaps, n_levels, n_outputs, 0, np.zeros(0))
    return int(next(candidates(table)).costs(table)["max_parameters"])


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
