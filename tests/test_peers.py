"""How peers are ranked and tested against each other, and the way of a problem to a peer's result."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "peers"), str(BENCHMARKS / "quality")]

import problem as problem_module  # noqa: E402
from encoders import codes, scaled  # noqa: E402
from keras_loop import PARAMETERS, network, widest  # noqa: E402
from ranks import cliques, holm, log_losses, mean_ranks, p_values  # noqa: E402
from sklearn_mlp import PEERS  # noqa: E402


def lines_of(losses, peers, seed=0):
    """Lines of a file of results: an array of a row for each set."""
    return [
        {"set": f"set {row}", "seed": seed, "peer": peer, "loss": loss}
        for row, of_set in enumerate(losses)
        for peer, loss in zip(peers, of_set, strict=True)
        if loss is not None
    ]


def test_holm_multiplies_by_those_that_are_left():
    # 0.01 * 4; 0.02 * 3; then 0.03 * 2 and 0.04 * 1, which may not be below the one before
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.4, 0.9, 0.5]), [1, 1, 1])
    assert holm([0.2]) == [0.2]


def test_mean_ranks_share_ties_and_leave_out_what_is_not_whole():
    values = np.array([[1.0, 2, 2, np.nan], [3, 1, 2, 0]])
    np.testing.assert_equal(mean_ranks(values), [(1 + 3) / 2, (2.5 + 1) / 2, (2.5 + 2) / 2, np.nan])


def test_seeds_are_averaged_within_a_set_on_the_scale_of_ratios():
    lines = [*lines_of([[1.0, 2.0]], "ab"), *lines_of([[4.0, 2.0]], "ab", seed=1)]
    peers, values = log_losses(lines)
    assert peers == ["a", "b"]
    np.testing.assert_allclose(np.exp(values), [[2.0, 2.0]])


def test_a_peer_that_lacks_a_seed_or_a_set_has_no_value_there():
    lines = [*lines_of([[1, 2], [1, 2], [1, None]], "ab"), *lines_of([[1, 2], [1, None]], "ab", seed=1)]
    _, values = log_losses(lines)
    np.testing.assert_equal(np.isnan(values), [[False, False], [False, True], [False, True]])


def test_pairs_are_tested_on_common_sets_and_corrected_for_all_of_them():
    rng = np.random.default_rng(0)
    values = rng.normal([0, 0.5, 2], size=(12, 3))
    values[9:, 2] = np.nan
    raw = [
        wilcoxon(values[:, 0], values[:, 1]).pvalue,
        wilcoxon(values[:9, 0], values[:9, 2]).pvalue,
        wilcoxon(values[:9, 1], values[:9, 2]).pvalue,
    ]
    expected = holm(raw)
    found = p_values(values)
    np.testing.assert_allclose([found[0, 1], found[0, 2], found[1, 2]], expected)
    np.testing.assert_array_equal(found, found.T)


def test_pairs_with_too_few_sets_in_common_are_neither_tested_nor_counted():
    values = np.random.default_rng(0).normal(size=(12, 3))
    values[5:, 2] = np.nan
    found = p_values(values)
    assert found[0, 1] == wilcoxon(values[:, 0], values[:, 1]).pvalue
    assert np.isnan(found[:2, 2]).all()


@pytest.mark.parametrize(
    ("differ", "expected"),
    [
        ([], [(1.0, 4.0)]),
        ([(0, 1), (0, 2), (0, 3)], [(2.0, 4.0)]),
        ([(0, 2), (0, 3), (1, 3)], [(1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]),
        ([(0, 3)], [(1.0, 3.0), (2.0, 4.0)]),
        ([(i, j) for i in range(4) for j in range(i)], []),
        # all but neighbours are equal: a bar over two of them would cover what lies between
        ([(0, 1), (1, 2), (2, 3)], []),
    ],
)
def test_a_bar_covers_only_what_no_test_tells_apart(differ, expected):
    p = np.ones((4, 4))
    for i, j in differ:
        p[i, j] = p[j, i] = 0.01
    order = [2, 0, 3, 1]
    # the same in whatever order the peers come
    assert cliques(np.array([1.0, 2, 3, 4])[order], p[np.ix_(order, order)]) == expected


def frame_of(rng, n=200):
    frame = pd.DataFrame({"width": rng.normal(size=n), "kind": pd.Categorical(rng.choice(list("abc"), n))})
    frame.loc[:9, "width"] = np.nan
    return frame


@pytest.mark.parametrize("labels", [True, False])
def test_from_a_problem_to_ranks(tmp_path, monkeypatch, labels):
    rng = np.random.default_rng(0)
    X = frame_of(rng)
    signal = X["width"].fillna(0) + (X["kind"] == "a")
    y = np.where(signal > 0.5, "yes", "no") if labels else signal.to_numpy() * 1000 + rng.normal(size=len(X))
    train, test = np.arange(120), np.arange(120, 200)
    forest = (RandomForestClassifier if labels else RandomForestRegressor)(20, random_state=0)
    for name in ("one", "two"):
        about = {"set": name, "teacher": "forest", "seed": 0, "max_rows": 200, "labels": labels}
        folder, encoders = tmp_path / name, {"codes": codes(), "scaled": scaled()}
        problem_module.write(folder, X, y, train, test, make_pipeline(codes(), forest), encoders, about)
    read = problem_module.Problem.read(tmp_path / "one")
    pd.testing.assert_frame_equal(read.train["frame"], X.iloc[train])
    pd.testing.assert_frame_equal(read.test["frame"], X.iloc[test])
    np.testing.assert_array_equal(read.named, y[train])
    assert read.train["scaled"].shape == (120, 4)
    asked = problem_module.outputs(read.teacher, X.iloc[test], labels)
    np.testing.assert_allclose(read.test["taught"], asked)
    sure = np.clip(asked, 1e-7, 1 - 1e-7)
    expected = log_loss(y[test], sure) if labels else root_mean_squared_error(y[test], asked[:, 0])
    assert read.loss(asked) == pytest.approx(expected)
    # clones that have not seen the row know less of its target
    error = [np.abs(read.train[key][:, -1] - read.train["y"]).mean() for key in ("taught", "out_of_sample")]
    assert error[0] < error[1]

    out = tmp_path / "peers.json"
    monkeypatch.setattr(sys, "argv", ["peer", str(tmp_path), "--out", str(out)])
    problem_module.compete("A peer.", "scaled", PEERS)
    found = problem_module.read(out)
    assert [(line["set"], line["peer"]) for line in found] == [
        (name, peer) for name in ("one", "two") for peer in PEERS
    ]
    constant = np.tile(np.bincount(read.train["y"]) / 120 if labels else read.train["y"].mean(), (80, 1))
    assert all(line["loss"] < 0.8 * read.loss(constant) for line in found)
    # what is there is not measured again
    problem_module.compete("A peer.", "scaled", PEERS)
    assert problem_module.read(out) == found
    peers, values = log_losses(found)
    assert peers == [*PEERS]
    assert mean_ranks(values).sum() == 3


@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(5, 1), (54, 7), (250, 1), (16, 26)])
def test_the_plain_network_is_the_widest_within_the_budget(n_inputs, n_outputs):
    def size(width):
        return n_inputs * width + width + width * width + width + width * n_outputs + n_outputs

    width = widest(n_inputs, n_outputs)
    assert size(width) <= PARAMETERS < size(width + 1)
    assert sum(part.numel() for part in network(n_inputs, n_outputs).parameters()) == size(width)
