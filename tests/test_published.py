"""What the scripts of benchmarks/published compute themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from published.tables import gain_kept  # noqa: E402

sys.path.pop(0)  # files in that folder have names of libraries


def script(name):
    """What a script defines; its folder is on the path while it is run, as where it is called."""
    path = BENCHMARKS / "published" / f"{name}.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        return run_path(str(path))


@pytest.fixture(scope="module")
def step():
    for library in ("catboost", "xgboost"):
        pytest.importorskip(library)
    return script("step_function")


def test_a_row_of_the_oblivious_tree_is_found_level_by_level(step):
    columns, cuts = [2, 0, 2], np.array([0.0, 1.0, -1.0])
    leaves = np.arange(8.0).reshape(2, 2, 2)
    X = np.array([[0.0, 9.0, 0.5], [2.0, 9.0, -0.5], [0.0, 9.0, -2.0], [1.0, 9.0, 0.0]])
    # below each cut or not, the first level being the most significant bit
    assert step["answers"](X, (columns, cuts, leaves)).tolist() == [0b010, 0b100, 0b111, 0b000]


def test_the_data_are_those_of_one_tree_of_depth_6(step):
    (X, y), *others = step["data"](0, rows=2_000)
    assert [len(part) for _, part in [(X, y), *others]] == [2_000, 400, 600]
    assert 20 < len(np.unique(y)) <= 64
    columns, cuts, leaves = step["oblivious_tree"](X.min(0), X.max(0), np.random.default_rng(0))
    assert leaves.shape == (2,) * 6 and len(columns) == len(cuts) == 6
    assert ((X.min(0)[columns] < cuts) & (cuts < X.max(0)[columns])).all()


def test_the_first_trees_of_a_forest_are_the_forest_of_as_many():
    first_trees = script("cross_fitting")["first_trees"]
    X, y = make_regression(80, 4, random_state=0)
    forest, small = (RandomForestRegressor(n, random_state=0).fit(X, y) for n in (9, 4))
    np.testing.assert_allclose(first_trees(forest, X, 4), small.predict(X))


def test_rows_from_anywhere_have_all_values_of_each_column_and_no_others():
    anywhere = script("forests_of_ten")["anywhere"]
    X = np.array([[0.0, 1.0], [0.0, 2.0], [5.0, 3.0]])
    rows = anywhere(X, 600, np.random.default_rng(0))
    cells, counts = np.unique(rows, axis=0, return_counts=True)
    assert cells.tolist() == [[a, b] for a in (0.0, 5.0) for b in (1.0, 2.0, 3.0)]
    assert counts.min() > 60


@pytest.mark.parametrize(
    ("network", "student", "ensemble", "kept"),
    [(0.4, 0.3, 0.3, 1), (0.4, 0.4, 0.3, 0), (0.4, 0.5, 0.3, -1), (0.228, 0.179, 0.178, 0.98)],
)
def test_the_part_of_the_gain_that_is_kept(network, student, ensemble, kept):
    assert gain_kept(network, student, ensemble) == pytest.approx(kept)
