"""mAP of several runs over the IoU threshold, side by side: Figure 1 of the paper.

A run is the JSON file of mmdetpre.VOCIoUMetric(outfile_prefix=...) or the file of mmdetpre.DumpDetections. Prints one
table with the differences to the first run; --plot draws it, --out writes all classes as CSV or JSON.

Example: python tools/analysis_tools/iou_sweep.py --run scratch=work_dirs/a/iou.json \\
    --run OpenImages=work_dirs/b/detections.npz --plot iou_sweep.png --out iou_sweep.csv
"""

from __future__ import annotations

import argparse

from mmdetpre.cli.result_files import add_outputs, add_runs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.evaluation.voc_ap.average_precision import MODES
from mmdetpre.evaluation.voc_ap.plot import draw_iou_sweep
from mmdetpre.evaluation.voc_ap.scores import compare
from mmdetpre.evaluation.voc_ap.sweep import sweep_runs


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; repeat for more")
    parser.add_argument("--iou-thrs", nargs="+", type=float, help="thresholds for files of detections (0.1 to 0.9)")
    parser.add_argument("--eval-mode", choices=MODES, help="metric for files of detections (11points)")
    parser.add_argument(
        "--half-open",
        action=argparse.BooleanOptionalAction,
        help="sides are x2 - x1; with --no-half-open, as in VOC, x2 - x1 + 1 (by default what the file of detections"
        " says: plus_one of the metric that wrote it)",
    )
    add_outputs(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args)
    plus_one = None if args.half_open is None else not args.half_open
    runs = sweep_runs(args.run, iou_thrs=args.iou_thrs, mode=args.eval_mode, plus_one=plus_one)
    write_outputs(args, runs, lambda: draw_iou_sweep(runs, title=args.title), text=compare(runs))
    return 0


if __name__ == "__main__":
    run_tool(main)
