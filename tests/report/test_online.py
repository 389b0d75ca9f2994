"""Networks that were trained together, each against the same network trained without distillation."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import log_loss

from sklkd import OnlineDistilledClassifier, OnlineDistilledRegressor, distillation_report
from sklkd.methods import GatedEnsemble, MutualLearning
from sklkd.students import TabularStudent


def peers():
    return [
        ("large", TabularStudent("tiny", max_epochs=20, module__hidden=(30,))),
        ("small", TabularStudent("tiny", max_epochs=20)),
    ]


def test_each_peer_against_the_same_network_without_distillation(flowers):
    X, y, X_test, y_test = flowers
    est = OnlineDistilledClassifier(peers(), deploy="small", random_state=0).fit(X, y)
    plain = OnlineDistilledClassifier(peers(), method=MutualLearning(weight=0), deploy="small", random_state=0)
    plain.fit(X, y)
    for deployed, other in (("small", "large"), ("large", "small")):
        report = distillation_report(est.with_peer(deployed), X_test, y_test, X_train=X, y_train=y, n_repeats=1)
        rows = {
            deployed: ("student", "baseline"),
            other: (f"peer {other}", f"peer {other} baseline"),
            "ensemble": ("ensemble", "ensemble baseline"),
        }
        assert list(report.rows) == [row for pair in rows.values() for row in pair]
        for name, pair in rows.items():
            for row, model in zip(pair, (est, plain), strict=True):
                expected = log_loss(y_test, model.with_peer(name).predict_proba(X_test))
                assert report.rows[row]["log_loss"] == pytest.approx(expected)
            assert len({report.rows[row]["parameters"] for row in pair}) == 1
        assert f"what is deployed, '{deployed}'" in str(report) and report.account is None


def test_peers_that_were_dropped_have_no_row(flowers):
    X, y, X_test, y_test = flowers
    est = OnlineDistilledClassifier(peers(), deploy="small", random_state=0).fit(X, y).without_peers()
    report = distillation_report(est, X_test, y_test, X_train=X, y_train=y, n_repeats=1)
    assert list(report.rows) == ["student", "baseline"]


def test_the_table_fits_a_page_and_the_picture_has_a_legend(flowers):
    X, y, X_test, y_test = flowers
    three = [*peers(), ("third", TabularStudent("tiny", max_epochs=20))]
    est = OnlineDistilledClassifier(three, deploy="small", random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, X_train=X, y_train=y, n_repeats=1)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("accuracy") for line in lines) == 2
    values = [word for line in lines if line.startswith("log loss") for word in line.split()[2:]]
    assert values == [f"{row['log_loss']:.4f}" for row in report.rows.values()]
    ax = report.plot(x="parameters", y="score")
    points = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines}
    assert points == {name: (row["parameters"], row["score"]) for name, row in report.rows.items()}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(report.rows)
    markers = {line.get_label(): (line.get_color(), line.get_markerfacecolor()) for line in ax.lines}
    assert markers["peer large baseline"] == (markers["peer large"][0], "white")
    assert len({color for color, _ in markers.values()}) == 4
    # where only its baseline has a value, it still has its colour
    report.rows["peer large"]["score"] = np.nan
    assert len(report.plot(x="parameters", y="score").lines) == len(ax.lines) - 1
    plt.close("all")


def test_what_is_shipped_is_what_is_measured(flowers):
    X, y, X_test, y_test = flowers
    est = OnlineDistilledClassifier(peers(), deploy="small", random_state=0).fit(X, y)
    one, all_of_them = (
        distillation_report(est.with_peer(name), X_test, y_test, baseline=False, n_repeats=1).rows["student"]
        for name in ("small", "ensemble")
    )
    assert one["bytes"] < all_of_them["bytes"] and one["parameters"] < all_of_them["parameters"]


def test_without_training_rows_there_is_no_baseline(bodies):
    X, y, X_test, y_test = bodies
    same = [(name, TabularStudent("tiny", max_epochs=20)) for name in "ab"]
    est = OnlineDistilledRegressor(same, method=GatedEnsemble(), random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, n_repeats=1)
    assert list(report.rows) == ["student", f"peer {'b' if est.deployed_ == 'a' else 'a'}", "ensemble"]
    assert "pass X_train and y_train" in str(report)
    assert np.isfinite(report.rows["student"]["rmse"])
