"""Bounds what building a model may take: memory, parts, and packages that are imported on the way."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

MOST_PARTS = 50_000
"""Modules of one model; the largest of the toolboxes have some thousands."""


@contextmanager
def bounded_build(most_bytes: int) -> Iterator[None]:
    """While it is open, the process gets at most so much more memory, and this thread no new packages.

    Where the system tells no sizes (``/proc``), memory is not bounded. The bound is the process's: open it where no
    other thread is at work.

    Args:
        most_bytes: Address space beyond what the process has.

    Raises:
        MemoryError, RuntimeError: If more is asked for; torch raises ``RuntimeError``.
        ValueError: If a model gets more than `MOST_PARTS` parts.

    Example:
        >>> with bounded_build(1 << 30):
        ...     layer = nn.Linear(10, 10)
    """
    with ExitStack() as stack:
        stack.enter_context(_bounded_memory(most_bytes))
        finder = _NoNewPackages()
        sys.meta_path.insert(0, finder)
        stack.callback(sys.meta_path.remove, finder)
        stack.callback(register_module_module_registration_hook(_Counter()).remove)
        yield


@contextmanager
def _bounded_memory(most_bytes: int) -> Iterator[None]:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + most_bytes
    limits = [limit, *(value for value in (soft, hard) if value != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _Counter:
    def __init__(self) -> None:
        self.count, self.thread = 0, threading.get_ident()

    def __call__(self, module: nn.Module, name: str, part: nn.Module | None) -> None:
        if threading.get_ident() == self.thread:
            self.count += 1
            if self.count > MOST_PARTS:
                raise ValueError(f"the model has more than {MOST_PARTS} parts")


class _NoNewPackages(MetaPathFinder):
    """Registries import what they do not know by its name, a single word too, such as a file of the current folder."""

    def __init__(self) -> None:
        self.known = {name.partition(".")[0] for name in sys.modules}
        self.thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        if threading.get_ident() == self.thread and name.partition(".")[0] not in self.known:
            raise ImportError(f"{name} is not imported while the model of a file is built")
