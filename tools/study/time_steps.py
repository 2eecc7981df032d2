"""How long a training and its test take, by a few steps of the very config on the data, as JSON.

Example: mim run mmdetpre time_steps my_study/configs/own_det.py
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.console.last_words import error_line
from mmdetpre.study.runs.time_steps import NotBuilt, time_config
from mmdetpre.study.step_times import NOT_BUILT
from mmdetpre.utils.plain_text import one_line
from mmdetpre.utils.whole_file import write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="config of a training")
    parser.add_argument("--tta", action="store_true", help="test at the scales of its tta_model")
    parser.add_argument(
        "--most",
        type=float,
        default=120,
        metavar="SECONDS",
        help="stop after so many seconds of processor time, or five times as many in all (%(default)g)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON file (default: print it)")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    for name, timer, times in ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, 5)):
        signal.signal(name, signal.SIG_DFL)  # ends the process, also in the middle of a step
        signal.setitimer(timer, times * args.most)
    try:
        found = time_config(args.config, tta=args.tta)
    except Exception as error:  # the line that is read of this process
        not_built = isinstance(error, NotBuilt)
        print(f"time_steps: {one_line(error if not_built else error_line(error))}", file=sys.stderr)
        return NOT_BUILT if not_built else 1
    if args.out:
        write_json(args.out, found)
    else:
        json.dump(found, sys.stdout, indent=1)
        print()
    return 0


if __name__ == "__main__":
    run_tool(main)
