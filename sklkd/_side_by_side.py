"""Jobs side by side: each with its share of the cores, and with the same result wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from joblib import effective_n_jobs, parallel_config
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from sklkd._torch import torch_threads


def side_by_side(
    n_jobs: int | None, function: Callable, arguments: Sequence[tuple], shares: int | None = None
) -> list[Any]:
    """What a function returns for each tuple of arguments, by joblib's back end; a single one is run where we are.

    Torch gets the same number of threads for a job whatever ``n_jobs`` is, also where jobs run one after the other:
    sums depend on it. Where they do run side by side, what they call runs in no more threads than that, and by itself
    alone where it asks joblib for more.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.
    function : callable
        Seeds what it draws.
    arguments : sequence of tuple
    shares : int, default=None
        By how many jobs the cores are shared, of which these may be some. None: by these.
    """
    n_threads = max(1, torch.get_num_threads() // max(1, shares or len(arguments)))
    if len(arguments) == 1:
        with torch_threads(n_threads):
            return [function(*arguments[0])]
    # scikit-learn's own, which hand configuration and metadata routing on to the workers
    run = delayed(partial(_run, function, n_threads, effective_n_jobs(n_jobs) > 1))
    return Parallel(n_jobs=n_jobs)(run(*one) for one in arguments)


@contextmanager
def within(n_jobs: int | None) -> Iterator[None]:
    """Let scikit-learn's models whose own ``n_jobs`` is None use as many, as in joblib's ``parallel_config``."""
    with nullcontext() if n_jobs is None else parallel_config(n_jobs=n_jobs):
        yield


def _run(function: Callable, n_threads: int, beside_others: bool, *arguments: Any) -> Any:
    with torch_threads(n_threads):
        if not beside_others:
            return function(*arguments)
        with threadpool_limits(n_threads, user_api="openmp"), parallel_config("sequential"):
            return function(*arguments)
