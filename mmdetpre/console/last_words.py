"""What stands last on the console when a run fails: the error, in few words, and nothing behind it."""

from __future__ import annotations

import linecache
import os
import signal
from pathlib import Path
from types import FrameType, TracebackType

from mmdetpre.console.origin import is_installed, is_ours


def raised_by_us(trace: TracebackType | None) -> bool:
    """Whether an error was raised, in so many words, by this package: then its message was written for the user.

    Args:
        trace: Traceback of the error.
    """
    frames = _frames(trace)
    if not frames:
        return False
    frame, line = frames[-1]
    return is_ours(frame.f_code.co_filename) and linecache.getline(frame.f_code.co_filename, line).lstrip().startswith(
        "raise "
    )


def error_line(error: BaseException) -> str:
    """Type and message of an error; of one without a message, such as an ``assert``, the line of code that raised it.

    Example:
        >>> error_line(KeyError("depth"))
        "KeyError: 'depth'"
    """
    told = str(error)
    if not told and (frames := _frames(error.__traceback__)):
        frame, line = frames[-1]
        told = f"{linecache.getline(frame.f_code.co_filename, line).strip()} ({_place(frame, line)})"
    return f"{type(error).__name__}: {told}".removesuffix(": ")


def few_words(error: BaseException, log_file: str | None) -> str:
    """Type and message of an error, where it arose, the lines of the user's own code that it went through, the log.

    Args:
        error: With its traceback.
        log_file: Where the whole traceback stands.

    Example:
        >>> print(few_words(KeyError("depth"), "run.log"))
        KeyError: 'depth'
          whole traceback: run.log
    """
    frames = _frames(error.__traceback__)
    lines = [error_line(error)]
    own = [pair for pair in frames if not is_installed(pair[0].f_code.co_filename) and not _is_tool(pair[0])]
    lines += [f"  {_place(frame, line)}" for frame, line in own]
    if frames and frames[-1] not in own:
        lines.append(f"  raised in {_place(*frames[-1])}")
    return "\n".join([*lines, *([f"  whole traceback: {log_file}"] if log_file else [])])


def end_mim_quietly() -> None:
    """Let ``mim train`` and ``mim test`` end with one word instead of a traceback of their own.

    ``mim`` raises an error that its command failed, and so prints a traceback behind whatever the command said. Told to
    stop, as by Ctrl-C, it says "Aborted!"; its exit status is 1 in both cases. Nothing is done if the parent is no
    ``mim`` that started this process, or where that cannot be known.
    """
    if _is_mim(Path(f"/proc/{os.getppid()}/cmdline")):
        os.kill(os.getppid(), signal.SIGINT)


def _is_mim(command_line: Path) -> bool:
    try:
        words = command_line.read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return False
    for name, command in zip(words, words[1:], strict=False):
        if command in ("train", "test") and (Path(name).name == "mim" or name.endswith("mim/__main__.py")):
            return True
    return False


def _frames(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    found = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _is_tool(frame: FrameType) -> bool:
    """Whether a frame is that of the toolbox's train.py or test.py, which may lie in a checkout."""
    path = Path(frame.f_code.co_filename)
    return path.name in ("train.py", "test.py") and frame.f_globals.get("__name__") == "__main__"


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename}, line {line}, in {frame.f_code.co_name}"
