"""Offline distillation: a trained teacher -> a student."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklkd._sklearn import HasMethods, Interval, StrOptions
from sklkd.estimators._base import BaseDistilled, teacher_tags, untouched_generators
from sklkd.estimators._distil import Distillation
from sklkd.estimators._targets import check_classes, check_targets
from sklkd.losses import SoftTargetLoss, TargetLoss


class BaseOffline(BaseDistilled):
    """What the offline classifier and regressor share; they differ in labels, outputs and predictions."""

    _parameter_constraints: dict = {
        "hard_weight": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"auto", "oob"}), None],
        "augment": [HasMethods(["fit", "sample"]), StrOptions({"auto"}), None],
        "memory": [str, HasMethods(["cache"]), None],
        "keep_teacher": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        teacher=None,
        student=None,
        *,
        loss=None,
        hard_weight="auto",
        cv="auto",
        augment="auto",
        memory=None,
        keep_teacher=True,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.teacher = teacher
        self.student = student
        self.loss = loss
        self.hard_weight = hard_weight
        self.cv = cv
        self.augment = augment
        self.memory = memory
        self.keep_teacher = keep_teacher
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, *, sample_weight=None, X_transfer=None, teacher_outputs=None):
        """Fit the teacher where it is not fitted yet, and distil it.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)
            Training rows; the teacher gets them as they are.
        y : array of shape (n,) or, for regression, (n, n_targets)
            Labels or targets.
        sample_weight : array of shape (n,), default=None
            Row weights >= 0, for the student and, where it takes them, for the teacher.
        X_transfer : like X, of shape (m, n_features), default=None
            Unlabelled rows, on which the student learns from the teacher alone.
        teacher_outputs : array of shape (n, n_classes) or (n, n_targets), default=None
            The teacher's answers for the rows of X, in place of a teacher. Cross-validation slices them with X.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_has_teacher()
        fitted = self._fresh()
        fitted._first_fit(X, y, sample_weight, X_transfer, teacher_outputs, None)
        self.__dict__ = fitted.__dict__
        return self

    def _first_fit(self, X, y, sample_weight, X_transfer, teacher_outputs, classes):
        # the teacher decides about missing values, whatever its tags say: those of a Pipeline that imputes do not tell
        X = self._check_X(X, reset=True, allow_nan=True)
        y = self._check_y(X, y, classes)
        with untouched_generators(self.random_state):
            Distillation(self, self._classes).run(X, y, sample_weight, X_transfer, teacher_outputs)
        self._keep_module()

    def _partial_fit(self, X, y, classes, sample_weight, X_transfer):
        self._validate_params()
        self._check_has_teacher()
        if not hasattr(self, "student_"):
            fitted = self._fresh()
            fitted._first_fit(X, y, sample_weight, X_transfer, None, classes)
            self.__dict__ = fitted.__dict__
            return self
        X = self._check_X(X, reset=False, allow_nan=self._allow_nan)
        y = self._check_more_y(X, y, classes)
        with untouched_generators(self.random_state):
            Distillation(self, self._classes).go_on(X, y, sample_weight, X_transfer)
        self._keep_module()
        return self

    def without_teacher(self):
        """A light copy to pickle and ship: no teacher, optimizer or data; it predicts the same and cannot be fitted.

        Returns
        -------
        DistilledClassifier or DistilledRegressor
            With ``teacher=None`` and the tags that the teacher gave.
        """
        return self._light_copy()

    def get_metadata_routing(self):
        """Which metadata goes where: ``sample_weight`` to the student and, as it requests, to the teacher."""
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for name, teacher in self.teacher if isinstance(self.teacher, list) else [("teacher", self.teacher)]:
            if hasattr(teacher, "get_metadata_routing"):
                router.add(**{name: teacher}, method_mapping=mapping)
        return router

    @property
    def n_iter_(self) -> int:
        """Epochs that the student has trained."""
        return len(self.history_)


