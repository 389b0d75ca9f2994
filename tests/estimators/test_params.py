"""Parameters as scikit-learn has them: cloned, set, searched, cached, pickled, shown."""

from __future__ import annotations

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor, OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.augment import MUNGE
from sklkd.losses import LogitMSELoss, SoftTargetLoss, TargetLoss
from sklkd.methods import MutualLearning
from sklkd.students import TabularStudent

from .problems import classes, quick, skorch_net, targets

TREES = ExtraTreesClassifier(5, random_state=0)


def two_losses():
    return [("kd", SoftTargetLoss(temperature=2.0)), ("mse", LogitMSELoss(weight=0.1))]


def test_nested_parameters():
    est = DistilledClassifier(TREES, skorch_net(), loss=SoftTargetLoss())
    est.set_params(loss__temperature=3.0, teacher__max_depth=2, student__lr=0.5, student__module__width=7)
    params = est.get_params()
    assert est.loss.temperature == params["loss__temperature"] == 3.0
    assert est.teacher.max_depth == 2 and est.student.lr == 0.5 and params["student__module__width"] == 7
    est.set_params(teacher__max_depth=None)
    named = DistilledClassifier([("a", TREES), ("b", LogisticRegression())], quick(), loss=two_losses())
    named.set_params(kd__temperature=5.0, mse__weight=0.0, b__C=3.0)
    assert named.loss[0][1].temperature == 5.0 and named.loss[1][1].weight == 0.0 and named.teacher[1][1].C == 3.0
    named.set_params(kd=LogitMSELoss(), a=Ridge())
    assert isinstance(named.loss[0][1], LogitMSELoss) and isinstance(named.teacher[0][1], Ridge)
    with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
        named.set_params(nothing=1)
    outer = DistilledClassifier(DistilledClassifier(TREES, quick(), loss=two_losses()), quick())
    outer.set_params(teacher__kd__temperature=7.0, teacher__teacher__max_depth=3)
    assert outer.teacher.loss[0][1].temperature == 7.0 and outer.teacher.teacher.max_depth == 3
    outer.set_params(teacher__teacher__max_depth=None)


def shown(est):
    """All parameters, but for skorch's default callbacks, which it makes anew whenever they are asked for."""
    return {name: repr(value) for name, value in est.get_params().items() if "__callbacks__" not in name}


@pytest.mark.parametrize(
    ("estimator", "key", "message"),
    [
        (DistilledClassifier(Ridge()), "loss__temperature", "loss=None has no parameters. Pass an object as loss"),
        (DistilledClassifier(Ridge(), "tiny"), "student__lr", "student='tiny' has no parameters"),
        (OnlineDistilledClassifier(2), "method__temperature", "method=None has no parameters"),
        (OnlineDistilledClassifier([("a", "tiny"), ("b", "small")]), "b__lr", "b='small' has no parameters"),
        (SelfDistilledClassifier(), "method__alpha", "method=None has no parameters"),
        (SelfDistilledClassifier(), "methods__alpha", "Invalid parameter 'methods'"),
    ],
    ids=str,
)
def test_parameters_of_what_has_none(estimator, key, message):
    with pytest.raises(ValueError, match=message):
        estimator.set_params(**{key: 2})


def test_an_object_and_its_parameters_can_be_set_at_once():
    est = OnlineDistilledClassifier([("a", "tiny"), ("b", "small")])
    est.set_params(method=MutualLearning(), method__temperature=3, a=TabularStudent(), a__lr=0.5)
    assert est.method.temperature == 3 and est.peers[0][1].lr == 0.5


def test_clone_and_shared_objects():
    est = DistilledClassifier(TREES, quick(), loss=two_losses(), augment=MUNGE(n_neighbors=2))
    copy_ = clone(est)
    assert copy_.loss[0][1] is not est.loss[0][1] and copy_.loss[0][1].temperature == 2.0
    X, y = classes()
    before = shown(est)
    est.fit(X, y)
    assert shown(est) == before
    # neither losses nor student nor sampler of the user are trained
    assert est.loss_[0][0] == "kd" and est.loss_[0][1] is not est.loss[0][1]
    assert est.loss_[0][1].temperature == 2.0
    assert not est.student.initialized_ and est.student_ is not est.student
    assert not hasattr(est.augment, "n_features_in_") and est.augment_ is not est.augment
    assert est.augment_.n_neighbors == 2
    one = DistilledClassifier(TREES, quick(), loss=SoftTargetLoss(temperature=3.0)).fit(X, y)
    assert one.loss_ is not one.loss and one.loss_.get_params() == one.loss.get_params()
    assert isinstance(DistilledRegressor(Ridge(), quick()).fit(*targets()).loss_, TargetLoss)


