"""Tables of the results in benchmarks/results, for README.md, benchmarks/README.md and the documentation.

    python benchmarks/tables.py quality

prints one of ``TABLES`` in Markdown. The documentation is built with the same ones, and tests/test_readme.py compares
the pages with them.
"""

import sys
from collections import Counter, defaultdict
from itertools import groupby
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from peers.ranks import log_losses, mean_ranks, p_values
from published.tables import (
    bucila,
    cross_fitting,
    forests_of_ten,
    forests_of_ten_by_set,
    hinton_mnist,
    networks_of_5000,
    networks_on_mnist,
    step_function,
)
from reading import number, read, time

sys.path.pop(0)  # files in that folder have names of libraries

CHOSEN = ("phoneme", "california_housing", "kin8nm", "adult", "letter", "bike_sharing", "covertype", "mfeat_factors")


def changes(seeds):
    """In percent: of the loss over the better of teacher and the same network without one."""
    return np.array([100 * run["excess"] for run in seeds])


def quality(names=None):
    """What quality.py has written: a line a data set, means over seeds."""
    head = (
        "data set",
        "metric",
        "rows",
        "teacher",
        "same network, no teacher",
        "student",
        "change",
        "agreement",
        "one row: teacher",
        "student",
    )
    lines = []
    for name, group in groupby(read("quality"), key=lambda run: run["name"]):
        seeds = list(group)
        if names is not None and name not in names:
            continue
        labels = seeds[0]["teacher_accuracy"] is not None

        def mean(key, seeds=seeds):
            return float(np.mean([run[key] for run in seeds]))

        change = changes(seeds)
        lines.append(
            (
                name,
                "log loss" if labels else "RMSE",
                f"{seeds[0]['rows']:,}",
                *(number(mean(key)) for key in ("teacher", "scratch", "student")),
                f"{change.mean():+.1f} ± {change.std(ddof=1):.1f} %",
                f"{100 * mean('student_agreement'):.1f} %" if labels else "",
                time(np.median([run["teacher_one_row_us"] for run in seeds])),
                time(np.median([run["one_row_us"] for run in seeds])),
            )
        )
    return head, lines


def chosen():
    """The lines of the README."""
    return quality(CHOSEN)


def summary():
    """One sentence over all sets and seeds of quality.py."""
    runs = read("quality")
    change = changes(runs)

    def part(true):
        return f"{100 * np.mean(true):.0f} %"

    over = np.median([100 * (run["student"] / run["teacher"] - 1) for run in runs])
    better = part([run["student"] < run["scratch"] for run in runs])
    agreement = 100 * np.median([run["student_agreement"] for run in runs if "student_agreement" in run])
    ratio = np.median([run["student_fit_s"] / run["teacher_fit_s"] for run in runs])
    n_sets, n_seeds = (len({run[key] for run in runs}) for key in ("name", "seed"))
    parts = (
        f"{n_sets} sets, {n_seeds} seeds: median change {np.median(change):+.1f} %",
        f"at most +2 % on {part(change <= 2)} of the runs, at most 0 on {part(change <= 0)}",
        f"worst {change.max():+.1f} %",
        f"over the teacher alone {over:+.1f} %",
        f"better than the same network without a teacher on {better}",
        f"median agreement {agreement:.1f} %",
        f"the student's fit takes {ratio:.1f} times as long as the teacher's.",
    )
    return "; ".join(parts)


def latency():
    """What latency.py has written: a line a model, means over seeds."""
    head = ("data set", "model", "metric", "loss", "one row", "file")
    lines = []
    for name, group in groupby(read("latency"), key=lambda run: run["set"]):
        seeds = list(group)
        for model in seeds[0]["models"]:
            found = [run["models"][model] for run in seeds]
            losses = np.array([one["loss"] for one in found])
            known = found[0]["us_one_row"] is not None
            size = found[0]["bytes"]
            lines.append(
                (
                    name,
                    model,
                    seeds[0]["metric"],
                    f"{number(losses.mean())} ± {losses.std(ddof=1):.2g}",
                    f"{np.median([one['us_one_row'] for one in found]):,.0f} µs" if known else "",
                    f"{np.mean([one['bytes'] for one in found]) / 1000:,.0f} kB" if size is not None else "",
                )
            )
    return head, lines


