"""Trees, boosters and linear models as students."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from sklkd import CompressionCurveDisplay, DistilledClassifier, DistilledRegressor, distillation_report
from sklkd.augment import GaussianNoise
from sklkd.exceptions import DivergedError
from sklkd.losses import DKDLoss, SoftTargetLoss, TargetLoss

from ..problems import LABELS, classes, targets

CLASSIFIERS = [
    DecisionTreeClassifier(max_leaf_nodes=8),
    RandomForestClassifier(5),
    HistGradientBoostingClassifier(max_iter=5),
    LogisticRegression(max_iter=5000),
    GaussianNB(),
    SGDClassifier(loss="log_loss"),
    XGBClassifier(n_estimators=5),
    LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
    CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False),
    make_pipeline(StandardScaler(), LogisticRegression()),
]
REGRESSORS = [
    DecisionTreeRegressor(max_leaf_nodes=8),
    RandomForestRegressor(5),
    HistGradientBoostingRegressor(max_iter=5),
    Ridge(),
    XGBRegressor(n_estimators=5),
    LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
    CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False),
    make_pipeline(StandardScaler(), Ridge()),
]
TEACHER = ExtraTreesClassifier(10, random_state=0)


def soft_targets(X, y):
    """Probabilities that are neither those of a model that is distilled here nor far from the labels."""
    noise = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], len(X))
    return 0.5 * np.eye(3)[np.searchsorted(LABELS, y)] + 0.5 * noise


def name(student):
    return type(student).__name__ if not hasattr(student, "steps") else "Pipeline"


@pytest.mark.parametrize("student", CLASSIFIERS, ids=name)
def test_the_student_by_itself_predicts_the_same(student):
    X, y = classes()
    est = DistilledClassifier(TEACHER, student, random_state=0, n_synthetic=100).fit(X, y)
    proba = est.predict_proba(X)
    np.testing.assert_allclose(proba, est.student_.predict_proba(est.encoder_.transform(X)), atol=1e-5)
    np.testing.assert_array_equal(est.predict(X), LABELS[proba.argmax(axis=1)])
    np.testing.assert_allclose(np.exp(est.predict_log_proba(X)), proba, atol=1e-12)
    assert est.score(X, y) > 0.5
    again = clone(est).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    light = pickle.loads(pickle.dumps(est.without_teacher()))
    np.testing.assert_array_equal(light.predict_proba(X), proba)


@pytest.mark.parametrize("student", REGRESSORS, ids=name)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_so_does_a_regressor_in_units_of_y(student, n_targets):
    X, y = targets(n_targets=n_targets)
    est = DistilledRegressor(RandomForestRegressor(10, random_state=0), student, random_state=0, n_synthetic=100)
    est.fit(X, y)
    expected = est.student_.predict(est.encoder_.transform(X))
    np.testing.assert_allclose(est.predict(X), expected, rtol=1e-6)
    assert est.predict(X).shape == y.shape
    assert est.score(X, y) > 0


# --- what is minimised ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hard_weight", [0.0, 0.3, 1.0])
def test_a_linear_student_has_no_gradient_left_of_the_documented_objective(hard_weight):
    """Without a penalty the objective of a logistic regression is that of the class's docstring, recomputed here."""
    X, y = classes(200)
    soft = soft_targets(X, y)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X))
    student = LogisticRegression(C=np.inf, tol=1e-8, max_iter=2000)
    est = DistilledClassifier(None, student, hard_weight=hard_weight, blend=0)
    est.fit(X, y, sample_weight=weight, teacher_outputs=soft)
    left = hard_weight * np.eye(3)[np.searchsorted(LABELS, y)] + (1 - hard_weight) * soft - est.predict_proba(X)
    gradient = (weight[:, None] * left).T @ np.column_stack([X, np.ones(len(X))]) / weight.sum()
    # shares below 0.001 of a row are left out
    assert np.abs(gradient).max() < 2e-3


