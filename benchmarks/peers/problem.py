"""A problem that every peer gets, in a folder of its own, and the file of results. It needs no sklkd.

A folder holds rows.parquet (the features of training and test rows, in this order), arrays.npz (the rows encoded, the
targets, what the teacher predicts), teacher.joblib (fitted, for peers that ask it themselves), and about.json.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
KEY = ("set", "teacher", "seed", "max_rows")


def outputs(model, X, labels):
    """Probabilities, or predictions as one column."""
    return model.predict_proba(X) if labels else np.asarray(model.predict(X), float).reshape(len(X), 1)


@dataclass
class Problem:
    """What ``write`` has left in a folder.

    ``train`` and ``test`` have "frame", the columns as they are; "codes", categories as codes; "scaled", categories as
    0/1 columns and numbers standardised; "y", numbers of classes, or targets; and "taught", what the teacher predicts.
    ``train`` also has "out_of_sample", what clones of the teacher predict for rows that they have not seen.
    """

    folder: Path
    about: dict[str, Any]
    train: dict[str, Any]
    test: dict[str, Any]

    @classmethod
    def read(cls, folder):
        about = json.loads((folder / "about.json").read_text())
        frame = pd.read_parquet(folder / "rows.parquet")
        train, test = {"frame": frame.iloc[: about["rows"]]}, {"frame": frame.iloc[about["rows"] :]}
        for name, array in np.load(folder / "arrays.npz").items():
            part, _, key = name.partition("/")
            (train if part == "train" else test)[key] = array
        return cls(folder, about, train, test)

    @property
    def labels(self):
        return self.about["labels"]

    @property
    def seed(self):
        return self.about["seed"]

    @cached_property
    def teacher(self):
        return joblib.load(self.folder / "teacher.joblib")

    @cached_property
    def named(self):
        """Targets of the training rows as the teacher knows them: labels by name."""
        y = self.train["y"]
        return np.asarray(self.teacher.classes_)[y] if self.labels else y

    def loss(self, out):
        """Log loss, or root mean squared error, on the test rows."""
        y = self.test["y"]
        if not self.labels:
            return float(np.sqrt(np.mean((out[:, 0] - y) ** 2)))
        out = np.clip(out, 1e-7, 1)
        return float(-np.mean(np.log(out[np.arange(len(y)), y] / out.sum(axis=1))))


def write(folder, X, y, train, test, teacher, encoders, about):
    """Fit the teacher, and write a problem; ``encoders`` are unfitted, by "codes" and "scaled".

    Labels are what ``about["labels"]`` says y is.
    """
    labels = about["labels"]
    rows = {"train": X.iloc[train], "test": X.iloc[test]}
    start = time.process_time()
    teacher = clone(teacher).fit(rows["train"], y[train])
    about = about | {"rows": len(train), "teacher_s": time.process_time() - start}
    target = np.searchsorted(teacher.classes_, y) if labels else y
    arrays = {"train/y": target[train], "test/y": target[test]}
    for key, encoder in encoders.items():
        encoder.fit(rows["train"])
        arrays |= {f"{part}/{key}": np.asarray(encoder.transform(one), np.float32) for part, one in rows.items()}
    arrays |= {f"{part}/taught": outputs(teacher, one, labels) for part, one in rows.items()}
    method = "predict_proba" if labels else "predict"
    held_out = cross_val_predict(clone(teacher), rows["train"], y[train], cv=5, method=method)
    arrays["train/out_of_sample"] = held_out.reshape(len(train), -1)
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat([*rows.values()]).to_parquet(folder / "rows.parquet")
    np.savez_compressed(folder / "arrays.npz", **arrays)
    joblib.dump(teacher, folder / "teacher.joblib", compress=3)
    (folder / "about.json").write_text(json.dumps(about))


@dataclass
class Student:
    """A fitted student: a function from rows to its predictions, its parameters if it has such, and its bytes."""

    answer: Callable[[Any], np.ndarray]
    parameters: int | None = None
    n_bytes: int | None = None


def pickled(model):
    return len(pickle.dumps(model))


def measure(problem, peer, form, fit):
    """One result."""
    start = time.process_time()
    student = fit(problem)
    seconds = time.process_time() - start
    out = np.asarray(student.answer(problem.test[form]), float).reshape(len(problem.test["y"]), -1)
    taught = problem.test["taught"]
    return {key: problem.about[key] for key in (*KEY, "rows")} | {
        "peer": peer,
        "loss": problem.loss(out),
        "teacher_loss": problem.loss(taught),
        "agreement": float(np.mean(out.argmax(axis=1) == taught.argmax(axis=1))) if problem.labels else None,
        "fit_s": seconds,
        "parameters": student.parameters,
        "bytes": student.n_bytes,
    }


def compete(description, form, peers):
    """Fit ``peers``, functions of a problem by name, on the command line's problems; what is known is not done again.

    ``form`` is that of the rows they take: "frame", "codes" or "scaled".
    """
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where problems.py has written")
    parser.add_argument("names", nargs="*", help="sets; by default all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    for folder in sorted(path.parent for path in given.folder.glob("*/about.json")):
        problem = Problem.read(folder)
        if given.names and problem.about["set"] not in given.names:
            continue
        for peer, fit in peers.items():
            key = (*(problem.about[one] for one in KEY), peer)
            if key in {(*(line[one] for one in KEY), line["peer"]) for line in read(given.out)}:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = measure(problem, peer, form, fit)
            add(given.out, found)
            print(f"{folder.name} {peer}: {found['loss']:.4g} ({found['fit_s']:.1f} s)", flush=True)


def read(file):
    """Results, one a line of the file; none if there is no file."""
    return json.loads(file.read_text()) if file.exists() else []


def add(file, found):
    lines = ",\n".join(json.dumps(line) for line in [*read(file), found])
    file.write_text(f"[\n{lines}\n]\n")
