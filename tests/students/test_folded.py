"""The folded student against the network that it stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklkd._sparse_rows import SparseRows
from sklkd.students import InputEncoder, TabularNet
from sklkd.students._folded import PIECE, fold, fold_entries

# rounded: far outside a column whose cells differ by 1e-38, float32 ends
CELLS = st.floats(-50, 50, width=32).map(lambda cell: round(cell, 6))


@st.composite
def students(draw):
    """A fitted encoder, a network with random weights and edges, and rows: at the edges, outside, missing, unseen."""
    n = 12
    kinds = draw(st.lists(st.sampled_from(["number", "gaps", "text", "text with gaps"]), min_size=1, max_size=5))
    cells = {"number": CELLS, "gaps": CELLS | st.just(np.nan), "text": st.sampled_from("abcd")}
    cells["text with gaps"] = cells["text"] | st.none()
    columns = [draw(st.lists(cells[kind], min_size=n, max_size=n)) for kind in kinds]
    frame = pd.DataFrame({str(j): pd.Series(column, dtype=object) for j, column in enumerate(columns)})
    encoder = InputEncoder(max_categories=draw(st.integers(1, 4))).fit(frame)
    edges = [draw(st.lists(st.floats(-3, 3, width=32), max_size=6, unique=True).map(sorted)) for _ in kinds]
    torch.manual_seed(draw(st.integers(0, 99)))
    net = TabularNet(
        len(kinds),
        draw(st.integers(1, 4)),
        hidden=draw(st.lists(st.integers(1, 9), max_size=3)),
        edges=edges,
        cardinalities=encoder.cardinalities_,
        missing=encoder.missing_.tolist(),
    )
    # every column: its cells, its edges, both far ends, a gap, a category never seen
    rows = [pd.concat([frame, frame], ignore_index=True)]
    for j, levels in enumerate(encoder.codec_.categories_):
        if levels is None:
            values = [edge * encoder.scale_[j] + encoder.center_[j] for edge in edges[j]] + [-1e6, 1e6, np.nan]
        else:
            values = ["z", None]
        rows.append(pd.concat([frame.iloc[:1]] * len(values), ignore_index=True).assign(**{str(j): values}))
    X = pd.concat(rows, ignore_index=True)
    return encoder, net, X.astype(object).where(X.notna(), None)


@given(students())
def test_it_answers_as_the_network_does(student):
    encoder, net, X = student
    folded = fold(encoder, net)
    expected = net.double()(torch.from_numpy(encoder.transform(X)).double()).detach().numpy()
    coded = encoder.codec_.transform(X)
    # bins meet at float32 edges, their slopes are rounded
    np.testing.assert_allclose(folded.outputs(coded), expected, atol=1e-6, rtol=1e-6)


@given(students())
def test_rows_do_not_depend_on_their_neighbours(student):
    encoder, net, X = student
    folded = fold(encoder, net)
    coded = np.resize(encoder.codec_.transform(X), (PIECE + 3, X.shape[1]))
    together = folded.outputs(coded)
    alone = np.concatenate([folded.outputs(row[None]) for row in coded[:20]])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(folded.outputs(coded[PIECE:]), together[PIECE:], rtol=1e-12, atol=1e-13)


@given(students())
def test_a_column_gives_its_values_at_the_edges_and_a_line_between(student):
    encoder, net, _ = student
    folded = fold(encoder, net)
    linear = (net.hidden[0][0] if len(net.hidden) else net.output).weight.detach().double().numpy().T
    ramps = linear[len(folded.numeric) :]
    for start, end in zip(folded.starts, folded.starts[1:], strict=False):
        edges = folded.edges[start:end]
        assert np.all(np.diff(edges) > 0) and np.array_equal(edges, edges.astype(np.float32))
        bins = end - start - 1
        np.testing.assert_allclose(folded.values[start], 0)
        np.testing.assert_allclose(folded.values[end - 1], ramps[:bins].sum(0), atol=1e-9)
        ramps = ramps[bins:]


def test_levels_that_nothing_reads_are_left_out():
    X = pd.DataFrame({"c": list("aabbc"), "n": np.arange(5.0)})
    encoder = InputEncoder().fit(X)
    net = TabularNet(2, 2, hidden=(3,), cardinalities=[9, 0])
    folded = fold(encoder, net)
    # a, b, c, and one for what is missing or unseen, of which the network's first layer knows nothing
    assert folded.level_values.shape == (4, 3) and not folded.level_values[3].any()
    assert folded.levels.tolist() == [0, 1, 2, 3, 3]
    assert folded.categorical.tolist() == [0] and folded.numeric.tolist() == [1]


def test_other_networks_and_encoders_do_not_fold():
    class Own(TabularNet):
        pass

    X = pd.DataFrame({"c": list("aabbc"), "n": np.arange(5.0)})
    encoder = InputEncoder().fit(X)
    given_net = {"hidden": (3,), "cardinalities": encoder.cardinalities_}
    assert fold(encoder, TabularNet(2, 2, **given_net)) is not None
    assert fold(encoder, Own(2, 2, **given_net)) is None
    assert fold(InputEncoder(one_hot=True).fit(X), TabularNet(4, 2)) is None
    assert fold(encoder, TabularNet(2, 2)) is None  # the user says that all columns are numbers
    assert fold(encoder, torch.nn.Linear(2, 2)) is None


@pytest.mark.parametrize("n", [1, PIECE + 1])
def test_sparse_rows_of_a_students_own_steps(n):
    X = sparse.random(n, 6, density=0.5, format="csr", random_state=0)
    X.data[::3] = np.nan
    net = TabularNet(6, 2, hidden=(5, 4), missing=[False, True] * 3, sparse=True).double()
    with torch.no_grad():
        expected = net(SparseRows.from_csr(X.astype(np.float32), np.float64)).numpy()
    np.testing.assert_allclose(fold_entries(net).outputs(X), expected, atol=1e-12)
    assert fold_entries(TabularNet(6, 2)) is None
    assert fold_entries(TabularNet(2, 2, cardinalities=[0, 3], sparse=True)) is None


@pytest.mark.parametrize("n", [1, PIECE, PIECE + 1])
def test_shapes(n):
    X = np.random.default_rng(0).normal(size=(n, 3))
    encoder = InputEncoder().fit(X)
    out = fold(encoder, TabularNet(3, 4, dropout=0.5)).outputs(X)
    assert out.shape == (n, 4) and out.dtype == np.float64
