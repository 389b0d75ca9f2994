"""Everything of scikit-learn that is not its public interface, in one place."""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

__all__ = ["_fit_context", "_num_samples", "_safe_indexing"]
