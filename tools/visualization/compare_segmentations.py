"""Draw image, truth and the segmentations of several models side by side: Figure 3 of the paper.

A run is a folder of predicted label maps, <image>.png: `mim test mmsegmentation CONFIG --checkpoint FILE --out FOLDER`
writes it. Images and truth come from the test data of --config, or from --img-dir and --truth-dir.

Example: python tools/visualization/compare_segmentations.py --config configs/seg/deeplab_voc.py \\
    --run ImageNet=work_dirs/a/maps --run OpenImages=work_dirs/b/maps --largest-difference 4 --plot panels.png
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
from mmdetpre.utils.class_list import read_class_names
from mmdetpre.utils.file_arguments import named_files
from mmdetpre.visualization.image_scores import segmentation_scores
from mmdetpre.visualization.segmentation_images import SegmentationImages, images_of_config, images_of_folders
from mmdetpre.visualization.segmentation_panels import draw_segmentations
from mmdetpre.visualization.segmentation_runs import compare_segmentations


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; repeat for more", "FOLDER")
    add_outputs(parser, "mIoU per image and run to write, .csv or .json")
    add_image_choice(parser, 4, "images of these names, without suffix", "the mIoU of the image")
    parser.add_argument("--config", help="take images, truth and classes from the test data of this config")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")
    parser.add_argument("--img-dir", help="folder of the images, instead of --config")
    parser.add_argument("--truth-dir", help="folder of their label maps, <image>.png, instead of --config")
    parser.add_argument("--classes", help="text file, a class per line, for --truth-dir (the 21 of VOC)")
    parser.add_argument("--opacity", type=float, default=1.0, help="of the colours over the image (%(default)s)")
    return parser.parse_args()


def find_images(args: argparse.Namespace) -> SegmentationImages:
    folders = (args.img_dir, args.truth_dir)
    if args.config and not any((*folders, args.classes)):
        return images_of_config(args.config, args.cfg_options)
    if all(folders) and not args.config:
        return images_of_folders(*folders, args.classes and read_class_names(args.classes))
    raise ValueError("Say where images and truth are: either --config CONFIG, or --img-dir FOLDER --truth-dir FOLDER.")


def main() -> int:
    args = parse_args()
    check_outputs(args, required=True)
    runs = named_files(args.run, "scratch=work_dirs/scratch/maps")
    images = find_images(args)
    chosen = compare_segmentations(images, runs, image_choice(args))
    shown = {"ignore_index": images.ignore_index, "opacity": args.opacity}
    names = tuple(runs)
    scores = segmentation_scores(chosen, names)
    write_outputs(args, scores, lambda: draw_segmentations(chosen, names, images.classes, images.palette, **shown))
    print(f"{len(chosen)} images: {', '.join(image.name for image in chosen)}")
    return 0


if __name__ == "__main__":
    run_tool(main)
