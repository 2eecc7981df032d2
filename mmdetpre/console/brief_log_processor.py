"""The log processor that has the console show what matters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mmengine.runner import LogProcessor

from mmdetpre.console.console_filter import prints_to_log_file, quiet_next_logger, warnings_to_log_file
from mmdetpre.registry import LOG_PROCESSORS

CHOICES = ("brief", "full")


@LOG_PROCESSORS.register_module()
class BriefLogProcessor(LogProcessor):
    """mmengine's LogProcessor; with ``console="brief"`` what the toolboxes say of themselves goes to the log file only.

    The log file of a run (``WORK_DIR/TIME/TIME.log``) has every line, the environment and the config among them. The
    console shows errors, warnings, what a user's own code logs, and the lines of `BriefLoggerHook`. Under the
    toolboxes' ``train.py`` and ``test.py`` Python's warnings from installed packages, and what the toolboxes print, go
    to the log file too.

    Args:
        console: ``brief``; or ``full`` for all that mmengine shows.

    Raises:
        ValueError: If ``console`` is neither.

    Example:
        ``mim train mmdet CONFIG --cfg-options log_processor.console=full``
    """

    def __init__(self, *args: Any, console: str = "brief", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if console not in CHOICES:
            raise ValueError(f"console={console!r} is unknown: set log_processor.console to 'brief' or 'full'.")
        self.console = console
        self.shown = quiet_next_logger() if console == "brief" else None
        if self.shown is not None and Path(sys.argv[0]).name in ("train.py", "test.py"):
            prints_to_log_file()
            warnings_to_log_file()
