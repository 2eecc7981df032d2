"""Draw what a test from coarse to fine looks at in an image: focus map, rectangles and detections of each scale.

Example: python tools/visualization/focus_chips.py configs/det/sniper_coco_autofocus_sample.py \\
             work_dirs/sniper_coco_autofocus_sample/epoch_2.pth photo.jpg --plot focus.png

Other thresholds: --cfg-options tta_model.focus.0.threshold=0.1 (of the finest scale; 1 is that of the next one).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
from mmengine.config import DictAction

from mmdetpre.cli.result_files import PICTURES
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.whole_file import write_figure
from mmdetpre.visualization.focus_views import draw_focus_views, looked_at


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of a detector with a focus branch, tested by mmdetpre.FocusTTA")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("image", help="image file")
    parser.add_argument("--plot", type=Path, required=True, help="picture to write, such as focus.png")
    parser.add_argument("--score-thr", type=float, default=0.3, help="minimum score to draw (%(default)s)")
    parser.add_argument("--device", help="such as cuda:0 or cpu (the GPU if there is one)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, PICTURES)], force=args.force)
    detector = MultiScaleDetector(args.config, args.checkpoint, device=args.device, cfg_options=args.cfg_options)
    sample, views = detector.look(args.image)
    image = cv2.cvtColor(cv2.imread(args.image), cv2.COLOR_BGR2RGB)
    stride = detector.model.module.focus_head.featmap_stride
    found = sample.pred_instances
    name = Path(args.image).name
    figure = draw_focus_views(image, views, found, detector.classes, stride, args.score_thr, title=name)
    write_figure(args.plot, figure, overwrite=args.force)
    for number, view in zip(range(len(views), 0, -1), views, strict=True):
        width, height = view.size
        print(f"scale {number}, {width} x {height}: {len(view.rectangles)} rectangles, {100 * looked_at(view):.0f} %")
    print(f"{len(found)} detections; drawn in {args.plot}")
    return 0


if __name__ == "__main__":
    run_tool(main)