def test_grid_search_in_parallel():
    X, y = classes()
    est = DistilledClassifier(TREES, quick(), loss=two_losses(), blend=0, augment=None, random_state=0)
    pipe = make_pipeline(make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough"), est)
    grid = {
        "distilledclassifier__kd__temperature": [1.0, 4.0],
        "distilledclassifier__hard_weight": [0.0, 0.5],
        "distilledclassifier__student__module__hidden": [(4,)],
        "distilledclassifier__student__lr": [0.01],
        "distilledclassifier__teacher__max_depth": [3],
    }
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4 and np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_[-1]
    assert best.student_.module_.hidden[0][0].out_features == 4 and best.teacher_.max_depth == 3
    serial = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])


class Counted(ClassifierMixin, BaseEstimator):
    """Counts its fits."""

    fits: list = []

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y, sample_weight=None):
        self.fits.append(len(X))
        self.inner_ = LogisticRegression(C=self.C).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


@pytest.mark.parametrize(("cv", "per_fold"), [(None, 1), (2, 3)])
def test_memory_fits_each_folds_teacher_once(tmp_path, cv, per_fold):
    X, y = classes()
    est = DistilledClassifier(Counted(), quick(), loss=SoftTargetLoss(), blend=0, cv=cv, augment=None, random_state=0)
    grid = {"loss__temperature": [1.0, 2.0], "hard_weight": [0.1, 0.5], "student__lr": [0.01, 0.02]}
    fits, scores = {}, {}
    for name, memory in (
        ("without", None),
        ("with", str(tmp_path)),
        ("again", joblib.Memory(str(tmp_path), verbose=0)),
    ):
        Counted.fits.clear()
        search = GridSearchCV(clone(est).set_params(memory=memory), grid, cv=3, error_score="raise").fit(X, y)
        fits[name], scores[name] = len(Counted.fits), search.cv_results_["mean_test_score"]
    assert fits == {"without": per_fold * (8 * 3 + 1), "with": per_fold * (3 + 1), "again": 0}
    np.testing.assert_array_equal(scores["without"], scores["with"])
    np.testing.assert_array_equal(scores["without"], scores["again"])


def test_memory_tells_teachers_rows_weights_and_seeds_apart(tmp_path):
    X, y = classes()
    est = DistilledClassifier(Counted(), quick(), hard_weight=0.1, blend=0, memory=str(tmp_path), random_state=0)
    Counted.fits.clear()
    est.fit(X, y)
    est.fit(X, y)
    assert len(Counted.fits) == 1
    for change in ({"teacher__C": 2.0}, {"random_state": 1}):
        clone(est).set_params(**change).fit(X, y)
    est.fit(X[1:], y[1:])
    est.fit(X, np.roll(y, 1))
    est.fit(X, y, sample_weight=np.arange(len(y)) + 1.0)
    assert len(Counted.fits) == 6


def test_a_kept_teacher_is_not_cached(tmp_path):
    X, y = classes()
    teacher = Counted().fit(X, y)
    Counted.fits.clear()
    DistilledClassifier(teacher, quick(), hard_weight=0.1, blend=0, memory=str(tmp_path)).fit(X, y)
    assert not Counted.fits and not list(tmp_path.rglob("output.pkl"))


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
@pytest.mark.parametrize("light", [False, True])
def test_copies(way, light):
    X, y = classes()
    params = {"hard_weight": 0.3, "blend": 0.5, "random_state": 0}
    est = DistilledClassifier(TREES, quick(), loss=two_losses(), **params).fit(X, y)
    source = est.without_teacher() if light else est
    if way == "joblib":
        stream = io.BytesIO()
        joblib.dump(source, stream)
        restored = joblib.load(io.BytesIO(stream.getvalue()))
    else:
        restored = pickle.loads(pickle.dumps(source)) if way == "pickle" else copy.deepcopy(source)
    np.testing.assert_array_equal(restored.predict_proba(X), est.predict_proba(X))
    np.testing.assert_allclose(
        restored.student_.predict_proba(restored.encoder_.transform(X)), est.predict_proba(X), atol=1e-5
    )
    if not light:
        np.testing.assert_array_equal(restored.partial_fit(X, y).predict(X), est.partial_fit(X, y).predict(X))


def test_unfitted_copies():
    est = DistilledClassifier(TREES, skorch_net(), loss=two_losses())
    restored = pickle.loads(pickle.dumps(est))
    assert repr(restored.get_params()["kd"]) == repr(est.get_params()["kd"])
    assert copy.deepcopy(est).student.lr == 0.01


