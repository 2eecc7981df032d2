"""How a command line tool ends: faults of what the user gave are one message, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mmdetpre.utils.plain_text import printable


def run_tool(main: Callable[[], int], *faults: type[Exception]) -> NoReturn:
    """Run a tool and end the process with its exit code; 1 with one message on stderr after a fault.

    Args:
        main: The tool; gives its exit code.
        faults: What else than ``OSError`` and ``ValueError`` says what is wrong with the user's files or arguments.

    Raises:
        SystemExit: Always, with the exit code.

    Example:
        >>> run_tool(lambda: 0)
        Traceback (most recent call last):
        SystemExit: 0
    """
    known: tuple[type[Exception], ...] = (OSError, ValueError, *faults)
    try:
        status = main()
    except known as error:
        print(f"{Path(main.__code__.co_filename).stem}: {printable(error)}", file=sys.stderr)
        status = 1
    sys.exit(status)
