"""Seeded sections that threads do not disturb in each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# torch's global generator, from which modules take their first weights and dropout, is one for all threads; a section
# may lie inside another one of the same thread
GENERATOR_LOCK = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global generator as seeded, and leave it as it was.

    Only one thread at a time is in such a section, so that threads draw what they would draw one after the other.
    """
    with GENERATOR_LOCK, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def generator_kept() -> Iterator[None]:
    """Leave torch's global generators as they are, whatever draws from them inside.

    Threads run side by side in here; the lock is taken where a state is read or put back, never in the middle of
    another thread's seeded section.
    """
    with GENERATOR_LOCK:
        cpu = torch.get_rng_state()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        with GENERATOR_LOCK:
            torch.set_rng_state(cpu)
            if cuda:
                torch.cuda.set_rng_state_all(cuda)
