"""Draw the boxes of two runs in two colours on the same images, as a grid in one picture.

A run is a file of mmdetpre.DumpDetections. Images are found at the paths stored in the first file, or by --img-dir.

Example: python tools/visualization/compare_detections.py --run ImageNet=work_dirs/a/detections.npz \\
    --run OpenImages=work_dirs/b/detections.npz --largest-difference 6 --plot compared.png
"""

from __future__ import annotations

import argparse

from mmengine.config import DictAction

from mmdetpre.cli.result_files import (
    add_image_choice,
    add_outputs,
    add_runs,
    check_outputs,
    image_choice,
    write_outputs,
)
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.evaluation.detections.load_runs import load_runs
from mmdetpre.visualization.compare_runs import compare_runs
from mmdetpre.visualization.compared_runs import draw_comparison
from mmdetpre.visualization.image_scores import detection_scores


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; give two")
    add_outputs(parser, "objects found per image and run to write, .csv or .json")
    add_image_choice(parser, 6, "images with these ids", "the number of objects they find")
    parser.add_argument("--score-thr", type=float, default=0.5, help="least score of a box (%(default)s)")
    parser.add_argument("--img-dir", help="folder of the images")
    parser.add_argument("--config", help="take image paths and ground truth from the test data of this config")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    parser.add_argument("--columns", type=int, default=3, help="images side by side (%(default)s)")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args, required=True)
    runs = load_runs(args.run, args.config, args.cfg_options)
    images = compare_runs(runs, image_choice(args), score_thr=args.score_thr, img_dir=args.img_dir)
    classes = next(iter(runs.values())).classes
    shown = {"score_thr": args.score_thr, "columns": args.columns}
    scores = detection_scores(images, tuple(runs))
    write_outputs(args, scores, lambda: draw_comparison(images, tuple(runs), classes, **shown))
    print(f"{len(images)} images: {', '.join(image.name for image in images)}")
    return 0


if __name__ == "__main__":
    run_tool(main)
