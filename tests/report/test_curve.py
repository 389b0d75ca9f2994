"""Curves: each number against an estimator fitted by hand, each line against the numbers."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNet

from sklkd import CompressionCurveDisplay, DistilledClassifier, DistilledRegressor, OnlineDistilledClassifier
from sklkd.report import _curve
from sklkd.students import TabularStudent
from sklkd.teachers import Precomputed

SIZES = [100, 400]
from_estimator = CompressionCurveDisplay.from_estimator


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(autouse=True)
def short_timing(monkeypatch):
    monkeypatch.setattr(_curve, "microseconds", lambda call, n_repeats: float(len(call()) + n_repeats))


@pytest.fixture(scope="module")
def quick():
    return TabularStudent(max_epochs=3, lr=0.02, batch_size=16)


@pytest.fixture
def est(quick):
    teacher = ExtraTreesClassifier(10, min_samples_leaf=2)
    return DistilledClassifier(teacher, quick, hard_weight=0.25, augment=None, random_state=0)


def test_each_score_is_that_of_the_estimator_with_that_student(est, flowers):
    X, y, X_test, y_test = flowers
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, sizes=[*SIZES, "tiny"], scoring="neg_log_loss")
    students = [TabularStudent(max_parameters=size, max_epochs=3, lr=0.02, batch_size=16) for size in SIZES]
    for i, student in enumerate([*students, "tiny"]):
        by_hand = clone(est).set_params(student=student).fit(X, y)
        on_labels = DistilledClassifier(by_hand.teacher_, student, hard_weight=1, augment=None, random_state=0)
        on_labels.fit(X, y)
        module = by_hand.student_.module_
        assert display.scores[i] == -log_loss(y_test, by_hand.predict_proba(X_test))
        assert display.baseline_scores[i] == -log_loss(y_test, on_labels.predict_proba(X_test))
        assert display.parameters[i] == sum(part.numel() for part in module.parameters())
        assert display.n_bytes[i] == sum(part.nbytes for part in module.state_dict().values())
        assert display.latency_us[i] == 21
        assert display.teacher_score == pytest.approx(-log_loss(y_test, by_hand.teacher_.predict_proba(X_test)))
    assert np.all(display.parameters[:2] <= SIZES)


def test_regression_of_several_targets(quick, bodies):
    X, y, X_test, y_test = bodies
    est = DistilledRegressor(ExtraTreesRegressor(5), quick, hard_weight=0.25, augment=None, random_state=0)
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, sizes=SIZES)
    by_hand = [clone(est).set_params(student__max_parameters=size).fit(X, y) for size in SIZES]
    assert display.scores.tolist() == [one.score(X_test, y_test) for one in by_hand]
    assert display.teacher_score == pytest.approx(by_hand[0].teacher_.score(X_test, y_test))
    assert display.n_bytes[0] == sum(part.nbytes for part in by_hand[0].student_.module_.state_dict().values())
    assert display.ax_.get_ylabel() == "R2 (higher is better)"
    single = from_estimator(est, X, y[:, 0], X_test=X_test, y_test=y_test[:, 0], sizes=[100], baseline=False)
    assert single.teacher_score == pytest.approx(clone(est).fit(X, y[:, 0]).teacher_.score(X_test, y_test[:, 0]))


class CountedTrees(ExtraTreesClassifier):
    fits: list[int] = []

    def fit(self, X, y, sample_weight=None):
        self.fits.append(len(X))
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("cv", [None, 2])
def test_the_teacher_is_fitted_once_for_all_sizes(quick, flowers, cv):
    X, y, X_test, y_test = flowers
    CountedTrees.fits.clear()
    est = DistilledClassifier(CountedTrees(5), quick, cv=cv, augment=None, random_state=0)
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, sizes=[100, 200, 400])
    # for hard_weight="auto" two clones are fitted on three quarters of the rows; out-of-sample outputs spare them
    assert sorted(CountedTrees.fits) == ([60, 60, 80] if cv is None else [40, 40, 80])
    expected = clone(est).set_params(student__max_parameters=200).fit(X, y).score(X_test, y_test)
    assert display.scores[1] == expected
    assert not hasattr(est, "teacher_")


def test_a_fitted_teacher_is_kept_for_test_rows_that_are_given(classifier, flowers, monkeypatch):
    X, y, X_test, y_test = flowers

    def refuse(*args, **kwargs):
        raise AssertionError("fitted again")

    monkeypatch.setattr(ExtraTreesClassifier, "fit", refuse)
    display = from_estimator(classifier, X, y, X_test=X_test, y_test=y_test, sizes=[100])
    assert display.teacher_score == classifier.teacher_.score(X_test, y_test)
    assert classifier.student.max_parameters is None


@pytest.mark.parametrize("frozen", [False, True])
def test_a_quarter_of_the_rows_is_held_out_of_everything(quick, flowers, frozen):
    X, y = flowers[:2]
    teacher = ExtraTreesClassifier(10, random_state=3).fit(X, y)
    given = FrozenEstimator(teacher) if frozen else teacher
    est = DistilledClassifier(given, quick, hard_weight=0.25, augment=None, random_state=0)
    weight = np.arange(1.0, 81)
    display = from_estimator(est, X, y, sizes=[100], sample_weight=weight, scoring="accuracy")
    X_train, X_held, y_train, y_held, w_train, _ = train_test_split(
        X, y, weight, test_size=0.25, random_state=0, stratify=y
    )
    by_hand = clone(est).set_params(student__max_parameters=100).fit(X_train, y_train, sample_weight=w_train)
    assert display.scores[0] == by_hand.score(X_held, y_held)
    unseen = clone(teacher).fit(X_train, y_train, w_train).score(X_held, y_held)
    assert display.teacher_score == (1.0 if frozen else unseen)
    assert unseen < 1


def test_frames_pass_through(quick, flowers):
    X, y, X_test, y_test = flowers
    names = list("abcd")
    est = DistilledClassifier(ExtraTreesClassifier(5), quick, hard_weight=0.25, augment=None, random_state=0)
    frames = pd.DataFrame(X, columns=names), pd.DataFrame(X_test, columns=names)
    display = from_estimator(est, frames[0], pd.Series(y), X_test=frames[1], y_test=pd.Series(y_test), sizes=[100])
    assert display.scores[0] == clone(est).set_params(student__max_parameters=100).fit(X, y).score(X_test, y_test)
    assert from_estimator(est, frames[0], pd.Series(y), sizes=[100], baseline=False).scores.shape == (1,)


def test_a_generator_gives_every_size_the_same_seeds_and_is_not_used_up(est, flowers):
    X, y, X_test, y_test = flowers
    generator = np.random.RandomState(0)
    before = generator.get_state()[1].copy()
    est.set_params(random_state=generator)
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, sizes=[100, 100], scoring="neg_log_loss")
    assert display.scores[0] == display.scores[1] and display.baseline_scores[0] == display.baseline_scores[1]
    assert np.array_equal(generator.get_state()[1], before) and est.random_state is generator


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_sizes_side_by_side_have_the_same_scores(est, flowers, backend):
    X, y, X_test, y_test = flowers
    options = {"X_test": X_test, "y_test": y_test, "sizes": [100, 200, 400], "scoring": "neg_log_loss"}
    one = from_estimator(est, X, y, **options)
    with parallel_config(backend):
        two = from_estimator(est, X, y, n_jobs=2, **options)
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_array_equal(one.baseline_scores, two.baseline_scores)
    np.testing.assert_array_equal(one.parameters, two.parameters)
    assert one.teacher_score == two.teacher_score


def test_default_sizes(est, flowers, monkeypatch):
    monkeypatch.setattr(_curve, "LARGEST", 4_000)
    monkeypatch.setattr(_curve, "N_SIZES", 3)
    X, y, X_test, y_test = flowers
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, baseline=False)
    assert np.all(0.95 * np.array([1_000, 2_000, 4_000]) < display.parameters)
    assert np.all(display.parameters <= [1_000, 2_000, 4_000])
    wide = np.random.default_rng(0).normal(size=(len(X), 300))
    display = from_estimator(est, np.hstack([X, wide]), y, baseline=False)
    assert display.parameters[0] == 305 * 4 + 5 * 4 + 5 * 3 and display.parameters[2] > 3_500


def test_students_behind_steps_and_of_other_kinds(est, flowers):
    X, y, X_test, y_test = flowers
    rows = {"X_test": X_test, "y_test": y_test, "baseline": False}
    est.set_params(student=make_pipeline(StandardScaler(), TabularStudent(max_epochs=2)))
    assert from_estimator(est, X, y, sizes=[100], **rows).parameters[0] <= 100
    net = NeuralNet(torch.nn.Linear, torch.nn.CrossEntropyLoss, module__in_features=4, module__out_features=3)
    est.set_params(student=net.set_params(max_epochs=2, verbose=0, train_split=None))
    assert from_estimator(est, X, y, sizes=[net], **rows).parameters[0] == 15
    with pytest.raises(TypeError, match="sizes: an integer is the max_parameters of a TabularStudent, got 100 for"):
        from_estimator(est, X, y, sizes=[100], **rows)


def test_outputs_without_a_teacher_have_no_line(est, flowers):
    X, y, X_test, y_test = flowers
    outputs = ExtraTreesClassifier(5).fit(X, y).predict_proba(X)
    est.set_params(teacher=Precomputed(outputs))
    display = from_estimator(est, X, y, X_test=X_test, y_test=y_test, sizes=[100], baseline=False)
    assert display.teacher_score is None and display.teacher_line_ is None and display.baseline_line_ is None


@pytest.fixture
def display():
    return CompressionCurveDisplay(
        parameters=[300, 100, 1_000],
        n_bytes=[2_000, 900, 5_000],
        latency_us=[210.0, 200.0, 190.0],
        scores=[-0.3, -0.4, -0.2],
        teacher_score=-0.25,
        baseline_scores=[-0.5, -0.6, -0.7],
        score_name="negative log loss",
    )


def drawn(line):
    return list(line.get_xdata()), list(line.get_ydata())


def test_lines_hold_the_numbers_in_order(display):
    assert display.plot() is display
    assert drawn(display.line_) == ([100, 300, 1_000], [-0.4, -0.3, -0.2])
    assert drawn(display.baseline_line_) == ([100, 300, 1_000], [-0.6, -0.5, -0.7])
    assert set(display.teacher_line_.get_ydata()) == {-0.25}
    assert list(display.ax_.lines) == [display.line_, display.baseline_line_, display.teacher_line_]
    assert display.ax_.get_xscale() == "log" and display.ax_.get_xlabel() == "parameters"
    assert display.ax_.get_ylabel() == "negative log loss (higher is better)"
    assert display.figure_ is display.ax_.figure
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["distilled student", "same student without a teacher", "teacher"]


def test_other_axes_and_styles(display):
    _, ax = plt.subplots()
    display.plot(ax, x="latency", negate_score=True, line_kw={"color": "red", "label": "mine"})
    assert display.ax_ is ax and display.line_.get_color() == "red" and display.line_.get_label() == "mine"
    assert drawn(display.line_) == ([190, 200, 210], [0.2, 0.4, 0.3])
    assert set(display.teacher_line_.get_ydata()) == {0.25}
    assert ax.get_xscale() == "linear" and ax.get_xlabel() == "microseconds to predict one row"
    assert ax.get_ylabel() == "log loss (lower is better)"
    display.plot(x="bytes", baseline_kw={"marker": "x"}, teacher_kw={"linewidth": 3})
    assert drawn(display.line_)[0] == [900, 2_000, 5_000] and display.ax_ is not ax
    assert display.baseline_line_.get_marker() == "x" and display.teacher_line_.get_linewidth() == 3


def test_from_estimator_draws_what_is_asked_for(est, flowers):
    X, y, X_test, y_test = flowers
    _, ax = plt.subplots()
    display = from_estimator(
        est,
        X,
        y,
        X_test=X_test,
        y_test=y_test,
        sizes=SIZES,
        x="bytes",
        scoring="neg_log_loss",
        negate_score=True,
        ax=ax,
    )
    assert display.ax_ is ax and ax.get_xlabel() == "bytes of the network"
    assert drawn(display.line_) == (display.n_bytes.tolist(), (-display.scores).tolist())
    assert drawn(display.baseline_line_)[1] == (-display.baseline_scores).tolist()
    assert ax.get_ylabel() == "log loss (lower is better)"


def test_a_scorer_of_ones_own(est, flowers):
    X, y, X_test, y_test = flowers

    def certainty(model, X, y):
        return float(model.predict_proba(X).max(axis=1).mean())

    rows = {"X_test": X_test, "y_test": y_test, "sizes": [100], "baseline": False}
    display = from_estimator(est, X, y, scoring=certainty, **rows)
    by_hand = clone(est).set_params(student__max_parameters=100).fit(X, y)
    assert display.scores[0] == certainty(by_hand, X_test, y_test)
    assert display.teacher_score == pytest.approx(certainty(by_hand.teacher_, X_test, y_test))
    assert display.ax_.get_ylabel() == "certainty (higher is better)"
    auc = from_estimator(est, X, y, scoring="roc_auc_ovr", **rows)
    assert auc.teacher_score == pytest.approx(get_scorer("roc_auc_ovr")(by_hand.teacher_, X_test, y_test))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": "trees"}, ValueError, r"x must be one of \['parameters', 'bytes', 'latency'\], got x='trees'"),
        ({"X_test": np.zeros((2, 4))}, ValueError, "X_test and y_test belong together"),
        ({"sizes": []}, ValueError, r"sizes must be a list of one size at least, or None, got sizes=\[\]"),
        ({"sizes": "tiny"}, ValueError, "sizes must be a list"),
        ({"n_repeats": 0}, ValueError, "n_repeats must be an integer >= 1"),
        ({"sizes": [20]}, ValueError, "max_parameters must be >= 55 for 4 encoded columns and 3 outputs"),
    ],
)
def test_what_cannot_be_drawn(est, flowers, options, error, message):
    with pytest.raises(error, match=message):
        from_estimator(est, *flowers[:2], **options)


def test_a_teacher_that_cannot_be_pickled(est, flowers):
    est.set_params(teacher=make_pipeline(FunctionTransformer(lambda X: X), ExtraTreesClassifier(5)))
    with pytest.raises(TypeError, match="teacher must be one that can be pickled, so that it is fitted only once"):
        from_estimator(est, *flowers[:2], sizes=[100])


def test_other_estimators_are_refused(est, flowers):
    with pytest.raises(TypeError, match=r"estimator must be a Distilled.*got Pipeline\. Of a Pipeline, pass the last"):
        from_estimator(make_pipeline(StandardScaler(), est), *flowers[:2])
    # peers have no teacher to draw
    with pytest.raises(TypeError, match=r"estimator must be a Distilled.*got OnlineDistilledClassifier"):
        from_estimator(OnlineDistilledClassifier(), *flowers[:2])


def test_matplotlib_is_missed_before_anything_is_fitted(monkeypatch, flowers):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"CompressionCurveDisplay needs matplotlib: pip install 'sklkd\[plot\]'"):
        from_estimator(DistilledClassifier(None), *flowers[:2])
