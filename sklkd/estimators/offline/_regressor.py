"""Offline distillation of regressors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.metaestimators import available_if

from sklkd.estimators._regression import Regression
from sklkd.estimators.offline._base import BaseOffline, takes_partial_fit, teacher_tags

if TYPE_CHECKING:
    from typing_extensions import Self


class DistilledRegressor(Regression, BaseOffline):
    """A small network that has learnt from a regressor, as a scikit-learn regressor.

    A teacher, fitted already or fitted here, predicts the training rows, and synthetic ones like them; a network
    learns its values beside the targets [1]_ [2]_. Afterwards it predicts without the teacher: a forest or a booster of
    megabytes becomes a network of kilobytes that predicts about as well. There may be several targets.

    Parameters
    ----------
    teacher : object
        Any regressor of scikit-learn, XGBoost, LightGBM or CatBoost, alone or in a Pipeline, search, voting, stacking,
        bagging or a transformed target; a skorch net; a ``torch.nn.Module``; a list of ``(name, teacher)``, averaged;
        :class:`~sklkd.teachers.Precomputed` outputs; a function of X; anything with ``predict``; an outlier detector or
        density, whose scores are imitated. Unfitted, a clone is fitted on the given rows; fitted, it is used as it
        stands. ``clone``, and so every cross-validation, makes a fitted teacher unfitted, so that no fold leaks;
        ``FrozenEstimator(teacher)`` is kept even there. None: ``fit`` is given ``teacher_outputs``.
    student : None, {"tiny", "small", "base"}, nn.Module subclass, NeuralNet, regressor or Pipeline, default=None
        None is a :class:`~sklkd.students.TabularStudent`, a network sized to the data, and a name one of its sizes. A
        module class is trained by the same recipe; ``n_features``, ``n_outputs`` and ``n_targets`` are filled in at
        fit. A skorch net keeps its callbacks, optimizer and device. Any regressor that takes ``sample_weight``, such
        as a tree or a booster, is fitted on the teacher's outputs. The steps of a Pipeline before either are the
        encoder. An instance has parameters to search, such as ``student__lr`` or ``student__max_depth``.
    loss : Loss or list of (str, Loss), default=None
        Distillation losses, of :mod:`sklkd.losses`. None is ``TargetLoss()``. Their parameters are the estimator's,
        too: ``loss__delta``, or ``name__delta`` in a list. Clones of the objects are trained, not they themselves.
        Losses on hidden layers do not train the output, and are best added to one that does.
    hard_weight : float in [0, 1] or "auto", default="auto"
        Weight w of the labels' own term in the objective, ``w * squared_error(y) + (1 - w) * sum(loss.weight * loss)``.
        0: labels have no term; 1: the student learns from labels only. "auto" is decided on validation rows, as is
        ``blend``; it is 0 where labels do not answer what the teacher estimates, at most 0.25 otherwise, and 0.1 where
        nothing can be validated. ``hard_weight=0.1, blend=0`` is distillation as published [2]_, ``0, 0`` pure
        imitation. The user guide says what "auto" decides, and why.
    blend : float in [0, 1] or "auto", default="auto"
        Weight of label-only students (the same network, trained on labels only, each with part of the rows held out) in
        the targets that the losses compare with; 0: the teacher's outputs alone. "auto" is the weight with the least
        loss on validation rows that neither the teacher, or a clone of it, nor these students have seen, so that a poor
        teacher does no harm. It is 0 where labels do not answer what the teacher estimates (reweighted probabilities, a
        quantile, a score), and where nothing can be validated. See ``account_``.
    cv : None, int, splitter, iterable of splits, "oob" or "auto", default="auto"
        How the teacher's outputs for its own training rows are obtained. None: as they are. "oob": out-of-bag, for
        bagged ensembles, without a refit; rows that all members have seen keep the in-bag output. An int, a splitter or
        an iterable: cross-fitted by clones [3]_, which needs an unfitted teacher; an int never separates identical
        rows. "auto": out-of-bag where that is free; five folds for an unfitted teacher that learns in context, such as
        nearest neighbours; else in-sample, because synthetic rows are unseen anyway.
    augment : None, sampler or "auto", default="auto"
        What makes synthetic rows: a sampler of :mod:`sklkd.augment`, or an object with ``fit`` and ``sample``. "auto"
        is :class:`~sklkd.augment.MUNGE` for tables, and None for sparse ones of more than 500 columns and where
        ``X_transfer`` or outputs are given.
    n_synthetic : int or "auto", default="auto"
        How many synthetic rows are made. "auto": at most ten for each distinct real row and at most 40,000; always
        40,000 where the teacher alone is imitated. In-context models, nearest neighbours and Gaussian processes, which
        look at all training rows for each answer, are asked at most five questions a training row in all: three
        synthetic rows for each distinct real one, two where the outputs for real rows are in-sample, less the rows of
        ``X_transfer``.
    columns : array-like of str, int or bool, slice, callable, int or None, default=None
        Which of X's columns the student reads: names, positions, a mask, a slice, a selector such as scikit-learn's
        ``make_column_selector``, or a number: so many, those that the teacher uses most, found out by exchanging their
        values between rows. The teacher reads all columns, also such as are not known when the student predicts
        (privileged information [4]_). ``predict`` and files then ask for ``columns_`` alone, and find them in frames,
        and in arrays with all columns of X. None: all.
    teacher_fit_params : dict, default=None
        Further keyword arguments of the teacher's ``fit``, such as ``cat_features`` or ``eval_set``, passed as they
        are wherever it is fitted: on all rows, on parts of them, and where a clone of a fitted teacher is. In a list
        of teachers a name is ``<name of the teacher>__<argument>``. What has one entry per row cannot go here, since
        cross-validation would not slice it.
    memory : str or object with ``cache``, default=None
        Caches the fitting of unfitted teachers, as in a ``Pipeline``: a search over student and loss then fits each
        fold's teacher once. A path or a ``joblib.Memory`` also keeps the answers of teachers that look at all training
        rows for each (see ``n_synthetic``), so that these are asked once. A fitted teacher is asked anew.
    memory_limit : int, str or "auto", default="auto"
        Bytes, also as "500MB" or "4GiB", up to which the tables of a fit are held in memory; what is beyond goes to
        files in the folder for temporary files, which are gone afterwards, however the fit ends. The student is the
        same. "auto" is a quarter of the memory that the process may have.
    checkpoint : str or path, default=None
        A folder in which a fit keeps the teacher, its outputs, its decisions and the student's epochs as they come. A
        fit that was interrupted or killed and is called again with the same data and parameters goes on from there,
        and ends with the same student, bit by bit on one machine; with others it warns and starts anew. The folder
        holds pickles: name none that others can write to. The user guide says more.
    keep_teacher : bool, default=True
        Whether ``teacher_`` is kept, which ``partial_fit`` needs.
    n_jobs : int, default=None
        Folds of ``cv``, clones of the teacher, and students trained on labels only at once, by joblib's back end:
        processes, or a cluster by ``joblib.parallel_config("dask")``; threads train nets one after the other. None is
        1, or what the back end has. The student is the same, bit by bit, however many. Each has its share of torch's
        threads, and a teacher's own ``n_jobs`` is 1 there. A teacher that leaves its own open answers on so many cores,
        of which scikit-learn's forests differ in the last digit.
    random_state : int, RandomState or None, default=None
        An int makes fits repeatable: the same predictions, bit by bit, on one machine with the same number of torch's
        threads, in whichever process or thread. It seeds the student, synthetic rows, and those of the teacher's
        ``random_state`` that are None.
    verbose : int, default=0
        1 shows one bar over the whole fit on standard error, or a line for each stage where that is no terminal. 2
        shows the lines, and the losses of the student's epochs. The guide page "Long fits: watch" has more.

    Attributes
    ----------
    teacher_ : object
        The fitted teacher: ``teacher`` itself if it was fitted. None where ``keep_teacher=False``.
    teacher_refitted_ : bool
        Whether it was fitted here.
    encoder_ : transformer
        From X to the student's input.
    student_ : NeuralNet or regressor
        The trained student. ``student_.predict(encoder_.transform(X))`` is ``predict(X)`` in y's units, of a net in
        float32; mean and scale of the targets are buffers of its module.
    loss_ : Loss or list of (str, Loss)
        The clone that was trained.
    history_ : skorch.history.History
        Epoch by epoch what skorch recorded; of networks alone.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame whose column names are strings.
    n_iter_ : int
        Epochs trained.
    account_ : DistillationAccount
        What the teacher was taken for, and what ``blend_`` and ``hard_weight_`` rest on: losses of teacher, label-only
        students and mixture, on how many validation rows, why. ``print(est.account_)`` says it in sentences.
    fit_seconds_ : dict of str to float
        What the stages of the fit took: "teacher", of which one that was fitted before takes next to nothing;
        "labelling" of the training rows; "label-only students"; "transfer rows", synthetic ones among them; "student".
    blend_ : float
        The weight of the label-only students in the targets.
    hard_weight_ : float
        The weight of the labels' own term.
    label_students_ : list
        The label-only students, each with ``encoder`` and ``net``; empty where ``blend_`` is 0.
    cv_ : {"in-sample", "oob", "cross-fit", "none"}
        How the teacher's outputs for the training rows were obtained; "none" if it was not asked.
    columns_ : ndarray of str or int, or None
        Names, or else positions, of the columns that the student reads. None: all.
    augment_ : sampler or None
        What made synthetic rows.

    Raises
    ------
    ValueError, TypeError
        At fit, for parameters that are out of range, rows or targets from which nothing can be learnt, and teachers
        whose predictions are not finite or of another number; the message says what to do.
    DivergedError
        A ValueError, where the student's loss is no longer finite.

    Warns
    -----
    TeacherWarning
        Where a fitted teacher does worse on the given rows than the mean, in squared error.
    SampleWeightWarning
        Where the teacher cannot be given ``sample_weight``.
    CheckpointWarning
        Where ``checkpoint`` holds fits, but none with these data and parameters, or something that cannot be used.

    See Also
    --------
    DistilledClassifier : The same for classes.

    Notes
    -----
    ``sample_weight`` weighs the student's rows always, and the teacher's as metadata routing says where that is on,
    else where its ``fit`` takes it. Rows of weight 0 are dropped and identical rows merged once the teacher has
    predicted, so that a weight of 2 and a repeated row are the same.

    Missing values are accepted as far as the teacher predicts for them, whatever its tags say; a category that was not
    seen at fit is no error. The rows themselves go to the teacher as they are given.

    X, y and ``sample_weight`` may be Dask collections with the same partitions, which are labelled where they lie;
    "Tables larger than memory" in the user guide says what differs.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil (2006), Model compression, KDD.
    .. [2] G. Hinton, O. Vinyals, J. Dean (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.
    .. [3] T. Dao, G. M. Kamath, V. Syrgkanis, L. Mackey (2021), Knowledge distillation as semiparametric inference,
       ICLR: why predictions should be cross-fitted.
    .. [4] D. Lopez-Paz, L. Bottou, B. Schölkopf, V. Vapnik (2016), Unifying distillation and privileged information,
       ICLR.

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

    @available_if(takes_partial_fit)
    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None, X_transfer: Any = None) -> Self:
        """Train the student further; the first call fits, and fixes teacher, encoder and scales.

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
