"""Threads that draw from torch's one global generator."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sklkd._torch import generator_kept, seeded, torch_seed
from tests.faults.faults import overlap


def draws(seed):
    with seeded(seed):
        found = [torch.rand(()).item()]
        for _ in range(5):
            time.sleep(0.002)  # the other threads would draw now
            with seeded(seed + 100):
                torch.rand(3)
            found.append(torch.rand(()).item())
    return found


def test_threads_draw_what_they_would_draw_one_after_the_other():
    expected = [draws(seed) for seed in range(6)]

    def disturbed(seed):
        with generator_kept():
            found = draws(seed)
        return found

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(draws, range(6))) == expected
        assert list(pool.map(disturbed, range(6))) == expected


def test_a_seeded_section_without_the_lock_disturbs_no_other_thread():
    """A teacher of trees is fitted while another thread trains a network."""
    expected = [draws(seed) for seed in range(6)]

    def beside(seed):
        for number in range(20):
            with torch_seed(number):
                time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(beside, seed) for seed in range(2)]
        assert list(pool.map(draws, range(6))) == expected
        assert all(one.result() is None for one in others)


def test_sections_that_overlap_leave_what_the_first_has_found():
    state = torch.get_rng_state()
    overlap()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("section", [lambda: seeded(0), generator_kept])
def test_the_generator_is_left_as_it_was_even_by_an_error(section):
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    with pytest.raises(RuntimeError), section():
        torch.rand(5)
        raise RuntimeError
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)
