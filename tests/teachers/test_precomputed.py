"""Outputs that the user already has."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

import sklkd.teachers._rows as rows
from sklkd.teachers import Precomputed, adapt, is_fitted

X = np.zeros((3, 2))
PROBA = np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]], dtype=np.float32)


def test_probabilities_follow_their_classes():
    assert np.allclose(adapt(Precomputed(PROBA), ["a", "b"]).outputs(X).proba, PROBA)
    assert np.allclose(adapt(Precomputed(PROBA, classes=["b", "a"]), ["a", "b"]).outputs(X).proba, PROBA[:, ::-1])


def test_values():
    assert adapt(Precomputed([1.0, 2.0, 3.0])).outputs(X).values.tolist() == [[1], [2], [3]]
    assert adapt(Precomputed(np.ones((3, 2)))).predictions(X).shape == (3, 2)


def test_other_rows_cannot_be_asked():
    teacher = adapt(Precomputed(PROBA), ["a", "b"])
    assert not teacher.answers_new_rows
    with pytest.raises(ValueError, match=r"holds outputs for 3 rows, but X has 5 rows.* training rows alone"):
        teacher.outputs(np.zeros((5, 2)))


def test_rows_are_not_cut_into_pieces(monkeypatch):
    monkeypatch.setattr(rows.chunks, "__defaults__", (2,))
    assert len(adapt(Precomputed(PROBA), ["a", "b"]).outputs(X)) == 3


def test_bad_outputs_are_checked_like_any_others():
    with pytest.raises(ValueError, match="do not sum to one"):
        adapt(Precomputed(PROBA * 2), ["a", "b"]).outputs(X)
    with pytest.raises(ValueError, match="shape"):
        adapt(Precomputed([0.1, 0.2, 0.3]), ["a", "b"]).outputs(X)
    with pytest.raises(ValueError, match="never seen class 'c'"):
        adapt(Precomputed(PROBA, classes=["a", "b"]), ["a", "b", "c"]).outputs(X)


def test_survives_clone():
    copy = clone(Precomputed(PROBA, classes=["a", "b"]))
    assert is_fitted(copy) and np.array_equal(copy.outputs, PROBA)
