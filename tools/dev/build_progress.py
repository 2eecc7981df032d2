"""Shows the progress of a ninja build and keeps its full output in a log.

Example: ninja -v | python tools/dev/build_progress.py build.log
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from typing import TextIO

STEP = re.compile(r"^\s*\[(\d+)/(\d+)\]")
SECONDS_BETWEEN_LINES = 10.0


def show(source: TextIO, log: TextIO, screen: TextIO) -> None:
    """Copy `source` to `log`; on `screen` one changing line (a terminal) or a line every few seconds."""
    start = last = time.monotonic()
    terminal = screen.isatty()
    for line in source:
        log.write(line)
        match = STEP.match(line)
        now = time.monotonic()
        if match and (terminal or now - last >= SECONDS_BETWEEN_LINES or match[1] == match[2]):
            text = f"      {match[1]} of {match[2]} files compiled, {now - start:.0f} s"
            screen.write(f"\r{text}" if terminal else f"{text}\n")
            screen.flush()
            last = now
    if terminal:
        screen.write("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", help="file for the full output")
    with open(parser.parse_args().log, "w", encoding="utf-8", errors="replace") as log:
        show(sys.stdin, log, sys.stdout)


if __name__ == "__main__":
    main()
