"""Everything of scikit-learn that is not its public interface, in one place."""

from __future__ import annotations

from sklearn.base import _fit_context

__all__ = ["_fit_context"]
