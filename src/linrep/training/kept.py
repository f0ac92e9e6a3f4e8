"""Functions compiled by numba: into one another, or for a caller and then kept for the next process.

What is kept lies where numba keeps it: in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache, the
first that lets itself be written; it is compiled anew for another processor, numba or source.
"""

import contextlib
import inspect
import pickle
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from linrep.progress import stage

ANY_ORDER = frozenset({"reassoc", "contract", "nsz"})
"""Sums in the order that is fastest here; what is not a number is still none."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def inner(*, any_order: bool = False) -> Callable[[_Function], _Function]:
    """Compiled into whatever calls it."""

    def made(function: _Function) -> _Function:
        plain = inspect.unwrap(function)  # whoever checks types at import has wrapped it
        fast = set(ANY_ORDER) if any_order else False
        return cast(_Function, numba.njit(plain, nogil=True, fastmath=fast))

    return made


class Kept:
    """A function compiled for what it is called with, and kept for the next process where there is a place.

    Args:
        function: Of arrays and numbers; changes arrays in place.
        said: While it is compiled, by :func:`linrep.progress.stage`.
    """

    def __init__(self, function: Callable[..., None], said: str) -> None:
        self._said = said
        plain = inspect.unwrap(function)
        self._compiled: Any = numba.njit(plain, nogil=True)
        self._kept: Any = None
        self._ready: dict[tuple[Any, ...], Any] = {}
        with contextlib.suppress(RuntimeError):  # no folder of this machine lets itself be written
            self._kept = numba.njit(plain, nogil=True, cache=True)

    def __call__(self, *given: Any) -> None:
        """Run it; the first time for such arguments it is read or compiled before."""
        kinds = tuple(getattr(each, "dtype", type(each)) for each in given)
        if kinds not in self._ready:
            with stage(self._said):
                self._ready[kinds] = self._made(tuple(numba.typeof(each) for each in given))
        self._ready[kinds](*given)

    def _made(self, kinds: tuple[Any, ...]) -> Any:
        if self._kept is not None:
            try:
                self._kept.compile(kinds)
            except (OSError, EOFError, pickle.PickleError):  # a full disk, or a file cut short
                self._kept = None
            else:
                return self._kept
        self._compiled.compile(kinds)
        return self._compiled
