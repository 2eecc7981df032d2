"""One table of training runs: config, backbone file, verdict and digest of its load, and metrics (last, best, tested).

Example: python tools/benchmarks/collect_results.py work_dirs/benchmarks --metric mAP --out results.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.results.run_table import find_runs, read_run, run_table
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.results import write_results
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work_dirs", nargs="+", type=Path, help="work dirs, or folders of them")
    parser.add_argument("--metric", nargs="+", metavar="NAME", help="metrics, or the ends of their names; default: all")
    parser.add_argument("--out", type=Path, help="file to write, .csv, .json or .md; without it, Markdown is printed")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".csv", ".json", ".md"))], force=args.force)
    table = run_table([read_run(path) for path in find_runs(args.work_dirs)], args.metric)
    if args.out is None:
        print(table)
    else:
        if args.out.suffix == ".md":
            write_text(args.out, f"{table}\n")
        else:
            write_results(args.out, [table], overwrite=args.force)
        print(f"{len(table.runs)} runs: {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
