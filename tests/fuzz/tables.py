"""Strategies for the tables, targets and weights that somebody might pass.

Hypothesis chooses the columns, the container and a seed, from which the cells are drawn: a failure shrinks to few
columns and rows, and is kept by these choices.
"""

from __future__ import annotations

import decimal
import fractions
import warnings

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st
from scipy import sparse

from tests.frames import KINDS, objects

HUGE = [1e308, -1e308, 3.5e38, -3.5e38, 1e30, 2.0**53 + 2]
TINY = [5e-324, -5e-324, 1e-310, 1e-45, -0.0, 0.0]
TEXTS = ["", " ", "a", "A", "ä", "a\u0308", "\u200b", "\x00", "\n", "nan", "None", "1", "🙂", "\ue000", "x" * 300]


def drawn(rng, n, values):
    """Cells that are drawn from some values, as Python objects."""
    return objects(rng, n, values)


def sprinkled(rng, n, values):
    """Normal numbers, one in five of them replaced."""
    column = rng.standard_normal(n)
    return np.where(rng.random_sample(n) < 0.2, rng.choice(values, n), column)


def category(rng, n, values):
    return pd.Categorical(drawn(rng, n, [*values, None]), values)


def whole(rng, n, dtype):
    """The largest, the smallest and some more whole numbers of a dtype."""
    info = np.iinfo(dtype)
    return np.array([info.min, info.max, 0, 1, 7], dtype=dtype)[rng.randint(5, size=n)]


def days(rng, n, texts):
    return pd.Series(np.array(drawn(rng, n, texts), dtype="M8[s]"))


