"""Rows with all that is known of them, and how they batch."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklkd import transfer
from sklkd.transfer import UNLABELLED, Batch, Slices, TransferSet, shuffled


def rows(n, n_targets=0, weighted=True):
    number = torch.arange(n, dtype=torch.float32)
    y = number.long() if not n_targets else number[:, None].repeat(1, n_targets)
    targets = (number * 10, (number[:, None] * 100, (number * 1000,)))
    return TransferSet(number[:, None], y, number + 1 if weighted else None, targets)


def numbers(part):
    """The row numbers of a part of ``rows``, if everything in it still belongs together."""
    number = part.inputs[:, 0]
    assert torch.equal(part.y.float() if part.y.ndim == 1 else part.y[:, 0], number)
    assert part.weight is None or torch.equal(part.weight, number + 1)
    first, (second, (third,)) = part.targets
    assert torch.equal(first, number * 10)
    assert torch.equal(second[:, 0], number * 100) and torch.equal(third, number * 1000)
    return number.int().tolist()


@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 2))
def test_batches_hold_every_row_once_and_together(n, size, shuffle, n_targets):
    slices = Slices(rows(n, n_targets, weighted=n % 2 == 0), size, shuffle, torch.device("cpu"))
    batches = [numbers(batch.rows) for batch in slices]
    assert len(batches) == len(slices)
    assert sorted(chain.from_iterable(batches)) == list(range(n))
    assert all(len(batch) == size for batch in batches[:-1])
    assert len(batches[-1]) <= size + 1
    if size > 1 and n > 1:
        assert min(map(len, batches)) > 1  # one row alone has no variance
    if not shuffle:
        assert list(chain.from_iterable(batches)) == list(range(n))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [700, transfer.TOGETHER + 1])
def test_batches_of_sets_that_are_copied_in_several_lots(size, shuffle):
    n = 2 * transfer.TOGETHER + 701
    slices = Slices(rows(n), size, shuffle, torch.device("cpu"))
    batches = [numbers(batch.rows) for batch in slices]
    assert len(batches) == len(slices)
    found = list(chain.from_iterable(batches))
    assert sorted(found) == list(range(n)) and (found == list(range(n))) != shuffle
    assert all(len(batch) == size for batch in batches[:-1])


@given(st.integers(1, 5 * transfer.BLOCK * transfer.BLOCKS), st.integers(0, 2**31))
def test_a_large_set_is_shuffled_in_two_levels(n, seed):
    def order():
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return shuffled(n, transfer.LARGE + 1)

    found = order()
    assert torch.equal(found, order())
    assert torch.equal(found.long().sort().values, torch.arange(n))
    for together in found.split(transfer.BLOCK * transfer.BLOCKS):
        # rows of these blocks, or of two lots of them where one block is short
        assert len((together // transfer.BLOCK).unique()) <= 2 * transfer.BLOCKS


def test_rows_of_a_block_do_not_follow_each_other():
    n = 4 * transfer.BLOCK * transfer.BLOCKS
    blocks = shuffled(n, transfer.LARGE + 1) // transfer.BLOCK
    # neighbours are of the same block as often as by chance
    assert (blocks[1:] == blocks[:-1]).float().mean() < 2 / transfer.BLOCKS
    assert not torch.equal(blocks.unique_consecutive().sort().values.unique(), blocks.unique_consecutive())


def test_every_epoch_is_another_permutation_and_seeded():
    slices = Slices(rows(50), 10, True, torch.device("cpu"))

    def epoch():
        return list(chain.from_iterable(numbers(batch.rows) for batch in slices))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = epoch(), epoch()
        torch.manual_seed(0)
        assert epoch() == first != second


def test_a_batch_is_a_pair():
    part = rows(3)
    batch = Batch(part)
    X, y = batch
    assert X is part.inputs and y is part.y and batch.rows is part and len(batch) == 2


def test_take_views_and_copies():
    whole = rows(6)
    assert numbers(whole.take(torch.tensor([4, 1]))) == [4, 1]
    view = whole.take(slice(2, 4))
    assert numbers(view) == [2, 3] and view.inputs.data_ptr() == whole.inputs[2:].data_ptr()
    assert numbers(whole.take(torch.tensor([False, True, False, False, False, True]))) == [1, 5]
    assert len(whole) == 6 and whole[2][1] == 2
    assert numbers(whole.to("cpu")) == list(range(6))


def test_labelled():
    codes = TransferSet(torch.zeros(3, 1), torch.tensor([0, UNLABELLED, 2]))
    assert codes.labelled().tolist() == [True, False, True]
    values = TransferSet(torch.zeros(2, 1), torch.tensor([[float("nan")] * 2, [1.0, 2.0]]))
    assert values.labelled().tolist() == [False, True]


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_rows_than_a_batch(n):
    batches = list(Slices(rows(n), 100, True, torch.device("cpu")))
    assert [len(batch.rows) for batch in batches] == [n]
