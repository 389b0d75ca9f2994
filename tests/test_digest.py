"""Digests of data and parameters: the same in every process, and other for whatever is other."""

import copy
import os
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd._digest import digest
from sklkd.losses import SoftTargetLoss
from sklkd.students import TabularStudent


def table(last):
    return {"a": [1, 2], "b": ["x", last]}


def plus(number, x):
    return x + number


def fitted(slope):
    return LinearRegression().fit([[0.0], [1.0]], [0.0, slope])


PAIRS = {
    "number": (1, 2),
    "kind of number": (1, 1.0),
    "truth": (True, 1),
    "text": ("a", "b"),
    "split of texts": (["ab", "c"], ["a", "bc"]),
    "array": (np.arange(6.0), np.arange(6.0)[::-1]),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "dtype": (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    "objects": (np.array(["x", None], object), np.array(["x", "None"], object)),
    "dates": (np.array(["2020-01-01"], "M8[s]"), np.array(["2020-01-02"], "M8[s]")),
    "tensor": (torch.ones(2), torch.zeros(2)),
    "half precision": (torch.ones(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16)),
    "sparse": (sparse.csr_array([[0, 1]]), sparse.csr_array([[1, 0]])),
    "pandas": (pd.DataFrame(table("y")), pd.DataFrame(table("z"))),
    "names": (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    "categories": (pd.Categorical(["x"], ["x", "y"]), pd.Categorical(["x"], ["y", "x"])),
    "polars": (pl.DataFrame(table("y")), pl.DataFrame(table("z"))),
    "parameter": (RandomForestClassifier(3), RandomForestClassifier(4)),
    "nested": (make_pipeline(StandardScaler(), LinearRegression()), make_pipeline(LinearRegression())),
    "frozen": (make_pipeline(FrozenEstimator(fitted(1.0))), make_pipeline(FrozenEstimator(fitted(2.0)))),
    "loss": (SoftTargetLoss(temperature=1.0), SoftTargetLoss(temperature=2.0)),
    "net": (TabularStudent(module__hidden=(3,)), TabularStudent(module__hidden=(4,))),
    "splitter": (KFold(3), KFold(4)),
    "function": (lambda x: x + 1, lambda x: x + 2),
    "bound": (partial(plus, 1), partial(plus, 2)),
    "class": (StandardScaler, LinearRegression),
    "generator": (np.random.RandomState(0), np.random.RandomState(1)),
    "set": ({"a", "b"}, {"a", "c"}),
    "keys": ({"a": 1}, {"b": 1}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_other_has_another_digest(name):
    first, second = PAIRS[name]
    assert digest(first) != digest(second)
    assert digest(first) == digest(copy.deepcopy(first))


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "function"])
def test_what_was_pickled_has_the_same_digest(name):
    first = PAIRS[name][0]
    assert digest(pickle.loads(pickle.dumps(first))) == digest(first)


def test_order_in_memory_and_sharing_do_not_count():
    X = np.arange(12.0).reshape(3, 4)
    assert digest(np.asfortranarray(X)) == digest(X) == digest(np.repeat(X, 2, axis=0)[::2])
    text = "".join(["ab", "cd"])
    assert digest(np.array([text, text], object)) == digest(np.array([text, "".join(["abc", "d"])], object))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_a_fitted_estimator_is_its_parameters_and_a_frozen_one_if_asked_too():
    assert digest(fitted(1.0)) == digest(LinearRegression())
    one, other = FrozenEstimator(fitted(1.0)), FrozenEstimator(fitted(2.0))
    assert digest(one, frozen=False) == digest(other, frozen=False)


def test_what_holds_itself_ends():
    around = [1]
    around.append(around)
    assert digest(around) != digest([1, 2])


def test_other_processes_find_the_same():
    code = (
        "import numpy as np, pandas as pd\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "from sklearn.frozen import FrozenEstimator\n"
        "from sklkd._digest import digest\n"
        "from sklkd.students import TabularStudent\n"
        "X = np.random.RandomState(0).normal(size=(50, 3))\n"
        "forest = RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)\n"
        "frame = pd.DataFrame({'a': X[:, 0], 'b': pd.Categorical(['x', 'y'] * 25)})\n"
        "print(digest([X, frame, FrozenEstimator(forest), TabularStudent('tiny'), {'a', 'b', 'c'}, lambda x: x]))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    }
    assert len(found) == 1