def test_squared_error_to_two_targets_is_that_to_their_mean():
    X, y = targets(80)
    taught = y + np.random.default_rng(0).normal(0, 50, len(y))
    est = DistilledRegressor(None, Ridge(alpha=1e-9), hard_weight=0.25, blend=0).fit(X, y, teacher_outputs=taught)
    expected = Ridge(alpha=1e-9).fit(X, 0.25 * y + 0.75 * taught).predict(X)
    np.testing.assert_allclose(est.predict(X), expected, rtol=1e-6)


def test_labels_alone_are_an_ordinary_fit():
    X, y = classes()
    student = DecisionTreeClassifier(max_leaf_nodes=6, random_state=0)
    est = DistilledClassifier(TEACHER, student, hard_weight=1).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X), clone(student).fit(X, y).predict_proba(X), atol=1e-12)


def test_a_label_weighs_more_the_fewer_rows_have_one():
    """The terms are means over their own rows: unlabelled ones leave the labels' share of the objective as it is."""
    X, y = targets(60)
    more = np.random.default_rng(0).normal(size=(240, X.shape[1]))
    teacher = Ridge().fit(X, y + 30)
    params = {"hard_weight": 0.5, "blend": 0, "augment": None}
    est = DistilledRegressor(teacher, Ridge(alpha=1e-9), **params).fit(X, y, X_transfer=more)
    rows = np.r_[X, X, more]
    target = np.r_[y, teacher.predict(X), teacher.predict(more)]
    weight = np.r_[np.full(60, 0.5 * 300 / 60), np.full(300, 0.5)]
    expected = Ridge(alpha=1e-9).fit(rows, target, sample_weight=weight)
    np.testing.assert_allclose(est.predict(X), expected.predict(X), rtol=1e-6)


def test_lightgbm_is_as_with_a_soft_target_objective_of_its_own():
    """The gradients of the weighted copies of a row add up to those of the cross-entropy against its soft targets."""
    X, y = classes(400)
    soft = soft_targets(X, y)

    def objective(_, scores):
        scores = scores.reshape(len(X), 3, order="F")
        proba = np.exp(scores - scores.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        # LightGBM's own factor of the hessian of three classes
        return (proba - soft).ravel(order="F"), (1.5 * proba * (1 - proba)).ravel(order="F")

    params = {"n_estimators": 10, "min_child_samples": 1, "boost_from_average": False, "max_bin": 400, "verbose": -1}
    params |= {"min_data_in_bin": 1, "min_sum_hessian_in_leaf": 5, "max_depth": 3}
    est = DistilledClassifier(None, LGBMClassifier(**params), hard_weight=0, blend=0).fit(X, y, teacher_outputs=soft)
    own = LGBMClassifier(objective=objective, **params).fit(X, np.searchsorted(LABELS, y))
    scores = own.predict(X, raw_score=True)
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(est.predict_proba(X) - proba).mean() < 0.02


@pytest.mark.parametrize("student", CLASSIFIERS, ids=name)
def test_a_poor_teacher_does_no_harm(student):
    X, y = classes(600)
    poor = DecisionTreeClassifier(max_depth=1)
    est = DistilledClassifier(poor, student, random_state=0, n_synthetic=400).fit(X[:400], y[:400])
    alone = DistilledClassifier(poor, student, random_state=0, hard_weight=1).fit(X[:400], y[:400])
    losses = [log_loss(y[400:], one.predict_proba(X[400:])) for one in (est, alone)]
    assert losses[0] <= 1.05 * losses[1]


def test_what_was_tried_on_validation_rows_is_in_the_account():
    X, y = classes(600)
    strong = DistilledClassifier(ExtraTreesClassifier(50, random_state=0), DecisionTreeClassifier(), random_state=0)
    losses = strong.fit(X, y).account_.losses
    assert losses["student"] < losses["student on labels alone"]
    assert strong.hard_weight_ < 1
    weak = DistilledClassifier(DecisionTreeClassifier(max_depth=1), GaussianNB(), random_state=0)
    losses = weak.fit(X, y).account_.losses
    assert losses["student on labels alone"] < min(losses["student"], losses["student without synthetic rows"])
    assert (weak.hard_weight_, weak.blend_, weak.augment_) == (1, 0, None)
    # what the user says is obeyed, and not tried
    given = clone(weak).set_params(hard_weight=0.1, blend=0).fit(X, y)
    assert (given.hard_weight_, given.blend_) == (0.1, 0)
    assert "student" not in given.account_.losses


# --- rows and columns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", CLASSIFIERS[:-1], ids=name)
def test_a_frame_with_categories_gaps_and_dates(student):
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "kind": rng.choice(np.array(["x", "y", None], dtype=object), n),
            "day": pd.date_range("2024-01-01", periods=n),  # of which nothing is to be learnt
        }
    )
    y = np.where((frame["kind"] == "x") | (frame["number"] > 0.5), "yes", "no")
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("passthrough", ["number"]), remainder="drop"
    )
    teacher = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=10, random_state=0))
    est = DistilledClassifier(teacher, student, random_state=0, n_synthetic=200).fit(frame, y)
    assert est.score(frame, y) > 0.6 or isinstance(student, SGDClassifier)  # which hardly converges on so few rows
    unseen = frame.head(3).assign(kind=["z", None, "x"], number=[np.nan, 1.0, 2.0])
    assert np.isfinite(est.predict_proba(unseen)).all()


