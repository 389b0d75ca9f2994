"""Rows that stand in a table, and are looked up when they are asked for."""

import pickle
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklkd import rows as module
from sklkd._columns import ColumnCodec
from sklkd.rows import PIECE, Rows
from sklkd.teachers import Outputs

KINDS = {
    "array": lambda X: X,
    "frame": lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
    "sparse": sparse.csr_array,
    "list": lambda X: X.tolist(),
}


def made(n, kind="array"):
    X = np.arange(3 * n, dtype=float).reshape(n, 3)
    number = np.arange(n)
    codec = ColumnCodec()
    table = KINDS[kind](X)
    return Rows(
        table,
        number,
        number + 0.5,
        codec,
        codec.fit_narrow(table),
        Outputs(values=number[:, None] * 2.0),
        number % 2 == 0,
        {"groups": number * 3},
    )


def numbers_of(rows):
    """The numbers of rows of ``made``, if everything in them still belongs together."""
    number = rows.y
    first = np.asarray(rows.X.toarray() if sparse.issparse(rows.X) else rows.X)[:, 0]
    assert (first == 3 * number).all() and (rows.coded[:, 0] == 3 * number).all()
    assert (rows.weight == number + 0.5).all() and (rows.outputs.values[:, 0] == 2 * number).all()
    assert (rows.out_of_sample == (number % 2 == 0)).all()
    assert (np.asarray(rows.metadata["groups"]) == number * 3).all()
    assert len(rows) == len(number)
    return number.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_taken_of_rows_that_were_taken(kind):
    rows = made(20, kind)
    some = rows.take(np.array([3, 1, 4, 15, 9, 2, 6]))
    assert numbers_of(some) == [3, 1, 4, 15, 9, 2, 6]
    assert some.table is rows.table and some.matrix is rows.matrix
    again = some.take(np.array([0, 0, 6, 2]))
    assert numbers_of(again) == [3, 3, 6, 4]
    mask = some.take(some.y > 3)
    assert numbers_of(mask) == [4, 15, 9, 6]
    assert numbers_of(again.copied()) == [3, 3, 6, 4] and again.copied().numbers is None
    assert numbers_of(some.few(3)) == [3, 15, 6]


@pytest.mark.parametrize("n", [1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_pieces_are_all_rows_once_in_their_order(n):
    order = np.random.default_rng(0).permutation(n)
    pieces = [numbers_of(piece) for piece in made(n).take(order).pieces()]
    assert max(map(len, pieces)) <= module.PIECE
    assert list(chain.from_iterable(pieces)) == order.tolist()


def test_rows_are_pickled_without_the_others_of_their_table():
    rows = made(100_000).take(np.array([7, 5]))
    pickled = pickle.dumps(rows)
    assert len(pickled) < 10_000
    assert numbers_of(pickle.loads(pickled)) == [7, 5]


def test_missing_values_are_told_of_the_rows_alone():
    X = np.array([[1.0, np.nan], [2, 3], [np.nan, np.nan], [4, 5]])
    codec = ColumnCodec()
    rows = Rows(X, codec=codec, matrix=codec.fit_narrow(X))
    assert rows.with_missing().tolist() == [True, False, True, False]
    assert rows.take(np.array([3, 2])).with_missing().tolist() == [False, True]
