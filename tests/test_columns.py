"""The codec gives back what it was given, and its matrix is what one reads cell by cell."""

from __future__ import annotations

import itertools
import math
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklkd._columns import UNSEEN, WIDE, ColumnCodec, dense, identical_rows, rows_with_missing
from sklkd._columns._sparse import canonical

TRICKY = ["None", "nan", "3.0", "3", "NaN", "<NA>", "", "True", "é", "z"]


def is_gap(cell):
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell))


def code_by_hand(cells):
    """Numbers where all cells are numbers, else the position among the sorted distinct values."""
    present = [cell for cell in cells if not is_gap(cell)]
    if not any(isinstance(cell, str) for cell in present):
        return [math.nan if is_gap(cell) else float(cell) for cell in cells]
    order = sorted({cell for cell in present if not isinstance(cell, str)})
    order += sorted({cell for cell in present if isinstance(cell, str)})
    return [math.nan if is_gap(cell) else order.index(cell) for cell in cells]


@st.composite
def object_columns(draw, n):
    numbers = st.one_of(st.integers(-5, 5), st.floats(-10, 10), st.booleans())
    cells = draw(st.sampled_from([st.sampled_from(TRICKY), numbers, st.one_of(st.sampled_from(TRICKY), numbers)]))
    gaps = draw(st.sampled_from([st.nothing(), st.none(), st.just(math.nan)]))
    return draw(st.lists(st.one_of(cells, gaps), min_size=n, max_size=n))


@st.composite
def object_arrays(draw):
    n, d = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    X = np.empty((n, d), dtype=object)
    for j in range(d):
        X[:, j] = draw(object_columns(n))
    return X


def with_gaps(cells, n):
    return st.lists(st.one_of(cells, cells, st.none()), min_size=n, max_size=n)


@st.composite
def pandas_frames(draw):
    n = draw(st.integers(1, 8))
    tiny, text = st.integers(0, 5), st.sampled_from(TRICKY)
    kinds = {
        "int16": st.lists(tiny, min_size=n, max_size=n),
        "bool": st.lists(st.booleans(), min_size=n, max_size=n),
        "float32": st.lists(st.floats(-5, 5, width=32), min_size=n, max_size=n),
        "float64": with_gaps(st.floats(-5, 5), n),
        "Int8": with_gaps(tiny, n),
        "UInt32": with_gaps(tiny, n),
        "Float64": with_gaps(st.floats(-5, 5), n),
        "boolean": with_gaps(st.booleans(), n),
        "int64[pyarrow]": with_gaps(tiny, n),
        "bool[pyarrow]": with_gaps(st.booleans(), n),
        "str": with_gaps(text, n),
        "string[python]": with_gaps(text, n),
        "large_string[pyarrow]": with_gaps(text, n),
        "object": object_columns(n),
        "category": st.one_of(with_gaps(text, n), with_gaps(tiny, n), with_gaps(st.floats(0, 2), n)),
    }
    columns = {}
    for j in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(sorted(kinds)))
        columns[f"c{j}"] = pd.Series(draw(kinds[dtype]), dtype=dtype)
    return pd.DataFrame(columns)


@st.composite
def polars_frames(draw):
    n = draw(st.integers(1, 8))
    tiny, text = st.integers(0, 5), st.sampled_from(TRICKY)
    kinds = {
        pl.Int8: with_gaps(tiny, n),
        pl.UInt64: with_gaps(tiny, n),
        pl.Float32: with_gaps(st.floats(-5, 5, width=32), n),
        pl.Float64: with_gaps(st.floats(-5, 5), n),
        pl.Boolean: with_gaps(st.booleans(), n),
        pl.String: with_gaps(text, n),
        pl.Categorical: with_gaps(text, n),
        pl.Enum([*TRICKY, "never"]): with_gaps(text, n),
        pl.Decimal(10, 2): with_gaps(st.decimals(0, 9, places=2), n),
        pl.Null: st.just([None] * n),
    }
    columns = []
    for j in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(list(kinds)))
        columns.append(pl.Series(f"c{j}", draw(kinds[dtype]), dtype=dtype))
    return pl.DataFrame(columns)


