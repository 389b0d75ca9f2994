"""Lists of named objects, whose parameters are reached by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

# a mixin, which knows its base only to the type checker
_Params: Any = BaseEstimator if TYPE_CHECKING else object


class NamedObjects(_Params):
    """``get_params`` and ``set_params`` through a list of named objects, as scikit-learn's ensembles have them."""

    _named: tuple[str, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        params = super().get_params(deep=deep)
        if deep:
            for attribute in self._named:
                for name, value in named_pairs(getattr(self, attribute)):
                    params[name] = value
                    if hasattr(value, "get_params"):
                        params |= {f"{name}__{key}": part for key, part in value.get_params(deep=True).items()}
        return params

    def set_params(self, **params: Any) -> Any:
        for attribute in self._named:
            if attribute in params:
                setattr(self, attribute, params.pop(attribute))
            names = [name for name, _ in named_pairs(getattr(self, attribute))]
            replaced = {name: params.pop(name) for name in names if name in params}
            if replaced:
                pairs = named_pairs(getattr(self, attribute))
                setattr(self, attribute, [(name, replaced.get(name, value)) for name, value in pairs])
        holders = self.get_params(deep=False) | {
            name: value for attribute in self._named for name, value in named_pairs(getattr(self, attribute))
        }
        for key in params:
            name, nested, _ = key.partition("__")
            holder = params.get(name, holders.get(name, self))
            if nested and not hasattr(holder, "set_params"):
                raise ValueError(f"{key} cannot be set: {name}={holder!r} has no parameters. Pass an object as {name}.")
        return super().set_params(**params)


def named_pairs(value: Any) -> list[tuple[str, Any]]:
    """The pairs in a list of ``(name, object)``; none of anything else."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)]


def check_names(parameter: str, pairs: list[Any], reserved: set[str]) -> None:
    """Raise unless a list holds pairs of a unique name that ``set_params`` can tell from all others, and an object.

    Raises
    ------
    TypeError
        Where something is not a pair.
    ValueError
        Where the list is empty, or a name repeats, contains "__" or is reserved.
    """
    if not pairs:
        raise ValueError(f"{parameter} must be one object or a list of (name, object), got an empty list.")
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"{parameter} must be one object or a list of (name, object), got {pair!r} in the list.")
    names = [name for name, _ in pairs]
    for name in names:
        if "__" in name or name in reserved or names.count(name) > 1:
            raise ValueError(
                f"{parameter}: names must be unique, contain no '__' and differ from the estimator's parameters and "
                f"other names, got {name!r}: rename it."
            )
