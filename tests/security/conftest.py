"""What every attack is held against: a marker that stays away, and an audit hook that sees what Python itself does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Watching = Callable[..., AbstractContextManager["Watch"]]

RUNS = ("code.__new__", "marshal.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn")
"""Events that run something, by how they begin; with those of `REACHES` never allowed."""
REACHES = ("subprocess.", "socket.", "urllib.", "ctypes.", "ftplib.", "smtplib.", "webbrowser.", "http.client.")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
LIBRARIES = (str(Path(sys.prefix).resolve()), str(Path(sys.base_prefix).resolve()), "/usr", "/proc", "/sys")
"""Where opening a file to read it means nothing: the interpreter and what is installed."""


@dataclass
class Watch:
    """What happened in one thread while it was watched.

    Attributes:
        reads: Files and folders that may be opened.
        writes: Files and folders that may be written to, and changed.
        imports: Installed packages that may be imported.
        parses: Whether text may be parsed to a syntax tree (``ast.parse``, which runs nothing).
        events: Everything else, as texts.
    """

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    imports: tuple[str, ...] = ()
    parses: bool = False
    events: list[str] = field(default_factory=list)

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "import":
            if str(args[0]).split(".")[0] not in self.imports:
                self.events.append(f"import {args[0]}")
        elif event == "marshal.loads" and self.imports:  # what it gives is seen when it is executed
            return
        elif event == "exec":
            file = getattr(args[0], "co_filename", "?")
            if not (_inside(file, tuple(map(Path, LIBRARIES))) and set(Path(file).parts) & set(self.imports)):
                self.events.append(f"exec {args[0]}")
        elif event == "compile":
            if not (self.parses and args[1] in ("<unknown>", b"<unknown>")):
                self.events.append(f"compile {str(args[0])[:200]!r} of {args[1]!r}")
        elif event == "open":
            self._opened(*args)
        elif event.startswith(CHANGES):
            if not all(_inside(path, self.writes) for path in args if isinstance(path, str | bytes | Path)):
                self.events.append(f"{event} {args!r}")
        elif event.startswith(RUNS + REACHES):
            self.events.append(f"{event} {str(args)[:200]}")

    def _opened(self, path: Any, mode: Any, flags: int) -> None:
        if not isinstance(path, str | bytes | Path):  # a descriptor that is open already
            return
        if self.parses and path == "<unknown>":  # for the line of a syntax error
            return
        written = any(letter in str(mode or "") for letter in "wax+") or flags & 0o103  # O_WRONLY, O_RDWR, O_CREAT
        if written and not _inside(path, self.writes):
            self.events.append(f"open {path!r} to write ({mode})")
        if not written and not _inside(path, (*self.reads, *self.writes, *map(Path, LIBRARIES))):
            self.events.append(f"open {path!r} to read")


def _inside(path: str | bytes | Path, folders: tuple[Path, ...]) -> bool:
    real = Path(path.decode() if isinstance(path, bytes) else path).resolve()
    return any(real == folder or folder in real.parents for folder in (f.resolve() for f in folders))


_armed = threading.local()


def _hook(event: str, args: tuple[Any, ...]) -> None:
    watch: Watch | None = getattr(_armed, "watch", None)
    if watch is not None:
        _armed.watch = None  # what the watch itself does is not watched
        try:
            watch.see(event, args)
        finally:
            _armed.watch = watch


@cache
def _add_hook() -> None:
    """Once per process, when it is needed: hooks cannot be removed, and cost each test behind them a little."""
    sys.addaudithook(_hook)


@contextmanager
def _watched(
    *,
    reads: tuple[Path, ...] = (),
    writes: tuple[Path, ...] = (),
    imports: tuple[str, ...] = (),
    parses: bool = False,
) -> Iterator[Watch]:
    _add_hook()
    watch = Watch(reads, writes, imports, parses)
    before, _armed.watch = getattr(_armed, "watch", None), watch
    try:
        yield watch
    finally:
        _armed.watch = before
    assert not watch.events, "\n".join(watch.events)


@pytest.fixture
def watched() -> Watching:
    """Context manager under which nothing is executed, imported, started, fetched or opened but what it is told.

    ``with watched(reads=(folder,)): reader(folder / "file")`` fails with what happened if anything else did. Read a
    good file of the kind first: what a reader imports when it is first used is not the file's doing.
    """
    return _watched


@pytest.fixture
def marker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A path that attacks try to create; the test fails if one did."""
    path = tmp_path_factory.mktemp("marker") / "MARKER"
    yield path
    assert not path.exists(), f"An attack ran its code: it left {path}."
