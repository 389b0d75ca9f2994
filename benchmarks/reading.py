"""What the tables of results are made with."""

import json
from functools import reduce
from operator import getitem
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).with_name("results")


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def number(value):
    """Four digits, in the target's units."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"


def time(microseconds):
    return f"{microseconds / 1000:,.0f} ms" if microseconds >= 10_000 else f"{microseconds / 1000:,.1f} ms"


def mean_of(runs, *keys):
    """Mean over runs of one number in what they have found."""
    return float(np.mean([reduce(getitem, keys, run["found"]) for run in runs]))


def spread_of(runs, *keys, digits=3):
    """Mean and standard deviation of the same."""
    values = [reduce(getitem, keys, run["found"]) for run in runs]
    spread = f" ± {np.std(values, ddof=1):.{digits - 1}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def by(key, runs):
    """Runs of each value of a key, in the order in which the values come first."""
    return {value: [run for run in runs if run[key] == value] for value in dict.fromkeys(run[key] for run in runs)}


def median_of(runs):
    """The median over seeds, and the least and the most."""
    return f"{np.median(runs):,.0f} ({min(runs):,.0f} to {max(runs):,.0f})" if len(runs) > 1 else f"{runs[0]:,.0f}"
