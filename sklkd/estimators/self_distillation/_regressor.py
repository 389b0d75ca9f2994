"""Self-distillation of regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.estimators._regression import Regression
from sklkd.estimators.self_distillation._base import BaseSelf


class SelfDistilledRegressor(Regression, BaseSelf):
    """A small network that is its own teacher, as a scikit-learn regressor.

    There is no other model: the network learns from the targets, and from its own outputs, of an earlier epoch, a
    deeper layer or an earlier generation. That regularises it. There may be several targets.

    Parameters
    ----------
    student : None, {"tiny", "small", "base"}, nn.Module subclass, NeuralNet or Pipeline, default=None
        The network, as in :class:`DistilledRegressor`. None is a :class:`~sklkd.students.TabularStudent`, sized to the
        data; its bins stand at quantiles. An instance has parameters to search, such as ``student__lr``.
    method : SelfMethod, default=None
        How it learns from itself, an object of :mod:`sklkd.methods`: ``EpochToEpoch`` (targets move from those given to
        its outputs one epoch earlier), ``DeepToShallow`` (its output is the teacher of exits after earlier layers,
        where it can be cut), ``BornAgain`` (generation after generation) or ``LastBatch`` (its outputs one step
        earlier). None is ``LastBatch()``, better than labels only on four of five data sets, for a quarter more time
        (see the user guide). ``VirtualTeacher`` and ``SameClassPairs`` are for classes, and an error here.
        ``method__alpha`` works in a grid where the method is an instance.
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
        The trained net. ``student_.predict(encoder_.transform(X))`` is ``predict(X)`` to float32's precision.
    method_ : SelfMethod
        The clone that was used.
    exits_ : dict
        Names of the exits, the shallowest first; the last is "output", the only one except with ``DeepToShallow``.
    generations_ : list of SelfDistilledRegressor
        For ``BornAgain`` all generations, the first of which was trained on targets only; else empty.
    history_ : skorch.history.History
        Epoch by epoch what skorch recorded.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame whose column names are strings.
    n_iter_ : int
        Epochs trained.

    Raises
    ------
    ValueError, TypeError
        At fit, for parameters that are out of range, methods that the network does not suit, and rows or targets from
        which nothing can be learnt; the message says what to do.
    DivergedError
        A ValueError, where the network's loss is no longer finite.

    See Also
    --------
    DistilledRegressor : Learning from a pretrained teacher.
    OnlineDistilledRegressor : Networks that learn from each other.

    Notes
    -----
    Where the epochs are not given (``max_epochs="auto"`` of default students) and there are 50 rows or more, a fifth of
    the distinct rows is held out and the epoch that is best on them is kept, as where ``DistilledRegressor`` learns
    from labels only.

    All terms are in units of the targets' standard deviation. ``sample_weight`` weighs rows in all of them. Rows of
    weight 0 are dropped and identical rows merged, so that a weight of 2 and a repeated row are the same. Missing
    values are accepted where the network's encoding takes them, which the default one does; a category that was not
    seen at fit is no error.

    References
    ----------
    .. [1] Shen et al. (2022), Self-distillation from the last mini-batch for consistency regularization, CVPR,
       arXiv:2203.16172: the default method, there for classes.
    .. [2] Mobahi, Farajtabar, Bartlett (2020), Self-distillation amplifies regularization in Hilbert space, NeurIPS,
       arXiv:2002.05715: what generations do in regression.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklkd import SelfDistilledRegressor
    >>> from sklkd.methods import BornAgain
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = SelfDistilledRegressor("tiny", method=BornAgain(generations=2), random_state=0).fit(X, y)
    >>> len(est.generations_)
    2
    >>> est.score(X, y) > 0.5
    True
    """

    def predict(self, X: Any, *, exit: int | str | None = None) -> NDArray[np.float64]:
        """Values in the units of y.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features), or texts of shape (n,)
        exit : int or str, default=None
            Where to leave the network: a name in ``exits_`` or its place. None is the output. The network that ends
            there is made at the first call, and kept.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_targets), as y was
        """
        return Regression.predict(self._at(exit), X)
