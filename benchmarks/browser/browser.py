"""The exported file in a real browser: onnxruntime-web in headless Chromium, against OnnxPredictor.

    npm install --prefix FOLDER onnxruntime-web playwright-core
    python benchmarks/browser/browser.py FOLDER [--chromium /usr/bin/chromium]

Two default students: of an array of numbers with gaps, and of a frame of numbers, strings and gaps, some strings never
seen. For each file: the rows that went through it in the page, the largest difference of a probability from
OnnxPredictor's, the labels that are the same, and the microseconds of one row in the page.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx

N = 1000
MISSING = "\ue000"
FOREST = RandomForestClassifier(100, random_state=0)


def numbers():
    """A student of an array, and rows for it."""
    X, y = make_classification(N, 30, n_informative=15, n_classes=5, random_state=0)
    X[np.random.RandomState(0).random_sample(X.shape) < 0.05] = np.nan
    return DistilledClassifier(FOREST, random_state=0).fit(X, y), X


def categories():
    """A student of a frame, and rows for it, with cities that it has not seen."""
    rng = np.random.RandomState(0)
    words = np.array(["Oslo", "None", "nan", "3.0", None], dtype=object)
    cells = np.where(rng.random_sample((N, 3)) < 0.1, np.nan, rng.standard_normal((N, 3)))
    X = pd.DataFrame(cells, columns=["a", "b", "c"]).assign(city=words[rng.randint(len(words), size=N)])
    y = np.where((X["city"] == "nan") | (X["a"].fillna(0) > 0.5), "yes", "no")
    coded = make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough")
    est = DistilledClassifier(make_pipeline(coded, FOREST), random_state=0).fit(X, y)
    return est, X.assign(city=X["city"].mask(rng.random_sample(N) < 0.1, "Rome"))


def inputs(predictor, X):
    """What the page feeds to the graph, written from the guide alone."""
    found = {}
    for name, dtype in predictor.metadata_["dtypes"].items():
        part = X if name == "X" else X[[name]]
        if dtype == "string":
            cells = part[name].fillna(MISSING).tolist()
        else:
            cells = [None if np.isnan(cell) else cell for cell in np.ravel(part).tolist()]
        found[name] = {"dtype": dtype, "width": part.shape[1], "cells": cells}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    students = {"numbers": numbers(), "categories": categories()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(options.folder / "node_modules" / "onnxruntime-web" / "dist", folder, dirs_exist_ok=True)
        for name, (est, X) in students.items():
            print(to_onnx(est, folder / f"{name}.onnx"))
            predictor = OnnxPredictor(folder / f"{name}.onnx")
            about = {
                "inputs": inputs(predictor, X),
                "probabilities": predictor.predict_proba(X).tolist(),
                "labels": predictor.predict(X).tolist(),
            }
            (folder / f"{name}.json").write_text(json.dumps(about))
        (folder / "files.json").write_text(json.dumps(list(students)))
        script = Path(__file__).with_name("browser.mjs").resolve()
        shutil.copy(script, options.folder)  # node looks for packages beside the script
        subprocess.run(["node", options.folder / script.name, folder, options.chromium], check=True)


if __name__ == "__main__":
    main()