def numeric_arrays():
    dtypes = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.uint64, np.bool_]
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
    return st.sampled_from(dtypes).flatmap(lambda dtype: hnp.arrays(dtype, shapes)).filter(lambda X: ~np.isinf(X).any())


@given(numeric_arrays())
def test_numeric_array(X):
    codec = ColumnCodec().fit(X)
    Z = codec.transform(X)
    assert Z.dtype == np.float64
    np.testing.assert_array_equal(Z, X.astype(float))
    back = codec.inverse_transform(Z)
    assert back.dtype == X.dtype
    if X.dtype.itemsize < 8 or X.dtype.kind == "f":
        np.testing.assert_array_equal(back, X)
    else:
        small = np.abs(X.astype(float)) < 2**53
        np.testing.assert_array_equal(back[small], X[small])
    assert codec.categories_ == [None] * X.shape[1]
    assert not np.shares_memory(Z, X)


@given(object_arrays())
def test_object_array(X):
    codec = ColumnCodec()
    Z = codec.fit_transform(X)
    np.testing.assert_array_equal(Z, np.array([code_by_hand(column) for column in X.T]).T)
    np.testing.assert_array_equal(codec.transform(X), Z)
    for cell, back in zip(X.ravel(), codec.inverse_transform(Z).ravel(), strict=True):
        assert back is cell or (is_gap(back) and is_gap(cell)) or back == cell
        assert isinstance(back, str) == isinstance(cell, str)


@given(pandas_frames())
def test_pandas(X):
    codec = pickle.loads(pickle.dumps(ColumnCodec().fit(X)))
    Z = codec.transform(X)
    for j, (name, column) in enumerate(X.items()):
        cells = column.tolist()
        if isinstance(column.dtype, pd.CategoricalDtype):
            order = sorted({cell for cell in cells if not is_gap(cell)})
            expected = [math.nan if is_gap(cell) else order.index(cell) for cell in cells]
            assert (codec.categories_[j] is None) == (not order)
        else:
            expected = code_by_hand(cells)
        np.testing.assert_array_equal(Z[:, j], expected, err_msg=name)
    assert codec.missing_.tolist() == X.isna().any().tolist()
    back = codec.inverse_transform(Z)
    pd.testing.assert_frame_equal(back, X)
    assert codec.feature_names_in_.tolist() == X.columns.tolist()


@given(polars_frames())
def test_polars(X):
    codec = pickle.loads(pickle.dumps(ColumnCodec().fit(X)))
    Z = codec.transform(X)
    for j, column in enumerate(X.get_columns()):
        np.testing.assert_array_equal(Z[:, j], code_by_hand(column.to_list()))
    assert codec.missing_.tolist() == [column.null_count() > 0 for column in X.get_columns()]
    polars.testing.assert_frame_equal(codec.inverse_transform(Z), X, categorical_as_str=True)
    assert codec.inverse_transform(Z).schema == X.schema


def between(Z, codec):
    """Numbers between those of a matrix, codes as they are, nothing missing that was not."""
    step = np.where([categories is None for categories in codec.categories_], 0.37, 0.0)
    return Z + step


@given(st.one_of(object_arrays(), pandas_frames(), polars_frames(), numeric_arrays()))
def test_storable_is_what_the_container_gives_back(X):
    codec = ColumnCodec().fit(X)
    Z = between(codec.transform(X), codec)
    np.testing.assert_array_equal(codec.storable(Z), codec.transform(codec.inverse_transform(Z)))


