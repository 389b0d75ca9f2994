"""Single texts as rows of a fitted vectorizer, without the tables and checks that take most of its ``transform``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

FEW = 16
"""Texts up to which one by one is faster than all at once: a quarter for so many, nearly four times for one."""


@dataclass(frozen=True, eq=False)
class TextReader:
    """What a fitted ``CountVectorizer`` or ``TfidfVectorizer`` makes of a text, by its public attributes.

    Attributes
    ----------
    analyze : callable
        From a text to what is counted in it.
    vocabulary : dict
        The column of each.
    binary : bool
        Whether what is there counts once.
    dtype : dtype
        In which the vectorizer works.
    sublinear : bool
        Whether a count becomes 1 and its logarithm.
    idf : ndarray of shape (n_columns,) or None
        What the columns are multiplied with.
    norm : {"l1", "l2"} or None
    """

    analyze: Callable[[str], Iterable[Any]]
    vocabulary: dict[Any, int]
    binary: bool
    dtype: Any
    sublinear: bool = False
    idf: NDArray[Any] | None = None
    norm: str | None = None

    def row(self, text: str) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The columns of a text that are not 0, increasing, and their numbers, to the last digit the vectorizer's."""
        counts: Counter[Any] = Counter(map(self.vocabulary.get, self.analyze(text)))
        counts.pop(None, None)
        columns, z = np.fromiter(counts, np.intp), np.fromiter(counts.values(), self.dtype)
        order = columns.argsort()
        columns, z = columns[order], z[order]
        if self.binary:
            z[:] = 1
        if self.sublinear:
            np.log(z, out=z)
            z += 1.0
        if self.idf is not None:
            z *= self.idf[columns]
        if self.norm is not None and len(z):
            parts = z * z if self.norm == "l2" else np.abs(z)
            # one after the other, as scikit-learn adds them
            total = parts.cumsum(dtype=np.float64)[-1]
            if total:
                z = (z / (np.sqrt(total) if self.norm == "l2" else total)).astype(self.dtype, copy=False)
        return columns, z.astype(np.float32)


def text_reader(vectorizer: Any) -> TextReader | None:
    """The reader of a fitted vectorizer; None for other steps, and for classes that are derived from it."""
    if type(vectorizer) not in (CountVectorizer, TfidfVectorizer):
        return None
    counting = vectorizer.build_analyzer(), vectorizer.vocabulary_, vectorizer.binary
    if type(vectorizer) is CountVectorizer:
        return TextReader(*counting, np.dtype(vectorizer.dtype))
    return TextReader(
        *counting,
        np.dtype(np.float32 if vectorizer.dtype == np.float32 else np.float64),
        sublinear=vectorizer.sublinear_tf,
        idf=vectorizer.idf_ if vectorizer.use_idf else None,
        norm=vectorizer.norm,
    )
