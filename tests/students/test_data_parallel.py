"""Training with skorch's AccelerateMixin, on one process and on two."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from skorch.callbacks import Callback
from skorch.hf import AccelerateMixin
from torch import nn

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx
from sklkd.losses import FitNetLoss, SoftTargetLoss, SPLoss
from sklkd.students import TabularStudent
from sklkd.students._data_parallel import Shares, average
from sklkd.transfer import Slices, TransferSet

accelerate = pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_digits(return_X_y=True)
FOREST = RandomForestClassifier(10, random_state=0)
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("data_parallel_program.py")


class AcceleratedStudent(AccelerateMixin, TabularStudent):
    """The default student with an Accelerator."""


class TypesOfHidden(Callback):
    """Keeps the dtypes that the last hidden layer has in training."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.found_ = set()
        net.module_.output.register_forward_hook(lambda part, given, output: self.found_.add(given[0].dtype))


@pytest.fixture
def accelerator():
    """One that is made anew: the precision of the first would be that of all."""
    from accelerate.state import AcceleratorState

    made = []

    def make(**params):
        AcceleratorState._reset_state(reset_partial_state=True)
        made.append(accelerate.Accelerator(cpu=True, **params))
        return made[-1]

    yield make
    AcceleratorState._reset_state(reset_partial_state=True)


def fitted(student, n=200, **params):
    params = {"augment": None, "blend": 0, "hard_weight": 0.1, "random_state": 0} | params
    return DistilledClassifier(FOREST, student, **params).fit(X[:n], Y[:n])


def test_on_one_process_it_is_the_same_student(accelerator):
    student = AcceleratedStudent("tiny", accelerator=accelerator(), max_epochs=3)
    est, plain = fitted(student), fitted(TabularStudent("tiny", max_epochs=3))
    np.testing.assert_array_equal(est.predict_proba(X), plain.predict_proba(X))
    assert [row["train_loss"] for row in est.history_] == [row["train_loss"] for row in plain.history_]
    est.partial_fit(X[200:300], Y[200:300])
    plain.partial_fit(X[200:300], Y[200:300])
    np.testing.assert_array_equal(est.predict_proba(X), plain.predict_proba(X))


def test_the_fitted_estimator_is_cloned_saved_and_exported_as_others(accelerator, tmp_path):
    pytest.importorskip("onnxruntime")
    est = fitted(AcceleratedStudent("tiny", accelerator=accelerator(), max_epochs=3))
    expected = est.predict_proba(X)
    for one in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est), pickle.loads(pickle.dumps(est.without_teacher()))):
        np.testing.assert_array_equal(one.predict_proba(X), expected)
        np.testing.assert_allclose(one.student_.predict_proba(one.encoder_.transform(X)), expected, atol=1e-5)
        assert one.student_.device is None
    again = clone(est).fit(X[:200], Y[:200])
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    to_onnx(est, tmp_path / "student.onnx")
    np.testing.assert_allclose(OnnxPredictor(tmp_path / "student.onnx").predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize("losses", [[SoftTargetLoss()], [SoftTargetLoss(), FitNetLoss()], [SoftTargetLoss(), SPLoss()]])
def test_lower_precision_is_that_of_the_module_in_training(accelerator, losses):
    student = AcceleratedStudent(
        "tiny", accelerator=accelerator(mixed_precision="bf16"), max_epochs=20, callbacks=[("types", TypesOfHidden)]
    )
    params = {"loss": [(f"loss{k}", loss) for k, loss in enumerate(losses)], "blend": 0, "hard_weight": 0.1}
    if len(losses) > 1:
        from sklearn.neural_network import MLPClassifier

        teacher = MLPClassifier((16, 8), max_iter=60, random_state=0)
    else:
        teacher = FOREST
    est = DistilledClassifier(teacher, student, augment=None, random_state=0, **params).fit(X[:500], Y[:500])
    assert dict(est.student_.callbacks_)["types"].found_ == {torch.bfloat16}
    assert {part.dtype for part in est.student_.module_.parameters()} == {torch.float32}
    plain = DistilledClassifier(
        teacher, TabularStudent("tiny", max_epochs=20), augment=None, random_state=0, **params
    ).fit(X[:500], Y[:500])
    assert est.score(X[500:], Y[500:]) == pytest.approx(plain.score(X[500:], Y[500:]), abs=0.04)
    assert not np.array_equal(est.predict_proba(X), plain.predict_proba(X))
    with torch.no_grad():  # the precision is gone with the training
        assert est.student_.module_(torch.zeros(1, X.shape[1])).dtype == torch.float32


def shares(n, size, n_parts, seed=0, shuffle=True):
    """Row numbers of each process's batches in one epoch."""
    found = []
    for rank in range(n_parts):
        one = SimpleNamespace(process_index=rank, num_processes=n_parts, device=torch.device("cpu"))
        rows = TransferSet(torch.arange(2.0 * n).reshape(n, 2), torch.arange(n), None, [torch.arange(n)])
        torch.manual_seed(seed)
        batches = Shares(Slices(rows, size, shuffle, "cpu"), n, size, one)
        made = list(batches)
        assert len(made) == len(batches)
        assert all(torch.equal(batch.rows.y, batch.rows.targets[0]) for batch in made)
        found.append([batch.rows.y.tolist() for batch in made])
    return found


@pytest.mark.parametrize(("n", "size", "n_parts"), [(96, 32, 2), (99, 32, 2), (101, 32, 3), (33, 32, 2), (7, 64, 3)])
def test_processes_share_each_batch(n, size, n_parts):
    found = shares(n, size, n_parts)
    lengths = [[len(batch) for batch in part] for part in found]
    assert all(one == lengths[0] for one in lengths) and min(lengths[0]) >= 2
    rows = [row for part in found for batch in part for row in batch]
    assert len(set(rows)) == len(rows)
    lost = n - len(rows)
    assert 0 <= lost < 2 * n_parts + n_parts * len(lengths[0])
    if size % n_parts == 0 and n % size == 0:
        assert lost == 0


def test_together_the_shares_are_the_batches_of_one_process():
    whole = [sorted(batch) for batch in shares(96, 32, 1)[0]]
    parts = shares(96, 32, 2)
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == whole
    assert shares(96, 32, 2, seed=1) != parts


@pytest.mark.parametrize(("n", "size"), [(3, 32), (96, 3)])
def test_a_batch_has_two_rows_for_each_process(n, size):
    with pytest.raises(ValueError, match="at least 2 for each of the 2 processes, got 3"):
        shares(n, size, 2)


def test_sharded_students_are_refused(accelerator, monkeypatch):
    from accelerate.utils import DistributedType

    one = accelerator()
    monkeypatch.setattr(accelerate.Accelerator, "distributed_type", DistributedType.FSDP)
    with pytest.raises(ValueError, match=r"accelerator must give each process a whole copy .* FSDP"):
        fitted(AcceleratedStudent("tiny", accelerator=one, max_epochs=3))


def test_processes_that_do_not_know_of_each_other_are_refused(accelerator, monkeypatch):
    student = AcceleratedStudent("tiny", accelerator=accelerator(), max_epochs=3)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="accelerator must have the 2 processes that were started, got 1"):
        fitted(student)


