"""Displays draw the numbers that they are made of."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.frozen import FrozenEstimator

from sklkd import (
    AgreementDisplay,
    ReliabilityDisplay,
    SelfDistilledClassifier,
    TrainingCurveDisplay,
    distillation_report,
)
from sklkd.students import TabularStudent


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn(line):
    return np.column_stack(line.get_data())


def test_reliability_is_that_of_the_report(classifier, flowers):
    X, y = flowers[2:]
    display = ReliabilityDisplay.from_estimator(FrozenEstimator(classifier), X, y)
    report = distillation_report(classifier, X, y, False, n_repeats=1)
    assert display.reliability == report.reliability
    for name, bins in report.reliability.items():
        points = [(one.confidence, one.accuracy) for one in bins]
        assert drawn(display.lines_[name]) == pytest.approx(np.array(points))
    assert display.figure_ is display.ax_.figure
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["teacher", "student"]


def test_reliability_of_predictions(classifier, flowers):
    X, y = flowers[2:]
    _, ax = plt.subplots()
    proba, teacher = classifier.predict_proba(X), classifier.teacher_.predict_proba(X)
    display = ReliabilityDisplay.from_predictions(y, proba, teacher_proba=teacher, ax=ax)
    assert display.ax_ is ax
    for name, bins in ReliabilityDisplay.from_estimator(classifier, X, y).reliability.items():
        assert np.array(display.reliability[name]) == pytest.approx(np.array(bins))
    assert list(ReliabilityDisplay.from_predictions(y, proba).lines_) == ["student"]
    with pytest.raises(ValueError, match=r"student's probabilities must have shape .* = \(70, 3\), got \(70, 2\)"):
        ReliabilityDisplay.from_predictions(y, proba[:, :2])


def test_a_regressor_has_no_reliability(regressor, bodies):
    with pytest.raises(TypeError, match="estimator must be a classifier"):
        ReliabilityDisplay.from_estimator(regressor, *bodies[2:])


def test_agreement_of_labels(classifier, flowers):
    X = flowers[2]
    display = AgreementDisplay.from_estimator(classifier, X)
    same, teacher = classifier.predict(X) == classifier.teacher_.predict(X), classifier.teacher_.predict_proba(X)
    assert display.agreement == same.mean()
    exact = binomtest(int(same.sum()), len(same), alternative="greater").proportion_ci(0.95, "exact")
    assert display.at_least == pytest.approx(exact.low)
    for one in display.bins:
        inside = (teacher.max(1) > one.low) & (teacher.max(1) <= one.high)
        assert (one.n, one.accuracy) == (inside.sum(), pytest.approx(same[inside].mean()))
    assert drawn(display.lines_[0])[:, 1].tolist() == [one.accuracy for one in display.bins]
    assert set(display.reference_.get_ydata()) == {same.mean()}
    again = AgreementDisplay.from_predictions(classifier.predict_proba(X), teacher)
    assert (again.agreement, again.at_least) == (display.agreement, display.at_least)
    assert np.array(again.bins) == pytest.approx(np.array(display.bins))


def test_agreement_of_weighted_rows(classifier, flowers):
    X, weight = flowers[2], np.random.default_rng(0).uniform(size=70)
    display = AgreementDisplay.from_estimator(classifier, X, sample_weight=weight)
    same = classifier.predict(X) == classifier.teacher_.predict(X)
    assert display.agreement == pytest.approx(np.average(same, weights=weight))
    assert np.isnan(display.at_least)


def test_agreement_of_values(regressor, bodies):
    X = bodies[2]
    display = AgreementDisplay.from_estimator(regressor, X)
    student, teacher = regressor.predict(X), regressor.teacher_.predict(X)
    assert len(display.lines_) == 3
    for j, line in enumerate(display.lines_):
        assert drawn(line) == pytest.approx(np.column_stack([teacher[:, j], student[:, j]]))
    one = AgreementDisplay.from_predictions(student[:, 0], teacher[:, 0])
    assert one.bins is None and one.ax_.get_legend() is None
    with pytest.raises(ValueError, match="must have the same shape"):
        AgreementDisplay.from_predictions(student, teacher[:, 0])


def test_there_is_no_agreement_without_a_teacher(classifier, flowers):
    with pytest.raises(ValueError, match="estimator has no teacher that can be asked"):
        AgreementDisplay.from_estimator(classifier.without_teacher(), flowers[2])


def test_training_curve(classifier, flowers):
    display = TrainingCurveDisplay.from_estimator(classifier)
    assert list(display.lines_) == ["train_loss"] and display.kept is None and display.kept_line_ is None
    assert drawn(display.lines_["train_loss"])[:, 1].tolist() == classifier.history_[:, "train_loss"]
    est = SelfDistilledClassifier(TabularStudent("tiny"), random_state=0).fit(*flowers[:2])
    stopped = TrainingCurveDisplay.from_estimator(est)
    held = est.history_[:, "held_out_loss"]
    assert held[stopped.kept - 1] == min(held)
    assert drawn(stopped.lines_["held_out_loss"])[-1].tolist() == [len(held), held[-1]]
    assert set(stopped.kept_line_.get_xdata()) == {stopped.kept}


def test_nothing_recorded():
    with pytest.raises(TypeError, match="est must be a fitted Distilled"):
        TrainingCurveDisplay.from_estimator(object())


def test_matplotlib_is_named_with_its_extra(monkeypatch, classifier, flowers):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for make in (
        lambda: ReliabilityDisplay.from_estimator(classifier, *flowers[2:]),
        lambda: AgreementDisplay.from_estimator(classifier, flowers[2]),
        lambda: TrainingCurveDisplay.from_estimator(classifier),
    ):
        with pytest.raises(ImportError, match=r"pip install 'sklkd\[plot\]'"):
            make()
