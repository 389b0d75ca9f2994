"""What every sampler promises."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklkd._columns import ColumnCodec
from sklkd.augment import MUNGE, NRFI, GaussianNoise, GibbsSampler, Mixup, Sampler, ThresholdSampler

SAMPLERS = [
    MUNGE(),
    MUNGE(local_variance=1.0),
    GibbsSampler(),
    GibbsSampler(n_features=None, n_neighbors=2),
    ThresholdSampler(),
    ThresholdSampler(position="midpoint"),
    Mixup(),
    GaussianNoise(),
    GaussianNoise(scale=3.0, resample_probability=1.0),
]
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


@st.composite
def frames(draw):
    """Small frames of every kind of column: with ties, constants, gaps and duplicates."""
    n = draw(st.integers(1, 12))

    def column(cells, gaps=True):
        return draw(st.lists(st.one_of(cells, cells, st.none()) if gaps else cells, min_size=n, max_size=n))

    kinds = {
        "float": lambda: pd.Series(column(st.floats(-5, 5)), dtype=float),
        "whole": lambda: pd.Series(column(st.integers(-3, 3)), dtype=float),
        "int": lambda: pd.Series(column(st.integers(0, 9), gaps=False), dtype="int16"),
        "bool": lambda: pd.Series(column(st.booleans(), gaps=False), dtype=bool),
        "Int64": lambda: pd.Series(column(st.integers(0, 2)), dtype="Int64"),
        "str": lambda: pd.Series(column(st.sampled_from(["a", "None", "3.0"])), dtype="str"),
        "category": lambda: pd.Series(column(st.sampled_from([2, 5, 7])), dtype=pd.CategoricalDtype([7, 2, 5, 99])),
        "constant": lambda: pd.Series([4.5] * n),
        "empty": lambda: pd.Series([None] * n, dtype=float),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=5))
    return pd.DataFrame({f"{kind}{j}": kinds[kind]() for j, kind in enumerate(chosen)})


def check_legal(X, Z):
    """Columns of the sample only hold what their columns in the data could hold."""
    for name in X.columns:
        real, made = X[name], Z[name]
        assert made.isna().any() <= real.isna().any()
        real, made = real.dropna(), made.dropna()
        if real.dtype.kind not in "fiub":
            assert set(made) <= set(real)
        elif len(made):
            assert real.min() <= made.min() and made.max() <= real.max()
            if (real == real.round()).all():
                assert (made == made.round()).all()


@every_sampler
@given(X=frames(), n=st.integers(0, 30), seed=st.integers(0, 5))
@settings(max_examples=40)
def test_frames(sampler, X, n, seed):
    before = X.copy()
    Z = clone(sampler).fit(X).sample(n, random_state=seed)
    assert Z.shape == (n, X.shape[1])
    pd.testing.assert_series_equal(Z.dtypes, X.dtypes)
    check_legal(X, Z)
    pd.testing.assert_frame_equal(X, before)


@every_sampler
@given(X=frames())
@settings(max_examples=20)
def test_polars(sampler, X):
    frame = pl.DataFrame({name: pl.Series(X[name].astype(object).where(X[name].notna(), None).tolist()) for name in X})
    Z = clone(sampler).fit(frame).sample(9, random_state=0)
    assert Z.schema == frame.schema and Z.shape == (9, X.shape[1])
    for name in X:
        made, real = Z[name].drop_nulls(), frame[name].drop_nulls()
        assert (Z[name].null_count() > 0) <= (frame[name].null_count() > 0)
        if real.dtype == pl.String:
            assert set(made) <= set(real)
        elif len(made):
            assert real.min() <= made.min() and made.max() <= real.max()


@every_sampler
@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, 2], [3, 4]], dtype=np.int8),
        np.array([[True], [False]]),
        np.array([[1.5, 2.0], [0.0, 1.0]], dtype=np.float32),
        np.array([["a", 1], [None, 2], ["b", 2.5]], dtype=object),
        np.array([["a", "x"], ["b", "y"]]),
        sparse.csr_array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]]),
        sparse.csc_matrix([[0, 1], [2, 0], [0, 0]]),
        [[1.0, 2.0], [3.0, 4.0]],
    ],
    ids=lambda X: f"{type(X).__name__}-{getattr(X, 'dtype', '')}",
)
def test_arrays(sampler, X):
    Z = clone(sampler).fit(X).sample(5, random_state=0)
    assert Z.shape == (5, np.shape(X)[1])
    assert Z.dtype == getattr(X, "dtype", np.float64)
    assert sparse.issparse(Z) == sparse.issparse(X)
    if sparse.issparse(X):
        assert Z.format == "csr" and isinstance(Z, sparse.sparray) == isinstance(X, sparse.sparray)


@every_sampler
def test_one_row(sampler):
    X = pd.DataFrame({"a": [1.5], "s": ["x"], "gap": [np.nan]})
    Z = clone(sampler).fit(X).sample(3, random_state=0)
    pd.testing.assert_frame_equal(Z, pd.concat([X] * 3, ignore_index=True))


@every_sampler
def test_identical_rows(sampler):
    X = np.tile([1.0, np.nan, 3.0], (4, 1))
    np.testing.assert_array_equal(clone(sampler).fit(X).sample(6, random_state=0), np.tile([1.0, np.nan, 3.0], (6, 1)))


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 4)), columns=list("abcd"))
    X["b"] += 2 * X["a"]
    X["s"] = np.where(X["a"] + 0.3 * rng.normal(size=200) > 0, "high", "low")
    X.loc[rng.random(200) < 0.2, "c"] = np.nan
    return X


@every_sampler
def test_seeds(sampler, mixed):
    fitted = clone(sampler).fit(mixed)
    Z = fitted.sample(50, random_state=3)
    pd.testing.assert_frame_equal(fitted.sample(50, random_state=3), Z)
    pd.testing.assert_frame_equal(clone(sampler).fit(mixed).sample(50, random_state=3), Z)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(fitted)).sample(50, random_state=3), Z)
    pd.testing.assert_frame_equal(fitted.sample(50, random_state=np.random.RandomState(3)), Z)
    assert not fitted.sample(50, random_state=4).equals(Z)
    assert not fitted.sample(50).equals(fitted.sample(50))


def forest_of(X):
    return ExtraTreesRegressor(3, max_depth=3, random_state=0).fit(X, np.arange(len(X)))


class Steps:
    """A teacher's thresholds in the user's own columns."""

    def __repr__(self):
        return "Steps()"

    def thresholds(self, X):
        return [np.quantile(X[name].dropna(), [0.2, 0.7]) if X[name].dtype.kind in "fi" else [] for name in X]


@pytest.mark.parametrize("sampler", [*SAMPLERS, ThresholdSampler(thresholds=Steps())], ids=repr)
@pytest.mark.parametrize("container", ["pandas", "float32", "polars"])
def test_coded_rows_are_those_of_the_users_container(sampler, container, mixed):
    if container == "float32":
        mixed = mixed.astype(dict.fromkeys("abcd", np.float32)).assign(i=np.arange(200, dtype=np.int16) // 9)
    if container == "polars":
        if getattr(sampler, "thresholds", None) is not None:
            pytest.skip("reads pandas")
        mixed = pl.from_pandas(mixed)
    weight = np.arange(200) % 4
    codec = ColumnCodec()
    coded = codec.fit_transform(mixed)
    expected = clone(sampler).fit(mixed, sample_weight=weight).sample(70, random_state=3)
    fitted = clone(sampler).fit_coded(codec, coded, weight, X=mixed)
    made = fitted.sample_coded(70, random_state=3)
    np.testing.assert_array_equal(made, codec.transform(expected))
    np.testing.assert_array_equal(
        clone(sampler).fit_coded(codec, coded, weight).sample_coded(9).shape, (9, len(made.T))
    )
    # the user's container has the same rows, from either
    for X in (fitted.sample(70, random_state=3), codec.inverse_transform(made)):
        assert type(X) is type(expected) and X.equals(expected)


def test_coded_rows_of_a_forest(mixed):
    X = mixed[list("abcd")]
    codec = ColumnCodec()
    fitted = NRFI(forest_of(X)).fit_coded(codec, codec.fit_transform(X))
    expected = NRFI(forest_of(X)).fit(X).sample(50, random_state=0)
    np.testing.assert_array_equal(fitted.sample_coded(50, random_state=0), codec.transform(expected))


def test_coded_rows_may_be_some_of_those_that_the_codec_knows(mixed):
    codec = ColumnCodec().fit(mixed)
    low = mixed[mixed["s"] == "low"]
    made = codec.inverse_transform(MUNGE().fit_coded(codec, codec.transform(low)).sample_coded(30, random_state=0))
    check_legal(low, made)


def test_coded_rows_need_a_codec_that_gives_rows_back(mixed):
    codec = ColumnCodec(invertible=False).fit(mixed)
    with pytest.raises(ValueError, match="codec must have been fitted with invertible=True"):
        MUNGE().fit_coded(codec, codec.transform(mixed))


def test_a_sampler_with_its_own_fit_or_sample_has_no_coded_form(mixed):
    class Own(MUNGE):
        def sample(self, n, random_state=None):
            return super().sample(n, random_state)[::-1]

    assert hasattr(MUNGE(), "fit_coded") and hasattr(MUNGE(), "sample_coded")
    assert not hasattr(Own(), "fit_coded") and not hasattr(Own(), "sample_coded")
    assert len(Own().fit(mixed).sample(3)) == 3


@every_sampler
def test_order_of_rows_does_not_matter(sampler, mixed):
    shuffled = mixed.sample(frac=1, random_state=0)
    Z = clone(sampler).fit(mixed).sample(40, random_state=0)
    pd.testing.assert_frame_equal(clone(sampler).fit(shuffled).sample(40, random_state=0), Z)


@every_sampler
def test_y_and_old_fits_do_not_matter(sampler, mixed):
    Z = clone(sampler).fit(mixed).sample(20, random_state=0)
    again = clone(sampler).fit(mixed.iloc[:, ::-1], y=np.zeros(200)).fit(mixed, y=np.arange(200))
    pd.testing.assert_frame_equal(again.sample(20, random_state=0), Z)
    assert again.feature_names_in_.tolist() == list(mixed) and again.n_features_in_ == 5
    assert not hasattr(again.fit(np.ones((2, 2))), "feature_names_in_")


@every_sampler
def test_marginals(sampler, mixed):
    """How often a category and a gap come, and means, unless the sampler promises something else."""
    Z = clone(sampler).fit(mixed).sample(4000, random_state=0)
    if isinstance(sampler, ThresholdSampler):
        assert abs((Z["s"] == "high").mean() - 0.5) < 0.05
    else:
        assert abs((Z["s"] == "high").mean() - (mixed["s"] == "high").mean()) < 0.07
    if isinstance(sampler, (MUNGE, GibbsSampler, Mixup)):
        assert (np.abs(Z[list("abcd")].mean() - mixed[list("abcd")].mean()) < 0.15).all()
    assert abs(Z["c"].isna().mean() - mixed["c"].isna().mean()) < 0.07


@pytest.mark.parametrize("sampler", [MUNGE(), MUNGE(local_variance=5.0), GibbsSampler(n_features=None)], ids=repr)
def test_dependence_is_kept(sampler, mixed):
    """In contrast to columns that are shuffled independently."""
    Z = clone(sampler).fit(mixed).sample(4000, random_state=0)
    real = np.corrcoef(mixed["a"], mixed["b"])[0, 1]
    assert real > 0.8 and np.corrcoef(Z["a"], Z["b"])[0, 1] > real - 0.2
    agreement = ((Z["a"] > 0) == (Z["s"] == "high")).mean()
    assert agreement > ((mixed["a"] > 0) == (mixed["s"] == "high")).mean() - 0.15


@every_sampler
@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (-1, ValueError, "n must be >= 0, got n=-1"),
        (1.5, TypeError, r"n must be an int, got n=1\.5"),
        (True, TypeError, "int"),
    ],
)
def test_bad_n(sampler, n, error, message):
    with pytest.raises(error, match=message):
        clone(sampler).fit(np.ones((2, 2))).sample(n)


@pytest.mark.parametrize(
    "sampler",
    [
        MUNGE(swap_probability=1.5),
        MUNGE(swap_probability="half"),
        MUNGE(n_neighbors=0),
        MUNGE(local_variance=0),
        GibbsSampler(n_features=0),
        GibbsSampler(n_neighbors=2.5),
        ThresholdSampler(position="edge"),
        ThresholdSampler(thresholds=3),
        Mixup(alpha=0),
        GaussianNoise(scale=-1),
        GaussianNoise(resample_probability=-0.1),
    ],
    ids=repr,
)
def test_bad_parameters(sampler):
    defaults = type(sampler)().get_params()
    (name,) = (name for name, value in sampler.get_params().items() if value != defaults[name])
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {type(sampler).__name__} must be"):
        sampler.fit(np.ones((3, 2)))


@every_sampler
def test_bad_input(sampler):
    with pytest.raises(ValueError, match="contains infinity"):
        clone(sampler).fit(np.array([[np.inf]]))
    with pytest.raises(ValueError, match="dates"):
        clone(sampler).fit(np.array([["2020-01-01"]], dtype="M8[D]"))


def test_a_sampler_of_ones_own():
    class Shuffle(Sampler):
        def _sample_matrix(self, n, rng):
            return np.column_stack([rng.choice(column, size=n) for column in self._rows.T])

    X = pd.DataFrame({"a": [1, 2, 3], "s": ["x", "y", "x"]})
    check_legal(X, Shuffle().fit(X).sample(10, random_state=0))


@parametrize_with_checks(SAMPLERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_common_checks(estimator, check):
    check(estimator)
