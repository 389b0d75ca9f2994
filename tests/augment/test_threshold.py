"""Values between thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from sklkd.augment import ThresholdSampler

X = np.column_stack([np.arange(11.0), np.linspace(-1, 1, 11)])


class Teacher:
    """What an adapter offers."""

    def __init__(self):
        self.seen = None

    def thresholds(self, X):
        self.seen = X
        return [(np.array([2.0, 8.0]), np.array([0.9, 0.1])), (np.array([]), np.array([]))]


def test_every_interval_equally_often():
    Z = ThresholdSampler(thresholds=[[2.5, 8.0], [0.25]]).fit(X + 0.125).sample(6000, random_state=0)
    counts = np.histogram(Z[:, 0], [0.125, 2.5, 8.0, 10.125])[0]
    assert counts.sum() == 6000 and (np.abs(counts - 2000) < 150).all()
    counts = np.histogram(Z[:, 1], [-0.875, 0.25, 1.125])[0]
    assert counts.sum() == 6000 and (np.abs(counts - 3000) < 150).all()
    inside = Z[(Z[:, 0] > 2.5) & (Z[:, 0] < 8), 0]
    assert abs(inside.mean() - 5.25) < 0.15 and abs(inside.std() - 5.5 / np.sqrt(12)) < 0.1
    assert abs(np.corrcoef(Z.T)[0, 1]) < 0.05


def test_midpoints_are_the_papers_points():
    sampler = ThresholdSampler(thresholds=[[8.0, 2.0, 5.0, 2.0], []], position="midpoint").fit(X)
    Z = sampler.sample(3000, random_state=0)
    values, counts = np.unique(Z[:, 0], return_counts=True)
    assert values.tolist() == [0, 4, 5, 6, 10]  # 3.5 and 6.5 rounded to even: a column of whole numbers
    assert counts.min() > 500
    np.testing.assert_allclose(np.unique(Z[:, 1]), [-1, 0, 1], atol=1e-12)


def test_mean_counts_copies():
    real = np.array([[0.5], [0.5], [0.5], [4.5]])
    Z = ThresholdSampler(thresholds=[[]], position="midpoint").fit(real).sample(100, random_state=0)
    assert np.unique(Z).tolist() == [0.5, 1.5, 4.5]


def test_thresholds_from_a_teacher():
    teacher = Teacher()
    frame = pd.DataFrame(X + 0.25, columns=["a", "b"])
    Z = ThresholdSampler(thresholds=teacher).fit(frame).sample(3000, random_state=0)
    assert teacher.seen is frame
    np.testing.assert_allclose(np.histogram(Z["a"], [0.25, 2, 8, 10.25])[0], 1000, atol=100)
    assert Z["b"].between(-0.75, 1.25).all()


def test_without_thresholds_every_leaf_of_a_deep_tree_is_reached():
    rng = np.random.default_rng(0)
    real = rng.exponential(size=(100, 1)) ** 3
    tree = DecisionTreeRegressor(random_state=0).fit(real, rng.normal(size=100))
    Z = ThresholdSampler().fit(real).sample(5000, random_state=0)
    assert len(np.unique(tree.apply(Z))) == tree.get_n_leaves() > 90
    assert len(np.unique(tree.apply(rng.uniform(real.min(), real.max(), size=(5000, 1))))) < 80


def test_categories_whole_numbers_and_gaps():
    frame = pd.DataFrame({
        "s": ["a"] * 9 + ["b"],
        "i": [0] * 9 + [1],
        "f": [np.nan] * 4 + [0.5, 0.5, 1.5, 2.5, 3.5, 4.5],
        "g": [np.nan] * 10,
    })  # fmt: skip
    Z = ThresholdSampler(thresholds=[[0.5], [0.5], [2.0], []]).fit(frame).sample(4000, random_state=0)
    assert abs((Z["s"] == "a").mean() - 0.5) < 0.04  # not 0.9: equally likely
    assert abs(Z["i"].mean() - 0.5) < 0.04
    assert abs(Z["f"].isna().mean() - 0.4) < 0.04 and Z["g"].isna().all()
    assert abs((Z["f"].dropna() < 2.0).mean() - 0.5) < 0.04


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([[1.0]], "thresholds must have one array for each of the 2 columns of X, got 1"),
        ([[1.0], [np.nan]], "thresholds of column 1 must be a 1-d array of finite numbers"),
        ([[[1.0]], [2.0]], "thresholds of column 0 must be a 1-d array of finite numbers"),
    ],
)
def test_bad_thresholds(thresholds, message):
    with pytest.raises(ValueError, match=message):
        ThresholdSampler(thresholds=thresholds).fit(X)
