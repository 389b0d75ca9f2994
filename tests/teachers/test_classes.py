"""Which column is which class."""

from __future__ import annotations

import numpy as np
import pytest

from sklkd.teachers._classes import class_columns


def columns(labels, classes, n=None, **options):
    n = len(labels) if n is None else n
    return class_columns(labels, n, np.asarray(classes), **options).tolist()


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["a", "b", "c"], ["a", "b", "c"], [0, 1, 2]),
        (["c", "a", "b"], ["a", "b", "c"], [1, 2, 0]),
        (["a", "b", "c", "d"], ["b", "d"], [1, 3]),
        ([0.0, 1.0, 2.0], [0, 1, 2], [0, 1, 2]),
        ([0, 1, 2], [0, 2], [0, 2]),
        ([1, 2, 3], [1, 3], [0, 2]),
        ([0, 1], [False, True], [0, 1]),
        (["False", "True"], [False, True], [0, 1]),
        (["1", "2"], [1, 2], [0, 1]),
    ],
)
def test_by_name(labels, classes, expected):
    assert columns(labels, classes) == expected


def test_codes_stand_for_the_sorted_classes():
    assert columns([0, 1, 2], ["x", "y", "z"]) == [0, 1, 2]
    assert columns(None, ["x", "y", "z"], n=3) == [0, 1, 2]
    # 1 and 2 are codes and names; only a teacher that never takes names is read by code
    assert columns([0, 1, 2], [1, 2, 3], takes_codes=True) == [0, 1, 2]
    with pytest.raises(ValueError, match="never seen class 3 of y"):
        columns([0, 1, 2], [1, 2, 3])


def test_codes_over_the_classes_of_a_fold():
    got = columns([0, 1], ["x", "y", "z"], takes_codes=True, seen=["x", "z"], missing="floor")
    assert got == [0, -1, 1]
    assert columns([0, 1], [0, 1, 2], takes_codes=True, seen=[0, 2], missing="zero") == [0, -1, 1]
    # a teacher that was fitted on names has kept them
    assert columns(["x", "z"], ["x", "y", "z"], seen=["x", "z"], missing="floor") == [0, -1, 1]


def test_surplus_outputs_without_classes_are_codes():
    assert columns(None, [0, 2], n=4) == [0, 2]
    with pytest.raises(ValueError, match="returns 4 columns and has no classes_"):
        columns(None, ["x", "y"], n=4)


def test_unseen_class_is_named():
    with pytest.raises(ValueError, match=r"Bag has never seen class 'c', 'd' of y .*'a', 'b'.*refit it or drop"):
        columns(["a", "b"], ["a", "b", "c", "d"], teacher="Bag")


def test_columns_and_classes_must_be_as_many():
    with pytest.raises(ValueError, match="2 classes_ but returns 3 columns"):
        columns(["a", "b"], ["a", "b"], n=3)