def test_without_teacher():
    X, y = classes(2000)
    forest = RandomForestClassifier(20, random_state=0)
    est = DistilledClassifier(forest, quick(1), loss=two_losses(), blend=0.5, random_state=0)
    est.fit(X, y)
    light = est.without_teacher()
    assert light.teacher is None and light.teacher_ is None and est.teacher_ is not None
    np.testing.assert_array_equal(light.predict_proba(X), est.predict_proba(X))
    # the network and its encoding, and neither rows nor the teacher
    size = sum(value.numel() * 4 for value in light.student_.module_.state_dict().values())
    assert len(pickle.dumps(light)) < 2 * size + 30_000 < X.nbytes
    assert light.__sklearn_tags__().input_tags.allow_nan and light.__sklearn_tags__().input_tags.sparse
    for call in (light.fit, light.partial_fit):
        with pytest.raises(
            ValueError, match=r"teacher was dropped by without_teacher\(\).*fit the estimator that it came from"
        ):
            call(X, y)
    with pytest.raises(ValueError, match="dropped by without_teacher"):
        light.fit(X, y, teacher_outputs=est.predict_proba(X))
    again = light.without_teacher()
    np.testing.assert_array_equal(again.predict(X), light.predict(X))
    assert again.__sklearn_tags__().input_tags.allow_nan
    # another teacher makes it an estimator like any other, with the tags of that one
    light.set_params(teacher=LogisticRegression())
    assert not light.__sklearn_tags__().input_tags.allow_nan
    assert light.fit(X, y).teacher_refitted_
    with pytest.raises(TypeError, match="teacher must be"):
        clone(again).fit(X, y)


@pytest.mark.parametrize("est", [DistilledClassifier, DistilledRegressor])
def test_the_same_seed_gives_the_same_bits(est):
    X, y = classes() if est is DistilledClassifier else targets()
    teacher = ExtraTreesClassifier(5) if est is DistilledClassifier else ExtraTreesRegressor(5)
    answer = "predict_proba" if est is DistilledClassifier else "predict"

    def fit(seed):
        # what the global generators did before does not matter
        np.random.rand(3), torch.rand(3)  # noqa: NPY002
        return getattr(est(teacher, quick(1), cv=2, random_state=seed).fit(X, y), answer)(X)

    np.testing.assert_array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))
    np.testing.assert_array_equal(fit(np.random.RandomState(3)), fit(np.random.RandomState(3)))
    shared = np.random.RandomState(3)
    assert not np.array_equal(fit(shared), fit(shared))
    assert not np.array_equal(fit(None), fit(None))


def test_global_generators_are_left_alone():
    X, y = classes()
    est = DistilledClassifier(ExtraTreesClassifier(5), skorch_net(), cv=2, random_state=0)
    numpy_state, torch_state = np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    est.fit(X, y).partial_fit(X, y).predict(X)
    assert repr(np.random.get_state()) == repr(numpy_state)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)


def test_repr_and_html():
    X, y = classes()
    est = DistilledClassifier(make_pipeline(StandardScaler(), TREES), quick(), loss=two_losses(), random_state=0)
    for one in (est, est.fit(X, y), est.without_teacher()):
        assert "DistilledClassifier" in repr(one)
        assert "DistilledClassifier" in one._repr_html_()
    assert "ExtraTreesClassifier" in est._repr_html_()
    with config_context(print_changed_only=False):
        assert "hard_weight='auto'" in repr(est)


def test_cross_val_score():
    X, y = targets()
    est = DistilledRegressor(Ridge(), quick(60), augment=None, random_state=0)
    assert cross_val_score(est, X, y, cv=3, error_score="raise").mean() > 0.5


def test_what_was_chosen():
    X, y = classes()
    est = DistilledClassifier(RandomForestClassifier(10), quick()).fit(X, y)
    assert 0 <= est.hard_weight_ <= 1 and est.cv_ == "oob" and (est.augment_ is None or isinstance(est.augment_, MUNGE))
    given = DistilledClassifier(
        RandomForestClassifier(10), quick(), hard_weight=0.3, blend=0, cv=None, augment=None
    ).fit(X, y)
    assert (given.hard_weight_, given.cv_, given.augment_) == (0.3, "in-sample", None)
    assert given.n_iter_ == len(given.history_) == 3
    labels = DistilledClassifier(LogisticRegression(), quick(), hard_weight=1).fit(X, y)
    assert labels.cv_ == "none" and labels.augment_ is None and hasattr(labels.teacher_, "coef_")


def test_user_sampler():
    class Noise:
        """No estimator, but it has what a sampler needs."""

        def __init__(self):
            self.fits = 0

        def fit(self, X, y=None):
            self.fits += 1
            self.rows = X
            return self

        def sample(self, n, random_state):
            rng = np.random.RandomState(random_state)
            return self.rows[rng.randint(len(self.rows), size=n)] + rng.randn(n, self.rows.shape[1])

    X, y = classes()
    sampler = Noise()
    est = DistilledClassifier(
        LogisticRegression(), skorch_net(), hard_weight=0, blend=0, augment=sampler, random_state=0
    )
    with_rows = est.fit(X, y).predict_proba(X)
    assert sampler.fits == 0 and isinstance(est.augment_, Noise) and not hasattr(est.augment_, "rows")
    assert not np.allclose(with_rows, est.set_params(augment=None).fit(X, y).predict_proba(X), atol=1e-3)