def scale():
    """What scale.py has written, but for the workers."""
    head = ("size", "seconds", "of the teacher's own fit", "memory", "of the teacher's own fit", "X itself")
    lines = [
        (
            f"{case[axis]:,} {axis}",
            f"{case['seconds']:,.1f}",
            f"{case['teacher_seconds']:,.1f}",
            *(f"{case[name] / 2**20:,.0f} MB" for name in ("bytes", "teacher_bytes", "bytes_of_X")),
        )
        for axis, cases in read("scale").items()
        if axis != "workers"
        for case in cases
    ]
    return head, lines


def other_students():
    """What quality/other_students.py has written: a line a kind of student."""
    head = ("student", "median change", "better", "better by more than the spread", "worse by more than it", "worst")
    runs = read("other_students")
    lines = []
    for kind in runs[0]["found"]:
        by_set = {
            name: np.array([run["found"][kind]["excess"] for run in group])
            for name, group in groupby(runs, key=lambda run: run["name"])
        }
        mean = 100 * np.array([one.mean() for one in by_set.values()])
        spread = 100 * np.array([one.std(ddof=1) for one in by_set.values()])
        lines.append(
            (
                kind,
                f"{np.median(mean):+.1f} %",
                f"{(mean < 0).sum()} of {len(mean)}",
                str((mean < -spread).sum()),
                str((mean > spread).sum()),
                f"{mean.max():+.1f} %",
            )
        )
    return head, lines


def context_teachers():
    """What context_teachers.py has written: a line a teacher and data set, means over seeds."""
    ways = ("teacher", "label_only", "default", "in_sample", "fewer")
    head = ("teacher", "data set", "teacher's loss", "labels only", "default", "in-sample", "fewer questions")
    runs = sorted(read("context_teachers"), key=lambda run: (run["teacher_kind"], run["set"]))
    lines = []
    for (kind, name), group in groupby(runs, key=lambda run: (run["teacher_kind"], run["set"])):
        seeds = list(group)
        found = [number(np.mean([run[way] for run in seeds])) for way in ways]
        lines.append(({"process": "Gaussian process", "ridges": "kernel ridges"}.get(kind, kind), name, *found))
    return head, lines


def automl_predictor():
    """What quality/automl_predictor.py has written: a line a set and model."""
    head = ("data set", "model", "loss", "size", "one row", "made in")
    lines = [
        (
            run["set"],
            model,
            number(found["loss"]),
            f"{found['megabytes']:,.1f} MB",
            f"{found['one_row_ms']:,.1f} ms",
            f"{found['seconds']:,.0f} s",
        )
        for run in read("automl_predictor")
        for model, found in run["found"].items()
        if model != "account"
    ]
    return head, lines


def compiled_cases():
    """What compilers.py has written, by model, depth (of a student its size) and tool."""
    found = {}
    for one in read("compilers"):
        found.setdefault((one["model"], str(one["depth"]), one["tool"]), []).append(one)
    return found


def compilers():
    """Microseconds of one row, in C where there is a function to call: a line a model, depth and tool."""
    trees = sorted({one["trees"] for one in read("compilers") if one["trees"]})
    lines = []
    for key, found in compiled_cases().items():
        by_trees = {one["trees"]: one for one in found}
        if None in by_trees:
            continue
        cells = []
        for n in trees:
            one = by_trees.get(n, {"failed": "not run"})
            alone = one.get("in_c_us") or one.get("one_row_us")
            cells.append(f"{alone:#.2g}" if alone and alone < 10 else f"{alone:,.0f}" if alone else one["failed"])
        lines.append((*key, *cells))
    return ("model", "depth", "tool", *(f"{n:,}" for n in trees)), lines


def compiling():
    """What compiling the most trees took that did not fail, and what came of it: a line a model, depth and tool."""
    head = (
        "model",
        "depth",
        "tool",
        "trees",
        "leaves",
        "seconds",
        "memory",
        "file",
        "one row in C",
        "in Python",
        "a row of 1,000",
        "difference",
    )
    lines = []
    for key, found in compiled_cases().items():
        made = [one for one in found if "failed" not in one]
        if not made:
            lines.append((*key, *[""] * 2, found[0]["failed"], *[""] * 6))
            continue
        one = max(made, key=lambda one: one["trees"] or 0)
        times = [one[name] for name in ("in_c_us", "one_row_us", "batch_us")]
        lines.append(
            (
                *key,
                *(f"{one[name]:,}" if one.get(name) else "" for name in ("trees", "leaves")),
                f"{one['seconds']:,.1f}",
                f"{one['megabytes']:,.0f} MB",
                f"{one['bytes'] / 1000:,.0f} kB",
                *(f"{found:,.2f} µs" if found is not None else "" for found in times),
                f"{one['difference']:.0e}",
            )
        )
    return head, lines


