"""The calendar's parts of a date: what repeats every year, month, week and day.

Arithmetic on whole days alone, so that graphs and C files do the same, to the last digit (Howard Hinnant,
"chrono-Compatible Low-Level Date Algorithms", 2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PARTS = ("day of the year", "day of the month", "day of the week", "time of day")
"""Days since the first of March, whose leap day comes last; from 1; from 0 on Mondays; seconds."""

DAY = 86_400
MARCH_0 = 719_468
"""Days from the first of March of the year 0 to the first of January 1970."""
CYCLE = 146_097
"""Days of 400 years, after which the calendar repeats itself."""


def calendar_parts(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ``PARTS`` of dates.

    Parameters
    ----------
    seconds : ndarray of shape (n,)
        Since 1970, without leap seconds; NaN where one is missing.

    Returns
    -------
    ndarray of shape (n, 4)

    Examples
    --------
    >>> import numpy as np
    >>> calendar_parts(np.array(["2024-02-29T06:00", "2024-03-01"], "M8[s]").astype(float)).tolist()
    [[365.0, 29.0, 3.0, 21600.0], [0.0, 1.0, 4.0, 0.0]]
    """
    days = np.floor(seconds / DAY)
    day = days + MARCH_0
    of_cycle = day - CYCLE * np.floor(day / CYCLE)
    leap = np.floor(of_cycle / 1460) - np.floor(of_cycle / 36_524) + np.floor(of_cycle / 146_096)
    year = np.floor((of_cycle - leap) / 365)
    of_year = of_cycle - (365 * year + np.floor(year / 4) - np.floor(year / 100))
    month = np.floor((5 * of_year + 2) / 153)
    of_month = of_year - np.floor((153 * month + 2) / 5) + 1
    thursday = days + 3
    of_week = thursday - 7 * np.floor(thursday / 7)
    return np.stack([of_year, of_month, of_week, seconds - DAY * days], axis=1)
