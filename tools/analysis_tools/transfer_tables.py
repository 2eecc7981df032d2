"""Tables 5, 6 and 7 of the paper from your results, beside the paper's figures.

Give result files of linear_probe.py and knn_probe.py, work dirs of configs/cls, or folders of both. The name of a
config gives the data (sun397_linear), the report of its backbone the initialization, --name and --data-name of
extract_features.py those of a probe; --rename changes them. --paper FILE replaces figures of the paper, as
{"7": {"fc1": {"caltech256": 80.1}}}. Without results, all tables of the paper are printed with their own numbers.

Example: python tools/analysis_tools/transfer_tables.py work_dirs/probes work_dirs/caltech256_openimages \\
    --rename epoch_14=openimages --out tables.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.paper.tables import TABLES, with_figures
from mmdetpre.results.transfer_tables import METRICS, paper_markdown, read_cells
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.results import write_results
from mmdetpre.utils.whole_file import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path, help="result files, work dirs or folders; none: the paper")
    parser.add_argument("--metric", choices=METRICS, default=METRICS[0], help="of the probes (%(default)s)")
    parser.add_argument(
        "--rename",
        nargs="+",
        default=[],
        metavar="OLD=NEW",
        help="initialization or data set of results -> row or column",
    )
    parser.add_argument("--paper", type=Path, help="JSON file with other figures of the paper, percent")
    parser.add_argument("--out", type=Path, help="file to write: .md, or all cells as .csv or .json")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".md", ".csv", ".json"))], force=args.force)
    if wrong := [pair for pair in args.rename if not all(pair.partition("=")[::2])]:
        raise ValueError(f"--rename {wrong[0]}: give OLD=NEW, such as epoch_14=openimages.")
    rename = dict(pair.split("=", 1) for pair in args.rename)
    tables = with_figures(args.paper) if args.paper else TABLES
    if not args.results:
        if args.out:
            raise ValueError("--out is for your results: name files of probes or work dirs before it.")
        print(paper_markdown(tables))
        return 0
    found = read_cells(args.results, args.metric, rename, tables)
    if args.out and args.out.suffix == ".md":
        write_text(args.out, f"{found}\n")
    elif args.out:
        write_results(args.out, [found], overwrite=args.force)
    print(found)
    for note in found.skipped:
        print(f"Skipped: {note}.", file=sys.stderr)
    if args.out:
        print(f"\nWritten to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
