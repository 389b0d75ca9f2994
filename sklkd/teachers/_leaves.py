"""The leaves in which an ensemble of trees puts a row, as features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import OneHotEncoder

from sklkd.teachers._base import Shape
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._rows import CHUNK, sample

WIDTH = 32
"""Columns of the embedding; zeros fill up what a small ensemble does not need."""


class LeafEmbedding:
    """A dense, low-rank embedding of the leaves in which an ensemble puts a row.

    Each row is the 0/1 vector of its leaves divided by the root of the number of trees, so that the inner product of
    two rows is the fraction of trees in which they share a leaf (the proximity of a random forest). The embedding is
    the best approximation of that in 32 dimensions (truncated SVD, learnt once on the rows that the adapter was
    prepared with). A leaf that none of these rows reached counts as no leaf.
    """

    def fit(self, leaves: NDArray[np.integer]) -> LeafEmbedding:
        """Learn the embedding from leaves of shape (n, n_trees)."""
        self.encoder_ = OneHotEncoder(handle_unknown="ignore", dtype=np.float32).fit(leaves)
        one_hot = self._one_hot(leaves)
        self.svd_ = TruncatedSVD(min(WIDTH, *one_hot.shape), random_state=0).fit(one_hot)
        return self

    def transform(self, leaves: NDArray[np.integer]) -> NDArray[np.float32]:
        """The embedding, (n, 32)."""
        embedded = self.svd_.transform(self._one_hot(leaves))
        return np.pad(embedded, ((0, 0), (0, WIDTH - embedded.shape[1]))).astype(np.float32)

    def _one_hot(self, leaves: NDArray[np.integer]) -> Any:
        one_hot = self.encoder_.transform(leaves)
        one_hot.data[:] = leaves.shape[1] ** -0.5
        return one_hot


class LeafTeacher(EstimatorTeacher):
    """Base of the adapters of trees: an adapter says ``leaves`` and ``n_trees``.

    Layers: ``"leaves"`` (n, n_trees), the leaf of every tree, as integers; ``"leaf_embedding"`` (n, 32), the same as
    numbers that can be compared.
    """

    default_layer = "leaf_embedding"

    needs_rows = True

    @property
    def n_trees(self) -> int:
        raise NotImplementedError

    def leaves(self, X: Any) -> NDArray[np.integer]:
        """The leaf of every tree, (n, n_trees)."""
        raise NotImplementedError

    @property
    def layers(self) -> dict[str, Shape]:
        return {"leaves": (self.n_trees,), "leaf_embedding": (WIDTH,)}

    def feature(self, X: Any, layer: str) -> np.ndarray:
        leaves = self.leaves(X)
        if layer == "leaves":
            return leaves
        embedding = self.learnt("leaf_embedding", self._fitted_embedding, X, many=True)
        return embedding.transform(leaves)

    def _fitted_embedding(self, rows: Any) -> LeafEmbedding:
        return LeafEmbedding().fit(self.leaves(sample(rows, CHUNK)))