def test_an_accelerator_of_other_processes_is_refused(accelerator, monkeypatch):
    one = accelerator()
    monkeypatch.setattr(accelerate.Accelerator, "num_processes", 2)
    monkeypatch.setattr("accelerate.utils.gather_object", lambda found: found * 2)
    with pytest.raises(ValueError, match="accelerator must train in one of its 2 processes"):
        fitted(AcceleratedStudent("tiny", accelerator=one, max_epochs=3))


def averaged(loss, gradients, other=None):
    """What a process has after an exchange with another one, and what it has sent."""
    sent = []

    def reduce(vector, reduction):
        assert reduction == "mean"
        sent.append(vector)
        return vector if other is None else (vector + other) / 2

    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (4,), (1,))]
    for parameter, value in zip(parameters, gradients, strict=True):
        parameter.grad = None if value is None else torch.full_like(parameter, value)
    loss = average(SimpleNamespace(num_processes=2, reduce=reduce), torch.tensor(loss), parameters)
    return loss.item(), [None if one.grad is None else one.grad.flatten().tolist() for one in parameters], sent[0]


def test_one_exchange_averages_the_loss_and_each_gradient():
    first, second = (1.0, [2.0, None, None]), (4.0, [3.0, 1.0, None])
    found = [averaged(*first, averaged(*second)[2])[:2], averaged(*second, averaged(*first)[2])[:2]]
    assert found[0] == found[1] == (2.5, [[2.5] * 6, [0.5] * 4, None])


def launch(program, *arguments):
    """Run a program on two processes; what they have written."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", program]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, *arguments], env=environment, check=True, timeout=540, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_the_program_of_the_guide(tmp_path):
    page = (ROOT / "docs" / "guide" / "devices.rst").read_text()
    block = re.search(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", page, re.MULTILINE)
    (tmp_path / "train.py").write_text(textwrap.dedent(block[1]))
    *_, last = launch(tmp_path / "train.py").splitlines()  # torch may have printed before
    n_processes, score = last.split()
    assert n_processes == "2" and float(score) > 0.9


@pytest.mark.slow
def test_two_processes_train_one_student(tmp_path):
    launch(PROGRAM, tmp_path)
    first, second = (dict(np.load(tmp_path / f"{rank}.npz")) for rank in (0, 1))
    assert first["n_processes"] == second["n_processes"] == 2
    names = ["default", "projector", "buffers", "user stops", "labels", "accumulated", "online", "self", "regressor"]
    for name in [*names, "further"]:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert not np.array_equal(first["regressor"], first["further"])
    for found in (first, second):
        assert "random_state" in str(found["error"])
    epochs = [name for name in first if name.startswith("epoch")]
    for epoch in epochs:
        assert not set(first[epoch]) & set(second[epoch])
        sizes, others = (found[epoch.replace("epoch", "sizes")] for found in (first, second))
        np.testing.assert_array_equal(sizes, others)
        assert (2 * sizes[:-1] == first["batch_size"]).all()
    assert set(first[epochs[0]]) != set(first[epochs[1]])
    losses = []
    for seed in range(5):
        forest = RandomForestClassifier(30, random_state=0)
        est = DistilledClassifier(forest, TabularStudent("tiny"), random_state=seed).fit(X[:900], Y[:900])
        losses.append(log_loss(Y[900:], est.predict_proba(X[900:])))
    assert abs(first["loss"] - np.mean(losses)) < 3 * np.std(losses, ddof=1)
