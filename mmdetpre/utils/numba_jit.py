"""Compile inner loops with numba, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from threading import Lock
from typing import Any


def compiled(function: Callable) -> Callable:
    """A function compiled by numba at its first call, without the GIL; numba too is imported then, which takes 0.3 s.

    numba checks its cache against the file of the outermost function only: all compiled functions that call each other
    belong in one file.

    Example:
        >>> @compiled
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """
    return _Uncompiled(function)


class _Uncompiled:
    """Stands for a compiled function until one of its file is called, then makes place for all of them."""

    _lock = Lock()

    def __init__(self, function: Callable) -> None:
        update_wrapper(self, function)
        self._names = function.__globals__
        self._function = function
        self._compiled: Callable | None = None

    def __call__(self, *args: Any) -> Any:
        return (self._compiled or self._compile())(*args)

    def _compile(self) -> Callable:
        with self._lock:  # threads may mine the first ranges at once
            for name, other in list(self._names.items()):
                if isinstance(other, _Uncompiled):
                    self._names[name] = other._compiled = _njit(other._function)
            if self._compiled is None:  # defined inside a function
                self._compiled = _njit(self._function)
            return self._compiled


def _njit(function: Callable) -> Callable:
    import numba

    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the home directory can be written: compile in every process
        return numba.njit(**options)(function)
