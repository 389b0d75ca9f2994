"""What every exported loss promises, whatever it compares."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

import sklkd.losses
from sklkd.losses import Loss

N_ROWS = 7
LOSSES = [getattr(sklkd.losses, name) for name in sklkd.losses.__all__ if name != "Loss"]
CASES = [
    pytest.param(loss, kind, id=f"{loss.__name__}-{kind}")
    for loss in LOSSES
    for kind in (["outputs"] if loss.knowledge == "response" else ["vectors", "maps"])
]
RESPONSES = [loss for loss in LOSSES if loss.knowledge == "response"]
every_case = pytest.mark.parametrize(("loss_class", "kind"), CASES)
every_loss = pytest.mark.parametrize("loss_class", LOSSES)

# Not 0 where both sides are equal: a likelihood, margins, labels, and other rows enter these.
NOT_ZERO_AT_EQUALITY = {"VIDLoss", "ABLoss", "CorrectedTargetLoss", "CRDLoss", "PinballLoss"}
# Pairs of rows have no weight.
WITHOUT_ROW_WEIGHTS = {"RKDDistanceLoss", "RKDAngleLoss", "SPLoss", "CCLoss", "PKTLoss"}
# Rows have weights, but their terms depend on which other rows there are: the largest distance, negatives, margins.
DEPENDS_ON_OTHER_ROWS = {"IRGLoss", "CRDLoss", "OFDLoss"}


def side(loss_class: type[Loss], kind: str, seed: int, n_rows: int = N_ROWS, dtype: Any = torch.float64) -> Any:
    """What one side of a loss is called with: random logits, vectors or maps, as many as it compares."""
    generator = torch.Generator().manual_seed(seed)
    shape = {"outputs": (4,), "vectors": (5,), "maps": (3, 4, 4)}[kind]
    layers = [
        (1.5 * torch.randn(n_rows, *shape, generator=generator, dtype=torch.float64)).to(dtype)
        for _ in range(max(loss_class.n_layers, 1))
    ]
    return tuple(layers) if loss_class.n_layers > 1 else layers[0]


def each(apply: Any, one_side: Any) -> Any:
    """A function applied to the tensor, or to each tensor, of a side."""
    return apply(one_side) if isinstance(one_side, Tensor) else tuple(apply(layer) for layer in one_side)


def tensors(one_side: Any) -> tuple[Tensor, ...]:
    return (one_side,) if isinstance(one_side, Tensor) else one_side


def labels(n_rows: int = N_ROWS) -> Tensor:
    return torch.arange(n_rows) % 4


def value_and_gradient(loss: Loss, student: Any, teacher: Any, **kwargs: Any) -> tuple[Tensor, list[Tensor]]:
    student = each(lambda layer: layer.detach().clone().requires_grad_(), student)
    y = labels(len(tensors(student)[0]))
    value = loss(student, teacher, y, **kwargs)
    gradient = torch.autograd.grad(value, tensors(student), allow_unused=True)
    return value.detach(), [g for g in gradient if g is not None]


@every_loss
def test_is_an_estimator_and_a_module(loss_class):
    assert loss_class.__mro__.index(BaseEstimator) < loss_class.__mro__.index(nn.Module)
    assert loss_class.knowledge in {"response", "feature", "relation"}
    assert set(loss_class.tasks) <= {"classification", "multilabel", "regression"} and loss_class.tasks
    parameters = inspect.signature(loss_class).parameters
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert loss_class().weight == 1.0
    if loss_class.knowledge != "response":
        assert loss_class.n_layers > 0
        assert {"student_layer", "teacher_layer"} <= set(parameters)


@every_loss
def test_every_parameter_is_documented(loss_class):
    doc = inspect.getdoc(loss_class)
    documented = {name for names in re.findall(r"^([\w, ]+) : ", doc, flags=re.MULTILINE) for name in names.split(", ")}
    assert set(loss_class().get_params()) <= documented
    assert "arXiv" in doc or "CVPR" in doc or "KDD" in doc
    assert ">>>" in doc


@every_case
def test_is_a_finite_scalar_of_the_students_dtype(loss_class, kind):
    reference, reference_gradient = value_and_gradient(
        loss_class(), side(loss_class, kind, 0), side(loss_class, kind, 1)
    )
    assert reference.shape == () and reference.isfinite() and reference.dtype == torch.float64
    # the teacher's dtype does not matter
    student = side(loss_class, kind, 0, dtype=torch.float32)
    value, gradient = value_and_gradient(loss_class(), student, side(loss_class, kind, 1))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), reference, rtol=1e-4, atol=1e-6)
    for g, r in zip(gradient, reference_gradient, strict=True):
        torch.testing.assert_close(g.double(), r, rtol=1e-3, atol=1e-5)


@every_case
def test_gradient_is_right_and_does_not_reach_the_teacher(loss_class, kind):
    loss = loss_class()
    student = each(lambda layer: layer.requires_grad_(), side(loss_class, kind, 2, n_rows=4))
    teacher = each(lambda layer: layer.requires_grad_(), side(loss_class, kind, 3, n_rows=4))
    pack = tuple if isinstance(student, tuple) else lambda layers: layers[0]
    assert torch.autograd.gradcheck(lambda *layers: loss(pack(layers), teacher, labels(4)), tensors(student))
    loss(student, teacher, labels(4)).backward()
    assert all(layer.grad is None for layer in tensors(teacher))
    assert all(layer.grad is not None and layer.grad.abs().sum() > 0 for layer in tensors(student))


@every_case
def test_equal_sides(loss_class, kind):
    student = side(loss_class, kind, 4)
    value, gradient = value_and_gradient(loss_class(), student, each(torch.clone, student))
    if loss_class.__name__ not in NOT_ZERO_AT_EQUALITY:
        assert abs(value) < 1e-12
        assert all(g.norm() < 1e-6 for g in gradient)
    else:
        assert value != 0
    assert value_and_gradient(loss_class(), student, side(loss_class, kind, 5))[0] > 1e-6


@every_case
def test_order_of_rows_does_not_matter(loss_class, kind):
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    student, teacher = side(loss_class, kind, 6), side(loss_class, kind, 7)
    value, gradient = value_and_gradient(loss_class(), student, teacher)
    student = each(lambda layer: layer[order].requires_grad_(), student)
    permuted = loss_class()(student, each(lambda layer: layer[order], teacher), labels()[order])
    torch.testing.assert_close(permuted, value)
    for g, expected in zip(torch.autograd.grad(permuted, tensors(student)), gradient, strict=True):
        torch.testing.assert_close(g, expected[order])


@every_case
def test_weights_count_rows(loss_class, kind):
    student, teacher = side(loss_class, kind, 8), side(loss_class, kind, 9)
    counts = torch.tensor([1, 2, 0, 1, 3, 1, 0])
    repeated = torch.arange(N_ROWS).repeat_interleave(counts)
    name = loss_class.__name__
    loss = loss_class(edge=0) if name == "IRGLoss" else loss_class()
    weighted = loss(student, teacher, labels(), counts.double())
    if name in WITHOUT_ROW_WEIGHTS:
        torch.testing.assert_close(weighted, loss(student, teacher, labels()))
        return
    if name not in DEPENDS_ON_OTHER_ROWS:
        student_rows, teacher_rows = (each(lambda layer: layer[repeated], one_side) for one_side in (student, teacher))
        torch.testing.assert_close(weighted, loss(student_rows, teacher_rows, labels()[repeated]))
    torch.testing.assert_close(loss(student, teacher, labels(), 10 * counts.double()), weighted)
    torch.testing.assert_close(
        loss(student, teacher, labels(), torch.full((N_ROWS,), 0.3, dtype=torch.float64)),
        loss(student, teacher, labels()),
    )
    assert loss(student, teacher, labels(), torch.zeros(N_ROWS, dtype=torch.float64)) == 0


@every_case
def test_targets_are_prepared_once_and_batched_by_slicing(loss_class, kind):
    torch.manual_seed(0)
    student, teacher = side(loss_class, kind, 10), side(loss_class, kind, 11)
    loss = loss_class().double()
    if loss.knowledge != "response":
        shape = tuple(tensors(student)[0].shape[1:])
        shape = (shape,) * loss.n_layers if loss.n_layers > 1 else shape
        loss.build(shape, shape)
        loss.double()
        loss.fit_teacher(teacher)
    rows = torch.tensor([1, 4, 5])
    target = each(lambda part: part[rows], loss.prepare(teacher))
    student, teacher = (each(lambda part: part[rows], one_side) for one_side in (student, teacher))
    in_training = loss.compare(student, target, labels()[rows])
    torch.testing.assert_close(in_training, loss(student, teacher, labels()[rows]))


@pytest.mark.parametrize("loss_class", RESPONSES)
def test_target_of_outputs(loss_class):
    loss = loss_class()
    student, teacher = side(loss_class, "outputs", 12), side(loss_class, "outputs", 13)
    logits = teacher.numpy().copy()
    values = logits if "multilabel" not in loss.tasks else teacher.sigmoid().numpy().copy()
    outputs = SimpleNamespace(proba=teacher.softmax(1).numpy().copy(), logits=logits, values=values, spread=None)
    for array in (outputs.proba, logits, values):
        array.flags.writeable = False  # as from a memory map
    target = loss.target(outputs)
    assert all(part.dtype == torch.float32 and len(part) == N_ROWS for part in tensors(target))
    value = loss.compare(student.float(), target, labels())
    torch.testing.assert_close(value.double(), loss(student, teacher, labels()), rtol=1e-5, atol=1e-6)
    for array in (outputs.proba, logits, values):
        array.flags.writeable = True
        array[:] = 0  # the target is a copy
    torch.testing.assert_close(loss.compare(student.float(), target, labels()), value)


@pytest.mark.parametrize("loss_class", [loss for loss in LOSSES if loss.knowledge != "response"])
def test_target_of_outputs_is_for_responses(loss_class):
    with pytest.raises(TypeError, match=f"{loss_class.__name__} compares {loss_class.knowledge} knowledge"):
        loss_class().target(SimpleNamespace(proba=np.ones((1, 1))))


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_zeros_and_equal_rows_have_bounded_gradients(loss_class, kind, dtype):
    def degenerate(layer: Tensor) -> Tensor:
        layer[0] = 0
        layer[2] = layer[1]
        return layer

    student = each(degenerate, side(loss_class, kind, 14, dtype=dtype))
    teacher = side(loss_class, kind, 15, dtype=dtype)
    for one_teacher in (teacher, each(degenerate, each(torch.clone, teacher)), student):
        value, gradient = value_and_gradient(loss_class(), student, one_teacher)
        assert value.isfinite()
        assert all(g.isfinite().all() and g.norm() < 100 for g in gradient)


@every_case
@pytest.mark.parametrize("n_rows", [1, 2])
def test_batches_of_one_and_two_rows(loss_class, kind, n_rows):
    value, gradient = value_and_gradient(
        loss_class(), side(loss_class, kind, 16, n_rows=n_rows), side(loss_class, kind, 17, n_rows=n_rows)
    )
    assert value.isfinite()
    assert all(g.isfinite().all() for g in gradient)
    if loss_class.__name__ in WITHOUT_ROW_WEIGHTS and n_rows == 1:
        assert abs(value) < 1e-12  # one row has no relations


@every_case
def test_all_zeros(loss_class, kind):
    zeros = each(torch.zeros_like, side(loss_class, kind, 0))
    for teacher in (zeros, side(loss_class, kind, 18)):
        value, gradient = value_and_gradient(loss_class(), zeros, teacher)
        assert value.isfinite()
        assert all(g.isfinite().all() and g.norm() < 100 for g in gradient)


@every_case
def test_clone_copy_and_pickle(loss_class, kind):
    loss = loss_class(weight=2.5)
    student, teacher = side(loss_class, kind, 19), side(loss_class, kind, 20)
    value = loss(student, teacher, labels())
    torch.testing.assert_close(value, loss_class()(student, teacher, labels()))  # weight is the objective's business
    for other in (clone(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert type(other) is loss_class and other is not loss
        assert other.get_params() == loss.get_params()
        torch.testing.assert_close(other(student, teacher, labels()), value)
    assert loss.set_params(**loss.get_params()) is loss
    assert "weight=2.5" in repr(loss)


@every_case
def test_compiles_without_graph_breaks(loss_class, kind):
    loss = loss_class()
    student, teacher = side(loss_class, kind, 21), loss.prepare(side(loss_class, kind, 22))
    torch.compiler.reset()
    compiled = torch.compile(loss.compare, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(student, teacher, labels()), loss.compare(student, teacher, labels()))


@every_loss
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (-1, ValueError, "weight must be >= 0, got weight=-1."),
        (float("nan"), ValueError, "weight must be >= 0, got weight=nan."),
        (float("inf"), ValueError, "weight must be finite, got weight=inf."),
        ("1", TypeError, "weight must be a number, got weight='1'."),
        (True, TypeError, "weight must be a number, got weight=True."),
    ],
)
def test_weight_is_checked(loss_class, weight, error, message):
    with pytest.raises(error, match=message):
        loss_class(weight=weight).check()


@every_case
def test_sizes_are_checked(loss_class, kind):
    with pytest.raises((TypeError, ValueError), match=r"shape|rows"):
        loss_class()(side(loss_class, kind, 0), side(loss_class, kind, 1, n_rows=1), labels())
    if kind == "outputs":
        wide = torch.zeros(N_ROWS, 5, dtype=torch.float64)
        for wrong in (wide, wide[:, 0]):
            with pytest.raises(ValueError, match=r"must both have shape \(n_rows, n_outputs\), got \(7,"):
                loss_class()(wrong, side(loss_class, kind, 1), labels())


@pytest.mark.parametrize("loss_class", [loss for loss in RESPONSES if "classification" in loss.tasks])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_logits(loss_class, dtype):
    # each row is certain of a class, in half of the rows of another class than the teacher, by 1000
    student = torch.eye(4, dtype=dtype).repeat(2, 1) * 1000
    teacher = student.roll(1, dims=0).clone()
    teacher[4:] = student[4:]
    value, gradient = value_and_gradient(loss_class(), student, teacher)
    assert value.isfinite()
    assert all(g.isfinite().all() and g.norm() < 1e4 for g in gradient)


@pytest.mark.parametrize("loss_class", [loss for loss in LOSSES if loss.needs_y])
def test_labels_are_asked_for(loss_class):
    with pytest.raises(ValueError, match=f"{loss_class.__name__} needs labels"):
        loss_class()(side(loss_class, "outputs", 0), side(loss_class, "outputs", 1))
