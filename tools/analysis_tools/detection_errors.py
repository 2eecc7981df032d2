"""What runs get wrong, side by side: missed objects by occlusion, size and shape, and the types of false positives.

A run is a file of mmdetpre.DumpDetections. Prints one table; --plot draws it, --out writes it as CSV or JSON.

Example: python tools/analysis_tools/detection_errors.py --run ImageNet=work_dirs/a/detections.npz \\
    --run OpenImages=work_dirs/b/detections.npz --plot errors.png --out errors.json
"""

from __future__ import annotations

import argparse

from mmengine.config import DictAction

from mmdetpre.cli.result_files import add_outputs, add_runs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.evaluation.detections.load_runs import load_runs
from mmdetpre.evaluation.errors.analyse import detection_errors
from mmdetpre.evaluation.errors.class_groups import class_groups
from mmdetpre.evaluation.errors.plot import draw_errors
from mmdetpre.evaluation.errors.report import ErrorSettings


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; repeat for more")
    parser.add_argument(
        "--occlusion",
        default="auto",
        metavar="SOURCE",
        help="levels of occlusion: flags (of the annotations), covered (share of a box that other boxes cover), the"
        " path of a CSV file image,class,x1,y1,x2,y2,level, of the .mat file or folder of Hoiem et al., or"
        " auto: flags where there are any, otherwise covered (%(default)s)",
    )
    parser.add_argument(
        "--groups",
        default="auto",
        help="similar classes: voc, hoiem, none, a JSON file {group: [class, ...]}, or auto: voc for the 20 VOC"
        " classes, otherwise none (%(default)s)",
    )
    parser.add_argument(
        "--iou-thr", type=float, default=0.5, help="least IoU at which an object is found (%(default)s)"
    )
    parser.add_argument(
        "--score-thr",
        type=float,
        help="objects are missed by the detections from this score on; by default by those up to a normalized precision"
        " of 0.05 in their class, which needs no calibrated scores",
    )
    parser.add_argument("--config", help="take the ground truth from the test data of this config, not from the files")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    add_outputs(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args)
    runs = load_runs(args.run, args.config, args.cfg_options)
    report = detection_errors(
        runs,
        occlusion=args.occlusion,
        groups=class_groups(args.groups, next(iter(runs.values())).classes),
        settings=ErrorSettings(iou_thr=args.iou_thr, score_thr=args.score_thr),
    )
    write_outputs(args, report, lambda: draw_errors(report, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main)
