"""The exported file in a real browser: onnxruntime-web in headless Chromium, against the estimator.

    npm install --prefix FOLDER onnxruntime-web playwright-core
    python benchmarks/browser/browser.py FOLDER [--chromium /usr/bin/chromium]

A frame of numbers, strings and gaps goes through the file in the page; the largest difference of a probability from
the estimator's, and the microseconds of one row there, are printed.
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
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx

MISSING = "\ue000"


def frame(n):
    rng = np.random.RandomState(0)
    words = np.array(["Oslo", "None", "nan", "3.0", None], dtype=object)
    numbers = np.where(rng.rand(n, 3) < 0.1, np.nan, rng.standard_normal((n, 3)))
    return pd.DataFrame(numbers, columns=["a", "b", "c"]).assign(city=words[rng.randint(len(words), size=n)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    X = frame(1000)
    y = np.where((X["city"] == "nan") | (X["a"].fillna(0) > 0.5), "yes", "no")
    coded = make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough")
    teacher = make_pipeline(coded, RandomForestClassifier(100, random_state=0))
    est = DistilledClassifier(teacher, random_state=0).fit(X, y)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(options.folder / "node_modules" / "onnxruntime-web" / "dist", folder, dirs_exist_ok=True)
        to_onnx(est, folder / "student.onnx")
        numbers = OnnxPredictor(folder / "student.onnx").metadata_["number_dtype"]
        columns = {column: X[column].tolist() for column in "abc"} | {"city": X["city"].fillna(MISSING).tolist()}
        # JSON has no NaN
        columns = {key: [None if cell != cell else cell for cell in cells] for key, cells in columns.items()}
        about = {"columns": columns, "expected": est.predict_proba(X).tolist(), "numbers": numbers}
        (folder / "rows.json").write_text(json.dumps(about))
        script = Path(__file__).with_name("browser.mjs").resolve()
        shutil.copy(script, options.folder)  # node looks for packages beside the script
        command = ["node", options.folder / script.name, folder, options.chromium]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
