"""Exits: reference values, gradients, and the losses between layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.model_selection import GridSearchCV
from torch import nn

import sklkd.losses
from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.losses import (
    ActiveHintLoss,
    DISTLoss,
    FactorTransferLoss,
    FitNetLoss,
    FSPLoss,
    LeafEmbeddingLoss,
    SimKDLoss,
    SoftTargetLoss,
    SPLoss,
    TargetLoss,
)
from sklkd.methods import DeepToShallow
from sklkd.students import TabularNet, TabularStudent
from tests.estimators.problems import classes, quick, targets
from tests.losses import oracle

from . import own

ALPHA, TEMPERATURE = 0.1, 3


def exits(y, *losses):
    """An objective whose two heads are the identity, on layers that are their logits."""
    made = DeepToShallow(alpha=ALPHA, temperature=TEMPERATURE).objective(own.training(y, 4))
    made.heads = nn.ModuleList([nn.Identity(), nn.Identity()])
    made.exit_losses = nn.ModuleList([nn.ModuleList(losses), nn.ModuleList(losses)])
    made.taps = [("first", "second", "deep")]
    return own.batch(made, y)


def test_reference_values():
    y, zs, zu, zt = (oracle.tensor(name) for name in ("y", "zs", "zu", "zt"))
    zs.requires_grad_()
    made = exits(y)
    labels, soft = made.labels([zs, zu, zt], y), made.soft([zs, zu], zt)
    # the reference is the cross-entropy, larger by the entropy of the deepest exit, whose gradient is 0
    p = softmax(zt.numpy() / TEMPERATURE, axis=1)
    entropy = 2 * TEMPERATURE**2 * -(p * np.log(p)).sum(1).mean()
    hints = [ActiveHintLoss(), ActiveHintLoss()]
    deep, layers = oracle.tensor("ft"), [oracle.tensor("fs"), oracle.tensor("fs2")]
    alike = sum(hint(layer, deep) * deep.numel() for hint, layer in zip(hints, layers, strict=True))
    total = (1 - ALPHA) * labels + ALPHA * soft + 1e-6 * alike
    parts = [("CE part", labels, 0), ("soft part", soft, entropy), ("total", total, ALPHA * entropy)]
    for name, value, constant in parts:
        entry = oracle.entry(f"BYOT, {name}")
        np.testing.assert_allclose(value.item() + constant, entry["value"], rtol=entry["rtol"])
        (gradient,) = torch.autograd.grad(value, zs, retain_graph=True)
        np.testing.assert_allclose(gradient.norm(), entry["grad_norm"]["value"], rtol=entry["rtol"])


def test_the_whole_is_the_sum_of_its_parts_weighted_by_hand():
    y, zs, zu, zt = (oracle.tensor(name) for name in ("y", "zs", "zu", "zt"))
    losses = ActiveHintLoss(weight=0.3), FSPLoss(weight=0.2), SoftTargetLoss(temperature=2, weight=0.4)
    made, weight = exits(y, *losses), torch.arange(1, 7).double()
    made.rows.weight = weight
    made.features = {"first": zs, "second": zu, "deep": zt}
    rows = 0
    for z in (zs, zu, zt):
        rows = rows + (1 - ALPHA) * own.cross_entropy(z.numpy(), y.numpy())
    for z in (zs, zu):
        rows = rows + ALPHA * own.divergence(zt.numpy(), z.numpy(), TEMPERATURE)
        active = (z > 0) | (zt > 0)
        rows = rows + 0.3 * np.where(active, (z - zt) ** 2, 0).mean(1)
        # the way from the first exit's layer: with vectors an outer product
        rows = rows + 0.2 * ((zs[:, :, None] * (z - zt)[:, None, :]) ** 2).mean((1, 2)).numpy()
        rows = rows + 0.4 * own.divergence(zt.numpy(), z.numpy(), 2)
    np.testing.assert_allclose(made(zt, y), np.average(rows, weights=weight), rtol=1e-12)


def test_regression_by_hand():
    rng = np.random.default_rng(0)
    y, first, deep, target = (torch.from_numpy(rng.normal(size=(6, width))) for width in (2, 2, 2, 2))
    weight = torch.arange(1, 7).double()
    made = DeepToShallow(alpha=ALPHA).objective(own.training(y, 2))
    made.heads, made.taps = nn.ModuleList([nn.Identity()]), [("first", "deep")]
    made.exit_losses = nn.ModuleList([nn.ModuleList([TargetLoss(weight=0.4)])])
    own.batch(made, y, weight=weight).features = {"first": first, "deep": deep}
    squares = [((a - b) ** 2).mean(1) for a, b in ((first, y), (target, y), (first, target))]
    rows = (1 - ALPHA) * (squares[0] + squares[1]) + (ALPHA + 0.4) * squares[2]
    np.testing.assert_allclose(made(target, y), np.average(rows, weights=weight), rtol=1e-12)


def built(module, n_features, n_outputs, method):
    y = torch.arange(8) % n_outputs
    X = torch.randn(8, n_features, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module = module.double()
    made = method.objective(own.training(y, n_outputs))
    made.build(module, X[:2])
    own.batch(made, y)
    return made, module, X, y


def test_what_teaches_gets_no_gradient_from_what_it_teaches():
    module = TabularNet(3, 4, hidden=(5, 6, 7))
    losses = [("hint", ActiveHintLoss()), ("flow", FSPLoss()), ("answers", DISTLoss())]
    made, module, X, y = built(module, 3, 4, DeepToShallow(loss=losses))
    store, last = {}, {}
    module.hidden[2].register_forward_hook(lambda part, given, answer: last.update(hidden=answer))
    handles = [module.hidden[k].register_forward_hook(lambda p, g, a, k=k: store.update({k: a})) for k in (0, 1)]
    deep = module(X)
    for handle in handles:
        handle.remove()
    layers = [store[0], store[1]]
    heads = [head(layer) for head, layer in zip(made.heads, layers, strict=True)]
    compared, terms = made.exit_losses, [made.soft(heads, deep)]
    for k in range(len(losses)):
        made.exit_losses = nn.ModuleList([nn.ModuleList([one[k]]) for one in compared])
        terms.append(made.feature_losses(layers, last["hidden"], heads, deep, y))
    for term in terms:
        assert term.item() > 0
        named = dict(module.named_parameters())
        grads = torch.autograd.grad(term, list(named.values()), allow_unused=True, retain_graph=True)
        reached = {name for name, grad in zip(named, grads, strict=True) if grad is not None}
        # the trunk up to the second exit learns, the last hidden layer and the output do not
        assert reached == {f"hidden.{k}.0.{part}" for k in (0, 1) for part in ("weight", "bias")}
    # the labels reach all of it
    grads = torch.autograd.grad(made.labels([*heads, deep], y), list(named.values()))
    assert all(grad.abs().sum() > 0 for grad in grads)


LOSSES = [
    getattr(sklkd.losses, name)
    for name in sklkd.losses.__all__
    if name not in ("Loss", "FactorTransferLoss", "LeafEmbeddingLoss", "SimKDLoss")
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize(
    ("estimator", "problem"), [(SelfDistilledClassifier, classes), (SelfDistilledRegressor, targets)]
)
def test_losses_of_the_library_between_exits(loss, estimator, problem):
    X, y = problem(60)
    if estimator._task_name not in loss.tasks:
        with pytest.raises(ValueError, match=f"{loss.__name__} has no meaning for {estimator._task_name}"):
            estimator(quick(), method=DeepToShallow(loss=loss())).fit(X, y)
        return
    student = quick(lr=0.02, batch_size=16, module__hidden=(6, 7, 8))
    fits = [
        estimator(student, method=DeepToShallow(loss=loss(weight=weight)), random_state=0).fit(X, y)
        for weight in (0.0, 1.0)
    ]
    assert np.isfinite(fits[1].predict(X) if estimator is SelfDistilledRegressor else fits[1].predict_proba(X)).all()
    assert not np.allclose(fits[0]._outputs(X), fits[1]._outputs(X), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 2}, "alpha must be <= 1, got alpha=2"),
        ({"temperature": 0}, "temperature must be > 0"),
        ({"layers": "hidden.0"}, "layers must be a list of different names"),
        ({"layers": ["hidden.9"]}, r"layers must name layers of the student, which are .*'hidden.0'.*\['hidden.9'\]"),
        ({"layers": ["hidden.0", "output"]}, r"must lie before the output layer 'output', .* got \['output'\]"),
        ({"loss": TargetLoss()}, "TargetLoss has no meaning for classification"),
        ({"loss": FSPLoss(teacher_layer=("hidden.0", "hidden.1"))}, "loss must not name layers"),
        ({"loss": FitNetLoss(student_layer="hidden.0")}, "loss must not name layers"),
        ({"loss": [("alpha", SPLoss())]}, "rename it"),
        ({"loss": LeafEmbeddingLoss()}, "needs a pretrained teacher"),
        ({"loss": SimKDLoss()}, "needs a pretrained teacher"),
        ({"loss": FactorTransferLoss()}, "needs a pretrained teacher"),
        ({"loss": FitNetLoss(init_epochs=1)}, "needs a pretrained teacher"),
        ({"loss": "hint"}, "loss must be a Loss"),
    ],
)
def test_parameters_out_of_range(params, message):
    X, y = classes(30)
    with pytest.raises((ValueError, TypeError), match=message):
        SelfDistilledClassifier(quick(module__hidden=(4, 4)), method=DeepToShallow(**params)).fit(X, y)


def test_a_student_with_one_hidden_layer_has_no_exit():
    X, y = classes(30)
    with pytest.raises(ValueError, match="the student has no hidden layer but the last"):
        SelfDistilledClassifier(quick(), method=DeepToShallow()).fit(X, y)


def test_several_losses_between_exits_have_parameters_to_search():
    X, y = classes(60)
    method = DeepToShallow(loss=[("hint", FitNetLoss()), ("flow", FSPLoss())])
    student = quick(lr=0.02, batch_size=16, module__hidden=(6, 7, 8))
    est = SelfDistilledClassifier(student, method=method, random_state=0)
    search = GridSearchCV(est, {"method__flow__weight": [0.0, 100.0]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    assert search.best_estimator_.method_.loss[1][1].weight == search.best_params_["method__flow__weight"]


class Maps(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
        self.output = nn.Linear(5, n_outputs)

    def forward(self, X):
        return self.output(self.body(X).relu().mean((2, 3)))


@pytest.mark.parametrize("loss", [FitNetLoss(), FSPLoss(), SPLoss()], ids=str)
def test_maps_are_compared_with_vectors(loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1, 8, 8)).astype(np.float32), rng.integers(3, size=40)
    student = TabularStudent(module=Maps, max_epochs=2)
    for layers in (None, ["body.0", "body.3"]):
        method = DeepToShallow(layers=layers, loss=loss)
        est = SelfDistilledClassifier(student, method=method, random_state=0).fit(X, y)
        assert np.isfinite(est.predict_proba(X, exit=0)).all()
