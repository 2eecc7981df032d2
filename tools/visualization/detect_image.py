"""Detect at several scales in one image; write the detections as numbers, as a picture, or both.

Example: python tools/visualization/detect_image.py configs/det/sniper_openimages_sample.py \\
             work_dirs/demo/epoch_2.pth data/sample/OpenImages/validation/0000000000000385.jpg --plot found.png

Scales and test ranges are those of the config's tta_model; any other mmdet config takes them from here:
    --scales 1400,2000 800,1280 480,512 --test-ranges 0,90 32,180 75,0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
from mmengine.config import DictAction

from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.utils.whole_file import write_json, write_picture
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
    parser.add_argument("--out", type=Path, help="JSON file of all detections to write, such as found.json")
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
    if args.out and args.out.suffix.lower() in (".png", ".jpg", ".jpeg") and not args.plot:
        print("--out with a picture is called --plot now; the next release refuses it.", file=sys.stderr)
        args.plot, args.out = args.out, None
    if not args.plot and not args.out:
        raise ValueError("nothing to write: give --plot found.png, --out found.json, or both.")
    for name, path in (("--plot", args.plot), ("--out", args.out)):
        if path and path.exists() and not args.force:
            raise FileExistsError(f"{path} exists: choose another {name}, or overwrite it with --force.")
    if args.plot and not cv2.haveImageWriter(str(args.plot)):
        raise ValueError(f"--plot {args.plot} is not a picture format: end it in .png or .jpg.")
    if args.out and args.out.suffix.lower() != ".json":
        raise ValueError(f"--out {args.out} is for the numbers: end it in .json. --plot writes a picture.")
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
    if args.plot:
        image = cv2.cvtColor(cv2.imread(args.image), cv2.COLOR_BGR2RGB)
        write_picture(args.plot, draw_detections(image, None, found, detector.classes, args.score_thr))
    if args.out:
        content = {name: found[name].tolist() for name in ("labels", "scores", "bboxes")}  # as mmdet's image_demo.py
        write_json(args.out, {"image": args.image, "classes": detector.classes, **content}, overwrite=args.force)
    shown = found[found.scores >= args.score_thr]
    for label, score, box in zip(
        shown.labels.tolist(), shown.scores.tolist(), shown.bboxes.round().int().tolist(), strict=True
    ):
        print(f"{score:.3f}  {detector.classes[label]:<24} {box}")
    if args.plot:
        print(f"{len(shown)} of {len(found)} detections drawn in {args.plot}")
    if args.out:
        print(f"{len(found)} detections written to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
