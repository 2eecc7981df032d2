"""mIoU of several segmentors over the width of the trimap, inside and outside it: Figure 4 of the paper.

A run is the JSON file of mmdetpre.TrimapIoUMetric(outfile_prefix=...). Prints one table with the differences to the
first run; --classes-at adds a table of classes at one width for each other run, or on whole images (--classes-at
whole), the greatest difference first. --plot draws the curves, --out writes all widths and classes as CSV or JSON.

Example: python tools/analysis_tools/trimap_curves.py --run ImageNet=work_dirs/a/trimap.json \\
    --run OpenImages=work_dirs/b/trimap.json --classes-at 10 --plot trimap.png --out trimap.csv
"""

from __future__ import annotations

import argparse

from mmdetpre.cli.result_files import add_outputs, add_runs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.evaluation.trimap.plot import draw_trimap_curves
from mmdetpre.evaluation.trimap.scores import compare_classes, compare_whole, compare_widths, read_runs

WHOLE = "whole"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; repeat for more")
    parser.add_argument(
        "--classes-at", type=_width, metavar="WIDTH|whole", help="compare the classes at this width, or on whole images"
    )
    add_outputs(parser)
    return parser.parse_args()


def _width(text: str) -> int | str:
    return WHOLE if text == WHOLE else int(text)


def main() -> int:
    args = parse_args()
    check_outputs(args)
    runs = read_runs(args.run)
    tables = [compare_widths(runs)]
    if args.classes_at is not None:
        if len(runs) == 1:
            raise ValueError("--classes-at compares runs: give a second --run NAME=FILE.")
        if args.classes_at == WHOLE:
            tables += [compare_whole(run, runs[0]) for run in runs[1:]]
        else:
            tables += [compare_classes(run, runs[0], args.classes_at) for run in runs[1:]]
    changes = [f"{run.label}: {change}" for run in runs for change in run.mean_changes()]
    text = "\n\n".join([*tables, "\n".join(changes)])
    write_outputs(args, runs, lambda: draw_trimap_curves(runs, title=args.title), text=text)
    return 0


if __name__ == "__main__":
    run_tool(main)
