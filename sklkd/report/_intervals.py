"""How sure a measure is: paired bootstrap over rows, and exact bounds for shares of rows."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import beta
from scipy.stats import t as student_t
from sklearn.utils import check_random_state

NAN = float("nan")
N_BOOTSTRAP = 1000
"""Replicates where nothing else is asked for."""
MOST = 10_000
"""Units that are drawn at most: the standard deviation is then known to .7 %, that of 1,000 replicates to 2 %."""

FAR = 1e9
"""Standard deviations that stand for infinitely many."""

BLOCK = 100
"""Replicates whose draws are held at once."""


class Interval(NamedTuple):
    """Lower and upper end; NaN where there is none."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside; False where there is no interval."""
        return bool(self.low > value or self.high < value)


NOWHERE = Interval(NAN, NAN)


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        return Interval(self.low, self.high)


def check_confidence(confidence: Any, n_bootstrap: Any) -> None:
    """Raise unless intervals can be made so."""
    if not (isinstance(confidence, Real) and 0 < float(confidence) < 1):
        raise ValueError(f"confidence must be a number between 0 and 1, got confidence={confidence!r}.")
    if not (isinstance(n_bootstrap, Integral) and (n_bootstrap == 0 or int(n_bootstrap) >= 100)):
        raise ValueError(
            f"n_bootstrap must be an integer >= 100, or 0 for no intervals, got n_bootstrap={n_bootstrap!r}."
        )


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that stand for all rows like them: weighted means over them, and how these vary.

    Parameters
    ----------
    n : int
        Number of rows.
    weight : ndarray of shape (n,) or None
        A row counts by its weight, but is one row: a weight of 2 says how much it matters, not that it came twice.
        Rows of weight 0 are not drawn.
    n_bootstrap : int
        Replicates; 0: no intervals.
    confidence : float
        Of all intervals.
    random_state : int, RandomState instance or None
        None: the same rows are drawn each time.

    Notes
    -----
    All measures get the same draws, so that differences are paired. Of more than 10,000 rows, groups of equal size that
    are put together at random are drawn in their place: sums over groups are as independent as rows are, and vary in
    the same way, at a cost that does not grow with the rows.
    """

    n: int
    weight: NDArray | None
    n_bootstrap: int
    confidence: float
    random_state: Any = None

    def part(self, index: NDArray) -> Sample:
        """Some of the rows, as a sample of rows like them."""
        weight = None if self.weight is None else self.weight[index]
        return Sample(len(index), weight, self.n_bootstrap, self.confidence, self.random_state)

    @property
    def counts(self) -> bool:
        """Whether all rows count the same, so that a share is a number of rows of n."""
        return self.weight is None or bool((self.weight == self.weight[0]).all())

    def means(self, columns: NDArray) -> NDArray[np.float64]:
        """Weighted means of columns of shape (n, k)."""
        if self.weight is None:
            return columns.mean(axis=0)
        return self.weight @ columns / self.weight.sum()

    def spread(self, columns: NDArray) -> Spread:
        """How the means of columns of shape (n, k) vary."""
        sums, rng = self._units(columns), np.random.default_rng(self._seed())
        drawn = np.empty((self.n_bootstrap, sums.shape[1]))
        for start in range(0, self.n_bootstrap, BLOCK):
            block = drawn[start : start + BLOCK]
            picks = rng.integers(len(sums), size=(len(block), len(sums)))
            picks += len(sums) * np.arange(len(block))[:, None]
            times = np.bincount(picks.ravel(), minlength=len(block) * len(sums)).reshape(len(block), -1)
            block[:] = times.astype(np.float64) @ sums
        without_one = sums.sum(axis=0) - sums
        return Spread(_ratios(drawn), _ratios(without_one))

    def _seed(self) -> int:
        return 0 if self.random_state is None else int(check_random_state(self.random_state).randint(2**31 - 1))

    def _units(self, columns: NDArray) -> NDArray[np.float64]:
        """Of each unit that is drawn the weighted sums of the columns, and last its weight."""
        weight = np.ones(self.n) if self.weight is None else self.weight
        sums = np.column_stack([columns * weight[:, None], weight])
        if self.weight is not None:
            sums = sums[self.weight > 0]
        if len(sums) <= MOST:
            return sums
        order = np.random.default_rng([self._seed(), 1]).permutation(len(sums))
        starts = np.linspace(0, len(sums), MOST, endpoint=False).astype(np.intp)
        return np.add.reduceat(sums[order], starts, axis=0)


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    total = sums[:, -1:]
    return np.divide(sums[:, :-1], total, out=np.full((len(sums), sums.shape[1] - 1), NAN), where=total > 0)


@dataclass(frozen=True, eq=False)
class Spread:
    """Means of columns for each replicate of the bootstrap, and without each of the units that are drawn."""

    drawn: NDArray[np.float64]
    without_one: NDArray[np.float64]


def bootstrap_interval(
    value: float, drawn: NDArray[np.float64], without_one: NDArray[np.float64], confidence: float
) -> Interval:
    """The bias-corrected and accelerated interval, widened for few rows.

    Parameters
    ----------
    value : float
    drawn : ndarray of shape (n_bootstrap,)
        The measure in each replicate; NaN where it is not defined. These are left out, but where they are too many
        there is no interval.
    without_one : ndarray of shape (n_units,)
        The measure without each unit.
    confidence : float

    References
    ----------
    B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987. The widening is the expanded percentile interval
    of T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015: quantiles of
    Student's distribution in place of normal ones, and n - 1 in place of n.
    """
    defined, without_one = drawn[np.isfinite(drawn)], without_one[np.isfinite(without_one)]
    n = len(without_one)
    if np.isnan(value) or n < 2 or len(defined) < confidence * len(drawn):
        return NOWHERE
    drawn = defined
    least = 0.5 / len(drawn)
    below = np.mean(drawn < value) + np.mean(drawn == value) / 2
    bias = float(ndtri(np.clip(below, least, 1 - least)))
    influence = without_one.mean() - without_one
    # in units of a power of two, which loses no digits, so that their cubes are in range
    influence = np.ldexp(influence, -np.frexp(np.abs(influence).max())[1])
    scale = float((influence**2).sum()) ** 1.5
    acceleration = float((influence**3).sum()) / (6 * scale) if scale > 0 else 0.0
    half = np.sqrt(n / (n - 1)) * float(student_t.ppf((1 + confidence) / 2, n - 1))
    ends = bias + np.array([-half, half])
    low, high = np.quantile(drawn, ndtr(bias + ends / (1 - acceleration * ends)))
    return Interval(float(low), float(high))


def norm_interval(value: float, deviations: NDArray[np.float64], confidence: float) -> Interval:
    """An interval for the sum of the sizes of means, or a difference of such sums, that is rather too long.

    The sum is at most as far from the true one as the means are from the true ones, sizes of differences summed; how
    far that is, the replicates' ``deviations`` from the means tell. Percentiles of the sum itself would miss the truth,
    as chance makes it larger.
    """
    reach = float(np.quantile(deviations, confidence))
    return Interval(value - reach, value + reach)


def exact_interval(k: float, n: int, confidence: float) -> Interval:
    """Both ends of the exact interval for a share of which k of n rows were seen (Clopper and Pearson, 1934)."""
    outside = 1 - confidence
    low = 0.0 if k == 0 else float(beta.ppf(outside / 2, k, n - k + 1))
    high = 1.0 if k == n else float(beta.ppf(1 - outside / 2, k + 1, n - k))
    return Interval(low, high)


def paired_interval(more: float, less: float, n: int, confidence: float) -> Interval:
    """The score interval for the difference of two shares of the same n rows.

    Parameters
    ----------
    more, less : float
        Rows of which the first holds and the second does not, and the other way round.
    n : int
    confidence : float

    References
    ----------
    T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
    Statistics in Medicine 17, 1998. With few rows in which the two differ, a bootstrap is too sure.
    """
    limit = float(ndtri((1 + confidence) / 2))

    def distance(difference: float) -> float:
        b = -more - less + (2 * n - more + less) * difference
        c = -less * difference * (1 - difference)
        share = (np.sqrt(b * b - 8 * n * c) - b) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        away = more - less - n * difference
        if variance > 0:
            return float(np.clip(away / np.sqrt(variance), -FAR, FAR))
        return float(FAR * np.sign(away))  # where nothing varies

    def end(side: int) -> float:
        found = (more - less) / n
        if found == side:
            return float(side)
        edge = side * (1 - 1e-12)
        return float(brentq(lambda difference: distance(difference) + side * limit, found, edge))

    return Interval(end(-1), end(1))


def exact_lower_bound(k: float, n: int, confidence: float) -> float:
    """The share below which k of n rows, or more, would be seen with a probability of 1 - confidence at most."""
    return 0.0 if k == 0 else float(beta.ppf(1 - confidence, k, n - k + 1))
