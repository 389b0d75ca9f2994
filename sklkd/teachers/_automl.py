"""Predictors of AutoML libraries: AutoGluon, and what the searches of FLAML, mljar and others have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from sklkd.teachers._base import Teacher
from sklkd.teachers._fallback import falls_back, or_value_error
from sklkd.teachers._in_context import predictors
from sklkd.teachers._libraries import libraries
from sklkd.teachers._oob import completed, not_its_rows

SEARCHES = {"autogluon", "autosklearn", "flaml", "supervised", "tpot"}
"""Libraries of estimators whose fit looks for models; ``supervised`` is mljar's."""
CLASSES, VALUES = ("binary", "multiclass"), ("regression", "quantile")


def searches_models(teacher: Any) -> bool:
    """Whether the fit of a teacher, or of one inside, is a search over kinds of models, for minutes or hours."""
    return any(map(_is_search, predictors(teacher)))


def _is_search(predictor: Any) -> bool:
    return bool(libraries(predictor) & SEARCHES)


class AutoGluonTeacher(Teacher):
    """AutoGluon's fitted ``TabularPredictor``.

    It takes frames. A predictor that was fitted with bagging (``auto_stack=True``, ``num_bag_folds``, or a preset of
    good quality and better) has out-of-fold outputs for its training rows, which ``cv="oob"`` and "auto" take.
    """

    def setup(self) -> None:
        if not self.estimator.is_fit:
            raise NotFittedError(
                f"teacher {self.name} must be fitted, by its own fit(train_data), which takes the label as a column."
            )
        kind, classifier = self.estimator.problem_type, self.classes is not None or self.multilabel
        wanted = CLASSES if classifier else VALUES
        if kind not in wanted:
            raise TypeError(
                f"teacher {self.name} must have problem_type {' or '.join(map(repr, wanted))} here, got {kind!r}."
            )

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return all(hasattr(estimator, name) for name in ("problem_type", "predict_proba_oof", "is_fit"))

    @property
    def labels(self) -> Any:
        return self.estimator.class_labels if self.estimator.problem_type in CLASSES else None

    def predict_proba(self, X: Any) -> Any:
        return self._of_labels(self.estimator.predict_proba(self._frame(X)))

    def predict(self, X: Any) -> Any:
        return np.asarray(self.estimator.predict(self._frame(X)))

    @property
    @falls_back("out-of-bag", bool)
    def has_out_of_bag(self) -> bool:
        return bool(self.estimator.info()["num_bag_folds"])

    @or_value_error
    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Its out-of-fold outputs, verified by the features and labels that it keeps of its training rows.

        A distilled model, and a predictor without bagging or without its training rows (as ``clone_for_deployment``
        makes), have none; of a model of ``refit_full`` they are those of the folds that it stands for.
        """
        frame = self._frame(X).reset_index(drop=True)
        kept, labels = self.estimator.load_data_internal("train")
        if len(kept) != len(frame):
            raise not_its_rows(self, f"it was fitted on {len(kept)} rows, X has {len(frame)}")
        given = self.estimator.transform_features(frame)[list(kept.columns)]
        if not given.reset_index(drop=True).equals(kept.reset_index(drop=True)):
            raise not_its_rows(self, "it was fitted on other features")
        if not np.array_equal(self._own(y), np.asarray(self.estimator.transform_labels(labels, inverse=True))):
            raise not_its_rows(self, "it was fitted on other labels")
        if self.classes is None:
            found = np.asarray(self.estimator.predict_oof(), dtype=np.float64).reshape(len(frame), -1)
        else:
            found = np.asarray(self._of_labels(self.estimator.predict_proba_oof()), dtype=np.float64)
        unseen = np.asarray(np.isfinite(found).all(axis=1))
        return completed(self, X, np.where(unseen[:, None], found, 0.0), unseen), unseen

    def _own(self, y: Any) -> NDArray:
        """Labels by the predictor's names of the classes, or targets as they are."""
        if self.classes is None:
            return np.asarray(y)
        own = np.asarray(self.labels)
        return own[self.columns(len(own))[np.searchsorted(self.classes, y)]]

    def _of_labels(self, proba: Any) -> Any:
        # booleans in brackets would choose columns by place
        return proba.to_numpy()[:, proba.columns.get_indexer(list(self.labels))]

    def _frame(self, X: Any) -> Any:
        """Rows as a frame of pandas, checked."""
        if hasattr(X, "to_pandas"):
            X = X.to_pandas()
        if not hasattr(X, "columns"):
            raise TypeError(
                f"X must be a frame with the columns that the teacher {self.name} was fitted on, got "
                f"{type(X).__name__}."
            )
        if self.estimator.label in X.columns:
            label = self.estimator.label
            raise ValueError(
                f"X must not hold the column {label!r}, which the teacher {self.name} predicts: pass "
                f"X.drop(columns={label!r})."
            )
        return X


def folder_of_its_own(teacher: Any, *, again: bool) -> Any:
    """An unfitted clone in which no ``AutoML`` of mljar loads an earlier run; any other teacher as it is.

    mljar takes what lies in ``results_path`` for its fit, whatever the rows are. A clone that is fitted on a part of
    the rows (``again``) therefore gets a folder that mljar makes.
    """
    for part in predictors(teacher):
        path = getattr(part, "results_path", None)
        if path is None or not _is_search(part):
            continue
        if again:
            part.set_params(results_path=None)
        elif Path(path).is_dir() and any(Path(path).iterdir()):
            raise ValueError(
                f"teacher {type(part).__name__} must have an empty folder or None as results_path, got one that holds "
                "an earlier run, which its fit would load instead: pass another folder, or the fitted object itself."
            )
    return teacher
