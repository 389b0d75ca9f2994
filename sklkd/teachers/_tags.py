"""What teachers say of themselves in scikit-learn's tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import get_tags


def tags_of(teacher: Any) -> Any:
    """A teacher's own tags, or scikit-learn's defaults."""
    known = hasattr(teacher, "__sklearn_tags__") and not isinstance(teacher, type)
    return get_tags(teacher if known else BaseEstimator())


def tags_of_all(teachers: Sequence[Any]) -> Any:
    """The tags of several teachers together: they take what all of them take."""
    tags, *others = [tags_of(member) for member in teachers]
    for other in others:
        tags.input_tags.allow_nan &= other.input_tags.allow_nan
        tags.input_tags.sparse &= other.input_tags.sparse
        tags.input_tags.positive_only |= other.input_tags.positive_only
        tags.target_tags.multi_output &= other.target_tags.multi_output
        if tags.classifier_tags is not None:
            several = other.classifier_tags is not None and other.classifier_tags.multi_label
            tags.classifier_tags.multi_label &= several
    return tags
