"""Shift a blank square over images and map the probability of the correct class: Figure 9 of the paper.

For classifiers of mmpretrain on any backbone (--model), and for frozen backbones with the linear classifier of a probe
(--probe, a folder of layer_probes.py), as in the paper. All see the same pixels: short side --resize-edge, centre
--crop, then their own mean, deviation and channel order. Positions of the square's top left pixel: 0, stride,
2 * stride, ... and the last at which it fits. The class is --label, or else the name of the folder that an image lies
in. With probes alone, images may be left out: --choose takes test images that all of them classify correctly.

Example: python tools/visualization/mask_out.py --model ImageNet=CONFIG,work_dirs/a/epoch_90.pth \\
    --model OpenImages=CONFIG,work_dirs/b/epoch_90.pth dog/1.jpg --plot masked.png --out masked.json
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE
from mmdetpre.analysis.mask_out.mask_out import BATCH, BATCH_GPU, MASK, STRIDE
from mmdetpre.analysis.mask_out.plot import draw_masked_images
from mmdetpre.analysis.mask_out.report import mask_out_images
from mmdetpre.analysis.probes.classifier import images_all_classify, open_probe_classifier
from mmdetpre.cli.model_arguments import ModelFiles, named_models
from mmdetpre.cli.result_files import add_outputs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.classifier import Classifier, open_classifier
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.utils.file_arguments import named_files


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", help="image files")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=CONFIG,CHECKPOINT",
        help="a classifier; repeat for more",
    )
    parser.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a frozen backbone and its linear probe, from a folder of layer_probes.py; repeat for more",
    )
    parser.add_argument("--layer", default="conv5_pooled", help="layer of the probes (%(default)s)")
    parser.add_argument("--choose", type=int, metavar="N", help="instead of images: so many of the probes' test images")
    parser.add_argument(
        "--label",
        nargs="+",
        default=[],
        metavar="NAME|INDEX",
        help="class of all images, or one per image (the name of each image's folder)",
    )
    parser.add_argument("--mask", type=int, default=MASK, help="side of the square in pixels (%(default)s)")
    parser.add_argument("--stride", type=int, default=STRIDE, help="pixels between positions (%(default)s)")
    parser.add_argument(
        "--gray", "--grey", type=float, metavar="LEVEL", help="gray level of the square (the mean color)"
    )
    parser.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    parser.add_argument("--crop", type=int, default=CROP, help="side of the center square in pixels (%(default)s)")
    parser.add_argument(
        "--batch-size", type=int, help=f"positions per forward ({BATCH} on a CPU, {BATCH_GPU} on a GPU)"
    )
    parser.add_argument("--device", help="such as cuda:0 or cpu (the GPU if there is one)")
    parser.add_argument("--own-scale", action="store_true", help="color each map from its lowest to its highest value")
    add_outputs(parser, "probabilities to write (.json, .csv)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of all configs: key=value")
    return parser.parse_args()


def _opened(
    args: argparse.Namespace, models: Mapping[str, ModelFiles], probes: Mapping[str, Path], device: str
) -> tuple[dict[str, Classifier], list[str | Path], list[str]]:
    """Classifiers by name, images, and their labels."""
    if not (models or probes):
        raise ValueError("Whose maps? Give --model NAME=CONFIG,CHECKPOINT or --probe NAME=FOLDER.")
    if twice := [name for name in models if name in probes]:
        raise ValueError(f"A model and a probe are called '{twice[0]}': give each a name of its own.")
    if bool(args.images) == (args.choose is not None):
        raise ValueError("Which images? Give image files, or --choose N where all are probes.")
    images, labels = list(args.images), list(args.label)
    if args.choose is not None:
        if models or labels or args.choose < 1:
            raise ValueError(
                "--choose N takes N of the probes' test images with their classes: no --model, no --label."
            )
        images, labels = images_all_classify(list(probes.values()), args.choose, args.layer)
    opened: dict[str, Classifier] = {
        name: open_classifier(*files, device=device, options=args.cfg_options) for name, files in models.items()
    }
    for name, folder in probes.items():
        opened[name] = open_probe_classifier(folder, args.layer, device=device, options=args.cfg_options)
    return opened, images, labels


def main() -> int:
    args = parse_args()
    check_outputs(args, required=True)
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    settings = {name: getattr(args, name) for name in ("mask", "stride", "gray", "resize_edge", "crop")}
    settings["batch_size"] = (BATCH if device == "cpu" else BATCH_GPU) if args.batch_size is None else args.batch_size
    models, probes = named_models(args.model), named_files(args.probe, "ImageNet=work_dirs/probe")
    classifiers, images, labels = _opened(args, models, probes, device)
    report = mask_out_images(classifiers, images, labels=labels, **settings, progress=True)
    sources: dict[str, dict[str, str]] = {name: files._asdict() for name, files in models.items()}
    sources |= {name: {"probe": str(folder), "layer": args.layer} for name, folder in probes.items()}
    report = replace(report, settings={**report.settings, "models": sources})
    write_outputs(args, report, lambda: draw_masked_images(report, own_scale=args.own_scale, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
