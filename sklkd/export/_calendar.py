"""The calendar's parts of dates in a graph, with the arithmetic of ``sklkd.students._calendar``."""

from __future__ import annotations

import numpy as np

from sklkd.export._graph import Graph
from sklkd.students._calendar import CYCLE, DAY, MARCH_0


class _Calendar:
    """Whole numbers in double precision, of shape (n, 1)."""

    def __init__(self, graph: Graph):
        self.graph = graph

    def number(self, value: float) -> str:
        return self.graph.constant([value], np.float64)

    def floored(self, numerator: str, divisor: float) -> str:
        return self.graph.op("Floor", self.graph.op("Div", numerator, self.number(divisor)))

    def plus(self, a: str, b: str | float) -> str:
        return self.graph.op("Add", a, b if isinstance(b, str) else self.number(b))

    def minus(self, a: str, b: str) -> str:
        return self.graph.op("Sub", a, b)

    def times(self, a: str, factor: float) -> str:
        return self.graph.op("Mul", a, self.number(factor))

    def rest(self, numerator: str, divisor: float) -> str:
        return self.minus(numerator, self.times(self.floored(numerator, divisor), divisor))

    def parts(self, seconds: str) -> list[str]:
        """The parts of a date, in the order of ``PARTS``."""
        days = self.floored(seconds, DAY)
        of_cycle = self.rest(self.plus(days, MARCH_0), CYCLE)
        centuries = self.minus(self.floored(of_cycle, 36_524), self.floored(of_cycle, 146_096))
        leap = self.minus(self.floored(of_cycle, 1460), centuries)
        year = self.floored(self.minus(of_cycle, leap), 365)
        before = self.plus(self.times(year, 365), self.minus(self.floored(year, 4), self.floored(year, 100)))
        of_year = self.minus(of_cycle, before)
        month = self.floored(self.plus(self.times(of_year, 5), 2), 153)
        of_month = self.plus(self.minus(of_year, self.floored(self.plus(self.times(month, 153), 2), 5)), 1)
        of_week = self.rest(self.plus(days, 3), 7)
        return [of_year, of_month, of_week, self.minus(seconds, self.times(days, DAY))]


def with_calendar(graph: Graph, numbers: str, dates: list[tuple[int, int]]) -> str:
    """Numbers of shape (n, m), as double, with parts of dates behind them.

    Parameters
    ----------
    graph : Graph
    numbers : str
    dates : list of (int, int)
        For each part the place of its column among the numbers, and its place in ``PARTS``.
    """
    calendar, made = _Calendar(graph), {}
    for j in dict.fromkeys(j for j, _ in dates):
        made[j] = calendar.parts(graph.op("Gather", numbers, graph.constant([j], np.int64), axis=1))
    return graph.op("Concat", numbers, *(made[j][k] for j, k in dates), axis=1)
