"""Ctrl-C at any moment: the old state, nothing of the process changed, and the next call as if nothing had been."""

from __future__ import annotations

import copy
import dis
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback
from torch import nn

from sklkd import DistilledClassifier, to_c, to_onnx
from sklkd._interrupts import interrupts_heard
from sklkd._torch import GENERATOR_LOCK, evaluating, generator_kept, hooked, seeded, torch_threads
from sklkd.students import TabularStudent
from sklkd.students._train import flushed
from tests.estimators.problems import classes, quick, skorch_net

from .faults import (
    ESTIMATORS,
    SOURCES,
    answers,
    changed,
    cleans_up,
    everything_in,
    harm_of,
    n_calls,
    of_process,
    overlap,
    rows_for,
)

ACTIONS = {
    "fit": lambda est, X, y, folder: est.fit(X, y),
    "partial_fit": lambda est, X, y, folder: est.partial_fit(X, y),
    "predict": lambda est, X, y, folder: est.predict(X),
    "to_onnx": lambda est, X, y, folder: to_onnx(est, folder / "student.onnx"),
    "to_c": lambda est, X, y, folder: to_c(est, folder / "student.c"),
}
ONLY = {"partial_fit": "offline", "to_onnx": "offline-c", "to_c": "offline-c"}
EVERY = [(name, action) for name in ESTIMATORS for action in ACTIONS if name.startswith(ONLY.get(action, ""))]
FAST = [("offline-classifier", action) for action in ("predict", "to_onnx", "to_c")] + [("self-regressor", "fit")]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Temporary files of this test alone, and two threads, which a fit shares out."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def check(name, action, n_moments, folder):
    """Interrupt it at so many moments, spread over its calls."""
    X, y = rows_for(name)
    fitted, call = ESTIMATORS[name]().fit(X, y), ACTIONS[action]
    whole = copy.deepcopy(fitted)
    call(whole, X, y, folder)
    counted = copy.deepcopy(fitted)
    n, files = n_calls(lambda: call(counted, X, y, folder)), everything_in(folder)
    harm, interrupted = {}, None
    for at in np.random.default_rng(n).choice(n - 1, min(n - 1, n_moments), replace=False) + 1:
        est = copy.deepcopy(fitted)
        harm[int(at)] = found = harm_of(est, lambda est=est: call(est, X, y, folder), at)
        interrupted = interrupted if found is None else est
    assert not {at: found for at, found in harm.items() if found}
    assert everything_in(folder) == files
    np.testing.assert_array_equal(answers(interrupted, X), answers(fitted, X))
    call(interrupted, X, y, folder)
    np.testing.assert_array_equal(answers(interrupted, X), answers(whole, X))


@pytest.mark.parametrize(("name", "action"), FAST, ids=map("-".join, FAST))
def test_an_interruption_changes_nothing(name, action, tmp_path):
    check(name, action, 6, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "action"), EVERY, ids=map("-".join, EVERY))
def test_no_interruption_changes_anything(name, action, tmp_path):
    check(name, action, 12, tmp_path)


class PressedInAnEpoch(Callback):
    """The user presses Ctrl-C while a net is trained."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2 and EndsEarly.pressed:
            signal.raise_signal(signal.SIGINT)


class EndsEarly(LogisticRegression):
    """It takes Ctrl-C for the end of its training, as scikit-learn's MLPs do."""

    pressed = True

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        try:
            if EndsEarly.pressed:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            self.coef_ *= 0
        return self


@pytest.fixture
def heard_signals():
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


NET = {"callbacks": [PressedInAnEpoch()], "module__n_features": 5, "module__n_outputs": 3}
MODELS = {
    "net": lambda: DistilledClassifier(skorch_net(**NET), quick(1)),
    "other": lambda: DistilledClassifier(EndsEarly(), quick(1)),
    "student": lambda: DistilledClassifier(LogisticRegression(), EndsEarly()),
}


@pytest.mark.usefixtures("heard_signals")
@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_takes_an_interruption_for_its_end_is_not_taken_for_whole(model, tmp_path, monkeypatch):
    X, y = classes()
    monkeypatch.setattr(EndsEarly, "pressed", False)
    expected = MODELS[model]().set_params(random_state=0, hard_weight=0.1, blend=0)
    expected.fit(X, y)
    est = MODELS[model]().set_params(random_state=0, hard_weight=0.1, blend=0, checkpoint=tmp_path / "kept")
    est.set_params(memory=str(tmp_path / "memory"))
    monkeypatch.setattr(EndsEarly, "pressed", True)
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, y)
    assert not hasattr(est, "student_")
    monkeypatch.setattr(EndsEarly, "pressed", False)
    np.testing.assert_array_equal(est.fit(X, y).predict_proba(X), expected.predict_proba(X))


@pytest.mark.usefixtures("heard_signals")
def test_an_interruption_before_the_first_epoch_is_none_of_no_epochs():
    """skorch takes one that comes when its loop begins for the end of the training."""

    class Pressed(Callback):
        begun = 0

        def on_train_begin(self, net, **kwargs):
            Pressed.begun += 1
            frames = 0

            def at_next_loop(frame, event, value):
                nonlocal frames
                if event == "call" and frame.f_code.co_name == "fit_loop" and frames == 0:
                    frames += 1
                    sys.setprofile(None)
                    raise KeyboardInterrupt

            sys.setprofile(at_next_loop)

    X, y = classes()
    student = TabularStudent("tiny", max_epochs=2, callbacks=[Pressed()])
    with pytest.raises(KeyboardInterrupt):
        DistilledClassifier(LogisticRegression(), student, hard_weight=0.1, blend=0, random_state=0).fit(X, y)
    assert Pressed.begun == 1


SECTIONS = {
    "evaluating": evaluating,
    "hooked": lambda module: hooked(module, print),
    "torch_threads": lambda module: torch_threads(1),
    "flushed": lambda module: flushed(),
    "seeded": lambda module: seeded(3),
    "generator_kept": lambda module: generator_kept(),
    "interrupts_heard": lambda module: interrupts_heard(),
}


def leaves(frame):
    """Whether a line is run once more to leave its ``with``: between the two Python hears no signal."""
    first = min(at for at, number in dis.findlinestarts(frame.f_code) if number == frame.f_lineno)
    return frame.f_lasti != first


def at_line(number, section):
    """Enter a section, and interrupt it at one of its lines; whether that one was reached."""
    n = 0

    def trace(frame, event, value):
        nonlocal n
        if not frame.f_code.co_filename.startswith(SOURCES) or cleans_up(frame):
            return None
        n += event == "line" and not leaves(frame)
        if n == number:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with section:
            sys.settrace(before)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_is_interrupted_as_it_begins_leaves_all_as_it_was(name):
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)))
    module[1].eval()
    whole, modes = of_process(), [part.training for part in module.modules()]
    number = 1
    while at_line(number, SECTIONS[name](module)):
        assert [part.training for part in module.modules()] == modes
        assert not any(part._forward_hooks for part in module.modules())
        assert changed(whole) == {}
        overlap()  # an open section that was left behind would show here
        assert changed(whole) == {}
        with ThreadPoolExecutor(1) as pool:  # a lock that was left behind, here
            assert pool.submit(GENERATOR_LOCK.acquire, timeout=5).result()
            pool.submit(GENERATOR_LOCK.release).result()
        number += 1
    assert number > 2