def test_many_strings_are_read_as_few_are():
    """Pandas gives the distinct ones of many strings at once."""
    cells = ["b", None, "a", "b", "3.0", "None"]
    many = pd.Series(cells * 50, dtype="str")
    for dtype in ("str", "string", "large_string[pyarrow]", object):
        codec = ColumnCodec().fit(pd.DataFrame({"s": many.astype(dtype)}))
        np.testing.assert_array_equal(codec.transform(pd.DataFrame({"s": many}))[:, 0], code_by_hand(cells) * 50)
        assert codec.categories_[0].tolist() == ["3.0", "None", "a", "b"]
        new = pd.DataFrame({"s": pd.Series(["new", None] * 90, dtype=dtype)})
        np.testing.assert_array_equal(codec.transform(new)[:, 0], [UNSEEN, np.nan] * 90)


def test_a_sparse_matrix_too_large_to_be_dense():
    X = sparse.csr_array((10**7, 10**7))
    with pytest.raises(MemoryError, match=r"sparse with shape \(10000000, 10000000\).*reduce its columns first"):
        dense(X)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, bool])
def test_a_wide_sparse_matrix_stays_sparse(make, dtype):
    rows = np.zeros((3, WIDE + 1), dtype)
    rows[0, 1] = rows[1, 0] = rows[1, WIDE] = 1
    codec = ColumnCodec().fit(make(rows))
    assert codec.sparse_
    for X in (make(rows), rows, rows.tolist()):
        Z = codec.transform(X)
        assert sparse.issparse(Z) and Z.format == "csr" and Z.dtype == np.float64 and Z.nnz == 3
        np.testing.assert_array_equal(Z.toarray(), rows)
    assert codec.integer_.all() and not codec.missing_.any()
    with pytest.raises(ValueError, match="sparse ones of at most 500 columns"):
        codec.inverse_transform(Z)
    with pytest.raises(ValueError, match="X has 2 features"):
        codec.transform(make(rows[:, :2]))
    assert not ColumnCodec().fit(make(rows[:, 1:])).sparse_ and not ColumnCodec().fit(rows).sparse_


def test_entries_of_a_wide_sparse_matrix():
    rows = np.zeros((3, WIDE + 1))
    rows[:, 0], rows[1, 1], rows[2, 2] = np.nan, np.nan, 0.5
    codec = ColumnCodec().fit(sparse.csr_array(rows))
    assert codec.missing_.nonzero()[0].tolist() == [0, 1]
    assert (~codec.integer_).nonzero()[0].tolist() == [0, 2]
    rows[0, 7] = np.inf
    with pytest.raises(ValueError, match=r"infinity.*column 7"):
        codec.transform(sparse.csr_array(rows))


