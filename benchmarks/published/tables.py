"""Tables of what the scripts in this folder have written, beside the published figures."""

import numpy as np
from reading import by, mean_of, median_of, read, spread_of

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
    return head, lines


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
    return head, lines
