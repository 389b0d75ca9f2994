"""Self-distillation of classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.estimators._classification import Classification
from sklkd.estimators.self_distillation._base import BaseSelf


class SelfDistilledClassifier(Classification, BaseSelf):
    """A small network that is its own teacher, as a scikit-learn classifier.

    There is no other model: the network learns from the labels, and from its own outputs, of an earlier epoch, a deeper
    layer, an earlier generation or for another row. That regularises it. Cost and use depend on the method.

    Parameters
    ----------
    student : None, {"tiny", "small", "base"}, nn.Module subclass, NeuralNet or Pipeline, default=None
        The network, as in :class:`DistilledClassifier`. None is a :class:`~sklkd.students.TabularStudent`, sized to the
        data; its bins stand at quantiles. An instance has parameters to search, such as ``student__lr``.
    method : SelfMethod, default=None
        How it learns from itself, an object of :mod:`sklkd.methods`: ``EpochToEpoch`` (targets move from the labels to
        its outputs one epoch earlier), ``DeepToShallow`` (its output is the teacher of exits after earlier layers,
        where it can be cut), ``BornAgain`` (generation after generation), ``VirtualTeacher`` (a kind of label
        smoothing), ``SameClassPairs`` (its outputs for other rows of the same class) or ``LastBatch`` (its outputs one
        step earlier). None is ``LastBatch()``, better than labels only on four of five data sets, for a quarter more
        time (see the user guide). ``method__temperature`` works in a grid where the method is an instance.
    random_state : int, RandomState or None, default=None
        An int makes fits repeatable: the same predictions, bit by bit, on one machine.
    verbose : int, default=0
        1 shows one bar over the whole fit on standard error, or a line for each stage where that is no terminal. 2
        shows the lines, and the losses of the training's epochs. The guide page "Long fits: watch" has more.

    Attributes
    ----------
    encoder_ : transformer
        From X to the network's input.
    student_ : NeuralNet
        The trained net. ``student_.predict_proba(encoder_.transform(X))`` is ``predict_proba(X)`` in float32.
    method_ : SelfMethod
        The clone that was used.
    exits_ : dict
        Names of the exits, the shallowest first; the last is "output", the only one except with ``DeepToShallow``.
    generations_ : list of SelfDistilledClassifier
        For ``BornAgain`` all generations, the first of which was trained on labels only; else empty.
    history_ : skorch.history.History
        Epoch by epoch what skorch recorded.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; of several labels a row for each what its column holds, 0 and 1.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame whose column names are strings.
    n_iter_ : int
        Epochs trained.

    Raises
    ------
    ValueError, TypeError
        At fit, for parameters that are out of range, methods that the network does not suit, and rows or labels from
        which nothing can be learnt; the message says what to do.
    DivergedError
        A ValueError, where the network's loss is no longer finite.

    See Also
    --------
    DistilledClassifier : Learning from a pretrained teacher.
    OnlineDistilledClassifier : Networks that learn from each other.

    Notes
    -----
    Where the epochs are not given (``max_epochs="auto"`` of default students) and there are 50 rows or more, a fifth of
    the distinct rows is held out and the epoch that is best on them is kept, as where ``DistilledClassifier`` learns
    from labels only.

    y may be a matrix of 0 and 1, (n, n_labels): several labels, of which a row has any. ``predict_proba`` is then the
    probability of each, and ``predict`` a matrix like y.

    ``sample_weight`` weighs rows in all terms. Rows of weight 0 are dropped and identical rows merged, so that a weight
    of 2 and a repeated row are the same. Missing values are accepted where the network's encoding takes them, which the
    default one does; a category that was not seen at fit is no error.

    References
    ----------
    .. [1] Shen et al. (2022), Self-distillation from the last mini-batch for consistency regularization, CVPR,
       arXiv:2203.16172: the default method.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.9
    True
    >>> est.method_
    LastBatch()
    """

    def predict(self, X: Any, *, exit: int | str | None = None) -> NDArray:
        """The most probable class of each row, or of several labels a row those with a probability above 0.5.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features), or texts of shape (n,)
        exit : int or str, default=None
            Where to leave the network: a name in ``exits_`` or its place. None is the output. The network that ends
            there is made at the first call, and kept.

        Returns
        -------
        ndarray of shape (n,), of the dtype of ``classes_``, or of int, shape (n, n_labels)
        """
        return Classification.predict(self._at(exit), X)

    def predict_proba(self, X: Any, *, exit: int | str | None = None) -> NDArray[np.float64]:
        """Probabilities of the classes, in the order of ``classes_``, or of each of several labels.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features), or texts of shape (n,)
        exit : int or str, default=None
            As in :meth:`predict`.

        Returns
        -------
        ndarray of float64, shape (n, n_classes) or (n, n_labels)
        """
        return Classification.predict_proba(self._at(exit), X)