@given(st.integers(0, 2**32 - 1))
def test_identical_rows_of_a_csr_matrix(seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice([0.0, -0.0, 1.0, -1.0, np.nan], size=(30, 3))
    order = rng.permutation(30)
    (first, inverse), (other_first, _), (of_array, groups) = (
        identical_rows(Z) for Z in (canonical(rows), canonical(rows[order]), rows)
    )
    np.testing.assert_array_equal(rows[first][inverse] + 0.0, rows + 0.0)
    np.testing.assert_array_equal(rows[first] + 0.0, rows[order][other_first] + 0.0)
    assert sorted(first) == sorted(of_array) and (first[inverse] == of_array[groups]).all()
    assert rows_with_missing(canonical(rows)).tolist() == rows_with_missing(rows).tolist()


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_sparse(make, dtype):
    X = make(np.array([[0, 1, 0], [3, 0, 0]], dtype=dtype))
    codec = ColumnCodec().fit(X)
    np.testing.assert_array_equal(codec.transform(X), [[0, 1, 0], [3, 0, 0]])
    back = codec.inverse_transform(codec.transform(X))
    assert back.format == "csr" and back.dtype == dtype
    assert isinstance(back, sparse.sparray) == isinstance(X, sparse.sparray)
    np.testing.assert_array_equal(back.toarray(), X.toarray())
    np.testing.assert_array_equal(codec.transform(X.toarray()), codec.transform(X))


def test_strings_are_not_gaps_or_numbers():
    X = np.array([["None", 3.0], ["nan", "3.0"], [None, np.nan], ["<NA>", 3]], dtype=object)
    codec = ColumnCodec().fit(X)
    np.testing.assert_array_equal(codec.transform(X), [[1, 0], [2, 1], [np.nan, np.nan], [0, 0]])
    assert codec.categories_[0].tolist() == ["<NA>", "None", "nan"]
    assert codec.categories_[1].tolist() == [3.0, "3.0"]


def test_string_array_and_list():
    X = np.array([["b", "1.5"], ["a", "2"]])
    codec = ColumnCodec().fit(X)
    np.testing.assert_array_equal(codec.transform(X), [[1, 0], [0, 1]])
    assert codec.inverse_transform(codec.transform(X)).dtype == X.dtype
    with pytest.raises(ValueError, match="cannot hold a missing value"):
        codec.inverse_transform(np.full((1, 2), np.nan))
    # NumPy would turn the number into a string
    np.testing.assert_array_equal(ColumnCodec().fit_transform([["b", 1.5], ["a", 2]]), [[1, 1.5], [0, 2]])


def test_containers_may_change():
    frame = pd.DataFrame({"n": [1.0, None, 3.0], "s": ["x", None, "y"], "k": pd.Categorical([3, 1, 3])})
    expected = [[1, 0, 1], [np.nan, np.nan, 0], [3, 1, 1]]
    same = [
        frame,
        frame.astype({"s": "category", "k": "int64"}),
        frame.astype(object),
        frame.astype(object).to_numpy(),
        frame.set_axis(range(3), axis=1),
        pl.DataFrame({"n": [1.0, None, 3.0], "s": ["x", None, "y"], "k": [3, 1, 3]}),
        pl.DataFrame({"n": [1, None, 3], "s": pl.Series(["x", None, "y"], dtype=pl.Enum("xy")), "k": [3.0, 1.0, 3.0]}),
    ]
    codec = ColumnCodec().fit(frame)
    for X in same:
        np.testing.assert_array_equal(codec.transform(X), expected)
    for numeric in [np.array([[1.0, np.nan, 3]]), np.array([[1, np.nan, 3]], dtype=np.float32)]:
        np.testing.assert_array_equal(codec.transform(numeric), [[1, np.nan, 1]])
    for X in same[3:5]:  # the other way round: names come later
        np.testing.assert_array_equal(ColumnCodec().fit(X).transform(frame), ColumnCodec().fit_transform(X))


def test_numeric_frame_becomes_array():
    frame = pd.DataFrame({"a": [1, 2], "b": [True, False]})
    codec = ColumnCodec().fit(frame)
    np.testing.assert_array_equal(codec.transform(frame.to_numpy(dtype=float)), [[1, 1], [2, 0]])
    assert codec.inverse_transform(np.array([[1.9, 0.6]])).to_dict("list") == {"a": [2], "b": [True]}


@pytest.mark.parametrize("dtype", [object, "str", "category", "string"])
def test_unseen_categories(dtype):
    codec = ColumnCodec().fit(pd.DataFrame({"s": pd.Series(["a", "b", "a"], dtype=dtype)}))
    new = pd.DataFrame({"s": pd.Series(["c", "b", None, "A"], dtype=dtype)})
    np.testing.assert_array_equal(codec.transform(new).ravel(), [UNSEEN, 1, np.nan, UNSEEN])
    np.testing.assert_array_equal(codec.transform(np.array([[1.0], [np.nan]])).ravel(), [UNSEEN, np.nan])


def test_declared_but_unseen_category():
    levels = pd.CategoricalDtype(["never", "b", "a"], ordered=True)
    frame = pd.DataFrame({"s": pd.Series(["a", "b"], dtype=levels)})
    codec = ColumnCodec().fit(frame)
    assert codec.categories_[0].tolist() == ["a", "b"]
    np.testing.assert_array_equal(codec.transform(frame.assign(s=pd.Series(["never", "b"], dtype=levels))), [[-1], [1]])
    pd.testing.assert_frame_equal(codec.inverse_transform(np.array([[0.0], [1.0]])), frame)


def test_intervals_and_tuples_are_categories_where_declared():
    frame = pd.DataFrame({"cut": pd.cut([1.0, 5.0, 2.0], [0, 3, 6]), "pair": pd.Categorical([(1, 2), (0, 1), (1, 2)])})
    codec = ColumnCodec().fit(frame)
    np.testing.assert_array_equal(codec.transform(frame), [[0, 1], [1, 0], [0, 1]])
    pd.testing.assert_frame_equal(codec.inverse_transform(codec.transform(frame)), frame)


@pytest.mark.parametrize(
    "X",
    [
        np.full((2, 1), np.nan),
        np.full((2, 1), None),
        pd.DataFrame({"a": [None, None]}),
        pd.DataFrame({"a": pd.Series([None, None], dtype="str")}),
        pd.DataFrame({"a": pd.Series([None, None], dtype="category")}),
        pd.DataFrame({"a": pd.Series([None, None], dtype="Int64")}),
        pl.DataFrame({"a": [None, None]}),
        pl.DataFrame({"a": pl.Series([None, None], dtype=pl.String)}),
        pl.DataFrame({"a": pl.Series([None, None], dtype=pl.Categorical)}),
    ],
)
def test_all_missing(X):
    codec = ColumnCodec().fit(X)
    np.testing.assert_array_equal(codec.transform(X), [[np.nan], [np.nan]])
    assert codec.categories_ == [None] and codec.missing_[0] and not codec.integer_[0]
    back = codec.inverse_transform(codec.transform(X))
    assert type(back) is type(X)
    np.testing.assert_array_equal(ColumnCodec().fit_transform(back), [[np.nan], [np.nan]])
    np.testing.assert_array_equal(codec.transform(np.array([["new"], [2.5]], dtype=object)), [[np.nan], [2.5]])


def test_integer():
    frame = pd.DataFrame({
        "int": [1, 2],
        "whole": [1.0, np.nan],
        "real": [1.0, 2.5],
        "bool": [True, False],
        "text": ["1", "2"],
        "object": np.array([1, None], dtype=object),
        "level": pd.Categorical([1, 2]),
    })  # fmt: skip
    assert ColumnCodec().fit(frame).integer_.tolist() == [True, True, False, True, False, True, False]


def test_objects_keep_their_type_and_gap():
    X = np.array([[1, 1.0, True, Decimal("1.5"), 2], [None, np.nan, None, 2, 3.5]], dtype=object)
    back = ColumnCodec().fit(X).inverse_transform([[1, 1, 1, 1.5, 2], [np.nan, np.nan, np.nan, 2, np.nan]])
    assert [type(cell) for cell in back[0]] == [int, float, bool, float, float]
    assert back[1, 0] is None and back[1, 1] is X[1, 1] and back[1, 2] is None and back[1, 4] is None


def test_integers_are_clipped_to_their_dtype():
    for dtype in (np.int8, np.uint8, np.int64, np.uint64):
        back = ColumnCodec().fit(np.ones((1, 2), dtype=dtype)).inverse_transform([[1e30, -1e30]])
        assert back.dtype == dtype and back[0, 1] == np.iinfo(dtype).min
        assert back[0, 0] > 0 and float(back[0, 0]) >= np.nextafter(float(np.iinfo(dtype).max), 0)


def test_index_attributes_and_duplicate_names():
    frame = pd.DataFrame([[1, "a"], [2, "b"]], columns=["x", "x"], index=[7, 9])
    codec = ColumnCodec().fit(frame)
    pd.testing.assert_frame_equal(codec.inverse_transform(codec.transform(frame)), frame.reset_index(drop=True))


def test_polars_nan_is_kept_where_there_is_no_null():
    frame = pl.DataFrame({"a": [1.0, float("nan")]})
    codec = ColumnCodec().fit(frame)
    assert codec.missing_[0]
    polars.testing.assert_frame_equal(codec.inverse_transform(codec.transform(frame)), frame)


def test_no_rows_after_fit():
    codec = ColumnCodec().fit(pd.DataFrame({"a": [1, 2], "s": ["x", "y"]}))
    empty = codec.inverse_transform(np.empty((0, 2)))
    assert empty.shape == (0, 2) and codec.transform(empty).shape == (0, 2)


@pytest.mark.parametrize("make", ["fitted so", "made so"])
def test_a_codec_without_template_needs_no_pandas(make):
    codec = ColumnCodec(invertible=make == "made so").fit(pd.DataFrame({"a": [1, 2], "s": ["x", "y"]}))
    codec = codec.without_template()
    code = (
        "import pickle, sys\n"
        "sys.modules['pandas'] = sys.modules['polars'] = None\n"
        "import numpy as np\n"
        "codec = pickle.loads(sys.stdin.buffer.read())\n"
        "Z = codec.transform(np.array([[1, 'y']], dtype=object))\n"
        "assert Z.tolist() == [[1, 1]], Z\n"
    )
    subprocess.run([sys.executable, "-c", code], input=pickle.dumps(codec), check=True)
    with pytest.raises(ValueError, match="set invertible=True, got invertible=False"):
        codec.inverse_transform(np.array([[1.0, 1.0]]))


class _Cell:
    pass


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array([[1.0, np.inf]]), ValueError, r"contains infinity.*\(column 1\)"),
        (pd.DataFrame({"a": [1.0], "b": [-np.inf]}), ValueError, r"contains infinity.*\(column 'b'\)"),
        (pl.DataFrame({"a": [float("inf")], "s": ["x"]}), ValueError, r"contains infinity.*\(column 'a'\)"),
        (sparse.csr_array([[0.0, np.inf]]), ValueError, "contains infinity"),
        (np.array([[1, {}]], dtype=object), TypeError, "Column 1: argument must be a string or a number, not 'dict'"),
        (np.array([["a", "b"], [_Cell(), "b"]], dtype=object), TypeError, "a string or a number, not '_Cell'"),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "Column 'a': argument must be a string or a number, not 'list'"),
        (pl.DataFrame({"a": [[1], [2]]}), TypeError, "Column 'a': argument must be a string or a number, not 'list'"),
        (np.array([[b"a"]]), TypeError, "argument must be a string or a number"),
        (
            np.array([[b"a", 1]], dtype=object),
            TypeError,
            "Column 0: argument must be a string or a number, not 'bytes'",
        ),
        (np.array([["2020-01-01"]], dtype="M8[D]"), ValueError, "dates or durations .*convert it to numbers first"),
        (np.array([[1j]]), ValueError, "Complex data not supported"),
        (np.array([[1j, "a"]], dtype=object), ValueError, "Complex data not supported: column 0"),
        (np.array([1.0, 2.0]), ValueError, "Expected 2D array, got 1D array instead.*Reshape your data"),
        (pd.Series([1.0]), ValueError, "Expected 2D array, got 1D array instead"),
        (np.array(1.0), ValueError, "Expected 2D array, got scalar array instead"),
        (np.ones((1, 2, 3)), ValueError, "Found array with dim 3"),
        (np.ones((0, 2)), ValueError, r"Found array with 0 sample\(s\) \(shape=\(0, 2\)\)"),
        (np.ones((2, 0)), ValueError, r"Found array with 0 feature\(s\) \(shape=\(2, 0\)\)"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"pass X.collect\(\)"),
        (np.ma.masked_array([[1.0]], mask=[[True]]), TypeError, "Masked arrays are not supported"),
    ],
)
def test_bad_input(X, error, message):
    with pytest.raises(error, match=message):
        ColumnCodec().fit(X)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrix_is_refused():
    with pytest.raises(TypeError, match=r"np\.matrix is not supported"):
        ColumnCodec().fit(np.matrix([[1.0]]))