NUMBERS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "shifted": lambda rng, n: 1e9 + rng.standard_normal(n),
    "small": lambda rng, n: 1e-30 * rng.standard_normal(n),
    "large": lambda rng, n: 1e30 * rng.standard_normal(n),
    "huge": lambda rng, n: sprinkled(rng, n, HUGE),
    "tiny": lambda rng, n: sprinkled(rng, n, TINY),
    "gaps": lambda rng, n: sprinkled(rng, n, [np.nan]),
    "infinite": lambda rng, n: sprinkled(rng, n, [np.inf, -np.inf]),
    "constant": lambda rng, n: np.full(n, 3.0),
    "missing": lambda rng, n: np.full(n, np.nan),
    "whole": lambda rng, n: rng.randint(-5, 5, n),
    "int64": lambda rng, n: whole(rng, n, "int64"),
    "uint64": lambda rng, n: whole(rng, n, "uint64"),
    "int8": lambda rng, n: whole(rng, n, "int8"),
    "bool": lambda rng, n: rng.random_sample(n) > 0.5,
    "single": lambda rng, n: sprinkled(rng, n, [3e38, 1e-45, np.nan]).astype(np.float32),
    "half": lambda rng, n: sprinkled(rng, n, [65504, 6e-8]).astype(np.float16),
}
OBJECTS = {
    "texts": lambda rng, n: drawn(rng, n, TEXTS),
    "texts with gaps": lambda rng, n: drawn(rng, n, [*TEXTS, None, np.nan]),
    "half a pair": lambda rng, n: drawn(rng, n, ["a", "\ud800", "b"]),
    "bools": lambda rng, n: drawn(rng, n, [True, False, None]),
    "ints": lambda rng, n: drawn(rng, n, [1, 2, 10**18, None]),
    "very long ints": lambda rng, n: drawn(rng, n, [1, 10**400]),
    "long ints": lambda rng, n: drawn(rng, n, [1, 2**64, -(2**70)]),
    "all kinds": lambda rng, n: drawn(rng, n, [1, "1", 1.5, True, None, "x", np.float32(2)]),
    "decimals": lambda rng, n: drawn(rng, n, [decimal.Decimal("0.1"), decimal.Decimal("NaN"), decimal.Decimal(2)]),
    "signalling": lambda rng, n: drawn(rng, n, [decimal.Decimal("sNaN"), decimal.Decimal(2)]),
    "fractions": lambda rng, n: drawn(rng, n, [fractions.Fraction(1, 3), fractions.Fraction(2)]),
    "complex": lambda rng, n: drawn(rng, n, [1 + 2j, 1.0]),
    "bytes": lambda rng, n: drawn(rng, n, [b"a", b"b"]),
    "lists": lambda rng, n: drawn(rng, n, [[1], [2, 3], None]),
    "dicts": lambda rng, n: drawn(rng, n, [{"a": 1}, {}, 1.0]),
    "tuples": lambda rng, n: drawn(rng, n, [(1, 2), (3,), "x"]),
    "sets": lambda rng, n: drawn(rng, n, [frozenset([1]), "x"]),
    "arrays": lambda rng, n: drawn(rng, n, [np.arange(2), np.arange(3), 1.0]),
    "types": lambda rng, n: drawn(rng, n, [int, len, "x"]),
    "timestamps": lambda rng, n: drawn(rng, n, [pd.Timestamp("2024-01-01"), pd.NaT, None]),
    "two zones": lambda rng, n: drawn(
        rng, n, [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="Asia/Tokyo")]
    ),
    "infinite objects": lambda rng, n: drawn(rng, n, [np.inf, 1.0, None]),
}
FRAMED = KINDS | {
    "categories": lambda rng, n: category(rng, n, ["a", "b", "never"]),
    "categories of numbers": lambda rng, n: category(rng, n, [1, 2.5]),
    "categories of bools": lambda rng, n: category(rng, n, [True, False]),
    "categories of dates": lambda rng, n: category(rng, n, [pd.Timestamp("2024-01-01"), pd.Timestamp("2025-01-01")]),
    "no categories": lambda rng, n: pd.Categorical([None] * n, []),
    "strings": lambda rng, n: pd.array(drawn(rng, n, [*TEXTS, None]), dtype="string"),
    "nullable floats": lambda rng, n: pd.array(drawn(rng, n, [1.5, None, 1e308]), dtype="Float64"),
    "nullable bytes": lambda rng, n: pd.array(drawn(rng, n, [1, None, 255]), dtype="UInt8"),
    "sparse": lambda rng, n: pd.arrays.SparseArray(np.where(rng.random_sample(n) < 0.7, 0.0, 1.5)),
    "far dates": lambda rng, n: days(rng, n, ["1677-09-22", "2262-04-11", None]).astype("M8[ns]"),
    "seconds": lambda rng, n: days(rng, n, ["0001-01-01", "9999-12-31", None]),
    "no dates": lambda rng, n: pd.Series([pd.NaT] * n, dtype="M8[ns]"),
    "durations": lambda rng, n: pd.Series(pd.to_timedelta(rng.randint(-9, 9, n), unit="D")),
    "intervals": lambda rng, n: pd.arrays.IntervalArray.from_breaks(np.arange(n + 1.0)),
    "complex dtype": lambda rng, n: rng.standard_normal(n) + 1j,
}
FRAMED = {name: made[0] if isinstance(made, tuple) else made for name, made in FRAMED.items()}
EVERY = NUMBERS | OBJECTS | FRAMED
REFUSED = {"infinite", "infinite objects", "half a pair", "very long ints", "signalling", "complex", "bytes", "lists"}
REFUSED |= {"dicts", "tuples", "sets", "arrays", "types", "two zones", "timestamps", "intervals", "complex dtype"}
REFUSED |= {"categories of dates", "zone"}
SOUND = {kind: make for kind, make in EVERY.items() if kind not in REFUSED}
"""What most teachers, or one that takes anything, can be given."""

NAMES = ["a", "b", "c", "d", "e", "f"]
ODD_NAMES = ["a", "a", "", " ", "ä", "a\u0308", "🙂", "\x00", "1", 1, 1.5, None, ("a", 1), "x" * 200, "a b", "a[0]<1"]
DTYPES = ["f8", "f4", "f2", ">f8", ">i4", "i8", "i1", "u8", "u2", "?", "longdouble"]
ROWS = [0, 1, 2, 3, 7, 20]
MANY = [7, 20, 40, 60]

seeds = st.integers(0, 2**16)


