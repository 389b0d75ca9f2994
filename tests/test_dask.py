"""What every method that takes Dask collections has from ``takes_dask``, on a model that counts."""

from __future__ import annotations

import cloudpickle
import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from sklkd._dask import NoRows, is_dask, takes_dask


class Sums:
    """Predicts the sum of a row, once and as often as it is told."""

    def __init__(self, times=None, mark=""):
        self.times, self.mark = times, mark

    @takes_dask
    def predict(self, X):
        """Say what it does."""
        if isinstance(X, NoRows):
            X = X.like
        elif not len(X):
            raise ValueError("there must be rows")
        if np.shape(X)[1] != 4:
            raise ValueError("there must be 4 columns")
        total = np.asarray(X, dtype=float).sum(axis=1)
        return total if self.times is None else np.repeat(total[:, None], self.times, axis=1)

    @takes_dask
    def picky(self, X):
        if not isinstance(X, NoRows) and np.asarray(X).max() > 30:
            raise ValueError("too large")
        return self.predict(X)


class Heavy(Sums):
    def _for_deployment(self):
        return Sums(self.times, "light")


class Doubled(Sums):
    def predict(self, X):
        return 2 * super().predict(X)


ROWS = np.arange(40.0).reshape(10, 4)
FRAME = pd.DataFrame(ROWS, columns=list("abcd"))
CONTAINERS = {
    "array": da.from_array(ROWS, chunks=(4, -1)),
    "array of many columns": da.from_array(ROWS, chunks=(4, 3)),
    "frame": dd.from_pandas(FRAME, npartitions=3),
}
every_container = pytest.mark.parametrize("name", CONTAINERS)


@every_container
@pytest.mark.parametrize("times", [None, 1, 3])
@pytest.mark.parametrize("model", [Sums, Doubled])
def test_the_answer_is_a_lazy_array_that_knows_what_it_will_be(name, times, model):
    X, model = CONTAINERS[name], model(times)
    lazy = model.predict(X)
    expected = model.predict(ROWS)
    assert isinstance(lazy, da.Array) and lazy.dtype == expected.dtype and lazy.ndim == expected.ndim
    assert lazy.shape[1:] == expected.shape[1:]
    assert lazy.numblocks[0] == (X.numblocks[0] if "array" in name else X.npartitions)
    if "array" in name:
        assert lazy.chunks[0] == (4, 4, 2)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_it_can_become_a_column_of_its_frame():
    X = CONTAINERS["frame"]
    found = X.assign(total=Sums().predict(X)).compute()
    np.testing.assert_array_equal(found["total"], ROWS.sum(axis=1))


def test_nothing_is_computed_before_it_is_asked_for():
    read = []

    @dask.delayed(pure=False)
    def part(k):
        read.append(k)
        return FRAME.iloc[5 * k : 5 * k + 5]

    X = dd.from_delayed([part(0), part(1)], meta=FRAME.iloc[:0])
    blocks = [da.from_delayed(part(k).to_numpy(), (5, 4), float) for k in (0, 1)]
    lazy = [Sums(2).predict(X), Sums(2).predict(da.concatenate(blocks))]
    assert read == []
    for one in lazy:
        np.testing.assert_array_equal(one.compute(), Sums(2).predict(ROWS))
    assert sorted(read) == [0, 0, 1, 1]


@every_container
def test_the_light_model_is_in_the_graph_once(name):
    X = CONTAINERS[name]
    lazy = Heavy(mark="heavy").predict(X)
    (optimized,) = dask.optimize(lazy)
    entries = [cloudpickle.dumps(entry) for entry in dict(optimized.__dask_graph__()).values()]
    assert [sum(mark in entry for entry in entries) for mark in (b"light", b"heavy")] == [1, 0]


@pytest.mark.parametrize("times", [None, 3])
def test_parts_without_rows_have_empty_answers(times):
    X = CONTAINERS["frame"]
    lazy = Sums(times).predict(X[X["a"] > 20])
    assert len(lazy.partitions[0].compute()) == 0
    np.testing.assert_array_equal(lazy.compute(), Sums(times).predict(ROWS[6:]))
    nothing = Sums(times).predict(X[X["a"] > 99])
    assert nothing.compute().shape == Sums(times).predict(NoRows(ROWS[:0])).shape
    masked = CONTAINERS["array"][da.from_array(ROWS[:, 0] > 20, chunks=4)]
    np.testing.assert_array_equal(Sums(times).predict(masked).compute(), Sums(times).predict(ROWS[6:]))


@pytest.mark.parametrize("name, place", [("array", "block 1"), ("frame", "partition 2")])
def test_an_error_says_in_which_part_it_is(name, place):
    X = CONTAINERS[name]
    lazy = Sums().picky(X.partitions[:3] if name == "frame" else X[:8])
    with pytest.raises(ValueError, match="too large") as caught:
        lazy.compute(scheduler="sync")
    assert any(place in note for note in caught.value.__notes__)


def test_wrong_columns_are_an_error_at_once():
    with pytest.raises(ValueError, match="4 columns"):
        Sums().predict(CONTAINERS["frame"][["a", "b"]])
    with pytest.raises(ValueError, match="4 columns"):
        Sums().predict(CONTAINERS["array"][:, :3])


def test_an_array_of_unknown_columns_is_refused():
    X = da.from_array(ROWS, chunks=(4, -1))
    X._chunks = (X.chunks[0], (np.nan,))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        Sums().predict(X)


@pytest.mark.parametrize("make", [lambda: dask.bag.from_sequence([1, 2]), lambda: dask.delayed(FRAME)])
def test_other_collections_are_refused(make):
    assert is_dask(make())
    with pytest.raises(TypeError, match="Dask DataFrame, Series or Array"):
        Sums().predict(make())


def test_the_method_keeps_its_name_and_documentation():
    assert Sums.predict.__name__ == "predict" and Sums.predict.__doc__ == "Say what it does."
    assert not any(is_dask(X) for X in (ROWS, FRAME, [], None))
