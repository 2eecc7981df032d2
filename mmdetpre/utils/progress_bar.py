"""Progress bars on terminals, and none in files."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm


def progress_bar(*args: Any, disable: bool = False, **options: Any) -> tqdm:
    """tqdm's bar where standard error is a terminal; else nothing is drawn, for in a file a bar is one endless line.

    Args:
        *args: Of tqdm.
        disable: Draw none in any case.
        **options: Of tqdm.

    Example:
        >>> sum(progress_bar(range(4), "adding", disable=True))
        6
    """
    return tqdm(*args, disable=True if disable else None, **options)
