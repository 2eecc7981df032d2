"""Where the last stage of a backbone is active in images, several checkpoints side by side: Figure 8 of the paper.

For models of mmdet, mmsegmentation and mmpretrain. All see the same pixels, whole images with the short side
--resize-edge, then their own mean, deviation and channel order. The checkpoint may be any file that holds the backbone,
such as work_dirs/RUN/backbone_final.pth. Maps are means over the channels, each scaled from its least to its greatest.

Example: python tools/visualization/activation_maps.py \\
    --model ImageNet=configs/cls/imagenet_cls.py,work_dirs/imagenet_cls/backbone_final.pth \\
    --model OpenImages=configs/det/sniper_openimages.py,work_dirs/sniper_openimages/epoch_14.pth \\
    photo.jpg --plot activations.png --out activations.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.activation.plot import check_overlay, draw_activation_maps
from mmdetpre.analysis.activation.report import activations_of_images, write_activations
from mmdetpre.analysis.features.batches import RESIZE_EDGE
from mmdetpre.analysis.features.extract import open_feature_source
from mmdetpre.cli.model_arguments import named_models
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.tables import text_table
from mmdetpre.utils.whole_file import write_figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", help="image files")
    parser.add_argument(
        "--model", action="append", required=True, metavar="NAME=CONFIG,CHECKPOINT", help="a model; repeat for more"
    )
    parser.add_argument("--layer", default="conv5", help="layer with maps: conv5, backbone.layer3, ... (%(default)s)")
    parser.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    parser.add_argument("--overlay", type=float, default=0.0, help="part of the image that shows through (%(default)g)")
    parser.add_argument(
        "--conv5",
        choices=("trained", "config"),
        default="trained",
        help="run the backbone with the strides its weights were trained with, or as configured (%(default)s)",
    )
    parser.add_argument("--device", help="such as cuda:0 or cpu (the GPU if there is one)")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--plot", type=Path, help="picture to write (.png, .pdf, .svg)")
    parser.add_argument("--out", type=Path, help="means over the channels to write (.npz, .csv)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of all configs: key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.plot, (".png", ".pdf", ".svg")), (args.out, (".npz", ".csv"))], force=args.force)
    if not (args.plot or args.out):
        raise ValueError("Nothing is to be written: give --plot, --out or both.")
    check_overlay(args.overlay)
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    sources = {
        name: open_feature_source(
            *files, [args.layer], device=device, options=args.cfg_options, conv5=args.conv5, dense=True
        )
        for name, files in named_models(args.model).items()
    }
    found = activations_of_images(sources, args.layer, args.images, resize_edge=args.resize_edge, progress=True)
    rows = [
        [Path(image.name).name, name, f"{mean.shape[0]}x{mean.shape[1]}", f"{mean.min():.4f}", f"{mean.max():.4f}"]
        for image in found
        for name, mean in image.means.items()
    ]
    print(text_table(["image", "model", "places", "least", "greatest"], rows))
    if args.out:
        write_activations(args.out, found)
    if args.plot:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        write_figure(args.plot, draw_activation_maps(found, overlay=args.overlay, title=args.title))
    for path in filter(None, (args.out, args.plot)):
        print(f"Written to {path}")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
