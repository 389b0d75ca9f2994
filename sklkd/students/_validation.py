"""Rows that the user has brought to validate a net on, beside those of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset
from torch import Tensor

from sklkd.students._forward import as_input
from sklkd.transfer import TransferSet


def validation_rows(dataset: Any, encoder: Any, standardize: Any) -> TransferSet:
    """A dataset, as ``predefined_split`` has it, encoded as the training rows are.

    Parameters
    ----------
    dataset : torch Dataset
        Pairs of a row and its label, which is a class code or a target in its units.
    encoder : transformer or None
        Fitted. Rows of another width than it takes are taken as encoded already; None: all are.
    standardize : callable or None
        From targets of shape (n, n_targets) to standardized ones; None for classification.
    """
    if isinstance(dataset, Dataset):
        X, y = dataset.X, dataset.y
    else:
        rows, labels = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
        X, y = np.stack([np.asarray(row) for row in rows]), labels
    X = np.asarray(X) if isinstance(X, Tensor) else X
    if encoder is not None and np.shape(X)[1:] == (getattr(encoder, "n_features_in_", None),):
        X = encoder.transform(X)
    if standardize is None:
        return TransferSet(as_input(X), torch.from_numpy(np.asarray(y).astype(np.int64)))
    targets = standardize(np.asarray(y, np.float64).reshape(len(y), -1))
    return TransferSet(as_input(X), torch.from_numpy(targets.astype(np.float32)))
