"""Which lines of a log the console shows; the log file has them all."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from mmengine.logging import MMLogger

from mmdetpre.console.origin import is_installed

HOSTS = ("mmengine", "mmdet", "mmseg", "mmpretrain", "mmcv", "mim", "torch", "torchvision", "mmdetpre")
"""Packages whose remarks go to the log file; those of other code, such as a user's hooks, also to the console."""
LOGGER_HOOK = "mmengine.hooks.logger_hook"
_TELLS_NOTHING = re.compile(
    r"Failed to search registry with scope|\bdeprecated\b|is the alias of|The prefix is not set in metric class"
    r"|has no metainfo|Failed to import `?\w+|Cannot import|not set in config, using default"
    r"|init_weights of .* has been called more than once|No pre-?trained|`?persistent_workers`?"
)
_TELLS = re.compile(r"Auto resumed from |resumed epoch: ")


def tell(message: str, logger: logging.Logger | None = None) -> None:
    """Log a message that the console shows too.

    Args:
        message: One line or several.
        logger: Logger of the run; by default the current one of mmengine.

    Example:
        >>> tell("Building the table: there is none yet.")  # doctest: +SKIP
    """
    (logger or MMLogger.get_current_instance()).info(message, extra={"console": True})


class ConsoleFilter(logging.Filter):
    """Lets errors, warnings that tell something, what is marked by `tell` and what other code says pass.

    Attributes:
        progress: Whether a hook of ours tells the progress; else mmengine's own lines of it pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.progress = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the console shows a record. It is asked in the thread, and in the call, that logs."""
        if (marked := getattr(record, "console", None)) is not None:
            return bool(marked)
        if record.levelno >= logging.ERROR:
            return True
        module = _speaker()
        package = module.partition(".")[0]
        if record.levelno >= logging.WARNING:
            return package == "mmdetpre" or package not in HOSTS or not _TELLS_NOTHING.search(record.getMessage())
        if module == LOGGER_HOOK:
            return not self.progress and not record.getMessage().startswith("Exp name: ")
        return package not in HOSTS or bool(_TELLS.match(record.getMessage()))


class BriefFormatter(logging.Formatter):
    """Time and message; a level only where it is worth a look, in color only on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self._colored = bool(getattr(stream, "isatty", lambda: False)())

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        text = super().format(record)
        if record.levelno < logging.WARNING:
            return text
        time, _, rest = text.partition(" ")
        level = record.levelname.lower()
        return f"{time} \033[33m{level}\033[0m: {rest}" if self._colored else f"{time} {level}: {rest}"


def quiet_next_logger() -> ConsoleFilter:
    """Filter what the console shows of the next logger that mmengine makes, from its first record on.

    mmengine makes the logger of a run after its log processor, and writes the environment and the whole config into it
    at once. Python asks the factory of records for each record, before any handler sees it: there the filter is set,
    and the factory that was there before comes back.

    Returns:
        The filter.
    """
    chosen = ConsoleFilter()
    known = {id(logger) for logger in MMLogger._instance_dict.values()}
    before: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
    before = getattr(before, "replaced", before)  # a run that was never built: its logger did not come

    def first_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        new = [logger for logger in MMLogger._instance_dict.values() if id(logger) not in known]
        if new:
            logging.setLogRecordFactory(before)
            for handler in consoles(new[-1]):
                handler.addFilter(chosen)
                handler.setFormatter(BriefFormatter(handler.stream))
        return record

    first_record.replaced = before  # type: ignore[attr-defined]
    logging.setLogRecordFactory(first_record)
    return chosen


def consoles(logger: logging.Logger) -> list[logging.StreamHandler]:
    """Handlers of a logger that write to the console."""
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]


class ToolboxPrints:
    """Standard output, but what the toolboxes print goes to the log file.

    Args:
        stream: Where all else goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line = stream, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, of which the toolboxes' is logged line by line."""
        package = str(sys._getframe(1).f_globals.get("__name__", "")).partition(".")[0]
        if package not in _PRINTERS:
            return self._stream.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.strip():
                MMLogger.get_current_instance().info(line, extra={"console": False})
        return len(text)


_PRINTERS = {*HOSTS, "pycocotools", "faster_coco_eval", "hotcoco"} - {"mmdetpre"}


def prints_to_log_file() -> None:
    """Have what the toolboxes print go to the log file."""
    if not isinstance(sys.stdout, ToolboxPrints):
        sys.stdout = ToolboxPrints(sys.stdout)


def warnings_to_log_file() -> None:
    """Have Python's warnings from installed packages go to the log file, those of other code as before."""
    before = warnings.showwarning
    if getattr(before, "to_log_file", False):
        return

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if file is not None or not is_installed(filename):
            before(message, category, filename, lineno, file, line)
            return
        text = warnings.formatwarning(message, category, filename, lineno, line).rstrip()
        MMLogger.get_current_instance().warning(text, extra={"console": False})

    show.to_log_file = True  # type: ignore[attr-defined]
    warnings.showwarning = show


def _speaker() -> str:
    """Name of the module that logs: the first that is not part of the logging itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__ and name != "logging" and not name.startswith("mmengine.logging"):
            return name
        frame = frame.f_back
    return ""
