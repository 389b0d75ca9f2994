"""Losses over the epochs of a student's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sklkd.report._display import Display
from sklkd.report._picture import LEGEND
from sklkd.report._unwrap import Unwrapped

if TYPE_CHECKING:
    from typing_extensions import Self

LOSSES = {
    "train_loss": ("loss that is trained", {"color": "#0072B2"}),
    "held_out_loss": ("loss on validation rows", {"color": "#D55E00", "linestyle": "--"}),
    "valid_loss": ("loss of skorch's own split", {"color": "#009E73", "linestyle": "-."}),
}
"""What a history may hold, what it is called, and how it is drawn."""


class TrainingCurveDisplay(Display):
    """Loss against epoch of a student's training.

    Made by :meth:`from_estimator`; all that is drawn is kept in attributes.

    Parameters
    ----------
    losses : dict of str to array of shape (n_epochs,)
        ``"train_loss"``, the weighted sum of all terms; ``"held_out_loss"``, on validation rows, where epochs are
        chosen by them; ``"valid_loss"``, where the student is a skorch net with a ``train_split``.
    kept : int, default=None
        The epoch, counted from 1, whose parameters the student has, where that is not the last.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
    kept_line_ : matplotlib Line2D or None

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import DistilledClassifier, TrainingCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(est)
    >>> len(display.losses["train_loss"]) == len(est.history_)
    True
    """

    def __init__(self, *, losses: Mapping[str, ArrayLike], kept: int | None = None):
        self.losses = {name: np.asarray(values, dtype=np.float64) for name, values in losses.items()}
        self.kept = kept

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw what an estimator has recorded.

        Parameters
        ----------
        estimator : fitted estimator
            A distilled one, or a Pipeline, search or FrozenEstimator around one.
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        TypeError
            If there is no distilled estimator in ``estimator``.
        ValueError
            If its student is no network, or has recorded no losses.
        """
        history = getattr(Unwrapped(estimator).est, "history_", None)
        losses = {} if not history else {name: history[:, name] for name in LOSSES if name in history[0]}
        if not losses:
            raise ValueError("estimator has recorded no losses: its student is no network, or was not trained here.")
        held = losses.get("held_out_loss")
        return cls(losses=losses, kept=None if held is None else int(np.argmin(held)) + 1).plot(ax)

    def _draw(self) -> None:
        self.lines_, self.kept_line_ = {}, None
        for name, values in self.losses.items():
            label, style = LOSSES.get(name, (name, {}))
            self.lines_[name] = self.ax_.plot(np.arange(1, len(values) + 1), values, label=label, **style)[0]
        if self.kept is not None:
            self.kept_line_ = self.ax_.axvline(
                self.kept, color="0.6", linestyle=":", zorder=0, label=f"kept: epoch {self.kept}"
            )
        if all((values > 0).all() for values in self.losses.values()):
            self.ax_.set_yscale("log")
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.legend(**LEGEND)
