"""The data of the examples: from the folder ``SKLKD_DATA`` where that is set, else what scikit-learn bundles."""

import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def stored(name, instead):
    """Path of a file in ``SKLKD_DATA``; None, and a printed line that says so, where that is not set."""
    if folder := os.environ.get("SKLKD_DATA"):
        return Path(folder) / name
    print(f"SKLKD_DATA is not set: {instead} instead of {name}, on which the picture may show little.")
    return None


def table(name, bundled):
    """A frame of features, the targets, and whether they are those of the file ``name``, not of ``bundled``."""
    file = stored(f"{name}.parquet", bundled.__name__)
    if file is None:
        return *bundled(return_X_y=True, as_frame=True), False
    import pandas as pd

    frame = pd.read_parquet(file)
    return frame, frame.pop("target"), True


def mnist():
    """Images as rows of pixels from 0 to 1, their labels, and how many of them shall train."""
    file = stored("mnist.npz", load_digits.__name__)
    if file is None:
        images, labels = load_digits(return_X_y=True)
        return images / 16, labels, 400
    with np.load(file) as arrays:
        return arrays["x_train"].reshape(60_000, -1) / 255, arrays["y_train"], 1000
