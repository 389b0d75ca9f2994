"""A trained module's outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklkd._columns import is_csr
from sklkd._sparse_rows import SparseRows
from sklkd.losses._objective import logits_of

FORWARD_ROWS = 512  # small enough for the cache, measured 1.2 to 1.8 times faster than 10,000


def as_input(encoded: Any, dtype: type = np.float32) -> Any:
    """Encoded rows as the tensor that students train on, or as sparse rows where they are in CSR format."""
    if is_csr(encoded):
        return SparseRows.from_csr(encoded, dtype)
    # the order in memory decides how products are summed
    return torch.from_numpy(np.ascontiguousarray(np.asarray(encoded), dtype=dtype))


def forward(module: nn.Module, inputs: Any, device: Any) -> Tensor:
    """A trained module's outputs for many rows, in pieces that fit the cache, back on the CPU."""
    with torch.inference_mode():
        return torch.cat([logits_of(module(part.to(device))) for part in inputs.split(FORWARD_ROWS)]).cpu()


def forward_all(module: nn.Module, inputs: Any, device: Any) -> tuple[Tensor, ...]:
    """The same of each output, for modules that have several, as a cohort's."""
    with torch.inference_mode():
        parts = [module(part.to(device)) for part in inputs.split(FORWARD_ROWS)]
        columns = zip(*(part if isinstance(part, tuple) else (part,) for part in parts), strict=True)
        return tuple(torch.cat(column).cpu() for column in columns)
