"""Ctrl-C at any moment: the old state, nothing of the process changed, and the next fit as if nothing had been."""

from __future__ import annotations

import pytest

import numpy as np

from sklkd import to_c, to_onnx

from .faults import ESTIMATORS, Calls, answers, changed, is_that_of, n_calls, of_process, rows_for, state_of