def peers():
    """What the scripts in benchmarks/peers have written: a line a student, in the order of their mean ranks."""
    head = (
        "student",
        "mean rank",
        "sets",
        "loss over the teacher's",
        "over sklkd's",
        "sklkd better on",
        "p",
        "parameters",
        "seconds of a core",
    )
    runs = read("peers")
    names, values = log_losses(runs)
    taught = log_losses([run | {"loss": run["teacher_loss"]} for run in runs])[1]
    ranks, p, ours = mean_ranks(values), p_values(values), names.index("sklkd")

    def over(other, j):
        return f"{100 * np.expm1(np.nanmedian(values[:, j] - other)):+.1f} %"

    lines = []
    for j in np.lexsort((np.nanmean(values - taught, axis=0), ranks)):
        known = ~np.isnan(values[:, j])
        found = [run for run in runs if run["peer"] == names[j]]
        sizes = [run["parameters"] for run in found]
        against = ("-", "-", "-")
        if j != ours:
            wins = (values[known, ours] < values[known, j]).sum()
            against = (
                over(values[:, ours], j),
                f"{wins} of {known.sum()}",
                "-" if np.isnan(p[ours, j]) else f"{p[ours, j]:.2g}",
            )
        lines.append(
            (
                names[j],
                "-" if np.isnan(ranks[j]) else f"{ranks[j]:.2f}",
                str(known.sum()),
                over(taught[:, j], j),
                *against,
                "-" if None in sizes else f"{np.median(sizes):,.0f}",
                f"{np.median([run['fit_s'] for run in found]):,.1f}",
            )
        )
    return head, lines


def faults():
    """What faults.py has written: a line for each fault and what came of it."""
    lines = [
        (found["what"], f"{times:,}", came)
        for found in read("faults").values()
        for came, times in sorted(found["came"].items(), key=lambda one: -one[1])
    ]
    return ("what was tried", "times", "what came"), lines


def fuzzing():
    """What fuzzing.py has written: a line for each kind of call or file."""
    head = ("what was drawn", "cases", "right answers", "refused", "other answers")
    found, counted = read("fuzzing"), defaultdict(Counter)
    for name, times in found["tables"].items():
        counted[f"tables for {name.partition(',')[0]}"][name.rpartition(", ")[2]] += times
    for kind, came in found["files"].items():
        right, other = came.get("right", 0), came.get("other", 0)
        counted[f"changed files: {kind}"].update(
            answered=right, refused=sum(came.values()) - right - other, other=other
        )
    lines = [
        (kind, f"{sum(came.values()):,}", *(f"{came[what]:,}" for what in ("answered", "refused", "other")))
        for kind, came in counted.items()
    ]
    return head, lines


TABLES = {
    made.__name__: made
    for made in (
        quality,
        chosen,
        latency,
        scale,
        other_students,
        context_teachers,
        automl_predictor,
        compilers,
        compiling,
        peers,
        faults,
        fuzzing,
        hinton_mnist,
        networks_on_mnist,
        step_function,
        bucila,
        cross_fitting,
        networks_of_5000,
        forests_of_ten,
        forests_of_ten_by_set,
    )
}


def numeric(lines):
    """Which columns are set to the right."""
    return [all(line[j][:1].isdigit() or line[j][:1] in "+-" for line in lines) for j in range(len(lines[0]))]


def markdown(head, lines):
    rule = ["--:" if right else "---" for right in numeric(lines)]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (head, rule, *lines))


def rst(head, lines):
    cells = [".. list-table::", "   :header-rows: 1", ""]
    for line in (head, *lines):
        # a hyphen alone would begin a list
        texts = ["\\-" if cell == "-" else cell for cell in line]
        cells += [f"   {'* -' if j == 0 else '  -'} {cell}".rstrip() for j, cell in enumerate(texts)]
    return "\n".join(cells) + "\n"


if __name__ == "__main__":
    print(markdown(*TABLES[sys.argv[1]]()))
    if sys.argv[1] == "quality":
        print(f"\n{summary()}")
