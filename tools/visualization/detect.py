"""Detect at several scales in an image, a folder or list of images, or a video: numbers, pictures, or both.

Example: python tools/visualization/detect.py configs/det/sniper_openimages_sample.py \\
             work_dirs/demo/epoch_2.pth data/sample/OpenImages/validation/0000000000000385.jpg --plot found.png
         python tools/visualization/detect.py CONFIG CHECKPOINT photos/ --out found --format coco yolo --plot pictures

Of one image, --out is a .json or .csv file and --plot a picture. Of several, both are folders; --plot may be an .mp4
for a video. A run that was interrupted resumes: the same command detects in the images that are left.

Scales and test ranges are those of the config's tta_model; any other mmdet config takes them from here:
    --scales 1400,2000 800,1280 480,512 --test-ranges 0,90 32,180 75,0
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.cli.result_files import check_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.detection_formats import FORMATS
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.inference.image_source import open_source
from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.read_config import read_config
from mmdetpre.visualization.detect_images import detect_images, detect_one


def pair(text: str) -> tuple[float, float]:
    """Two numbers with a comma between them."""
    first, second = text.split(",")
    return float(first), float(second)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of any mmdet detector")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("source", type=Path, help="image, folder of images, .txt with a path per line, or video")
    parser.add_argument("--plot", type=Path, help="picture to write, such as found.png; of several images a folder")
    parser.add_argument("--out", type=Path, help="all detections, as .json or .csv; of several images a folder")
    parser.add_argument(
        "--format", nargs="+", choices=FORMATS, default=["coco"], help="what is written to the folder --out (coco)"
    )
    parser.add_argument("--score-thr", type=float, default=0.3, help="minimum score to draw and print (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=1, help="images that pass together (%(default)s)")
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
    source = open_source(args.source)
    if source.single:
        check_outputs(args, required=True, pictures=(".png", ".jpg", ".jpeg"))
    elif args.out is None:
        raise ValueError("Nothing is to be written: give --out FOLDER, and --plot FOLDER for pictures.")
    config = read_config(args.config, args.cfg_options)
    digest = hashlib.sha256(repr(config.to_dict()).encode()).hexdigest()
    detector = MultiScaleDetector(
        config, args.checkpoint, scales=args.scales, test_ranges=args.test_ranges, device=args.device
    )
    if source.single:
        print(detect_one(detector, source.files[0], args.out, args.plot, args.score_thr, overwrite=args.force))
        return 0
    made_by = {
        "checkpoint": f"{Path(args.checkpoint).name}, SHA-256 {file_sha256(args.checkpoint)[:16]}",
        "config": f"{args.config}, SHA-256 {digest[:16]}",
        "source": str(source.path.absolute()),
        "scales": repr(args.scales),
        "test ranges": repr(args.test_ranges),
    }
    try:
        broken, told = detect_images(
            detector,
            source,
            args.out,
            made_by,
            plot=args.plot,
            formats=args.format,
            score_thr=args.score_thr,
            batch_size=args.batch_size,
            overwrite=args.force,
        )
    except KeyboardInterrupt:
        print("detect: stopped; the same command, without --force, goes on here.", file=sys.stderr)
        return 130
    print(told)
    if broken:
        print(f"detect: {len(broken)} of {len(source.names)} images could not be read:", file=sys.stderr)
        print(*(f"  {printable(one.fault)}" for one in broken[:20]), sep="\n", file=sys.stderr)
    return 1 if len(broken) == len(source.names) else 0


if __name__ == "__main__":
    run_tool(main)
