"""Compile inner loops with numba, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """A function compiled by numba at its first call, without the GIL.

    numba checks its cache against the file of the outermost function only: all compiled functions that call each other
    belong into one file.

    Example:
        >>> @compiled
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the home directory can be written: compile in every process
        return numba.njit(**options)(function)
