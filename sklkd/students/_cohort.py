"""Several networks that are trained as one module."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor, nn

from sklkd._sparse_rows import SparseRows
from sklkd.losses._objective import logits_of
from sklkd.students._resolve import as_input

Columns = tuple[slice, tuple[int, ...]]


class Cohort(nn.Module):
    """Networks side by side: each is given its own columns of the input, and all their outputs are returned.

    Parameters
    ----------
    peers : sequence of Module
    columns : sequence of (slice, shape) or None
        For each of them the columns of the input that are its own, and the shape of one of its rows; None: each is
        given the whole input.
    """

    def __init__(self, peers: Sequence[nn.Module], columns: Sequence[Columns] | None = None):
        super().__init__()
        self.peers = nn.ModuleList(peers)
        self.columns = columns

    def inputs(self, X: Tensor) -> list[Tensor]:
        """The input of each network."""
        if self.columns is None:
            return [X] * len(self.peers)
        return [X[:, own].reshape(len(X), *shape) for own, shape in self.columns]

    def forward(self, X: Tensor) -> tuple[Tensor, ...]:
        return tuple(logits_of(peer(own)) for peer, own in zip(self.peers, self.inputs(X), strict=True))


class Ensemble(nn.Module):
    """A cohort that gives one output.

    Parameters
    ----------
    cohort : Cohort
    combine : callable
        From the cohort's outputs to logits or values of shape (n, n_outputs).
    """

    def __init__(self, cohort: Cohort, combine: Callable[[Sequence[Tensor]], Tensor]):
        super().__init__()
        self.cohort = cohort
        self.combine = combine

    def forward(self, X: Tensor) -> Tensor:
        return self.combine(self.cohort(X))


def join_inputs(parts: Sequence[Any]) -> tuple[Any, list[Columns] | None]:
    """The inputs of several networks as one matrix, each distinct one once, and the columns of each.

    The same tensor, or the same sparse rows, for all are returned as they are, with None; beside others, sparse rows
    are made dense.
    """
    distinct = list({id(part): part for part in parts}.values())
    if len(distinct) == 1:
        return distinct[0], None
    places: dict[int, Columns] = {}
    start = 0
    for part in distinct:
        width = math.prod(part.shape[1:])
        places[id(part)] = (slice(start, start + width), tuple(part.shape[1:]))
        start += width
    distinct = [part.to_dense() if isinstance(part, SparseRows) else part for part in distinct]
    return torch.cat([part.flatten(1) for part in distinct], 1), [places[id(part)] for part in parts]


class JoinedEncoder(TransformerMixin, BaseEstimator):
    """Encodings side by side, as a cohort takes them.

    Parameters
    ----------
    encoders : list of transformers
        Fitted, one for each peer.
    """

    def __init__(self, encoders: list[Any]):
        self.encoders = encoders

    def fit(self, X: Any, y: Any = None) -> JoinedEncoder:
        return self

    def transform(self, X: Any) -> Any:
        """Encoded rows, (n, n_inputs)."""
        if all(encoder is self.encoders[0] for encoder in self.encoders):
            return self.encoders[0].transform(X)
        made: dict[int, torch.Tensor] = {}
        for encoder in self.encoders:
            if id(encoder) not in made:
                made[id(encoder)] = as_input(encoder.transform(X))
        return join_inputs([made[id(encoder)] for encoder in self.encoders])[0].numpy()

    def __sklearn_is_fitted__(self) -> bool:
        return True


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Name the peer in errors that are raised inside."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"peer {name!r}: {error}") from error
