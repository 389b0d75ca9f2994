"""What displays of scikit-learn's form share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sklkd.report._picture import new_axes

if TYPE_CHECKING:
    from typing_extensions import Self


class Display(ABC):
    """Draws what it holds on axes, which are kept in ``ax_`` and ``figure_``."""

    ax_: Any
    figure_: Any

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        """
        self.ax_ = new_axes(ax, type(self).__name__)
        self.figure_ = self.ax_.figure
        self._draw()
        return self

    @abstractmethod
    def _draw(self) -> None:
        """Draw on ``ax_``, and keep what is drawn."""
