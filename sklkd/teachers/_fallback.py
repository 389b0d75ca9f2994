"""What an adapter does where it cannot read a foreign model: go without, and say so."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sklearn.exceptions import NotFittedError

T = TypeVar("T")

LONGEST = 200
"""Characters of a foreign error that are kept."""


def failure(what: str, error: Exception) -> str:
    """One entry of ``Teacher.fallbacks``."""
    lines = str(error).splitlines() or [""]
    return f"{what}: {type(error).__name__}: {lines[0][:LONGEST]}"


def falls_back(what: str, otherwise: Callable[[], Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make a method of an adapter return ``otherwise()`` where it fails, and note the failure in ``fallbacks``.

    Parameters
    ----------
    what : str
        What could not be read.
    otherwise : callable
        Makes what is returned instead.
    """

    def decorate(method: Callable[..., T]) -> Callable[..., T]:
        @wraps(method)
        def guarded(self: Any, *args: Any, **options: Any) -> T:
            try:
                return method(self, *args, **options)
            except NotFittedError:
                raise
            except Exception as error:  # noqa: BLE001 - private parts of a foreign model fail in any way
                self.note(failure(what, error))
                return otherwise()

        return guarded

    return decorate


def or_value_error(method: Callable[..., T]) -> Callable[..., T]:
    """Make any failure of ``out_of_bag`` the ValueError that "auto" knows, and note those that are none."""

    @wraps(method)
    def guarded(self: Any, *args: Any, **options: Any) -> T:
        try:
            return method(self, *args, **options)
        except ValueError:
            raise
        except Exception as error:
            self.note(failure("out-of-bag", error))
            raise ValueError(
                f"cv='oob': which rows the members of {self.name} were fitted on could not be read "
                f"({type(error).__name__}); use cv='auto' or, with an unfitted teacher, cv=5."
            ) from error

    return guarded
