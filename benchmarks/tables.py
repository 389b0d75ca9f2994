"""Tables of the results in benchmarks/results, for README.md, benchmarks/README.md and the documentation.

    python benchmarks/tables.py quality

prints one of ``TABLES`` in Markdown. The documentation is built with the same ones, and tests/test_readme.py compares
the pages with them.
"""

import json
import sys
from functools import reduce
from itertools import groupby
from operator import getitem
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).with_name("peers")))
from ranks import log_losses, mean_ranks, p_values

RESULTS = Path(__file__).with_name("results")
CHOSEN = ("phoneme", "california_housing", "kin8nm", "adult", "letter", "bike_sharing", "covertype", "mfeat_factors")


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def number(value):
    """Four digits, in the target's units."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"


def time(microseconds):
    return f"{microseconds / 1000:,.0f} ms" if microseconds >= 10_000 else f"{microseconds / 1000:,.1f} ms"


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


def faults():
    """What faults.py has written: a line for each fault and what came of it."""
    lines = [
        (found["what"], f"{times:,}", came)
        for found in read("faults").values()
        for came, times in sorted(found["came"].items(), key=lambda one: -one[1])
    ]
    return ("what was tried", "times", "what came"), lines
def median_of(runs):
    """The median over seeds, and the least and the most."""
    return f"{np.median(runs):,.0f} ({min(runs):,.0f} to {max(runs):,.0f})" if len(runs) > 1 else f"{runs[0]:,.0f}"


# Errors on the 10,000 test images, or how often they are among the threes, of Hinton et al. (2015), section 3
HINTON = {
    "teacher, 784-1200-1200-10": ("67", "teacher", lambda run: run["errors"]),
    "student, 784-800-800-10, labels only": ("146", "labels_only", lambda run: run["errors"]),
    "student, soft targets": ("74", "soft_targets", lambda run: run["errors"]),
    "the same without threes": ("206", "no_threes", lambda run: run["errors"]),
    "its errors on the 1,010 threes": ("133", "no_threes", lambda run: run["errors_of_threes"]),
    "its bias of class 3 raised, by test images": (
        "109",
        "no_threes",
        lambda run: run["bias_of_test_images"]["errors"],
    ),
    "its bias of class 3 raised, by training images": (
        "-",
        "no_threes",
        lambda run: run["bias_of_training_images"]["errors"],
    ),
    "sklkd's default student": ("-", "defaults", lambda run: run["errors"]),
}


def hinton_mnist():
    """What published/hinton_mnist.py has written: a line a model, medians over seeds."""
    head = ("model", "the paper", "here", "seeds")
    runs, lines = read("published_hinton_mnist"), []
    for name, (published, kind, value) in HINTON.items():
        found = [value(run) for run in runs if run["run"] == kind]
        if found:
            lines.append((name, published, median_of(found), str(len(found))))
    return head, lines


def networks_on_mnist():
    """What published/networks_on_mnist.py has written: a line a method, means over seeds and peers."""
    head = ("network", "test errors", "change", "log loss", "change")
    runs = read("published_networks_on_mnist")
    seeds = sorted({run["seed"] for run in runs})
    names = list(dict.fromkeys(run["name"] for run in runs))
    names.sort(key=lambda name: name != "alone")
    values = {
        (name, key): np.array(
            [np.mean([run[key] for run in runs if run["name"] == name and run["seed"] == seed]) for seed in seeds]
        )
        for name in names
        for key in ("errors", "log_loss")
    }
    lines = []
    for name in names:
        line = [name]
        for key, digits in (("errors", 1), ("log_loss", 4)):
            found, alone = values[name, key], values["alone", key]
            change = 100 * (found / alone - 1)
            line.append(f"{found.mean():,.{digits}f} ± {found.std(ddof=1):.{digits}f}")
            line.append("-" if name == "alone" else f"{change.mean():+.1f} ± {change.std(ddof=1):.1f} %")
        lines.append(tuple(line))
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


def step_function():
    """What published/step_function.py has written: a line a model, the paper's data and all seeds."""
    runs = read("published_step_function")
    teachers = list(runs[0]["found"])
    head = ["RMSE"]
    for teacher in teachers:
        head += [f"{teacher}, paper's data", f"{len(runs)} data sets"]
    lines = []
    for model in runs[0]["found"][teachers[0]]:
        cells = [(f"{runs[0]['found'][teacher][model]:.3f}", spread_of(runs, teacher, model)) for teacher in teachers]
        lines.append((model, *(cell for pair in cells for cell in pair)))
    return head, lines


