"""Faults of a training that a person can mend, each told in one message instead of a traceback.

An unmodified Runner lets errors of the disk and of its data workers through to Python, which prints where in the
libraries they arose. Under the toolboxes' ``train.py`` and ``test.py`` (which ``mim train`` and ``mim test`` start),
`tell_faults` prints what happened, what to do, and what a resumed run starts from; the log file keeps the traceback.
Other errors are told in few words too, once there is a log file for their traceback, and ``mim`` adds none of its own.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.console.last_words import end_mim_quietly, few_words, raised_by_us

TOOLS = ("train.py", "test.py")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ENTRY = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EIO)
_LOADER = "_MultiProcessingDataLoaderIter"
_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? ([\d, ]+)\) (exited unexpectedly|is killed by signal: [^.]*)")


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says why, and what to do."""


def resume_advice(runner: Any) -> str:
    """What a run with ``--resume`` would go on from, one sentence."""
    folder = getattr(runner, "_work_dir", None)
    found = newest_whole(folder).path if folder else None
    if found is None:
        return "No whole checkpoint was written yet: start from scratch."
    return f"Then run again with --resume: it resumes from {found}."


def explain(error: BaseException) -> str | None:
    """The message for an error that ended a run; None if it is none of these faults.

    Known are the package's own errors, files of the work dir that cannot be written, and workers of a data loader that
    were killed.

    Example:
        >>> explain(KeyError("a")) is None
        True
    """
    if type(error).__module__.startswith("mmdetpre."):
        return str(error)
    runner = _runner(error.__traceback__)
    if runner is None:
        return None
    if worker := _killed_worker(error):
        return (
            f"A process that loads images (DataLoader worker, pid {worker}. Mostly the system killed it because memory"
            " ran out: use fewer (train_dataloader.num_workers) or smaller batches (train_dataloader.batch_size); in a"
            f" container, also look at the size of /dev/shm. {resume_advice(runner)}"
        )
    return _of_disk(error, runner) if isinstance(error, OSError) else None


def _killed_worker(error: BaseException) -> str | None:
    """Number and end of a loader's process that is gone; None if none is.

    torch says so, unless the process was killed while it handed over a batch: then any error of the connection arises.
    """
    if isinstance(error, RuntimeError) and (found := _WORKER.search(str(error))):
        return f"{found[1]}) {found[2] if 'signal' in found[2] else 'ended without a word'}"
    if not isinstance(error, EOFError | OSError | RuntimeError):
        return None
    trace = error.__traceback__
    while trace is not None:
        loader = trace.tb_frame.f_locals.get("self")
        for worker in getattr(loader, "_workers", ()) if type(loader).__name__ == _LOADER else ():
            try:
                worker.join(timeout=0.2)
            except RuntimeError as told:  # torch's handler of SIGCHLD raises wherever the main process is
                return _killed_worker(told)
            if worker.exitcode is not None and worker.exitcode < 0:
                return f"{worker.pid}) is killed by signal: {signal.Signals(-worker.exitcode).name}"
        trace = trace.tb_next
    return None


def _of_disk(error: OSError, runner: Any) -> str | None:
    folder = getattr(runner, "_work_dir", None)
    if folder is None or error.errno is None:
        return None
    file = os.fspath(error.filename) if isinstance(error.filename, str | os.PathLike) else ""
    inside = file == folder or file.startswith(os.path.join(folder, ""))
    what = file or "A file"
    if error.errno in _NO_SPACE and (inside or not file):
        return f"{what} cannot be written: {error.strerror}. Free space for {folder}. {resume_advice(runner)}"
    if error.errno in _NO_ENTRY and inside:
        return f"{what} cannot be written: {error.strerror}. Make {folder} writable, or set another --work-dir."
    if error.errno in _GONE and inside and not os.path.isdir(folder):
        return (
            f"The work dir {folder} is gone: it was removed, renamed or unmounted, or a part of its path is a file."
            f" Put it back, or set another --work-dir. {resume_advice(runner)}"
        )
    return None


def _runner(trace: TracebackType | None) -> Any:
    """The Runner that an error went through, if any; it may be half built."""
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if any(
            (kind.__module__, kind.__name__) == ("mmengine.runner.runner", "Runner") for kind in type(owner).__mro__
        ):
            return owner
        trace = trace.tb_next
    return None


def tell_faults() -> None:
    """Under a toolbox's ``train.py`` or ``test.py``, have a fault's message stand last; else do nothing.

    Called where mmengine meets this package, before the Runner makes its work dir.
    """
    if Path(sys.argv[0]).name not in TOOLS or getattr(sys.excepthook, "tells_faults", False):
        return
    before = sys.excepthook
    failed: list[bool] = []
    atexit.register(lambda: end_mim_quietly() if failed else None)  # registered early, so called late

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        runner = _runner(trace)
        full = getattr(getattr(runner, "log_processor", None), "console", "brief") == "full"
        last = _last_words(error, runner, full)
        if last is None:
            before(kind, error, trace)
        else:
            _to_log_file(last, (kind, error, trace))
            print(f"\n{last}", file=sys.stderr, flush=True)
        failed.extend([True] * (not full and kind is not KeyboardInterrupt))

    tell.tells_faults = True  # type: ignore[attr-defined]
    sys.excepthook = tell


def _last_words(error: BaseException, runner: Any, full: bool) -> str | None:
    """What to say instead of a traceback; None where the traceback is the best there is."""
    kind = type(error)
    if (message := explain(error)) is not None:
        own = kind.__name__ if kind.__module__.startswith("mmdetpre.") else TrainingError.__name__
        return f"{own}: {message}"
    if kind is KeyboardInterrupt and runner is not None:
        return f"Stopped. {resume_advice(runner)}"
    if raised_by_us(error.__traceback__):
        return f"{kind.__name__}: {error}"
    log_file = getattr(getattr(runner, "logger", None), "log_file", None)
    return few_words(error, log_file) if log_file and not full else None


def _to_log_file(message: str, error: Any) -> None:
    """Message and traceback, for the file only."""
    runner = _runner(error[2])
    record = logging.LogRecord("mmengine", logging.ERROR, __file__, 0, message, None, error)
    for handler in getattr(getattr(runner, "logger", None), "handlers", ()):
        if isinstance(handler, logging.FileHandler):
            handler.handleError = lambda record: None  # type: ignore[method-assign]  # the disk may be what failed
            with suppress(OSError, ValueError):
                handler.handle(record)
