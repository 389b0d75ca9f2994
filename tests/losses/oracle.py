"""The reference values of public knowledge-distillation codes, losses_oracle.json, as tensors and comparisons."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

INDICES = {1: "i", 2: "ij", 4: "bchw"}


@cache
def _file() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("losses_oracle.json").read_text())


def entries(loss: str) -> list[dict[str, Any]]:
    """All reference values of a loss."""
    found = [entry for entry in _file()["values"] if entry["loss"] == loss]
    assert found, f"no reference value of {loss!r}"
    return found


def entry(loss: str, params: str | None = None, on: str | None = None) -> dict[str, Any]:
    """The one reference value of a loss with these parameters, on these inputs."""
    found = [e for e in entries(loss) if params in (None, e["params"]) and on in (None, e["on"])]
    assert len(found) == 1, f"{len(found)} reference values of {loss!r}, {params!r}, {on!r}"
    return found[0]


def array(name: str) -> np.ndarray:
    """An input, evaluated from its formula: float64, or int64 for labels."""
    spec = _file()["inputs"][name]
    indices = np.indices(spec["shape"])
    names = {"sin": np.sin, "cos": np.cos, "exp": np.exp, **dict(zip(INDICES[len(indices)], indices, strict=True))}
    return np.broadcast_to(eval(spec["formula"], {"__builtins__": {}}, names), spec["shape"]).copy()


def tensor(name: str) -> Tensor:
    """An input as a tensor."""
    return torch.from_numpy(array(name))


def call(loss: Any, reference: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
    """The loss on the inputs of a reference value, and the norm of its gradient where the file gives one."""
    inputs = {name: tensor(name) for name in _file()["inputs"] if name in reference["on"].replace(",", " ")}
    wrt = reference.get("grad_norm", {}).get("wrt")
    if wrt is not None:
        inputs[wrt].requires_grad_()
    value = loss(*eval(reference["on"], {"__builtins__": {}}, inputs))
    if wrt is None:
        return value, None
    value.backward()
    return value.detach(), inputs[wrt].grad.norm()


def assert_matches(loss: Any, reference: dict[str, Any], rtol: float | None = None) -> None:
    """The loss has the reference's value, and the gradient its norm, in float64."""
    value, grad_norm = call(loss, reference)
    rtol = reference["rtol"] if rtol is None else rtol
    assert value.shape == () and value.dtype == torch.float64
    np.testing.assert_allclose(value, reference["value"], rtol=rtol)
    if grad_norm is not None:
        np.testing.assert_allclose(grad_norm, reference["grad_norm"]["value"], rtol=rtol)
