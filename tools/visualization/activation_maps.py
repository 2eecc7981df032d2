"""Where the last stage of a backbone is active in images, several checkpoints side by side: Figure 8 of the paper.

For models of mmdet, mmsegmentation and mmpretrain. All see the same pixels, whole images with the short side
--resize-edge, then their own mean, deviation and channel order. The checkpoint may be any file that holds the backbone,
such as work_dirs/RUN/backbone_final.pth. Maps are means over the channels, each scaled from its minimum to its maximum.

Example: python tools/visualization/activation_maps.py \\
    --model ImageNet=configs/cls/imagenet_cls.py,work_dirs/imagenet_cls/backbone_final.pth \\
    --model OpenImages=configs/det/sniper_openimages.py,work_dirs/sniper_openimages/epoch_14.pth \\
    photo.jpg --plot activations.png --out activations.json
"""

from __future__ import annotations

import argparse

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.activation.plot import check_overlay, draw_activation_maps
from mmdetpre.analysis.activation.report import activations_of_images
from mmdetpre.analysis.features.batches import RESIZE_EDGE
from mmdetpre.analysis.features.extract import open_feature_source
from mmdetpre.cli.model_arguments import named_models
from mmdetpre.cli.result_files import add_outputs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer.load_report import BackboneNotLoaded


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
    add_outputs(parser, "means over the channels to write (.json, .csv, .npz)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of all configs: key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    check_outputs(args, ".npz", required=True)
    check_overlay(args.overlay)
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    sources = {
        name: open_feature_source(
            *files, [args.layer], device=device, options=args.cfg_options, conv5=args.conv5, dense=True
        )
        for name, files in named_models(args.model).items()
    }
    report = activations_of_images(sources, args.layer, args.images, resize_edge=args.resize_edge, progress=True)
    write_outputs(
        args,
        report,
        lambda: draw_activation_maps(report, overlay=args.overlay, title=args.title),
        report.save_arrays,
    )
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
