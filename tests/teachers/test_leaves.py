"""Leaves as numbers."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier

from sklkd.teachers import adapt

X, Y = make_classification(200, 6, n_informative=4, random_state=0)


def test_the_embedding_approximates_the_share_of_trees_in_which_rows_meet():
    forest = ExtraTreesClassifier(40, max_leaf_nodes=4, random_state=0).fit(X, Y)
    leaves = forest.apply(X)
    share = (leaves[:, None] == leaves[None]).mean(axis=2)
    embedded = adapt(forest, [0, 1]).features(X)
    assert embedded.shape == (200, 32)
    values = np.linalg.eigvalsh(share)
    best = np.sqrt((values[:-32] ** 2).sum())
    assert np.linalg.norm(embedded @ embedded.T - share) <= 1.05 * best + 1e-3


def test_it_is_learnt_once_from_the_rows_that_the_adapter_is_prepared_with():
    plain = adapt(ExtraTreesClassifier(10, max_depth=3, random_state=0).fit(X, Y), [0, 1])
    teacher = plain.prepared(X[:150])
    first = teacher.features(X[:150], "leaf_embedding")
    plain.features(X[100:], "leaf_embedding")
    # an adapter that is not prepared forgets: what it is asked first changes nothing
    assert np.array_equal(plain.features(X[:150], "leaf_embedding"), first)
    assert np.allclose(teacher.features(X[40:80], "leaf_embedding"), first[40:80], atol=1e-6)
    # leaves that the first rows did not reach are no leaves
    assert np.isfinite(teacher.features(X[150:], "leaf_embedding")).all()


def test_prepared_again_before_it_is_asked_it_learns_from_the_new_rows():
    plain = adapt(ExtraTreesClassifier(10, max_depth=3, random_state=0).fit(X, Y), [0, 1])
    twice, once = plain.prepared(X[:20]).prepared(X[50:]), plain.prepared(X[50:])
    assert np.array_equal(twice.features(X), once.features(X))
    assert not np.allclose(twice.features(X), plain.prepared(X[:20]).features(X))


def test_a_small_ensemble_is_filled_up_with_zeros():
    embedded = adapt(ExtraTreesClassifier(2, max_depth=1, random_state=0).fit(X, Y), [0, 1]).features(X)
    assert embedded.shape == (200, 32) and np.count_nonzero(np.abs(embedded).max(axis=0) > 1e-6) <= 4
