"""One table of training runs: config, backbone file, verdict and digest of its load, and metrics (last, best, tested).

Example: python tools/benchmarks/collect_results.py work_dirs/benchmarks --metric mAP --out results.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.results.run_table import find_runs, read_run, run_table
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work_dirs", nargs="+", type=Path, help="work dirs, or folders of them")
    parser.add_argument("--metric", nargs="+", metavar="NAME", help="metrics, or the ends of their names; default: all")
    parser.add_argument("--out", type=Path, help="file to write, .csv or .md; without it, Markdown is printed")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.out and args.out.suffix not in (".csv", ".md"):
        raise ValueError(f"{args.out} ends in neither .csv nor .md.")
    if args.out and args.out.exists() and not args.force:
        raise FileExistsError(f"{args.out} exists: choose another --out, or add --force to overwrite it.")
    runs = [read_run(path) for path in find_runs(args.work_dirs)]
    style = "csv" if args.out and args.out.suffix == ".csv" else "markdown"
    table = run_table(runs, args.metric, style)
    if args.out:
        write_text(args.out, f"{table}\n")
        print(f"{len(runs)} runs: {args.out}")
    else:
        print(table)
    return 0


if __name__ == "__main__":
    run_tool(main)