def test_bad_input_after_fit():
    codec = ColumnCodec().fit(pd.DataFrame({"a": [1.0, 2.5], "s": ["x", "y"]}))
    with pytest.raises(ValueError, match="X has 1 features, but ColumnCodec is expecting 2 features as input"):
        codec.transform(np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"feature names should match.*column 0 is 's', and was 'a'"):
        codec.transform(pd.DataFrame({"s": ["x"], "a": [1.0]}))
    with pytest.raises(ValueError, match=r"Column 'a' was numeric at fit and must be numeric, got text in 1 of 1 rows"):
        codec.transform(pd.DataFrame({"a": ["1.5"], "s": ["x"]}))
    with pytest.raises(TypeError, match="Column 's': argument must be a string or a number, not 'dict'"):
        codec.transform(pd.DataFrame({"a": [1.5], "s": [{}]}))
    with pytest.raises(ValueError, match="contains infinity"):
        codec.transform(pd.DataFrame({"a": [np.inf], "s": ["x"]}))
    with pytest.raises(ValueError, match=r"Z must have shape \(n, 2\), got \(2,\)"):
        codec.inverse_transform(np.ones(2))
    for code in (UNSEEN, 2, 0.5):
        with pytest.raises(ValueError, match="Column 's' of Z must hold codes 0 to 1, got"):
            codec.inverse_transform([[1.0, code]])
    with pytest.raises(ValueError, match="Column 'i' has dtype int64, which cannot hold a missing value"):
        ColumnCodec().fit(pd.DataFrame({"i": [1], "s": ["x"]})).inverse_transform([[np.nan, 0]])
    with pytest.raises(ValueError, match="The 'invertible' parameter"):
        ColumnCodec(invertible="yes").fit(np.ones((1, 1)))


