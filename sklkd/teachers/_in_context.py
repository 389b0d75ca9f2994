"""Teachers that keep their training rows and look at all of them for each row that they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklkd.teachers._libraries import libraries

LIBRARIES = {"tabpfn", "tabpfn_client", "tabpfn_extensions", "tabicl", "tabdpt"}
"""Of models that learn in context (prior-data fitted networks and their like), all of whose predictors are such."""
KINDS = {
    f"{kind}{task}"
    for kind in ("KNeighbors", "RadiusNeighbors", "GaussianProcess")
    for task in ("Classifier", "Regressor")
}
"""Names of classes that do the same without a network, in scikit-learn or in a library that has its interface."""


def is_costly(teacher: Any) -> bool:
    """Whether it, or any predictor inside it, looks at all training rows for each row that it is asked for.

    Such are in-context models (TabPFN, TabICL, TabDPT, by the name of their package), nearest neighbours and Gaussian
    processes (by the name of the class), fitted or not: alone, as the last step of a pipeline, in a search, frozen, as
    a member of a list, a vote, a stack or a bag, calibrated, or once for each output. A class may say it of itself by
    an attribute ``costly``. Nothing is timed.

    Parameters
    ----------
    teacher : object
        A teacher, fitted or not, a list of ``(name, teacher)``, or an adapter.
    """
    return any(map(_is_costly, predictors(teacher)))


def learns_in_context(teacher: Any) -> bool:
    """Whether all predictors inside it are of the costly kinds.

    To fit it costs nothing but what it computes of its rows, and its answers for these are near to the labels.
    """
    return all(map(_is_costly, predictors(teacher)))


def _is_costly(predictor: Any) -> bool:
    said = getattr(predictor, "costly", None)
    if isinstance(said, bool):
        return said
    return bool(libraries(predictor) & LIBRARIES) or any(parent.__name__ in KINDS for parent in type(predictor).__mro__)


def predictors(teacher: Any) -> Iterator[Any]:
    """The predictors inside a teacher that hold no others, as far as its parameters show them."""
    if isinstance(teacher, (list, tuple)):
        for _, member in teacher:
            yield from predictors(member)
    elif isinstance(teacher, FrozenEstimator):
        yield from predictors(teacher.estimator)
    elif isinstance(teacher, Pipeline):
        # what imputes or selects columns is no teacher
        yield from predictors(teacher.steps[-1][1])
    elif hasattr(teacher, "best_estimator_"):
        yield from predictors(teacher.best_estimator_)
    else:
        inside = [] if _is_whole(teacher) else list(_parts(teacher))
        for part in inside:
            yield from predictors(part)
        if not inside:
            yield teacher


def _is_whole(teacher: Any) -> bool:
    """Whether what is inside does not matter: a student answers in its teacher's place."""
    return not hasattr(teacher, "get_params") or hasattr(teacher, "student") or _is_costly(teacher)


def _parts(teacher: Any) -> Iterator[Any]:
    """Predictors among the parameters, and in lists of named ones."""
    for value in teacher.get_params(deep=False).values():
        named = [each[1] for each in value if _is_named(each)] if isinstance(value, (list, tuple)) else [value]
        yield from (each for each in named if hasattr(each, "predict") and not isinstance(each, type))


def _is_named(each: Any) -> bool:
    return isinstance(each, tuple) and len(each) >= 2 and isinstance(each[0], str)
