"""How far to trust the labels against the teacher."""

from __future__ import annotations

from typing import Any


def choose_hard_weight(hard_weight: Any) -> tuple[float, str]:
    if hard_weight != "auto":
        return float(hard_weight), "given"
    return 0.0, "x"