def test_refit_forgets_names():
    codec = ColumnCodec().fit(pd.DataFrame({"a": [1.0]}))
    codec.fit(np.ones((2, 2)))
    assert not hasattr(codec, "feature_names_in_") and codec.n_features_in_ == 2


NARROW = {
    "float32": (lambda n: np.ones((n, 2), np.float32), np.float32),
    "float64": (lambda n: np.full((n, 2), 0.1), np.float64),
    "int16": (lambda n: np.ones((n, 2), np.int16), np.float32),
    "int64": (lambda n: np.full((n, 2), 2**40 + 1), np.float64),
    "objects": (lambda n: np.array([["a", 1.5]] * n, dtype=object), np.float32),
    "objects of many digits": (lambda n: np.array([["a", 1.1]] * n, dtype=object), np.float64),
    "frame of float32": (lambda n: pd.DataFrame({"a": np.ones(n, np.float32), "b": np.float32(0.1)}), np.float32),
    "frame of float64": (lambda n: pd.DataFrame({"a": np.ones(n, np.float32), "b": 0.1}), np.float64),
    "categories": (lambda n: pd.DataFrame({"a": ["x", "y"] * (n // 2), "b": np.float32(0.1), "c": 3}), np.float32),
    "categories first": (lambda n: pd.DataFrame({"a": ["x", None] * (n // 2), "b": 0.1, "c": 1e300}), np.float64),
    "dates": (lambda n: pd.DataFrame({"a": pd.date_range("2026-01-01", periods=n, freq="1s"), "b": "x"}), np.float64),
    "polars": (lambda n: pl.DataFrame({"a": ["x", "y"] * (n // 2), "b": [0.5] * n}), np.float32),
    "sparse": (lambda n: sparse.csr_array(np.eye(n, 2)), np.float64),
}


@pytest.mark.parametrize("kind", NARROW)
def test_a_narrow_matrix_holds_the_same_values(kind):
    make, dtype = NARROW[kind]
    X, asked = make(10), []

    def empty(shape, dtype):
        asked.append(np.empty(shape, dtype))
        return asked[-1]

    narrow = (codec := ColumnCodec()).fit_narrow(X, empty)
    expected = (other := ColumnCodec()).fit_transform(X)
    assert narrow.dtype == dtype and expected.dtype == np.float64
    np.testing.assert_array_equal(narrow, expected)
    np.testing.assert_array_equal(codec.transform(X), other.transform(X))
    assert codec.integer_.tolist() == other.integer_.tolist()
    assert not asked or narrow is asked[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_of_numbers_is_not_copied(dtype):
    X = np.ones((10, 2), dtype)
    assert np.shares_memory(ColumnCodec().fit_narrow(X), X)
    assert not np.shares_memory(ColumnCodec().fit_transform(X), X)


def test_fit_keeps_no_rows():
    X = pd.DataFrame({"a": np.arange(20_000.0), "s": ["x", "y"] * 10_000})
    assert len(pickle.dumps(ColumnCodec().fit(X))) < 10_000


@parametrize_with_checks([ColumnCodec()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_common_checks(estimator, check):
    check(estimator)


def matrices():
    cells = st.sampled_from([0.0, -0.0, 1.0, 2.5, math.nan, -math.nan, float(np.array(0x7FF8000000000001).view(float))])
    return hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=cells)


@given(matrices(), st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=300)
def test_identical_rows(Z, random, repeats):
    keys = [tuple("nan" if math.isnan(cell) else float(cell) for cell in row) for row in Z]
    first, inverse = identical_rows(Z)
    assert len(first) == len(set(keys))
    assert [keys.index(key) for key in keys] == first[inverse].tolist()  # the earliest row stands for its group
    shuffled = list(range(len(Z))) * repeats
    random.shuffle(shuffled)
    again, _ = identical_rows(Z[shuffled])
    assert [keys[shuffled[row]] for row in again] == [keys[row] for row in first]


def test_identical_rows_of_any_layout():
    Z = np.asfortranarray(np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]]))
    first, inverse = identical_rows(Z)
    np.testing.assert_array_equal(Z[first][inverse], Z)
    assert len(first) == 2 and Z.flags.f_contiguous
    assert identical_rows(np.empty((0, 3)))[0].tolist() == []
    assert [part.tolist() for part in identical_rows(np.empty((3, 0)))] == [[0], [0, 0, 0]]


@pytest.mark.parametrize(
    "numbers", list(itertools.permutations([Decimal("0.5"), Fraction(1, 3), np.longdouble(2), 1], 2))
)
def test_categories_of_numbers_that_do_not_compare(numbers):
    X = np.array([["x"], *([one] for one in numbers)], dtype=object)
    codec = ColumnCodec().fit(X)
    Z = codec.transform(X)
    assert sorted(Z[:, 0]) == [0, 1, 2]
    np.testing.assert_array_equal(codec.inverse_transform(Z), X)


@pytest.mark.parametrize("others", [[1, None], [0.5, pd.NA], [Decimal(1)], [True]], ids=repr)
@pytest.mark.parametrize(
    ("value", "says"), [(10**400, "too large for dtype"), (Decimal("sNaN"), "no signalling NaN")], ids=["long", "sNaN"]
)
def test_numbers_that_are_none_for_float64(others, value, says):
    X = np.array([[cell] for cell in [*others, value]], dtype=object)
    with pytest.raises(ValueError, match=says):
        ColumnCodec().fit(X)
    codec = ColumnCodec().fit(X[:-1])
    with pytest.raises(ValueError, match=says):
        codec.transform(X)
