"""Fits of Dask collections that were interrupted, and go on."""

import dask
import dask.array as da
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from skorch.callbacks import Callback

from sklkd import DistilledRegressor
from sklkd.exceptions import CheckpointWarning
from sklkd.students import TabularStudent


class Interruption(Callback):
    """Ends a training at the end of an epoch, once."""

    left = 0

    def on_epoch_end(self, net, **kwargs):
        # the epochs of the last student alone, which learns from all rows
        if type(self).left and len(net.history) == 3 and len(kwargs["dataset_train"]) > 300:
            type(self).left -= 1
            raise RuntimeError("the machine has gone")


class Counting(HistGradientBoostingRegressor):
    fits = 0

    def fit(self, X, y):
        type(self).fits += 1
        return super().fit(X, y)


def collections(seed=0):
    X = np.random.default_rng(seed).normal(size=(400, 3))
    return da.from_array(X, chunks=(100, 3)), da.from_array(X[:, 0] - X[:, 1] ** 2, chunks=100)


@pytest.fixture
def estimator(tmp_path):
    student = TabularStudent("tiny", max_epochs=5, callbacks=[Interruption()])
    teacher = Counting(max_iter=5, random_state=0)
    est = DistilledRegressor(teacher, student, checkpoint=tmp_path, augment=None, blend=0.5, random_state=0)
    with dask.config.set({"sklkd.sample-rows": 150}):
        yield est


@pytest.mark.parametrize("random_state", [0, None])
def test_a_fit_of_collections_goes_on(estimator, tmp_path, random_state):
    X, y = collections()
    estimator.set_params(random_state=random_state)
    if random_state is not None:
        expected = estimator.set_params(checkpoint=None).fit(X, y).predict(X.compute())
    Counting.fits, Interruption.left = 0, 1
    with pytest.raises(RuntimeError, match="gone"):
        estimator.set_params(checkpoint=tmp_path).fit(X, y)
    before, Counting.fits = Counting.fits, 0
    again = estimator.fit(X, y).predict(X.compute())
    assert before > 0 and Counting.fits == 0
    if random_state is None:
        expected = estimator.fit(X, y).predict(X.compute())
    np.testing.assert_array_equal(again, expected)


def test_other_rows_behind_the_same_sample_are_another_fit(estimator):
    X, y = collections()
    estimator.fit(X, y)
    other = da.concatenate([y[:300], 2 * y[300:]])
    with pytest.warns(CheckpointWarning, match=r"\by\b"):
        estimator.fit(X, other)
