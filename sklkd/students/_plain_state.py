"""A default student that only predicts, or is not yet fitted, as plain values and arrays.

skorch's own state holds the bytes of a pickle, which would run when a file is loaded that is read without pickle
otherwise, as by skops. Where a net has such a state, a training or a module of the user's own, they are of a type that
skops asks about.
"""

from __future__ import annotations

from typing import Any

import torch
from skorch.utils import get_map_location
from torch.optim import AdamW

from sklkd._torch import seeded
from sklkd.losses._objective import Objective
from sklkd.students._muon import Muon
from sklkd.students._tabular_net import TabularNet

# By name in a state, since they are what "auto" becomes
OPTIMIZERS = {"Muon": Muon, "AdamW": AdamW}

PICKLED = "__cuda_dependent_attributes__"
"""Where skorch's state has the bytes of a pickle."""


class Pickle:
    """The bytes of a pickle: whoever trusts this type in a file lets it run code."""

    def __init__(self, content: bytes):
        self.content = content


def wrapped(state: dict[str, Any]) -> dict[str, Any]:
    """The state of a skorch net, with its pickle known as one."""
    return state | {PICKLED: Pickle(state[PICKLED])}


def unwrapped(state: dict[str, Any]) -> dict[str, Any]:
    """The state as skorch reads it.

    Raises
    ------
    ValueError
        Where the pickle is not known as one, so that nobody was asked about it.
    """
    held = state[PICKLED]
    if not isinstance(held, Pickle):
        raise ValueError(
            "The state of a TabularStudent holds a pickle that does not say so, and is not read, since it may run any "
            "code: where the file is your own and of an older version of sklkd, fit the estimator again."
        )
    return state | {PICKLED: held.content}


def has_plain_state(net: Any) -> bool:
    """Whether a net is unfitted, or has a TabularNet, which its parameters make again, and nothing of a training."""
    if not net.initialized_:
        return True
    light = getattr(net, "optimizer_", net) is None
    # a network that was cut at an exit has no parameters that make it
    made = net.module is TabularNet and "n_features" in net.get_params_for("module")
    return light and made and type(net.module_) is TabularNet


def plain_state(net: Any, unset: Any) -> dict[str, Any]:
    """The attributes that differ from those of ``unset``, a net without parameters, and the module's arrays."""
    # functions that set what belongs to a training are among the virtual parameters
    left_out = {"module_", "criterion_", "optimizer_", "callbacks_", "virtual_params_"}
    state = {name: value for name, value in vars(net).items() if name not in left_out}
    state = {name: value for name, value in state.items() if not _same(value, vars(unset).get(name, net))}
    if state.get("optimizer") in OPTIMIZERS.values():
        state["optimizer"] = state["optimizer"].__name__
    if net.initialized_:
        state["weights"] = {name: one.cpu().numpy() for name, one in net.module_.state_dict().items()}
    return state


def restore(net: Any, state: dict[str, Any], unset: Any) -> None:
    """Give a bare net what :func:`plain_state` has taken of another."""
    state = vars(unset) | state
    state["optimizer"] = OPTIMIZERS.get(state["optimizer"], state["optimizer"])
    weights = state.pop("weights", None)
    vars(net).update(state)
    if weights is None:
        return
    location = get_map_location(net.device)
    net.device = net._check_device(net.device, location)
    with seeded(0):  # its first weights are drawn, and overwritten
        module = net.module(**net.get_params_for("module"))
    arrays = {name: torch.as_tensor(value) for name, value in weights.items()}
    for name in arrays.keys() - module.state_dict().keys():  # the targets' mean and scale, which use_scaling leaves
        module.register_buffer(name, arrays[name])
    module.load_state_dict(arrays)
    vars(net).update(module_=module.to(location).eval(), criterion_=Objective([], 1.0), optimizer_=None, callbacks_=[])


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (str, int, float)) and a == b)