def test_steps_of_a_pipeline_see_the_users_frame():
    X, y = classes()
    frame = pd.DataFrame(X, columns=list("abcde"))
    student = make_pipeline(make_column_transformer(("passthrough", ["b", "d"])), DecisionTreeClassifier(max_depth=3))
    est = DistilledClassifier(TEACHER, student, random_state=0, n_synthetic=50).fit(frame, y)
    assert est.student_.n_features_in_ == 2
    assert est.encoder_.transform(frame).shape == (len(X), 2)


def test_missing_numbers_after_the_users_steps_are_filled_for_estimators_that_do_not_take_them():
    X, y = classes()
    X[::5, 0] = np.nan
    teacher = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    student = make_pipeline(StandardScaler(), LogisticRegression())
    est = DistilledClassifier(teacher, student, random_state=0, n_synthetic=50).fit(X, y)
    assert "fill" in est.encoder_.named_steps
    assert np.isfinite(est.predict_proba(X)).all()


def test_the_student_reads_chosen_columns_alone():
    X, y = classes()
    est = DistilledClassifier(TEACHER, DecisionTreeClassifier(max_depth=3), columns=[0, 2], n_synthetic=50).fit(X, y)
    np.testing.assert_array_equal(est.predict(X), est.predict(X[:, [0, 2]]))


def test_a_class_that_nothing_tells_of_is_known_all_the_same():
    X, y = classes()
    X, y, soft = X[y != "cat"], y[y != "cat"], soft_targets(X, y)[y != "cat"]
    y[0], soft[:, 2] = "cat", 0
    soft /= soft.sum(axis=1, keepdims=True)
    est = DistilledClassifier(None, XGBClassifier(n_estimators=3), hard_weight=0, blend=0)
    proba = est.fit(X, y, teacher_outputs=soft).predict_proba(X)
    assert proba.shape == (len(X), 3)
    assert proba[:, 2].max() < proba[:, :2].max()
    assert (est.fit(X, y, teacher_outputs=soft).predict(X) != "cat").all()


def test_the_range_of_the_teachers_values_survives():
    X, y = targets()
    y = np.exp((y - y.mean()) / y.std())
    teacher = HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0).fit(X, y)
    est = DistilledRegressor(teacher, Ridge(), random_state=0, n_synthetic=100).fit(X, y)
    assert est.student_.predict(X * 5).min() < 0 < est.predict(X * 5).min()


