"""Shift a blank square over images and map the probability of the correct class: Figure 9 of the paper.

For classifiers of mmpretrain on any backbone. All see the same pixels: short side --resize-edge, centre --crop, then
their own mean, deviation and channel order. Positions of the square's top left pixel: 0, stride, 2 * stride, ... and
the last at which it fits. The class is --label, or else the name of the folder that an image lies in.

Example: python tools/visualizations/mask_out.py --model ImageNet=CONFIG,work_dirs/a/epoch_90.pth \\
    --model OpenImages=CONFIG,work_dirs/b/epoch_90.pth dog/1.jpg --plot masked.png --out masked.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.mask_out import BATCH, BATCH_GPU, MASK, STRIDE
from mmdetpre.analysis.mask_out_report import format_masked, mask_out_images, write_masked
from mmdetpre.analysis.named_models import named_models
from mmdetpre.analysis.whole_images import CROP, RESIZE_EDGE
from mmdetpre.file_arguments import require_new_files
from mmdetpre.models.classifier import open_classifier
from mmdetpre.visualization.mask_out import draw_masked_images
from mmdetpre.whole_file import write_figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", help="image files")
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME=CONFIG,CHECKPOINT",
        help="a classifier; repeat for more",
    )
    parser.add_argument(
        "--label",
        nargs="+",
        default=[],
        metavar="NAME|INDEX",
        help="class of all images, or one per image (the name of each image's folder)",
    )
    parser.add_argument("--mask", type=int, default=MASK, help="side of the square in pixels (%(default)s)")
    parser.add_argument("--stride", type=int, default=STRIDE, help="pixels between positions (%(default)s)")
    parser.add_argument("--grey", type=float, metavar="LEVEL", help="grey level of the square (the mean colour)")
    parser.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    parser.add_argument("--crop", type=int, default=CROP, help="side of the centre square in pixels (%(default)s)")
    parser.add_argument(
        "--batch-size", type=int, help=f"positions per forward ({BATCH} on a CPU, {BATCH_GPU} on a GPU)"
    )
    parser.add_argument("--device", help="such as cuda:0 or cpu (the GPU if there is one)")
    parser.add_argument("--own-scale", action="store_true", help="colour each map from its least to its greatest value")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="probabilities to write (.json, .csv)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of all configs: key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    settings = {name: getattr(args, name) for name in ("mask", "stride", "grey", "resize_edge", "crop")}
    settings["batch_size"] = (BATCH if device == "cpu" else BATCH_GPU) if args.batch_size is None else args.batch_size
    try:
        require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".json", ".csv"))], force=args.force)
        if not (args.plot or args.out):
            raise ValueError("Nothing is to be written: give --plot, --out or both.")
        models = named_models(args.model)
        classifiers = {
            name: open_classifier(*files, device=device, options=args.cfg_options) for name, files in models.items()
        }
        found = mask_out_images(classifiers, args.images, labels=args.label, **settings, progress=True)
    except (OSError, ValueError) as error:
        print(f"mask_out: {error}", file=sys.stderr)
        return 1
    print(format_masked(found))
    if args.out:
        write_masked(args.out, found, {**settings, "models": {name: files._asdict() for name, files in models.items()}})
    if args.plot:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        write_figure(args.plot, draw_masked_images(found, own_scale=args.own_scale, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
