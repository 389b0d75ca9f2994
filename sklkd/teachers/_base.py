"""What every teacher adapter is, and what it owes to those who ask it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

import numpy as np
from scipy.special import softmax

from sklkd._sklearn import _num_samples
from sklkd.teachers._checked_outputs import are_logits, checked_margins, checked_probabilities, checked_values
from sklkd.teachers._classes import class_columns
from sklkd.teachers._estimand import Estimand
from sklkd.teachers._estimand_reader import read_estimand
from sklkd.teachers._fallback import failure
from sklkd.teachers._in_context import is_costly
from sklkd.teachers._outputs import FLOOR, Outputs
from sklkd.teachers._reading import PROBABILITIES
from sklkd.teachers._rows import Reference, chunks, sample
from sklkd.teachers._thresholds import Splits, by_column, traceable

Shape = tuple[int | None, ...]
T = TypeVar("T")

CHECKED = 256
"""On how many of the rows at hand the margins are compared with the probabilities."""


class Teacher:
    """A fitted teacher, asked in one way whatever it is.

    To teach the library a new kind of teacher, subclass it, say in ``accepts`` which estimators it is for, and
    override what differs; give :class:`sklkd.DistilledClassifier` an instance as its teacher.

    ==================  ==============================================================================================
    ``setup``           checks of the model, and what is read of it once, when the adapter is made
    ``labels``          the teacher's own classes, None if it has none
    ``predict_proba``   (n, n_labels) probabilities in the order of ``labels``
    ``margins``         (n, n_labels) or, for two classes, (n,) raw margins, or None
    ``predict``         (n,) or (n, n_targets) values of a regressor
    ``spread``          (n,) or (n, n_targets) standard deviation over the members of an ensemble of regressors, or None
    ``layers``          names and per-row shapes of what ``feature`` gives; ``default_layer`` is what None means,
                        ``hidden`` what it means to losses between layers
    ``feature``         (n, ...) numbers of one layer
    ``splits``          the splits of its trees, in the columns that it is given
    ``estimand``        what it estimates, such as a mean, a quantile or reweighted probabilities
    ``out_of_bag``      predictions for the training rows from members that have not seen them, and ``has_out_of_bag``
    ``reads_as``        what the numbers that the model returns are taken for
    ``fallbacks``       what could not be read of a foreign model, and why: the adapter does without it
    ``costly``          whether it is asked for as few rows as possible; a class of yours may set it to True
    ==================  ==============================================================================================

    Parameters
    ----------
    estimator : object
        The fitted teacher. It is never changed.
    classes : array-like of shape (n_classes,), optional
        The student's classes, sorted; columns of what comes out follow them. None for regression.
    seen : array-like, optional
        The classes that the codes 0..K-1 stand for, in teachers that take codes only (XGBoost, skorch, torch) and were
        trained on rows that lack some of ``classes``.
    missing : {"error", "floor", "zero"}, default="error"
        What a class that the teacher has never seen is: an error, or a column of 1e-4 (as in a fold of a cross-fit)
        or of zeros, after which rows are renormalised.
    adapt : callable, optional
        Makes the adapters of the teachers inside this one. :func:`sklkd.teachers.adapt` passes itself, so that no
        adapter has to import it.
    multilabel : bool, default=False
        Whether the teacher is a classifier of several labels a row, whose values are the probability of each label.
    """

    takes_codes: bool = False
    """Whether this kind is trained on codes 0..K-1 and not on the classes themselves."""
    answers_new_rows: bool = True
    """Whether rows other than those it was fitted on can be asked."""

    default_layer: str | None = None
    """The layer that None means."""

    needs_rows: bool = False
    """Whether it has to learn something from rows before it can predict; see ``prepared``."""
    interprets: bool = False
    """Whether nothing but the numbers that the model returns tells what they mean; see ``reads_as``."""
    _reference: Reference | None = None

    def __init__(
        self,
        estimator: Any,
        classes: Any = None,
        *,
        seen: Any = None,
        missing: str = "error",
        adapt: Callable[..., Teacher] | None = None,
        multilabel: bool = False,
    ):
        self.estimator = estimator
        self.classes = None if classes is None else np.asarray(classes)
        self.seen = seen
        self.missing = missing
        self.multilabel = multilabel
        self.name = type(estimator).__name__
        self._failures: list[str] = []
        self._learnt: dict[str, Any] = {}
        self._adapt = adapt
        self.setup()

    def setup(self) -> None:
        """What an adapter checks and reads when it is made."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        """Whether this adapter is the one for ``estimator``."""
        raise NotImplementedError

    # What an adapter defines.

    @property
    def labels(self) -> Any:
        return getattr(self.estimator, "classes_", None)

    def predict_proba(self, X: Any) -> Any:
        return self.estimator.predict_proba(X)

    def margins(self, X: Any) -> np.ndarray | None:
        return None

    def predict(self, X: Any) -> Any:
        return self.estimator.predict(X)

    def spread(self, X: Any) -> np.ndarray | None:
        return None

    @property
    def layers(self) -> dict[str, Shape]:
        """Names of the features that this teacher gives, with the shape of one row (None: not known before it ran)."""
        return {}

    @property
    def hidden(self) -> tuple[str, ...]:
        """Layers on the way to the output, in that order, of which losses between layers take the last two."""
        return () if self.default_layer is None else (self.default_layer,)

    def feature(self, X: Any, layer: str) -> np.ndarray:
        raise NotImplementedError

    def splits(self, X: Any) -> Splits:
        """The splits of its trees in the columns of ``X``, rows on which transformed columns are traced back."""
        return Splits.none()

    @property
    def has_out_of_bag(self) -> bool:
        """Whether ``out_of_bag`` can be asked at all."""
        return False

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Predictions for the rows that the teacher was fitted on, by those of its members that have not seen the row.

        Parameters
        ----------
        X, y, sample_weight
            The rows that it was fitted on, in that order, with the student's labels.

        Returns
        -------
        predictions : ndarray of shape (n, n_classes) or (n, n_targets)
            As of ``predictions(X)``; those of a row that every member has seen are the ordinary ones.
        unseen : ndarray of bool, shape (n,)
            Rows that some member had not seen.

        Raises
        ------
        ValueError
            If it is no bagged ensemble, or these are not verifiably the rows that it was fitted on.
        """
        raise ValueError(
            "cv='oob' needs a bagged teacher (RandomForest, Bagging, ExtraTrees with bootstrap=True), got "
            f"{self.name}; use cv=5 or cv='auto'."
        )

    @property
    def estimand(self) -> Estimand:
        """What this teacher estimates: read from its parameters, or assumed where these do not say it."""
        return read_estimand(self.estimator, self.classes is not None or self.multilabel)

    @property
    def costly(self) -> bool:
        """Whether each row that is asked costs a look at all training rows, which is so of some kinds; never timed.

        These are in-context models (TabPFN, TabICL, TabDPT), nearest neighbours and Gaussian processes, also inside
        other estimators. Such a teacher is asked for few synthetic rows.
        """
        return is_costly(self.estimator)

    @property
    def reads_as(self) -> str | None:
        """What the numbers that the model returns are taken for: probabilities, logits, labels, values, scores.

        None where that depends on the outputs, and no rows have been seen: ask ``prepared(X).reads_as``.
        """
        return "values" if self.classes is None else PROBABILITIES

    # What others call.

    def prepared(self, X: Any) -> Teacher:
        """This adapter, or a copy of it that has learnt from rows what it needs to know of them.

        Such are what the outputs of a torch module mean, the shapes of its layers, and the embedding of leaves. A
        prepared adapter treats all rows alike; one that is not learns it anew from the rows of each call. It refers
        to ``X`` without keeping it alive, and pickles without it. Prepared again, it keeps what it has learnt, and
        learns the rest from the new rows.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of n rows
            Rows as the user gives them: training rows.
        """
        return self.with_reference(Reference(X))

    def with_reference(self, rows: Reference) -> Teacher:
        """The same, from rows that may have to be transformed first."""
        if not self.needs_rows:
            return self
        prepared = copy(self)
        prepared._reference, prepared._learnt = rows, dict(self._learnt)
        return prepared

    def _known(self, X: Any) -> Teacher:
        return self.prepared(X) if self.needs_rows and self._reference is None else self

    def learnt(self, what: str, learn: Callable[[Any], T], X: Any, *, many: bool = False) -> T:
        """What is learnt once from the reference rows, or from ``X`` where these are gone."""
        assert self._reference is not None
        if what not in self._learnt:
            rows = self._reference.many() if many else self._reference.few()
            self._learnt[what] = learn(X if rows is None else rows)
        return self._learnt[what]

    def adapted(self, teacher: Any, classes: Any = None, **options: Any) -> Teacher:
        """The adapter of a teacher inside this one."""
        if self._adapt is None:
            raise TypeError(f"{type(self).__name__} has teachers inside: let sklkd.teachers.adapt make it.")
        inner = self._adapt(teacher, classes, multilabel=self.multilabel and classes is None, **options)
        if inner is not teacher:
            # what fails inside is noted here
            for failed in inner._failures:
                self.note(failed)
            inner._failures = self._failures
        return inner

    def note(self, failed: str) -> None:
        """Add to ``fallbacks``."""
        if failed not in self._failures:
            self._failures.append(failed)

    @property
    def fallbacks(self) -> list[str]:
        """What could not be read of the model, and why."""
        return list(self._failures)

    def outputs(self, X: Any, *, spread: bool = False, empty: Callable[..., np.ndarray] | None = None) -> Outputs:
        """The teacher's outputs for the rows of ``X``, checked.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of n rows
            What the teacher itself takes; asked in pieces of 20,000 rows.
        spread : bool, default=False
            Whether the standard deviation over an ensemble's members is wanted (regression).
        empty : callable, default=None
            Makes an array of a shape and a dtype, to which outputs are written piece by piece, those of classes in
            float32. None: all are held, and then put together.

        Returns
        -------
        Outputs
            In float64, unless ``empty`` is given. Margins are there only if their softmax is what the teacher says its
            probabilities are (to 1e-4 on up to 256 of these rows).

        Raises
        ------
        ValueError
            NaN, negative or not normalised probabilities, a wrong number of rows or columns, values that are not
            finite, or a class of the student that the teacher has never seen.
        """
        known = self._known(X)
        if self.classes is None:
            parts = (known._regression(part, spread) for part in chunks(X))
        else:
            # margins would be further questions
            raw = not known.costly and known._has_margins(sample(X, CHECKED))
            parts = (known._classification(part, raw) for part in chunks(X))
        return Outputs.concatenate(list(parts)) if empty is None else Outputs.collected(parts, _num_samples(X), empty)

    def predictions(self, X: Any) -> np.ndarray:
        """Probabilities or values alone: ``outputs(X).proba`` or ``.values`` without a look at the margins."""
        known = self._known(X)
        if self.classes is None:
            return np.concatenate([known._regression(part, False).values for part in chunks(X)])
        return np.concatenate([known._classification(part, False).proba for part in chunks(X)])

    def features(self, X: Any, layer: str | None = None) -> np.ndarray:
        """One layer of what the teacher knows of the rows of ``X``, (n, ...).

        Parameters
        ----------
        X : array-like, frame or sparse matrix of n rows
        layer : str, default=None
            One of ``layers``. None: the last hidden layer of a net, ``"leaf_embedding"`` of an ensemble of trees.

        Raises
        ------
        ValueError
            If there is no such layer; the message lists those that exist.
        """
        known = self._known(X)
        name = known.layer_name(layer)
        return np.concatenate([known.feature(part, name) for part in chunks(X)])

    def layer_name(self, layer: str | None) -> str:
        """The layer that is meant, checked."""
        known = self.layers
        name = self.default_layer if layer is None else layer
        if name in known:
            return name
        if not known:
            raise ValueError(f"{self.name} has no layers; use a loss that compares outputs.")
        listed = ", ".join(map(repr, known))
        if name is None:
            raise ValueError(f"{self.name} has no default layer; teacher_layer must be one of {listed}.")
        raise ValueError(f"{self.name} has no layer {name!r}; it has {listed}.")

    def thresholds(self, X: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Where the teacher splits each of the user's columns.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            Rows as the user gives them, training rows say. At most 20,000 of them are looked at, fewer where there are
            many columns. A teacher behind transformers splits other columns than these; its thresholds are traced back
            on these rows.

        Returns
        -------
        list of (thresholds, weights), one per column of ``X``
            Sorted distinct thresholds and what their splits gained, > 0, in float64; all weights sum to one or less. Of
            forests at most 100 trees are looked at. Empty for categories and for columns that are never split.
        """
        X = sample(X, traceable(X))
        return by_column(self.splits(X), X)

    def _classification(self, X: Any, raw: bool) -> Outputs:
        margins = self.margins_by_class(X) if raw else None
        if margins is None:
            return Outputs(proba=self.aligned(self.probabilities(X)))
        columns = self.columns(margins.shape[1])
        if (columns < 0).any():
            return Outputs(proba=self.aligned(softmax(margins, axis=1)))
        margins = margins[:, columns]
        return Outputs(proba=softmax(margins, axis=1), margins=margins)

    def _regression(self, X: Any, spread: bool) -> Outputs:
        values = checked_values(self.predict(X), X, f"predict of {self.name}")
        deviation = self._spread(X) if spread else None
        if deviation is not None:
            deviation = checked_values(deviation, X, f"spread of {self.name}")
        return Outputs(values=values, spread=deviation)

    def _spread(self, X: Any) -> np.ndarray | None:
        try:
            return self.spread(X)
        except Exception as error:  # noqa: BLE001 - private parts of a foreign model fail in any way
            self.note(failure("spread", error))
            return None

    def probabilities(self, X: Any) -> np.ndarray:
        """The teacher's own probabilities, in its own order of classes, checked."""
        proba = self.predict_proba(X)
        if isinstance(proba, list) and proba and np.ndim(proba[0]) == 2:
            raise ValueError(f"{self.name} is a multi-output classifier; a teacher must have one column of labels.")
        return checked_probabilities(proba, X, f"predict_proba of {self.name}")

    def aligned(self, proba: np.ndarray) -> np.ndarray:
        """Probabilities (..., n_labels) in the teacher's order of classes -> in the student's, which sum to one."""
        columns = self.columns(proba.shape[-1])
        if np.array_equal(columns, np.arange(proba.shape[-1])):
            return proba
        absent = columns < 0
        picked = proba[..., columns]
        picked[..., absent] = FLOOR if self.missing == "floor" else 0.0
        mass = picked.sum(axis=-1, keepdims=True)
        return np.divide(picked, mass, out=np.full_like(picked, 1 / len(columns)), where=mass > 0)

    def columns(self, n_columns: int) -> np.ndarray:
        """For every class of the student the column of the teacher's output, -1 where there is none."""
        assert self.classes is not None
        return class_columns(
            self.labels,
            n_columns,
            self.classes,
            seen=self.seen,
            takes_codes=self.takes_codes,
            missing=self.missing,
            teacher=self.name,
        )

    def _has_margins(self, X: Any) -> bool:
        """Whether softmax(margins) is predict_proba on these rows."""
        try:
            margins = self.margins_by_class(X)
        except Exception as error:  # noqa: BLE001 - margins are optional, and a foreign model fails in any way
            # raises where the rows are at fault
            self.probabilities(X)
            self.note(failure("margins", error))
            return False
        return margins is not None and are_logits(margins, self.probabilities(X))

    def margins_by_class(self, X: Any) -> np.ndarray | None:
        """Margins (n, n_labels), -m/2 and m/2 for a single m; None if there are none or not all are finite."""
        margins = self.margins(X)
        return None if margins is None else checked_margins(margins, X, f"the margin of {self.name}")