# --- around it ------------------------------------------------------------------------------------------------------


def test_a_grid_over_its_parameters():
    X, y = classes()
    est = DistilledClassifier(TEACHER, DecisionTreeClassifier(random_state=0), random_state=0, n_synthetic=50)
    grid = GridSearchCV(est, {"student__max_depth": [1, 6]}, cv=2).fit(X, y)
    assert grid.best_estimator_.student_.get_depth() <= grid.best_params_["student__max_depth"]
    assert len(set(grid.cv_results_["mean_test_score"])) == 2


def test_partial_fit_is_there_where_the_estimator_has_it():
    X, y = classes()
    est = DistilledClassifier(TEACHER, GaussianNB(), random_state=0, augment=None, hard_weight=0.2, blend=0)
    est.partial_fit(X[:60], y[:60], classes=LABELS)
    before = est.student_.class_count_.sum()
    est.partial_fit(X[60:], y[60:])
    np.testing.assert_allclose(before, 60)
    np.testing.assert_allclose(est.student_.class_count_.sum(), 120)
    assert not hasattr(DistilledClassifier(TEACHER, DecisionTreeClassifier()), "partial_fit")
    regressor = DistilledRegressor(Ridge(), make_pipeline(StandardScaler(), SGDRegressor(random_state=0)))
    X, y = targets()
    regressor.partial_fit(X, y)
    first = regressor.student_.coef_.copy()
    assert (regressor.partial_fit(X, y).student_.coef_ != first).any()


@pytest.mark.parametrize("loss", [DKDLoss(), SoftTargetLoss(temperature=2.0), SoftTargetLoss(standardize=True)])
def test_losses_that_need_a_network_say_so(loss):
    X, y = classes()
    with pytest.raises(ValueError, match="with temperature=1"):
        DistilledClassifier(TEACHER, LogisticRegression(), loss=loss).fit(X, y)


def test_a_huber_loss_says_so_too():
    X, y = targets()
    with pytest.raises(ValueError, match="kind='squared'"):
        DistilledRegressor(Ridge(), Ridge(), loss=TargetLoss(kind="huber")).fit(X, y)


def test_report_and_compression_curve():
    X, y = classes(200)
    est = DistilledClassifier(TEACHER, DecisionTreeClassifier(random_state=0), random_state=0, augment=GaussianNoise())
    est.set_params(n_synthetic=100)
    report = distillation_report(clone(est).fit(X, y), X, y, n_repeats=1)
    frame = report.to_frame()
    assert "DecisionTreeClassifier" in str(report)
    assert frame.loc["student", "parameters"] < frame.loc["teacher", "parameters"]
    sizes = [{"max_leaf_nodes": 2}, {"max_leaf_nodes": 8}]
    display = CompressionCurveDisplay.from_estimator(est, X, y, sizes=sizes, n_repeats=1)
    np.testing.assert_array_equal(display.parameters, [2 + 2 * 3, 2 * 7 + 8 * 3])
    with pytest.raises(ValueError, match="sizes must be given"):
        CompressionCurveDisplay.from_estimator(est, X, y)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of its solver
def test_values_that_are_not_finite_are_an_error_of_the_fit():
    """scikit-learn's solver for sparse rows gives NaN for such targets."""
    X = sparse.random_array((20, 600), density=0.3, rng=np.random.default_rng(0), format="csr")
    y = np.arange(20.0)
    est = DistilledRegressor(KNeighborsRegressor(3), Ridge(), hard_weight=0.1, blend=0, augment=None).fit(X, y)
    told = est.predict(X)
    with pytest.raises(DivergedError, match="student must predict finite values, and Ridge does not"):
        est.fit(X, y * 1e200)
    np.testing.assert_array_equal(est.predict(X), told)