def gain_kept(network, student, ensemble):
    """Part of what an ensemble gains over a network trained on labels that a student keeps: all of them losses."""
    return (network - student) / (network - ensemble)


BUCILA = {
    "adult": {"network": 0.328, "student": 0.325, "ensemble": 0.317, "kept": 0.29},
    "covtype": {"network": 0.378, "student": 0.340, "ensemble": 0.334, "kept": 0.84},
    "letter.p1": {"network": 0.092, "student": 0.075, "ensemble": 0.075, "kept": 1.01},
    "letter.p2": {"network": 0.228, "student": 0.179, "ensemble": 0.178, "kept": 0.98},
}
"""RMSE in Bucila et al. (2006), and the part of the gain kept, which they have from more digits."""


def bucila():
    """What published/bucila.py has written: a line a set, means over seeds."""
    head = ("set", "ensemble", "labels only", "as published", "kept", "default", "kept", "paper: kept")
    lines = []
    for name, runs in by("set", read("published_bucila")).items():
        ensemble, alone = (mean_of(runs, model, "rmse") for model in ("ensemble", "labels only"))
        cells = [f"{ensemble:.4f}", f"{alone:.4f}"]
        for model in ("as published", "default"):
            if model not in runs[0]["found"]:
                cells += ["", ""]
                continue
            student = mean_of(runs, model, "rmse")
            cells += [f"{student:.4f}", f"{gain_kept(alone, student, ensemble):.2f}"]
        lines.append((name, *cells, f"{BUCILA[name]['kept']:.2f}"))
    return head, lines


DAO = {
    "adult": {
        "teacher": 0.9099,
        "labels only": (0.740, 0.860, 0.882, 0.900),
        "in-sample": (0.8885, 0.9035, 0.9076, 0.9101),
        "cross-fitted": (0.8989, 0.9095, 0.9107, 0.9122),
    },
    "magic": {
        "teacher": 0.9369,
        "labels only": (0.787, 0.897, 0.914, 0.928),
        "in-sample": (0.8940, 0.9155, 0.9202, 0.9240),
        "cross-fitted": (0.9084, 0.9191, 0.9217, 0.9239),
    },
}
"""AUC in Dao et al. (2021): of the teacher, and of forests of 1, 5, 10, 40 trees; magic's last is the corrected one."""


def cross_fitting():
    """What published/cross_fitting.py has written: a line a set and what forests learn from, means over seeds."""
    head = ("set", "learns from", "1 tree", "5", "10", "40", "paper: 1", "5", "10", "40")
    lines = []
    for name, runs in by("set", read("published_cross_fitting")).items():
        for form, found in runs[0]["found"].items():
            if isinstance(found, list):
                ours = [f"{mean_of(runs, form, k):.4f}" for k in range(len(found))]
                paper = DAO.get(name, {}).get(form)
                lines.append((name, form, *ours, *([f"{one:.4f}" for one in paper] if paper else [""] * len(found))))
    return head, lines