class DistilledClassifier(ClassifierMixin, BaseOffline):
    """Compress a classifier into a small neural network that learns from its answers.

    Response distillation [1]_ [2]_: the student is trained on the teacher's probabilities, for the training rows and
    for synthetic rows close to them, and on the labels as far as these know more than the teacher.

    Parameters
    ----------
    teacher : classifier, torch module, list of (name, teacher) or Precomputed
        Unfitted, it is cloned and fitted on the same rows. Fitted, it is used as it stands; inside ``clone``,
        ``cross_val_score`` and grids it arrives unfitted, as everywhere in scikit-learn, unless it is wrapped in
        ``FrozenEstimator``. Of a list, the members' answers are averaged.
    student : None, str, nn.Module subclass, skorch net or Pipeline that ends in one, default=None
        None: :class:`~sklkd.students.TabularStudent` of size "small", a network of at most 100,000 parameters that
        encodes numbers by the teacher's own split thresholds. ``"tiny"`` and ``"base"`` are its other sizes.
    loss : Loss or list of (str, Loss), default=None
        What the student minimises against the teacher; None: :class:`~sklkd.losses.SoftTargetLoss`. Losses of features
        and relations cannot be trained by this estimator yet and are refused.
    hard_weight : float in [0, 1] or "auto", default="auto"
        Weight of the labels; the losses have the rest. 1 trains on labels alone. "auto": the share of a student
        trained on labels in the best mixture of teacher and student on rows that neither has seen; for a teacher
        without out-of-bag or cross-fitted answers this fits a clone of it on three quarters of the rows. 0.1 where it
        cannot be found out.
    cv : None, "auto", "oob", int, splitter or iterable, default="auto"
        How the teacher's answers for the training rows are had: None, as they are; "oob", out-of-bag; an int, splitter
        or iterable of splits, cross-fitted [3]_, which needs an unfitted teacher. "auto": out-of-bag where that is
        free, else as they are.
    augment : None, "auto" or sampler, default="auto"
        Synthetic rows, labelled by the teacher: at most ten for each real row, and at most 60,000 or as many as there
        are real rows. "auto": :class:`~sklkd.augment.MUNGE`, but none beside ``X_transfer`` or stored outputs.
    memory : None, str or joblib.Memory, default=None
        Caches the fitting of unfitted teachers, so that a grid over student and loss fits each fold's teacher once.
    keep_teacher : bool, default=True
        Whether the fitted estimator keeps ``teacher_``; ``partial_fit`` needs it.
    n_jobs : int or None, default=None
        Folds of a cross-fit that run at once.
    random_state : int, RandomState instance or None, default=None
        Seeds the student, the synthetic rows, and those ``random_state`` of the teacher that are None.
    verbose : int, default=0
        1: a progress bar; 2: also a line per epoch.

    Attributes
    ----------
    teacher_ : object
        The fitted teacher, None where it is not kept.
    teacher_refitted_ : bool
        Whether it was fitted here.
    encoder_ : transformer
        From the user's columns to the student's input.
    student_ : skorch net
        ``student_.predict_proba(encoder_.transform(X))`` is the prediction, in float32.
    loss_ : Loss or list of (str, Loss)
        The losses as trained.
    history_ : skorch.history.History
    hard_weight_ : float
        What was given or chosen.
    cv_ : str
        "in-sample", "oob", "cross-fit", or "none" where the teacher was not asked.
    augment_ : sampler or None
        What made the synthetic rows.
    classes_ : ndarray
        Sorted classes.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the columns have names.
    n_iter_ : int
        Epochs trained.

    Raises
    ------
    ValueError, TypeError
        At fit, for bad parameters or rows, and for a teacher whose answers are no probabilities.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006.
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015.
    .. [3] T. Dao, G. Kamath, V. Syrgkanis, L. Mackey, "Knowledge distillation as semiparametric inference", ICLR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd import DistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X, y)
    >>> student = DistilledClassifier(forest, "tiny", random_state=0).fit(X, y)
    >>> student.teacher_ is forest
    True
    >>> student.predict_proba(X[:2]).shape
    (2, 3)
    """

    _task = "classification"
    _default_loss = SoftTargetLoss

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y, self.classes_ = check_classes(X, y, classes)
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={list(classes)} differs from the first call's {list(self.classes_)}.")
        y, _ = check_classes(X, y, self.classes_)
        return y

    @property
    def _classes(self) -> NDArray:
        return self.classes_

    def partial_fit(self, X, y, classes=None, *, sample_weight=None, X_transfer=None):
        """Go on training the student; the first call fits, and fixes teacher, encoder and classes.

        Parameters
        ----------
        X, y, sample_weight, X_transfer
            As in :meth:`fit`.
        classes : array-like, default=None
            All classes that will come, where the first call's rows lack some.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, classes, sample_weight, X_transfer)

    def decision_function(self, X):
        """The student's logits: (n, n_classes), or for two classes their difference, (n,)."""
        logits = self._raw(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X):
        """Probabilities of the classes in ``classes_``: float64 of shape (n, n_classes)."""
        return softmax(self._raw(X), axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, exact where these underflow."""
        return log_softmax(self._raw(X), axis=1)

    def predict(self, X):
        """The most probable class of each row."""
        codes = self._raw(X).argmax(axis=1)
        return self.classes_[codes]


class DistilledRegressor(RegressorMixin, MultiOutputMixin, BaseOffline):
    """Compress a regressor into a small neural network that learns from its answers.

    Response distillation [1]_ [2]_: the student is trained on the teacher's values, for the training rows and for
    synthetic rows close to them, and on the labels as far as these know more than the teacher.

    Parameters
    ----------
    teacher : regressor, torch module, list of (name, teacher) or Precomputed
        Unfitted, it is cloned and fitted on the same rows. Fitted, it is used as it stands; inside ``clone``,
        ``cross_val_score`` and grids it arrives unfitted, as everywhere in scikit-learn, unless it is wrapped in
        ``FrozenEstimator``. Of a list, the members' answers are averaged.
    student : None, str, nn.Module subclass, skorch net or Pipeline that ends in one, default=None
        None: :class:`~sklkd.students.TabularStudent` of size "small", a network of at most 100,000 parameters that
        encodes numbers by the teacher's own split thresholds. ``"tiny"`` and ``"base"`` are its other sizes.
    loss : Loss or list of (str, Loss), default=None
        What the student minimises against the teacher; None: :class:`~sklkd.losses.TargetLoss`. Losses of features and
        relations cannot be trained by this estimator yet and are refused.
    hard_weight : float in [0, 1] or "auto", default="auto"
        Weight of the labels; the losses have the rest. 1 trains on labels alone. "auto": the share of a student
        trained on labels in the best mixture of teacher and student on rows that neither has seen; for a teacher
        without out-of-bag or cross-fitted answers this fits a clone of it on three quarters of the rows. 0.1 where it
        cannot be found out.
    cv : None, "auto", "oob", int, splitter or iterable, default="auto"
        How the teacher's answers for the training rows are had: None, as they are; "oob", out-of-bag; an int, splitter
        or iterable of splits, cross-fitted [3]_, which needs an unfitted teacher. "auto": out-of-bag where that is
        free, else as they are.
    augment : None, "auto" or sampler, default="auto"
        Synthetic rows, labelled by the teacher: at most ten for each real row, and at most 60,000 or as many as there
        are real rows. "auto": :class:`~sklkd.augment.MUNGE`, but none beside ``X_transfer`` or stored outputs.
    memory : None, str or joblib.Memory, default=None
        Caches the fitting of unfitted teachers, so that a grid over student and loss fits each fold's teacher once.
    keep_teacher : bool, default=True
        Whether the fitted estimator keeps ``teacher_``; ``partial_fit`` needs it.
    n_jobs : int or None, default=None
        Folds of a cross-fit that run at once.
    random_state : int, RandomState instance or None, default=None
        Seeds the student, the synthetic rows, and those ``random_state`` of the teacher that are None.
    verbose : int, default=0
        1: a progress bar; 2: also a line per epoch.

    Attributes
    ----------
    teacher_ : object
        The fitted teacher, None where it is not kept.
    teacher_refitted_ : bool
        Whether it was fitted here.
    encoder_ : transformer
        From the user's columns to the student's input.
    student_ : skorch net
        ``student_.predict(encoder_.transform(X))`` is the prediction, in float32.
    loss_ : Loss or list of (str, Loss)
        The losses as trained.
    history_ : skorch.history.History
    hard_weight_ : float
        What was given or chosen.
    cv_ : str
        "in-sample", "oob", "cross-fit", or "none" where the teacher was not asked.
    augment_ : sampler or None
        What made the synthetic rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the columns have names.
    n_iter_ : int
        Epochs trained.

    Raises
    ------
    ValueError, TypeError
        At fit, for bad parameters or rows, and for a teacher whose answers are no values.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006.
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015.
    .. [3] T. Dao, G. Kamath, V. Syrgkanis, L. Mackey, "Knowledge distillation as semiparametric inference", ICLR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklkd import DistilledRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> student = DistilledRegressor(ExtraTreesRegressor(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> student.teacher_refitted_, student.predict(X[:2]).shape
    (True, (2,))
    """

    _task = "regression"
    _default_loss = TargetLoss
    _classes = None

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y = check_targets(X, y)
        self._y_ndim = y.ndim
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        return check_targets(X, y, like=(self._y_ndim, len(self._center)))

    def partial_fit(self, X, y, *, sample_weight=None, X_transfer=None):
        """Go on training the student; the first call fits, and fixes teacher, encoder and scales.

        Parameters
        ----------
        X, y, sample_weight, X_transfer
            As in :meth:`fit`.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, None, sample_weight, X_transfer)

    def predict(self, X):
        """Values in the units of y: float64 of shape (n,) or (n, n_targets), as y was."""
        standardised = self._raw(X)
        values = standardised * self._scale + self._center
        return values[:, 0] if self._y_ndim == 1 else values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        multi = teacher_tags(self).target_tags.multi_output
        tags.target_tags.multi_output = multi
        return tags
