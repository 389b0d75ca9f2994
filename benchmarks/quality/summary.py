"""Turn what ``compare.py`` and ``autogluon_distil.py`` have written into two Markdown tables and a picture.

python benchmarks/quality/summary.py FILE ... [--picture FILE.png]

A run is a set, a teacher and a seed. Ranks are among all that were measured on every run, the teacher too; who was
measured on some runs alone (imodels, for one, takes no more than two classes) is put among them on those. Change is the
loss over the lower of the teacher's and of the default student's without a teacher ("labels only"; for the tiny
student "tiny, labels only"), minus one. The second table has its median and its highest by teacher.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

# Whose loss without a teacher counts
SCRATCH = {"sklkd tiny": "tiny, labels only", "tiny, labels only": "tiny, labels only"}


def read(files):
    """Results by run, then by contestant."""
    runs = defaultdict(dict)
    for file in files:
        for row in json.loads(file.read_text()):
            runs[row["set"], row["teacher"], row["seed"], row["max_rows"]][row["contestant"]] = row
    return {run: found for run, found in runs.items() if {"teacher", "labels only", "tiny, labels only"} <= set(found)}


def kinds_of(runs):
    """Kinds of teacher."""
    return list(dict.fromkeys(kind for _, kind, _, _ in runs))


def excesses(runs, contestant):
    """Of every run on which the contestant was measured, by teacher."""
    found = defaultdict(list)
    for (_, kind, _, _), rows in runs.items():
        if contestant in rows:
            best = min(rows["teacher"]["loss"], rows[SCRATCH.get(contestant, "labels only")]["loss"])
            found[kind].append(rows[contestant]["loss"] / best - 1)
    return found


def mean_ranks(runs, contestants):
    """Of each, over its runs, among those that were measured on every run."""
    everywhere = [one for one in contestants if all(one in rows for rows in runs.values())]
    found = {}
    for one in contestants:
        others = [other for other in everywhere if other != one]
        losses = [[rows[each]["loss"] for each in [one, *others]] for rows in runs.values() if one in rows]
        found[one] = float(rankdata(losses, axis=1)[:, 0].mean())
    return found


def median(values):
    values = [value for value in values if value is not None]
    return None if not values else float(np.median(values))


def table(runs, order, ranks):
    head = ["", "mean rank", "runs", "median change", "at most +2 %", "worst"]
    head += ["agreement", "parameters", "fit over teacher's"]
    lines = []
    for one in order:
        rows = [found for found in runs.values() if one in found]
        excess = np.concatenate([*excesses(runs, one).values()])
        agreement, parameters = (median(found[one][key] for found in rows) for key in ("agreement", "parameters"))
        seconds = median(found[one]["fit_s"] / found["teacher"]["fit_s"] for found in rows)
        line = [one, f"{ranks[one]:.2f}", f"{len(rows)}", f"{np.median(excess):+.1%}"]
        line += [f"{np.mean(excess <= 0.02):.0%}", f"{excess.max():+.1%}"]
        line += ["-" if agreement is None else f"{agreement:.1%}", "-" if parameters is None else f"{parameters:,.0f}"]
        lines.append([*line, f"{seconds:.2g}"])
    return markdown(head, lines)


def by_teacher(runs, order):
    """Median and highest change, a column a kind of teacher."""
    kinds = kinds_of(runs)

    def cell(values):
        return f"{np.median(values):+.1%} ({max(values):+.0%})" if values else "-"

    lines = []
    for one in order:
        found = excesses(runs, one)
        lines.append([one, *(cell(found[kind]) for kind in kinds)])
    return markdown(["median change (worst)", *kinds], lines)


def markdown(head, lines):
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---", *["--:"] * (len(head) - 1)], *lines])


def picture(runs, order, ranks, file):
    """A dot a run: excess across, a row a contestant, a colour a kind of teacher; a bar at the median."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = kinds_of(runs)
    contestants = [one for one in order if one != "teacher"]
    _, ax = plt.subplots(figsize=(8, 1 + 0.7 * len(contestants)), layout="constrained")
    ax.axvline(0, color="0.6", linewidth=1, zorder=0)
    for row, one in enumerate(contestants):
        by_kind = excesses(runs, one)
        for shade, kind in enumerate(kinds):
            across = np.clip(np.array(by_kind[kind]) * 100, -100, 100)
            up = row + (shade - (len(kinds) - 1) / 2) * 0.6 / max(len(kinds) - 1, 1)
            label = kind if row == 0 else None
            ax.plot(across, np.full(len(across), up), "o", color=f"C{shade}", alpha=0.5, markersize=4, label=label)
        middle = 100 * np.median(np.concatenate([*by_kind.values()]))
        ax.plot([np.clip(middle, -100, 100)] * 2, [row - 0.38, row + 0.38], color="black", linewidth=2)
    ax.set_xscale("symlog", linthresh=5)
    ax.set_xlim(-70, 110)
    ax.set_xticks([-50, -15, -5, 0, 5, 15, 35, 100])
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:+.0f}" if x else "0")
    ax.minorticks_off()
    names = [f"{one}\nmean rank {ranks[one]:.1f}" for one in contestants]
    ax.set_yticks(range(len(contestants)), names)
    ax.invert_yaxis()
    ax.set_xlabel("% of loss over the better of teacher and the same student without one (clipped at 100)")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(title="teacher", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    plt.savefig(file, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    runs = read(args.files)
    contestants = list(dict.fromkeys(one for found in runs.values() for one in found))
    ranks = mean_ranks(runs, contestants)
    order = sorted(contestants, key=ranks.get)
    print(table(runs, order, ranks))
    print("\n" + by_teacher(runs, order))
    if args.picture:
        picture(runs, order, ranks, args.picture)


if __name__ == "__main__":
    main()
