"""Who is better than whom: mean ranks over data sets, and Wilcoxon's signed-rank tests corrected for their number.

    python benchmarks/tables.py peers

prints them. Losses of several seeds are averaged within a set (their logarithms, so that a set counts the same whatever
its unit). A peer that was not measured on every set has no rank; it is tested on those on which it was, if they are six
or more.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import rankdata, wilcoxon

LEVEL = 0.05
FEWEST = 6  # sets for a test: with five, Wilcoxon's p is at least 0.0625


def log_losses(lines):
    """Names of the peers, and an array of a row for each set; NaN where a peer was not measured with every seed."""
    peers = list(dict.fromkeys(line["peer"] for line in lines))
    sets = list(dict.fromkeys(line["set"] for line in lines))
    found = {peer: {} for peer in peers}
    seeds = {name: {line["seed"] for line in lines if line["set"] == name} for name in sets}
    for line in lines:
        found[line["peer"]].setdefault(line["set"], {})[line["seed"]] = np.log(line["loss"])

    def mean(peer, name):
        of_set = found[peer].get(name, {})
        return float(np.mean([*of_set.values()])) if seeds[name] == set(of_set) else np.nan

    return peers, np.array([[mean(peer, name) for peer in peers] for name in sets])


def mean_ranks(values):
    """Of each column over the rows, 1 for the lowest value; NaN for a column that has a NaN."""
    whole = ~np.isnan(values).any(axis=0)
    found = np.full(values.shape[1], np.nan)
    found[whole] = rankdata(values[:, whole], axis=1).mean(axis=0)
    return found


def holm(p):
    """Holm's adjusted p values: each times the number of those that are not lower, and no lower than one before it."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(adjusted, 1)
    return found


def p_values(values):
    """p of every two columns, by Wilcoxon's signed-rank test on the rows that both have, corrected for all pairs.

    NaN for those that have too few rows in common; they are no pairs.
    """
    pairs = {}
    for i, j in combinations(range(values.shape[1]), 2):
        both = values[:, i] - values[:, j]
        both = both[~np.isnan(both)]
        if len(both) >= FEWEST:
            pairs[i, j] = wilcoxon(both).pvalue
    found = np.full((values.shape[1],) * 2, np.nan)
    for (i, j), one in zip(pairs, holm([*pairs.values()]), strict=True):
        found[i, j] = found[j, i] = one
    return found


def cliques(ranks, p, level=LEVEL):
    """Groups of neighbours in rank of which no two differ: the first and last rank of each that is in no larger one."""
    order = np.argsort(ranks, kind="stable")
    ends = []
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and (p[order[first : last + 1], order[last + 1]] >= level).all():
            last += 1
        if last > first and (not ends or last > ends[-1][1]):
            ends.append((first, last))
    return [(float(ranks[order[first]]), float(ranks[order[last]])) for first, last in ends]
