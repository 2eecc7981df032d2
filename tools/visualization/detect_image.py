"""Detect at several scales in one image; write the detections as numbers, as a picture, or both.

Example: python tools/visualization/detect_image.py configs/det/sniper_openimages_sample.py \\
             work_dirs/demo/epoch_2.pth data/sample/OpenImages/validation/0000000000000385.jpg --plot found.png

Scales and test ranges are those of the config's tta_model; any other mmdet config takes them from here:
    --scales 1400,2000 800,1280 480,512 --test-ranges 0,90 32,180 75,0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
from mmengine.config import DictAction

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.utils.file_arguments import picture_and_numbers
from mmdetpre.utils.whole_file import write_json, write_picture, write_rows
from mmdetpre.visualization.detections import draw_detections


def pair(text: str) -> tuple[float, float]:
    """Two numbers with a comma between them."""
    first, second = text.split(",")
    return float(first), float(second)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of any mmdet detector")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("image", help="image file")
    parser.add_argument("--plot", type=Path, help="picture to write, such as found.png")
    parser.add_argument("--out", type=Path, help="all detections, as .json or .csv")
    parser.add_argument("--score-thr", type=float, default=0.3, help="minimum score to draw and print (%(default)s)")
    parser.add_argument(
        "--scales",
        nargs="+",
        type=pair,
        metavar="M,N",
        help="per scale: short side, maximum of the long one, pixels",
    )
    parser.add_argument(
        "--test-ranges",
        nargs="+",
        type=pair,
        metavar="LO,HI",
        help="per scale: sizes sqrt(width * height) that are kept, original pixels; 0 is an open end",
    )
    parser.add_argument("--device", help="such as cuda:0 or cpu (the GPU if there is one)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    plot, out = picture_and_numbers(args.plot, args.out, pictures=(".png", ".jpg", ".jpeg"), force=args.force)
    detector = MultiScaleDetector(
        args.config,
        args.checkpoint,
        scales=args.scales,
        test_ranges=args.test_ranges,
        device=args.device,
        cfg_options=args.cfg_options,
    )
    [sample] = detector.detect([args.image])
    found = sample.pred_instances
    if plot:
        image = cv2.cvtColor(cv2.imread(args.image), cv2.COLOR_BGR2RGB)
        write_picture(plot, draw_detections(image, None, found, detector.classes, args.score_thr))
    boxes, scores, labels = found.bboxes.tolist(), found.scores.tolist(), found.labels.tolist()
    if out and out.suffix == ".csv":
        rows = ([detector.classes[i], score, *box] for i, score, box in zip(labels, scores, boxes, strict=True))
        write_rows(out, [["class", "score", "x1", "y1", "x2", "y2"], *rows], overwrite=args.force)
    elif out:  # the names of mmdet's image_demo.py
        content = {
            "image": args.image,
            "classes": detector.classes,
            "labels": labels,
            "scores": scores,
            "bboxes": boxes,
        }
        write_json(out, content, overwrite=args.force)
    shown = found[found.scores >= args.score_thr]
    for label, score, box in zip(
        shown.labels.tolist(), shown.scores.tolist(), shown.bboxes.round().int().tolist(), strict=True
    ):
        print(f"{score:.3f}  {detector.classes[label]:<24} {box}")
    if plot:
        print(f"{len(shown)} of {len(found)} detections drawn in {plot}")
    if out:
        print(f"{len(found)} detections written to {out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
