"""Where a warning points to."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from sklkd import DistilledClassifier
from sklkd.exceptions import SampleWeightWarning
from sklkd.students import TabularStudent


def test_it_points_to_the_users_line_through_all_libraries():
    X, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    student = TabularStudent("tiny", max_epochs=1)
    est = DistilledClassifier(KNeighborsClassifier(), student, augment=None, hard_weight=0.5, blend=0, random_state=0)
    with pytest.warns(SampleWeightWarning) as said:
        line = inspect.currentframe().f_lineno + 1
        est.fit(X, y, sample_weight=np.ones(30))
    assert (said[0].filename, said[0].lineno) == (__file__, line)
    with pytest.warns(SampleWeightWarning) as said:
        line = inspect.currentframe().f_lineno + 1
        cross_val_score(est, X, y, cv=2, params={"sample_weight": np.ones(30)})
    assert (said[0].filename, said[0].lineno) == (__file__, line)
