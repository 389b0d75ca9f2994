"""Functions of partitions, run where Dask runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

AHEAD = 2
"""Partitions per thread that are under way at once: enough that none waits, few enough to hold their results."""

LOST = 3
"""How often a partition is handed out again whose worker took what it had been sent with it."""


def on_workers(
    function: Callable[..., Any], fixed: Any, parts: Sequence[tuple[Any, ...]], what: str
) -> Iterator[tuple[int, Any]]:
    """``function(fixed, *part)`` for each partition, as they are done.

    That is on the workers of the active ``distributed`` client, to which ``fixed`` is sent once; else on this machine,
    by Dask's own threads, or as the scheduler says that is set.

    Parameters
    ----------
    function : callable
        Of a module, so that workers can import it.
    fixed : object
        What all partitions need.
    parts : sequence of tuple
        The number of the partition first, then delayed values.
    what : str
        What is done to a partition, for the error: "partition 7 could not be <what>".

    Yields
    ------
    number : int
        The first of the partition's tuple.
    result : object

    Raises
    ------
    ValueError, TypeError, MemoryError, OSError or RuntimeError
        The first that is raised, with the number of the partition, from the error itself.
    """
    client = active_client()
    if client is None:
        return _here(function, fixed, parts, what)
    return _on_cluster(client, function, fixed, parts, what)


def active_client() -> Any:
    """The ``distributed`` client that Dask would use now; None where it computes by itself."""
    import dask

    distributed = sys.modules.get("distributed")
    if distributed is None or dask.config.get("scheduler", None) not in (None, "distributed", "dask.distributed"):
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def _here(
    function: Callable[..., Any], fixed: Any, parts: Sequence[tuple[Any, ...]], what: str
) -> Iterator[tuple[int, Any]]:
    import dask
    from dask.base import compute
    from dask.system import CPU_COUNT

    scheduler = dask.config.get("scheduler", None)
    threads = scheduler in (None, "threads", "threading")
    n_threads = (dask.config.get("num_workers", None) or CPU_COUNT) if threads else 1

    def run(part: tuple[Any, ...]) -> Any:
        values = compute(*part, scheduler="synchronous" if threads else scheduler)
        return function(fixed, *values)

    waiting = iter(parts)
    with ThreadPoolExecutor(n_threads) as pool:
        pending: dict[Future, int] = {}
        try:
            for part in islice(waiting, n_threads):
                pending[pool.submit(run, part)] = part[0]
            while pending:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    number = pending.pop(future)
                    result = _result(future, number, what)
                    del future
                    yield number, result
                    del result
                    pending |= {pool.submit(run, part): part[0] for part in islice(waiting, 1)}
        finally:
            for future in pending:
                future.cancel()


def _on_cluster(
    client: Any, function: Callable[..., Any], fixed: Any, parts: Sequence[tuple[Any, ...]], what: str
) -> Iterator[tuple[int, Any]]:
    from dask.delayed import delayed
    from distributed import as_completed

    sent = client.scatter([fixed], broadcast=True, hash=False)
    waiting, under_way, lost = iter(parts), {}, dict.fromkeys((part[0] for part in parts), 0)
    call = delayed(function, pure=False)

    def start(part: tuple[Any, ...]) -> Any:
        future = client.compute(call(sent[0], *part))
        under_way[future.key] = part
        return future

    done = as_completed([])
    try:
        n_ahead = AHEAD * max(1, sum(client.nthreads().values()))
        done.update([start(part) for part in islice(waiting, n_ahead)])
        for future in done:
            part = under_way.pop(future.key)
            number = part[0]
            if future.cancelled() and lost[number] < LOST:
                lost[number] += 1
                sent[:] = client.scatter([fixed], broadcast=True, hash=False)
                done.add(start(part))
                continue
            result = _result(future, number, what)
            del future
            yield number, result
            del result
            done.update([start(part) for part in islice(waiting, 1)])
    finally:
        if client.status == "running":
            client.cancel([future for future in done.futures], reason="the fit has ended")


def _result(future: Any, number: int, what: str) -> Any:
    try:
        return future.result()
    except Exception as error:
        kinds = (ValueError, TypeError, MemoryError, OSError)
        kind = next((kind for kind in kinds if isinstance(error, kind)), RuntimeError)
        raise kind(
            f"partition {number} (counted from 0) could not be {what}: {type(error).__name__}, shown above."
        ) from error
