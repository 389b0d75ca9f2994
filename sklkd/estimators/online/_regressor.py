"""Online distillation of regressors."""

from __future__ import annotations

from sklkd.estimators._regression import Regression
from sklkd.estimators.online._base import BaseOnline


class OnlineDistilledRegressor(Regression, BaseOnline):
    """Networks that are trained together and learn from each other, as a scikit-learn regressor.

    A large network and a small one, or several of the same size, learn from the targets and from each other in one
    training [1]_, without a pretrained teacher. One of them, or all together, is deployed.

    Parameters
    ----------
    peers : int or list of (str, student), default=2
        The networks that are trained together, at least two. An int: that many default students, called "peer0",
        "peer1", ..., which differ by their seeds. A list: names, and networks of any kind and size, as ``student`` of
        :class:`~sklkd.DistilledRegressor` takes them: None, "tiny", "small", "base", an ``nn.Module`` subclass, a
        skorch net, or a Pipeline that ends in one. A named instance has parameters to search, such as ``small__lr``.
    method : OnlineMethod, default=None
        How they learn from each other: an object of :mod:`sklkd.methods`, such as ``MutualLearning``,
        ``GatedEnsemble``, ``CollaborativeEnsemble`` or ``Codistillation``. None is ``MutualLearning()``.
        ``method__temperature`` works in a grid.
    deploy : str, default="best"
        Which model is deployed: a peer's name; "smallest", the one with the fewest parameters, the first among equals;
        "best", the one with the least squared error on validation rows; "ensemble", all of them.
    validation_fraction : float, default=0.1
        Fraction of the distinct rows that are held out as validation rows, for ``deploy="best"``, to keep the best
        epoch where the epochs are not given (``max_epochs="auto"`` of default students), and for methods that weigh
        peers by their losses. Of fewer than 50 rows none are held out: "best" then uses the training rows, and no epoch
        is chosen.
    random_state : int, RandomState or None, default=None
        An int makes fits repeatable: the same predictions, bit by bit, on one machine.
    verbose : int, default=0
        1 shows one bar over the whole fit on standard error, or a line for each stage where that is no terminal. 2
        shows the lines, and the losses of the training's epochs. The guide page "Long fits: watch" has more.

    Attributes
    ----------
    encoder_ : transformer
        From X to the input of the deployed network.
    student_ : NeuralNet
        The deployed network. ``student_.predict(encoder_.transform(X))`` is ``predict(X)`` in float32.
    deployed_ : str
        Its name.
    peers_ : dict of str to NeuralNet
        All trained nets by name. ``with_peer(name)`` is an estimator that predicts with another.
    peer_losses_ : dict of str to float
        Squared error of each, of standardised targets, on the validation rows, for ``deploy="best"``; else empty.
    method_ : OnlineMethod
        The clone that was used.
    history_ : skorch.history.History
        Epoch by epoch what skorch recorded; its ``train_loss`` is that of all peers together.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X is a frame whose column names are strings.
    n_iter_ : int
        Epochs trained.

    Raises
    ------
    ValueError, TypeError
        At fit, for parameters that are out of range, peers that cannot be trained in one loop, and rows or targets from
        which nothing can be learnt; the message says what to do.
    DivergedError
        A ValueError, where a peer's loss is no longer finite; it names the peer.

    See Also
    --------
    DistilledRegressor : Learning from a pretrained teacher.

    Notes
    -----
    One loop trains all: every peer predicts a batch before any of them takes a step, so that their order is irrelevant.
    The loop is that of the first peer's net: its class, callbacks, ``train_split`` and loader. ``optimizer``,
    ``max_epochs``, ``batch_size`` and ``device`` have to be the same in all nets, which for default students they are;
    ``lr`` and the optimizer's other options are each net's own, and gradients are clipped for each by itself. But for
    the distillation loss, a peer is therefore trained as it would be by itself.

    ``sample_weight`` weighs rows in all terms. Rows of weight 0 are dropped and identical rows merged, so that a weight
    of 2 and a repeated row are the same. Missing values are accepted where the deployed network's encoding takes them,
    which default encodings do; a category that was not seen at fit is no error.

    References
    ----------
    .. [1] Y. Zhang, T. Xiang, T. M. Hospedales, H. Lu (2018), Deep mutual learning, CVPR, arXiv:1706.00384.

    Examples
    --------
    A teacher that is trained with its student:

    >>> from sklearn.datasets import load_diabetes
    >>> from sklkd import OnlineDistilledRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> peers = [("teacher", "small"), ("student", "tiny")]
    >>> est = OnlineDistilledRegressor(peers, deploy="student", random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.4
    True
    >>> sum(p.numel() for p in est.student_.module_.parameters()) < 5_100
    True
    >>> est.with_peer("teacher").predict(X[:2]).shape
    (2,)
    """
