"""What all feature losses promise, and the parts that they share."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor

from sklkd.losses import (
    ABLoss,
    AttentionTransferLoss,
    CRDLoss,
    FactorTransferLoss,
    FitNetLoss,
    LeafEmbeddingLoss,
    NSTLoss,
    OFDLoss,
    ReviewKDLoss,
    SimKDLoss,
    VIDLoss,
)
from sklkd.losses._feature import HintLoss, ProjectedLoss, Standardizer, at_same_positions, projector

LOSSES = [
    ABLoss(margin=0.7),
    AttentionTransferLoss(),
    AttentionTransferLoss(p=3),
    CRDLoss(n_features=4, n_negatives=3, temperature=0.5),
    FactorTransferLoss(),
    FactorTransferLoss(p=2),
    FitNetLoss(),
    LeafEmbeddingLoss(),
    NSTLoss(),
    OFDLoss(),
    ReviewKDLoss(n_channels=4),
    SimKDLoss(),
    VIDLoss(init_variance=2.0),
]
NAMES = [repr(loss) for loss in LOSSES]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=NAMES)
# those that read more than one layer have their own checks of shapes
one_layer = pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.n_layers == 1], ids=str)

VECTORS, MAPS = (7, 5), (5, 3, 4, 4)
both_shapes = pytest.mark.parametrize("shape", [VECTORS, MAPS], ids=["vectors", "maps"])


@pytest.fixture(autouse=True)
def short_autoencoder(monkeypatch):
    # how well the paraphraser is trained is not the question here
    monkeypatch.setattr("sklkd.losses._factor_transfer.STEPS", 20)


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=shape)), torch.from_numpy(rng.normal(size=shape))


def gradient(loss, student: Tensor, teacher: Tensor) -> Tensor:
    student = student.clone().requires_grad_()
    loss(student, teacher).backward()
    return student.grad


def fitted(loss, student: Tensor, teacher: Tensor):
    """A clone with its learnt parts made and fitted to the teacher, as in an estimator."""
    torch.manual_seed(0)
    loss = clone(loss)
    loss.build(student.shape[1:], teacher.shape[1:])
    loss.double()
    loss.fit_teacher(teacher)
    return loss


@every_loss
@both_shapes
def test_gradient_is_that_of_the_value(loss, shape):
    student, teacher = pair(shape)
    assert torch.autograd.gradcheck(lambda s: clone(loss)(s, teacher), student.requires_grad_())


@every_loss
@both_shapes
def test_gradient_through_the_learnt_parts(loss, shape):
    student, teacher = pair(shape)
    teacher = teacher.repeat_interleave(2, dim=1)
    loss = fitted(loss, student, teacher)
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student.requires_grad_())


@every_loss
@both_shapes
def test_all_learnt_parts_are_trained_or_frozen(loss, shape):
    student, teacher = pair(shape)
    loss = fitted(loss, student, teacher[:, :2])
    loss(student.requires_grad_(), teacher[:, :2]).backward()
    trained = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    no_projector = shape == MAPS and isinstance(loss, AttentionTransferLoss | NSTLoss)
    assert bool(trained) is not no_projector
    for parameter in trained:
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0


@every_loss
def test_gradient_descent_brings_the_loss_down(loss):
    student, teacher = pair((40, 5))
    teacher = torch.cat([student @ torch.ones(5, 4).double() + 0.5, teacher[:, :3]], 1)
    loss = fitted(loss, student, teacher)
    optimizer = torch.optim.Adam([p for p in loss.parameters() if p.requires_grad], lr=0.02)
    before = loss(student, teacher).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss(student, teacher).backward()
        optimizer.step()
    assert loss(student, teacher).item() < before - 0.05 * abs(before)


@every_loss
@both_shapes
def test_no_gradient_reaches_the_teacher(loss, shape):
    student, teacher = pair(shape)
    for each in (clone(loss), fitted(loss, student, teacher)):
        student.grad = None
        each(student.requires_grad_(), teacher.requires_grad_()).backward()
        assert teacher.grad is None
        assert student.grad.abs().sum() > 0


@every_loss
@both_shapes
def test_float32_agrees_with_float64(loss, shape):
    student, teacher = pair(shape)
    single = clone(loss)(student.float(), teacher.float())
    assert single.dtype == torch.float32 and single.shape == ()
    torch.testing.assert_close(single.double(), clone(loss)(student, teacher), rtol=1e-4, atol=0)


@every_loss
@both_shapes
def test_order_of_the_rows_does_not_matter(loss, shape):
    student, teacher = pair(shape)
    order = torch.from_numpy(np.random.default_rng(1).permutation(len(student)))
    for each in (clone(loss), fitted(loss, student, teacher)):
        torch.testing.assert_close(each(student[order], teacher[order]), each(student, teacher), rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, CRDLoss)], ids=str)
@both_shapes
def test_a_weight_of_two_is_a_repeated_row(loss, shape):
    # not for CRD, where a repeated row is also a repeated negative of the others
    student, teacher = pair(shape)
    rows = torch.tensor([0, 1, 1, 3])
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0]).double()
    # the teacher's own scale is that of a fit, not of a batch
    loss = fitted(loss, student, teacher)
    weighted = loss(student[:4], teacher[:4], sample_weight=weight)
    torch.testing.assert_close(weighted, loss(student[rows], teacher[rows]), rtol=1e-12, atol=0)
    assert loss(student[:4], teacher[:4], sample_weight=0 * weight) == 0


@every_loss
@both_shapes
@pytest.mark.parametrize("dead", ["student", "teacher", "both", "one student row", "equal rows"])
def test_degenerate_rows_have_bounded_gradients(loss, shape, dead):
    student, teacher = pair(shape)
    if dead in ("student", "both"):
        student = 0 * student
    if dead in ("teacher", "both"):
        teacher = 0 * teacher
    if dead == "one student row":
        student[2] = 0
    if dead == "equal rows":
        student, teacher = student[:1].expand(shape).clone(), teacher[:1].expand(shape).clone()
    for each in (clone(loss), fitted(loss, student, teacher)):
        assert torch.isfinite(each(student, teacher))
        # the largest regular gradient on these inputs is about 10
        assert gradient(each, student, teacher).abs().max() < 100


@every_loss
@both_shapes
def test_a_batch_of_one_row_is_defined(loss, shape):
    student, teacher = pair(shape)
    for each in (clone(loss), fitted(loss, student, teacher)):
        assert torch.isfinite(each(student[:1], teacher[:1]))
        assert torch.isfinite(gradient(each, student[:1], teacher[:1])).all()


ZERO_AT_THE_TEACHER = [loss for loss in LOSSES if not isinstance(loss, ABLoss | CRDLoss | VIDLoss)]


@pytest.mark.parametrize("loss", ZERO_AT_THE_TEACHER, ids=str)
@both_shapes
def test_zero_where_the_student_is_the_teacher(loss, shape):
    student, other = pair(shape)
    assert loss(student, student.clone()) == 0
    assert loss(student, other) > 0
    assert gradient(loss, student, student.clone()).abs().max() < 1e-12


@pytest.mark.parametrize(
    "loss", [AttentionTransferLoss(), AttentionTransferLoss(p=3), NSTLoss(), FactorTransferLoss()], ids=str
)
@pytest.mark.parametrize("scale", [1e-4, 1e4])
@both_shapes
def test_scale_of_the_student_does_not_matter(loss, shape, scale):
    student, teacher = pair(shape)
    torch.testing.assert_close(loss(scale * student, teacher), loss(student, teacher), rtol=1e-10, atol=0)


STANDARDISING = [loss for loss in LOSSES if isinstance(loss, ReviewKDLoss) or loss.standardize]


@pytest.mark.parametrize("loss", STANDARDISING, ids=str)
@both_shapes
def test_scale_of_the_teacher_is_removed_once_per_fit(loss, shape):
    student, teacher = pair(shape)
    scaled = 100 * teacher + 7
    one, other = fitted(loss, student, teacher), fitted(loss, student, scaled)
    torch.testing.assert_close(one(student, teacher), other(student, scaled), rtol=1e-8, atol=0)


@every_loss
@both_shapes
def test_prepared_targets_are_row_by_row(loss, shape):
    student, teacher = pair(shape)
    loss = fitted(loss, student, teacher)
    prepared = loss.prepare(teacher)
    batch = tuple(part[2:5] for part in prepared) if isinstance(prepared, tuple) else prepared[2:5]
    torch.testing.assert_close(loss.compare(student[2:5], batch), loss(student[2:5], teacher[2:5]))


@every_loss
@both_shapes
def test_learnt_parts_survive_pickling_and_clone_leaves_them(loss, shape):
    student, teacher = pair(shape)
    loss = fitted(loss, student, teacher)
    assert pickle.loads(pickle.dumps(loss))(student, teacher) == loss(student, teacher)
    fresh = clone(loss)
    assert list(fresh.parameters()) == []
    assert fresh.get_params() == loss.get_params()


@one_layer
def test_unequal_widths_need_a_projector(loss):
    student, teacher = pair(VECTORS)
    with pytest.raises(ValueError, match=r"(?s)Loss needs .* got 5 and 3. Call build\(\(5,\), \(3,\)\) first"):
        clone(loss)(student, teacher[:, :3])
    assert torch.isfinite(fitted(loss, student, teacher[:, :3])(student, teacher[:, :3]))


@one_layer
def test_maps_of_unequal_sizes(loss):
    student, teacher = pair((5, 3, 8, 6))
    teacher = teacher[:, :2, :4, :3]
    for s, t in ((student, teacher), (teacher, student)):
        assert torch.isfinite(fitted(loss, s, t)(s, t))


@one_layer
@pytest.mark.parametrize(
    ("student", "teacher", "error", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(1, 3), ValueError, "the same rows of two layers"),
        (torch.zeros(4, 3), torch.zeros(4, 3, 2, 2), ValueError, "vectors with vectors or maps with maps"),
        (torch.zeros(4, 3, 2), torch.zeros(4, 3, 2), ValueError, r"got \(4, 3, 2\)"),
        (torch.zeros(4), torch.zeros(4), ValueError, r"got \(4,\)"),
        (torch.zeros(4, 3), torch.zeros(4, 3, dtype=torch.int64), TypeError, "leaf indices are not numbers"),
        (torch.zeros(4, 3), (torch.zeros(4, 3), torch.zeros(4, 3)), TypeError, "one layer of each side"),
    ],
    ids=["rows", "kinds", "3-d", "1-d", "codes", "two layers"],
)
def test_features_of_the_wrong_form(loss, student, teacher, error, message):
    with pytest.raises(error, match=message):
        loss(student, teacher)


@one_layer
@pytest.mark.parametrize(("one", "other"), [((3,), (3, 4, 4)), ((3, 4), (3, 4)), ((), ())])
def test_build_for_shapes_of_the_wrong_form(loss, one, other):
    with pytest.raises(ValueError, match="vectors with vectors"):
        clone(loss).build(one, other)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if isinstance(loss, HintLoss | ABLoss | OFDLoss)], ids=str)
@both_shapes
def test_a_projector_between_equal_widths_starts_as_the_identity(loss, shape):
    student, teacher = pair(shape)
    built = clone(loss)
    built.build(student.shape[1:], teacher.shape[1:])
    torch.testing.assert_close(built.double()(student, teacher), clone(loss)(student, teacher))
    assert sum(parameter.numel() for parameter in built.parameters()) == shape[1] * (shape[1] + 1)


def test_projector_maps_the_student():
    assert projector((5,), (7,))(torch.zeros(2, 5)).shape == (2, 7)
    assert projector((5, 4, 4), (7, 2, 2))(torch.zeros(2, 5, 4, 4)).shape == (2, 7, 4, 4)


@both_shapes
def test_standardizer(shape):
    _, features = pair(shape)
    features = 50 * features + 1000
    features[:, 1] = 123.4
    standardised = Standardizer().fit(features)(features).numpy()
    axes = (0,) if shape == VECTORS else (0, 2, 3)
    np.testing.assert_allclose(standardised.mean(axes), 0, atol=1e-12)
    expected = np.ones(shape[1])
    expected[1] = 0
    np.testing.assert_allclose(standardised.std(axes), expected, atol=1e-12)


def test_standardizer_leaves_rounding_of_a_constant_column():
    features = torch.tensor([[1e6], [1e6 + 0.0625]], dtype=torch.float32)
    assert Standardizer().fit(features)(features).abs().max() <= 0.0625


def test_maps_are_pooled_side_by_side():
    one, other = at_same_positions(torch.rand(2, 3, 8, 2), torch.rand(2, 3, 4, 6))
    assert one.shape == other.shape == (2, 3, 4, 2)


def test_every_feature_loss_is_tested():
    import sklkd.losses

    public = {getattr(sklkd.losses, name) for name in sklkd.losses.__all__}
    elsewhere = {sklkd.losses.ActiveHintLoss}
    assert {type(loss) for loss in LOSSES} | elsewhere == {c for c in public if c.knowledge == "feature"}
    assert all(issubclass(type(loss), ProjectedLoss | ReviewKDLoss) for loss in LOSSES)
