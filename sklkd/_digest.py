"""A digest of data and parameters that is the same in every process."""

from __future__ import annotations

import hashlib
import math
import types
from collections.abc import Callable, Mapping
from pickle import PicklingError
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.frozen import FrozenEstimator

CHUNK = 2**24
"""Values that are looked at at a time."""
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def digest(value: Any, *, frozen: bool = True) -> str:
    """A digest of anything: arrays, tensors, sparse matrices, frames, estimators, functions, and what holds them.

    pickle's bytes tell equal objects apart by which of their parts are one; here equal parts count alike. An estimator
    is its class and parameters, whether it is fitted or not. Objects that cannot be pickled count by their class.

    Parameters
    ----------
    value : object
    frozen : bool, default=True
        Whether what was learnt by estimators inside a FrozenEstimator counts too.
    """
    found = _Digest(frozen)
    found.add(value)
    return found.hash.hexdigest()


class _Digest:
    def __init__(self, frozen: bool):
        self.frozen = frozen
        self.hash = hashlib.blake2b(digest_size=16)
        self._open: set[int] = set()

    def add(self, value: Any) -> None:
        """Add an object and, inside it, whatever it holds."""
        kind = type(value)
        self._say(f"{kind.__module__}.{kind.__qualname__}")
        if isinstance(value, PLAIN):
            self._say(repr(value))
        elif isinstance(value, (type, types.BuiltinFunctionType)):
            self._say(f"{value.__module__}.{value.__qualname__}")
        elif id(value) in self._open:
            self._say("itself")
        else:
            self._open.add(id(value))
            self._parts(value)
            self._open.discard(id(value))

    def _say(self, text: str) -> None:
        # with its length, so that two texts are never taken for one
        encoded = text.encode("utf-8", "surrogatepass")
        self.hash.update(len(encoded).to_bytes(8, "little") + encoded)

    def _parts(self, value: Any) -> None:
        found = next((part for accepts, part in PARTS if accepts(value)), None)
        if found is not None:
            found(self, value)
        elif isinstance(value, FrozenEstimator):
            (self._reduced if self.frozen else self.add)(value.estimator)
        elif hasattr(value, "get_params"):
            self._mapping(value.get_params(deep=False))
        else:
            self._reduced(value)

    def _array(self, value: np.ndarray) -> None:
        self._say(f"{value.dtype.str} {value.shape}")
        if value.dtype.names:  # between the fields may lie bytes of no meaning
            for name in value.dtype.names:
                self._array(value[name])
            return
        if value.dtype.kind in "OT":
            self._cells(value.ravel().tolist())
            return
        rows = value.reshape(1) if value.ndim == 0 else value
        step = max(1, CHUNK // max(1, math.prod(rows.shape[1:])))
        for start in range(0, len(rows), step):
            part = np.ascontiguousarray(rows[start : start + step])
            if part.size:
                self.hash.update(part.reshape(-1).view(np.uint8).data)

    def _cells(self, cells: list[Any]) -> None:
        for start in range(0, len(cells), CHUNK):
            some = cells[start : start + CHUNK]
            if all(type(cell) in PLAIN for cell in some):
                self._say("\n".join(map(repr, some)))
            else:
                self._sequence(some)

    def _tensor(self, value: torch.Tensor) -> None:
        self._say(str(value.dtype))
        flat = value.detach().cpu().contiguous()
        self._say(str(tuple(flat.shape)))
        if flat.numel():
            self._array(flat.reshape(-1).view(torch.uint8).numpy())

    def _sparse(self, value: Any) -> None:
        rows = value if value.format in ("csr", "csc") else value.tocsr()
        self._say(f"{rows.format} {rows.shape}")
        for part in (rows.indptr, rows.indices, rows.data):
            self._array(part)

    def _frame(self, value: Any) -> None:
        columns = value.get_columns() if hasattr(value, "get_columns") else value.items()
        for column in columns:
            self._column(column[1] if isinstance(column, tuple) else column)

    def _column(self, value: Any) -> None:
        """A column of a frame; the index of its rows does not count."""
        self._say(f"{value.name!r} {value.dtype}")
        categories = getattr(value.dtype, "categories", None)
        self._cells([] if categories is None else list(categories))
        self._array(np.asarray(value.to_numpy()))

    def _sequence(self, value: Any) -> None:
        self._say(str(len(value)))
        for one in value:
            self.add(one)

    def _mapping(self, value: Mapping[Any, Any]) -> None:
        self._sequence(sorted(value.items(), key=lambda item: repr(item[0])))

    def _set(self, value: Any) -> None:
        self._sequence(sorted(digest(one, frozen=self.frozen) for one in value))

    def _function(self, value: types.FunctionType) -> None:
        self._say(f"{value.__module__}.{value.__qualname__}")
        self._code(value.__code__)
        self._sequence([value.__defaults__, value.__kwdefaults__])
        for cell in value.__closure__ or ():
            self.add(cell.cell_contents)

    def _code(self, value: types.CodeType) -> None:
        self.hash.update(value.co_code)
        self._sequence([value.co_names, value.co_consts])

    def _method(self, value: types.MethodType) -> None:
        self._sequence([value.__func__, value.__self__])

    def _reduced(self, value: Any) -> None:
        """What pickle would make the object of."""
        try:
            made = value.__reduce_ex__(4)
        except (TypeError, AttributeError, PicklingError):
            return
        parts = made if isinstance(made, tuple) else (made,)
        self._sequence([list(part) if isinstance(part, types.GeneratorType) else part for part in parts])


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "dtypes") and hasattr(value, "shape")


def _is_column(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("to_numpy", "dtype", "name", "shape"))


def _of(*kinds: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


PARTS: list[tuple[Callable[[Any], bool], Callable[[_Digest, Any], None]]] = [
    # Dask's collections know what they were made of, and need not be computed
    (lambda value: hasattr(value, "__dask_tokenize__"), lambda found, value: found.add(value.__dask_tokenize__())),
    (_of(np.ndarray), _Digest._array),
    (_of(np.generic), lambda found, value: found._array(np.asarray(value))),
    (lambda value: isinstance(value, torch.Tensor) and value.layout == torch.strided, _Digest._tensor),
    (sparse.issparse, _Digest._sparse),
    (_is_frame, _Digest._frame),
    (_is_column, _Digest._column),
    (_of(list, tuple), _Digest._sequence),
    (_of(dict), _Digest._mapping),
    (_of(set, frozenset), _Digest._set),
    (_of(types.FunctionType), _Digest._function),
    (_of(types.CodeType), _Digest._code),
    (_of(types.MethodType), _Digest._method),
    (_of(np.random.RandomState), lambda found, value: found._sequence(value.get_state(legacy=True))),
]