def networks_of_5000():
    """The networks of the same, beside the best forest of 40 trees."""
    head = (
        "set",
        "teacher",
        "forest of 40, best",
        "tiny",
        "tiny, labels only",
        "tiny, corrected",
        "paper: teacher",
        "forest of 40",
    )
    lines = []
    for name, runs in by("set", read("published_cross_fitting")).items():
        found = runs[0]["found"]
        best = max(mean_of(runs, form, -1) for form in found if isinstance(found[form], list))
        nets = [spread_of(runs, form, digits=4) for form in ("tiny", "tiny, labels only", "tiny, corrected")]
        paper = DAO.get(name)
        beside = [f"{paper['teacher']:.4f}", f"{paper['cross-fitted'][-1]:.4f}"] if paper else ["", ""]
        lines.append((name, f"{mean_of(runs, 'teacher'):.4f}", f"{best:.4f}", *nets, *beside))
    return head, lines


VIDAL = {
    "Breast-Cancer-Wisconsin": (0.953, 0.946, 2279.4, 35.9),
    "COMPAS-ProPublica": (0.660, 0.660, 119.9, 31.2),
    "FICO": (0.697, 0.697, 71.3, 15.8),
    "HTRU2": (0.977, 0.977, 20.2, 13.2),
    "Pima-Diabetes": (0.746, 0.750, 460.1, 79.0),
    "Seeds": (0.790, 0.790, 450.9, 21.5),
}
"""In Vidal & Schiffer (2020): accuracy of forest and exact tree, and of the pruned one; leaves of both trees."""


def forests_of_ten():
    """What published/forests_of_ten.py has written: a line a model, means over sets and folds."""
    head = ("model", "accuracy", "agreement", "anywhere", "numbers", "C file", "one row")
    runs = read("published_forests_of_ten")
    timed = [run for run in runs if run["fold"] == 0]
    lines = []
    for model, found in runs[0]["found"].items():
        cells = [f"{mean_of(runs, model, 'accuracy'):.3f}"]
        for key in ("agreement", "agreement anywhere"):
            cells.append(f"{100 * mean_of(runs, model, key):.1f} %" if key in found else "100.0 %")
        size = "parameters" if "parameters" in found else "leaves"
        cells.append(f"{mean_of(runs, model, size):,.0f}" if size == "parameters" else "")
        cells.append(f"{mean_of(timed, model, 'bytes'):,.0f} B" if "bytes" in found else "")
        cells.append(f"{mean_of(timed, model, 'us_one_row'):,.1f} µs")
        lines.append((model, *cells))
    return head, lines


def forests_of_ten_by_set():
    """The same by set, beside the paper: agreement anywhere of the students that see rows from there."""
    models = ("tree, rows from anywhere", "large tree, rows from anywhere", "tiny, rows from anywhere")
    head = ("set", "forest", *models, "paper: forest", "leaves of the exact tree", "pruned")
    lines = []
    for name, runs in by("set", read("published_forests_of_ten")).items():
        cells = [f"{mean_of(runs, 'forest', 'accuracy'):.3f}"]
        cells += [f"{100 * mean_of(runs, model, 'agreement anywhere'):.1f} %" for model in models]
        accuracy, _, exact, pruned = VIDAL[name]
        lines.append((name, *cells, f"{accuracy:.3f}", f"{exact:,.0f}", f"{pruned:.0f}"))
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
            one = by_trees.get(n, {"failed": "not tried"})
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


TABLES = {
    made.__name__: made
    for made in (quality, chosen, latency, scale, other_students, context_teachers, automl_predictor, faults)
    for made in (
        quality,
        chosen,
        latency,
        scale,
        other_students,
        context_teachers,
        automl_predictor,
        hinton_mnist,
        networks_on_mnist,
        step_function,
        bucila,
        cross_fitting,
        networks_of_5000,
        forests_of_ten,
        forests_of_ten_by_set,
        compilers,
        compiling,
    )
    for made in (quality, chosen, latency, scale, other_students, context_teachers, automl_predictor, peers)
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
        cells += [f"   {'* -' if j == 0 else '  -'} {cell}".rstrip() for j, cell in enumerate(line)]
    return "\n".join(cells) + "\n"


if __name__ == "__main__":
    print(markdown(*TABLES[sys.argv[1]]()))
    if sys.argv[1] == "quality":
        print(f"\n{summary()}")
