"""mIoU of several segmentors over the width of the trimap, inside and outside it: Figure 4 of the paper.

A run is the JSON file of mmdetpre.TrimapIoUMetric(outfile_prefix=...). Prints one table with the differences to the
first run; --classes-at adds a table of classes at one width for each other run, or on whole images (--classes-at
whole), the greatest difference first. --plot draws the curves, --out writes all widths and classes as CSV or JSON.

Example: python tools/analysis_tools/trimap_curves.py --run ImageNet=work_dirs/a/trimap.json \\
    --run OpenImages=work_dirs/b/trimap.json --classes-at 10 --plot trimap.png --out trimap.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.evaluation.trimap.plot import draw_trimap_curves
from mmdetpre.evaluation.trimap.scores import compare_classes, compare_whole, compare_widths, read_runs
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.results import write_results
from mmdetpre.utils.whole_file import write_figure

WHOLE = "whole"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", action="append", required=True, metavar="NAME=FILE", help="a run and its name; repeat for more"
    )
    parser.add_argument(
        "--classes-at", type=_width, metavar="WIDTH|whole", help="compare the classes at this width, or on whole images"
    )
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="table to write, .csv or .json")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser.parse_args()


def _width(text: str) -> int | str:
    return WHOLE if text == WHOLE else int(text)


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".csv", ".json"))], force=args.force)
    runs = read_runs(args.run)
    tables = [compare_widths(runs)]
    if args.classes_at is not None:
        if len(runs) == 1:
            raise ValueError("--classes-at compares runs: give a second --run NAME=FILE.")
        if args.classes_at == WHOLE:
            tables += [compare_whole(run, runs[0]) for run in runs[1:]]
        else:
            tables += [compare_classes(run, runs[0], args.classes_at) for run in runs[1:]]
    print("\n\n".join(tables))
    for run in runs:
        print("".join(f"\n{run.label}: {change}" for change in run.mean_changes()), end="")
    print()
    if args.out:
        write_results(args.out, runs, overwrite=args.force)
    if args.plot:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        write_figure(args.plot, draw_trimap_curves(runs, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main)
