"""Offline distillation of regressors."""

from __future__ import annotations

from typing import Any, Self

from sklkd.estimators._regression import Regression
from sklkd.estimators.offline._base import BaseOffline, teacher_tags
from sklkd.losses import TargetLoss


class DistilledRegressor(Regression, BaseOffline):
    """A small network that has learnt from a regressor, as a scikit-learn regressor.

    A teacher, fitted already or fitted here, answers for the training rows, and for synthetic ones like them; a network
    learns its values beside the targets [1]_ [2]_. Afterwards it predicts without the teacher: a forest or a booster of
    megabytes becomes a network of kilobytes that answers about as well. There may be several targets.

    Parameters
    ----------
    teacher : object
        Who is learnt from.

        - Any regressor of scikit-learn, alone or in a Pipeline, search, voting, stacking or bagging; XGBoost, LightGBM,
          CatBoost; a skorch net; another ``DistilledRegressor``. Unfitted, a clone is fitted on the rows given; fitted,
          it is used as it stands. ``clone``, and so every cross-validation, makes a fitted teacher unfitted, so that no
          fold leaks; ``FrozenEstimator(teacher)`` is kept even there.
        - A ``torch.nn.Module`` that gives values, or an object without ``get_params`` that has ``predict``: always used
          as it stands.
        - A list of ``(name, teacher)``, whose answers are averaged. Fitted ones are kept.
        - :class:`~sklkd.teachers.Precomputed` outputs for the training rows. None: ``fit`` is given
          ``teacher_outputs``.
    student : None, {"tiny", "small", "base"}, nn.Module subclass, NeuralNet or Pipeline, default=None
        What learns. None is a :class:`~sklkd.students.TabularStudent`, a network sized to the data, and a name one of
        its sizes. A module class is trained by the same recipe; its arguments ``n_features``, ``n_outputs`` and
        ``n_targets`` are filled in at fit, and it has to give targets of mean 0 and variance 1. A skorch net is trained
        as it says, with its own callbacks, optimizer and device; the steps of a Pipeline before it are then the
        encoder. An instance has parameters to search, such as ``student__lr`` and ``student__module__hidden``.
    loss : Loss or list of (str, Loss), default=None
        What makes the student like the teacher; see :mod:`sklkd.losses`. None is ``TargetLoss()``. The parameters are
        the estimator's, too: ``loss__delta``, or ``name__delta`` in a list. The objects themselves are
        not trained; a clone is. Losses on hidden layers are best added to one on outputs, which they do not train.
    hard_weight : float in [0, 1] or "auto", default="auto"
        Weight w of the targets in what is minimised, ``w * squared_error(y) + (1 - w) * sum(loss.weight * loss)``, all
        in units of the targets' standard deviation. 0 learns from the teacher alone, 1 from the targets alone (the
        default student then holds out a fifth of the rows, to stop where it gets no better). "auto" trains a student on
        the targets of three quarters of the rows (two for less than 2,000 rows), as long as it gets better on the last
        quarter, and finds its share s in the best mixture with the teacher there, on rows that neither have seen; few
        rows move s little from a quarter. Where s is above 0.2, as many students again are trained with other quarters
        held out. The student is then told that mixture of their mean and the teacher's answers, and w is
        max(0, (s - 0.2) / 0.8) / 4: a poor teacher does no harm. For a teacher that may have seen all rows, clones of
        it with fewer trees (forests of 100, boosters of a third of the rounds at three times the rate; whole ones where
        these fail) are fitted on the same three quarters, one or two, to find out and not to teach; a number avoids
        these costs. Where there are fewer than 50 distinct rows, the teacher can neither be cloned nor shown to have
        not seen the rows (a torch module, given outputs), or a clone is far worse than it on rows that both have seen,
        w is 0.1 and s is 0; with losses on hidden layers alone w is 0.5 and s is 0. Beside synthetic rows the real ones
        weigh max(0.02, 1 - s), since networks that have learnt from them are too sure of them.
    cv : None, int, splitter, iterable of splits, "oob" or "auto", default="auto"
        How the teacher answers for the rows that it was fitted on, of which it may be too sure. None: as it does.
        "oob": by those members of a bagged ensemble that have not seen the row, without a refit; rows that all have
        seen get the ordinary answer. An int, a splitter or an iterable: by clones fitted without the row's fold, which
        needs an unfitted teacher; an int never separates identical rows. "auto": out-of-bag where that is free,
        otherwise as it does, because synthetic rows are unseen anyway.
    augment : None, sampler or "auto", default="auto"
        Where synthetic rows come from: a sampler of :mod:`sklkd.augment` or an object with ``fit`` and ``sample``.
        "auto" is :class:`~sklkd.augment.MUNGE` for tables, and None where ``X_transfer`` or outputs are given. At most
        ten rows for each distinct real one, and at most 40,000 or as many as there are real ones.
    memory : str or object with ``cache``, default=None
        Caches the fitting of unfitted teachers, as in a ``Pipeline``: a search over student and loss then fits each
        fold's teacher once.
    keep_teacher : bool, default=True
        Whether ``teacher_`` is kept. ``partial_fit`` needs it.
    n_jobs : int, default=None
        Folds of ``cv`` fitted at once.
    random_state : int, RandomState or None, default=None
        An int makes fits repeatable: the same predictions, bit by bit, on one machine. It seeds the student, synthetic
        rows, and those of the teacher's ``random_state`` that are None.
    verbose : int, default=0
        1 shows a progress bar of the student's training, 2 also its losses.

    Attributes
    ----------
    teacher_ : object
        The fitted teacher: ``teacher`` itself if it was fitted. None where ``keep_teacher=False``.
    teacher_refitted_ : bool
        Whether it was fitted here.
    encoder_ : transformer
        From X to the student's input.
    student_ : NeuralNet
        The trained net. ``student_.predict(encoder_.transform(X))`` is ``predict(X)`` in float32 and in y's units;
        mean and scale of the targets are buffers of its module.
    loss_ : Loss or list of (str, Loss)
        The clone that was trained.
    history_ : skorch.history.History
        Epoch by epoch what skorch recorded.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame whose column names are strings.
    n_iter_ : int
        Epochs trained.
    hard_weight_ : float
        The weight of the targets that was used.
    hard_weight_reason_ : str
        What that rests on: "given", the rows held out, or why it is the constant.
    cv_ : {"in-sample", "oob", "cross-fit", "none"}
        How the teacher answered for the training rows; "none" if it was not asked.
    augment_ : sampler or None
        What made synthetic rows.

    Raises
    ------
    ValueError, TypeError
        At fit, for parameters that are out of range, rows or targets from which nothing can be learnt, and teachers
        whose answers are not finite or of another number; the message says what to do.
    DivergedError
        A ValueError, where the student's loss is no longer finite.

    Warns
    -----
    TeacherWarning
        Where a fitted teacher does worse on the given rows than the mean, in squared error.
    SampleWeightWarning
        Where the teacher cannot be given ``sample_weight``.

    See Also
    --------
    DistilledClassifier : The same for classes.

    Notes
    -----
    ``sample_weight`` weighs the student's rows always, and the teacher's as metadata routing says where that is on,
    else where its ``fit`` takes it. Rows of weight 0 are dropped and identical rows merged once the teacher has
    answered, so that a weight of 2 and a repeated row are the same.

    Missing values are accepted as far as the teacher answers for them, whatever its tags say; a category that was not
    seen at fit is no error. The rows themselves go to the teacher as they are given.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil (2006), Model compression, KDD.
    .. [2] G. Hinton, O. Vinyals, J. Dean (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.
    .. [3] T. Dao, G. M. Kamath, V. Syrgkanis, L. Mackey (2021), Knowledge distillation as semiparametric inference,
       ICLR: why answers should be cross-fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklkd import DistilledRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = DistilledRegressor(ExtraTreesRegressor(min_samples_leaf=5), student="tiny", random_state=0).fit(X, y)
    >>> est.teacher_refitted_, est.predict(X[:2]).shape
    (True, (2,))
    >>> est.score(X, y) > 0.4
    True
    """

    _default_loss = TargetLoss

    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None, X_transfer: Any = None) -> Self:
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        multi = teacher_tags(self).target_tags.multi_output
        tags.target_tags.multi_output = multi
        return tags
