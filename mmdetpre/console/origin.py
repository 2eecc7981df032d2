"""Whose code a file is: an installed package's, ours, or the user's."""

from __future__ import annotations

import os
import sysconfig
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def is_ours(file: str) -> bool:
    """Whether a source file is of this package.

    Example:
        >>> is_ours(__file__), is_ours("/data/my_hook.py")
        (True, False)
    """
    return _inside(file, (str(PACKAGE),))


def is_installed(file: str) -> bool:
    """Whether a source file is of Python, of an installed package or of this one; else it is the user's.

    Example:
        >>> import os
        >>> is_installed(os.__file__), is_installed("/data/my_hook.py"), is_installed("<frozen runpy>")
        (True, False, True)
    """
    return file.startswith("<") or _inside(file, _installed())


@cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {os.path.realpath(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (*sorted(roots), str(PACKAGE))


def _inside(file: str, folders: tuple[str, ...]) -> bool:
    path = os.path.realpath(file)
    return any(path.startswith(os.path.join(folder, "")) for folder in folders)