def frame_of(kinds, n, seed, names=None):
    """A frame with a column of each of these kinds."""
    rng = np.random.RandomState(seed)
    columns = {j: EVERY[kind](rng, n) for j, kind in enumerate(kinds)}
    # left alone, pandas would make strings of objects, which hold no half pairs
    keep = "half a pair" in kinds
    columns = {
        j: pd.Series(column, index=range(n), dtype=getattr(column, "dtype", None) if keep else None)
        for j, column in columns.items()
    }
    made = pd.DataFrame(columns, index=range(n))
    made.columns = pd.Index(NAMES[: len(kinds)] if names is None else names, dtype=object)
    return made


@st.composite
def frames(draw, n, kinds=EVERY, odd=True):
    """Frames of pandas, with all kinds of columns, names and indices."""
    some = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))
    others = st.permutations(ODD_NAMES).map(lambda all_of: all_of[: len(some)])
    names = draw(st.one_of(st.none(), st.none(), others)) if odd else None
    made = frame_of(some, n, draw(seeds), names)
    how = draw(st.sampled_from(["plain", "plain", "odd index", "twice", "gone"]))
    if how == "odd index":
        made.index = pd.Index([f"row {i % 2}" for i in range(n)])
    elif how == "twice":
        made = made.iloc[np.repeat(np.arange((n + 1) // 2), 2)[:n]]
    elif how == "gone" and odd:
        made = made.iloc[:, :0] if draw(st.integers(0, 3)) == 0 else made
    return made


def to_polars(made):
    """The frame in polars, where it can hold such cells; else None."""
    columns = []
    for j, name in enumerate(made.columns):
        try:
            cells = made.iloc[:, j].astype(object)
            columns.append(pl.Series(str(name) + str(j), cells.where(cells.notna(), None).tolist(), strict=False))
        except (TypeError, ValueError, ArithmeticError, AttributeError, pl.exceptions.PolarsError):
            return None
    return pl.DataFrame(columns)


@st.composite
def polars_frames(draw, n, kinds=EVERY):
    kinds = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))
    made = to_polars(frame_of(kinds, n, draw(seeds)))
    return pl.DataFrame({"a": np.arange(float(n))}) if made is None else made


@st.composite
def matrices(draw, n, kinds=NUMBERS):
    """Arrays of numbers, of all dtypes and layouts."""
    kinds = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=5))
    d = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 300]))
    rng = np.random.RandomState(draw(seeds))
    made = np.column_stack([np.asarray(NUMBERS[kind](rng, n), dtype=float) for kind in kinds * (1 + d // len(kinds))])
    with np.errstate(all="ignore"):
        made = made.astype(draw(st.sampled_from(DTYPES)) if draw(st.booleans()) else float)
    layout = draw(st.sampled_from(["C", "F", "strided", "backwards", "read-only", "masked", "unaligned"]))
    if layout == "F":
        return np.asfortranarray(made)
    if layout == "strided":
        return np.repeat(made, 2, axis=0)[::2]
    if layout == "backwards":
        return made[::-1, ::-1]
    if layout == "read-only":
        made.setflags(write=False)
    elif layout == "masked":
        return np.ma.masked_array(made, mask=rng.random_sample(made.shape) < 0.1) if draw(st.booleans()) else made
    elif layout == "unaligned" and made.size:
        held = np.frombuffer(b"\0" + made.tobytes(), dtype=made.dtype, offset=1).reshape(made.shape)
        return held
    return made


@st.composite
def odd_arrays(draw, n):
    """Arrays of objects, strings, dates, records, and with other than two dimensions."""
    rng = np.random.RandomState(draw(seeds))
    kind = draw(
        st.sampled_from(
            ["objects", "objects", "str", "bytes", "dates", "durations", "complex", "void", "1d", "3d", "scalar", "new"]
        )
    )
    if kind == "objects":
        kinds = draw(st.lists(st.sampled_from(sorted(NUMBERS | OBJECTS)), min_size=1, max_size=3))
        made = np.empty((n, len(kinds)), dtype=object)
        for j, one in enumerate(kinds):
            cells = EVERY[one](rng, n)
            for i in range(n):
                made[i, j] = cells[i]
        return made
    texts = drawn(rng, 2 * n, ["a", "b", "1", "2.5", ""]).reshape(n, 2)
    return {
        "str": lambda: texts.astype("U"),
        "bytes": lambda: texts.astype("S"),
        "dates": lambda: rng.randint(0, 9, (n, 2)).astype("M8[D]"),
        "durations": lambda: rng.randint(0, 9, (n, 2)).astype("m8[s]"),
        "complex": lambda: rng.standard_normal((n, 2)) + 1j,
        "void": lambda: np.zeros(n, dtype=[("a", float), ("b", int)]),
        "1d": lambda: rng.standard_normal(n),
        "3d": lambda: rng.standard_normal((n, 2, 2)),
        "scalar": lambda: np.float64(3.0),
        "new": lambda: texts.astype(np.dtypes.StringDType()) if hasattr(np.dtypes, "StringDType") else texts,
    }[kind]()


@st.composite
def sparse_tables(draw, n):
    """Sparse matrices and arrays of all formats."""
    rng = np.random.RandomState(draw(seeds))
    d = draw(st.sampled_from([1, 4, 4, 4, 600]))
    dense = np.where(rng.random_sample((n, d)) < 0.3, rng.standard_normal((n, d)), 0.0)
    if n and draw(st.booleans()):
        dense[rng.randint(n), rng.randint(d)] = draw(st.sampled_from([np.nan, np.inf, 1e308, 5e-324, 1e30]))
    name = draw(st.sampled_from(["csr", "csc", "coo", "dok", "lil", "dia", "bsr"]))
    kind = draw(st.sampled_from(["array", "matrix"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparse.SparseEfficiencyWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        made = getattr(sparse, f"{name}_{kind}")(dense.astype(draw(st.sampled_from(["f8", "f4", "i8"]))))
    if name == "csr" and draw(st.booleans()) and made.nnz:
        # entries of a place twice, in no order
        parts = np.r_[made.data, made.data], np.r_[made.indices, made.indices], made.indptr * 2
        made = sparse.csr_array(parts, (n, d))
    return made


@st.composite
def lists(draw, n):
    rng = np.random.RandomState(draw(seeds))
    kinds = draw(st.lists(st.sampled_from(sorted(NUMBERS | OBJECTS)), min_size=1, max_size=3))
    cells = [EVERY[kind](rng, n) for kind in kinds]
    made = [[column[i] for column in cells] for i in range(n)]
    if n > 1 and draw(st.integers(0, 9)) == 0:
        made[-1] = made[-1] + [1.0]
    return tuple(map(tuple, made)) if draw(st.booleans()) else made


def anything():
    """What is no table at all."""
    return st.sampled_from([None, "a table", 3, {"a": [1, 2]}, [], [[]], {1, 2}, np.array([]), object, pd.DataFrame()])


def sound_tables(n):
    """Tables of rows that can be learnt from."""
    numbers = sorted(NUMBERS.keys() - REFUSED)
    kinds = [frames(n, SOUND, False), frames(n, SOUND, False), frames(n, numbers, False), matrices(n, numbers)]
    return st.one_of([*kinds, matrices(n, ["normal", "shifted", "gaps"]), polars_frames(n, SOUND), sparse_tables(n)])


def odd_tables(n):
    """Tables of every kind, and what is none."""
    kinds = [frames(n), frames(n, NUMBERS), frames(n), matrices(n), matrices(n), polars_frames(n), sparse_tables(n)]
    kinds += [odd_arrays(n), lists(n), frames(n).map(lambda made: made.iloc[:, 0] if made.shape[1] else made)]
    return st.one_of([*kinds, anything()])


@st.composite
def tables(draw):
    """(the table, its number of rows): two in three are sound."""
    if draw(st.sampled_from([True, True, False])):
        n = draw(st.sampled_from(MANY))
        return draw(sound_tables(n)), n
    n = draw(st.sampled_from(ROWS))
    return draw(odd_tables(n)), n


def labels(n):
    """Targets of classifiers."""

    def make(kind, seed):
        rng = np.random.RandomState(seed)
        pair = rng.randint(0, 2, n)
        return {
            "ints": lambda: pair,
            "three": lambda: rng.randint(0, 3, n),
            "strings": lambda: np.array(["no", "yes"])[pair],
            "objects": lambda: np.array(["no", "yes"], dtype=object)[pair],
            "unicode": lambda: np.array(["\ud800", "🙂"], dtype=object)[pair],
            "bools": lambda: pair > 0,
            "floats": lambda: pair * 1.0,
            "far": lambda: np.array([-(2**62), 2**62])[pair],
            "unsigned": lambda: np.array([1, 2**64 - 1], dtype=np.uint64)[pair],
            "int8": lambda: np.array([-128, 127], dtype=np.int8)[pair],
            "one class": lambda: np.zeros(n, int),
            "rare": lambda: np.r_[np.ones(min(n, 1), int), np.zeros(max(n - 1, 0), int)],
            "each": lambda: np.arange(n),
            "continuous": lambda: rng.standard_normal(n),
            "gaps": lambda: np.where(pair > 0, np.nan, 1.0),
            "nones": lambda: drawn(rng, n, ["a", "b", None]),
            "mixed": lambda: drawn(rng, n, ["a", 1]),
            "nested": lambda: drawn(rng, n, [[1], [2]]),
            "tuples": lambda: drawn(rng, n, [(1,), (2, 3)]),
            "column": lambda: pair[:, None],
            "two labels": lambda: rng.randint(0, 2, (n, 2)),
            "two questions": lambda: rng.randint(0, 3, (n, 2)),
            "3d": lambda: rng.randint(0, 2, (n, 2, 2)),
            "sparse": lambda: sparse.csr_array(rng.randint(0, 2, (n, 2))),
            "category": lambda: pd.Series(pd.Categorical(np.array(["a", "b"])[pair], ["b", "a", "never"])),
            "nullable": lambda: pd.Series(pd.array(drawn(rng, n, [0, 1]), dtype="Int64")),
            "nullable gaps": lambda: pd.Series(pd.array(drawn(rng, n, [0, 1, None]), dtype="Int64")),
            "string dtype": lambda: pd.Series(np.array(["a", "b"])[pair], dtype="string"),
            "odd index": lambda: pd.Series(pair, index=np.arange(n)[::-1] * 3),
            "polars": lambda: pl.Series("y", pair),
            "polars words": lambda: pl.Series("y", np.array(["a", "b"])[pair].tolist()),
            "dates": lambda: np.array(["2024-01-01", "2025-01-01"], dtype="M8[D]")[pair],
            "bytes": lambda: np.array([b"a", b"b"])[pair],
            "complex": lambda: pair + 1j,
            "list": lambda: pair.tolist(),
            "frame": lambda: pd.DataFrame({"y": pair}),
            "frame of two": lambda: pd.DataFrame({"a": pair, "b": 1 - pair}),
            "none": lambda: None,
            "short": lambda: pair[:-1],
        }[kind]()

    often = ["ints", "strings", "three", "rare", "bools"] * 25
    rarely = "objects unicode floats far unsigned int8 continuous gaps nones mixed nested tuples column sparse 3d"
    kinds = [*often, *rarely.split(), "one class", "each", "two labels", "two questions", "category", "nullable"]
    kinds += ["nullable gaps", "string dtype", "odd index", "polars", "polars words", "dates", "bytes", "complex"]
    kinds += ["list", "frame", "frame of two", "none", "short"]
    return st.builds(make, st.sampled_from(kinds), seeds)


def targets(n):
    """Targets of regressors."""

    def make(kind, seed):
        rng = np.random.RandomState(seed)
        y = rng.standard_normal(n)
        return {
            "normal": lambda: y,
            "shifted": lambda: 1e12 + y,
            "huge": lambda: 1e304 * np.clip(y, -9, 9),
            "widest": lambda: np.where(y > 0, 1.7e308, -1.7e308),
            "tiny": lambda: 1e-300 * y,
            "subnormal": lambda: 1e-320 * y,
            "one far": lambda: np.where(np.arange(n) == 1, 1e300, y),
            "constant": lambda: np.full(n, 2.5),
            "zeros": lambda: np.zeros(n),
            "gaps": lambda: np.where(y > 0, np.nan, y),
            "infinite": lambda: np.where(y > 0, np.inf, y),
            "ints": lambda: rng.randint(0, 9, n),
            "int64": lambda: whole(rng, n, "int64"),
            "uint8": lambda: whole(rng, n, "uint8"),
            "single": lambda: y.astype(np.float32),
            "half": lambda: y.astype(np.float16),
            "big-endian": lambda: y.astype(">f8"),
            "bools": lambda: y > 0,
            "objects": lambda: y.astype(object),
            "mixed": lambda: drawn(rng, n, [1.0, "2", "x"]),
            "strings": lambda: drawn(rng, n, ["a", "b"]),
            "nested": lambda: drawn(rng, n, [[1], [2, 3]]),
            "column": lambda: y[:, None],
            "two": lambda: np.column_stack([y, 1e6 * y + 1]),
            "two, one constant": lambda: np.column_stack([y, np.ones(n)]),
            "two far apart": lambda: np.column_stack([1e-200 * y, 1e200 * y]),
            "3d": lambda: rng.standard_normal((n, 2, 2)),
            "nullable": lambda: pd.Series(pd.array(drawn(rng, n, [0.5, 1.5]), dtype="Float64")),
            "nullable gaps": lambda: pd.Series(pd.array(drawn(rng, n, [0, 1, None]), dtype="Int64")),
            "odd index": lambda: pd.Series(y, index=np.arange(n)[::-1] * 3),
            "polars": lambda: pl.Series("y", y),
            "dates": lambda: rng.randint(0, 9, n).astype("M8[D]"),
            "complex": lambda: y + 1j,
            "list": lambda: y.tolist(),
            "frame": lambda: pd.DataFrame({"y": y}),
            "frame of two": lambda: pd.DataFrame({"a": y, "b": -y}),
            "sparse": lambda: sparse.csr_array(y[:, None]) if n else y,
            "none": lambda: None,
            "short": lambda: y[:-1],
        }[kind]()

    rarely = "huge widest tiny subnormal constant zeros gaps infinite ints int64 uint8 single half big-endian bools"
    rarely += " objects mixed strings nested column two 3d nullable polars dates complex list frame sparse none short"
    kinds = ["normal", "two", "ints", "huge", "tiny"] * 25 + [
        "shifted",
        *rarely.split(),
        "one far",
        "two, one constant",
        "two far apart",
    ]
    kinds += ["nullable gaps", "odd index", "frame of two"]
    return st.builds(make, st.sampled_from(kinds), seeds)


def weights(n):
    """Row weights, mostly none."""

    def make(kind, seed):
        w = np.random.RandomState(seed).random_sample(n)
        return {
            "ones": lambda: np.ones(n),
            "some": lambda: w,
            "zeros": lambda: np.where(w < 0.5, 0.0, w),
            "all zero": lambda: np.zeros(n),
            "first": lambda: (np.arange(n) == 0) * 1.0,
            "negative": lambda: w - 0.5,
            "gaps": lambda: np.where(w < 0.5, np.nan, w),
            "infinite": lambda: np.where(w < 0.5, np.inf, w),
            "huge": lambda: 1e308 * w,
            "tiny": lambda: 1e-320 * (1 + w),
            "far apart": lambda: 10.0 ** (600 * w - 300),
            "ints": lambda: (9 * w).astype(int) + 1,
            "list": lambda: w.tolist(),
            "series": lambda: pd.Series(w, index=np.arange(n)[::-1]),
            "column": lambda: w[:, None],
            "strings": lambda: np.array(["a"] * n),
            "number": lambda: 2.0,
            "short": lambda: w[:-1],
        }[kind]()

    kinds = "ones some some zeros first negative gaps infinite huge tiny ints list series column strings number short"
    some = st.builds(make, st.sampled_from([*kinds.split(), "all zero", "far apart"]), seeds)
    return st.one_of(st.none(), st.none(), st.none(), st.none(), st.none(), some)


def rows_of(X, index):
    """Some rows of a table, in its own container; None where it has no rows."""
    if sparse.issparse(X):
        return X.tocsr()[index]
    if hasattr(X, "iloc"):
        return X.iloc[index]
    if isinstance(X, (list, tuple)):
        return type(X)(X[i] for i in index)
    if isinstance(X, pl.DataFrame) or (isinstance(X, np.ndarray) and X.ndim > 0):
        return X[index]
    return None
