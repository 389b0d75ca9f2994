"""Too little memory in the middle of a fit."""

from __future__ import annotations

import sys

import pytest

from .faults import ESTIMATORS
from .little_memory import CRASH, FITTED, REFUSED, TOLD_BY_TORCH, came_of


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system limits no process's memory")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fit_without_memory_says_so_and_leaves_the_old_state(name):
    came = came_of(name, step=2)
    assert came.pop(FITTED, 0) + came.pop(CRASH, 0) == 1
    assert came and set(came) <= {REFUSED, TOLD_BY_TORCH}
