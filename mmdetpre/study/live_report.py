"""The report of a study that is running: its page can be opened at any moment, and shows the scores that are in."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from mmdetpre.study.report.write import write_report

LEAST, SHARE = 10.0, 20
"""Seconds between two pages, and how many times as long as one takes to write."""


class LiveReport:
    """Writes the report again after runs, so seldom that it costs a twentieth of a core at most.

    A score that comes too soon after the last page is shown by a later one, at the latest when that may be written.
    Each file appears whole; whoever has the page open reads the old one or the new one.

    Args:
        out: Folder of the study.
        paper: JSON file with figures of the paper.
        photos: Whether the page shows figures with photos of the data.
        parallel: Runs that are made at the same time, for the time left.
        errors: Where it is said, once, that it cannot be written; standard error if not given.
    """

    def __init__(
        self,
        out: Path,
        paper: str | None = None,
        photos: bool = True,
        parallel: int = 1,
        errors: TextIO | None = None,
    ) -> None:
        self.out, self.paper, self.photos, self.parallel = out, paper, photos, parallel
        self.errors = errors or sys.stderr
        self._lock = threading.Lock()
        self._next = 0.0
        self._later: threading.Timer | None = None
        self._told = False
        atexit.register(self.close)

    def update(self) -> None:
        """Write the report now if that may be, else later. Never raises: no run fails for the lack of a page."""
        with self._lock:
            wait = self._next - time.monotonic()
            if wait > 0:
                if self._later is None:
                    self._later = threading.Timer(wait, self._write_later)
                    self._later.daemon = True
                    self._later.start()
                return
            self._write()

    def close(self) -> None:
        """Write no more; a page that is being written is waited for."""
        with self._lock:
            if self._later is not None:
                self._later.cancel()
            self._next = float("inf")

    def _write_later(self) -> None:
        with self._lock:
            self._later = None
            if self._next < float("inf"):
                self._write()

    def _write(self) -> None:
        began = time.monotonic()
        try:
            write_report(self.out, self.paper, self.photos, running=self.parallel)
        except (OSError, ValueError) as error:
            if not self._told:
                print(f"study: the report is not written while the study runs: {error}", file=self.errors, flush=True)
            self._told = True
        ended = time.monotonic()
        self._next = ended + max(LEAST, SHARE * (ended - began))
