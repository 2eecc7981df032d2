"""How well networks classify images with several objects, and with small ones: the paper's fourth conclusion, measured.

Takes the images of a detection config whose objects are all of one class (--label only), or those of any objects with
the class that covers most (--label largest); the class is their label. A linear classifier is trained on the features
of a frozen backbone (--model, any toolbox) of the training images; a fine-tuned classifier of mmpretrain whose classes
have the same names is taken as it is (--classifier). Prints accuracy on the test images by the number of objects and by
the part of the image that their class covers. Features and probes are kept in WORK_DIR/NAME, so that a stopped run
resumes.

Example: python tools/analysis_tools/object_accuracy.py --data-config configs/det/sniper_voc.py \\
    --model ImageNet=CONFIG,imagenet.pth --model OpenImages=CONFIG,openimages/backbone_final.pth \\
    --work-dir work_dirs/objects --plot objects.png --out objects.json
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE
from mmdetpre.analysis.object_accuracy.accuracy import RULES, object_accuracy
from mmdetpre.analysis.object_accuracy.classify import Runner
from mmdetpre.analysis.object_accuracy.images import common_classes, object_images
from mmdetpre.analysis.object_accuracy.plot import draw_object_accuracy
from mmdetpre.cli.model_arguments import named_models
from mmdetpre.cli.result_files import NUMBERS, add_outputs, check_outputs, write_outputs
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer.load_report import BackboneNotLoaded


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named: dict[str, Any] = dict(action="append", default=[], metavar="NAME=CONFIG,CHECKPOINT")
    parser.add_argument("--model", **named, help="a backbone to probe; repeat for more")
    parser.add_argument("--classifier", **named, help="a fine-tuned classifier of mmpretrain; repeat for more")
    parser.add_argument("--data-config", type=Path, required=True, help="detection config with train and test data")
    parser.add_argument("--test-part", default="test", choices=("val", "test"), help="test images (%(default)s)")
    parser.add_argument("--label", default="only", choices=RULES, help="which images, and their class (%(default)s)")
    parser.add_argument("--least", type=int, default=5, help="training images that a class must have (%(default)s)")
    parser.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    parser.add_argument("--crop", type=int, default=CROP, help="side of the center square in pixels (%(default)s)")
    parser.add_argument(
        "--work-dir",
        type=Path,
        default=Path("work_dirs/objects"),
        help="where features and probes are kept (%(default)s)",
    )
    parser.add_argument("--batch-size", type=int, default=32, help="images that pass a model together (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode images (%(default)s)")
    parser.add_argument("--device", help="such as cuda:0; default: the GPU if there is one")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of the models' configs")
    parser.add_argument("--data-options", nargs="+", action=DictAction, help="override values of --data-config")
    add_outputs(parser)
    args = parser.parse_args()
    if args.out and args.out.suffix not in NUMBERS:  # a folder, until version 0.1
        text = f"--out {args.out}: give --work-dir FOLDER, --out FILE.json and --plot FILE.png."
        warnings.warn(text, FutureWarning, stacklevel=2)
        args.work_dir, args.plot = args.out, args.plot or args.out / "object_accuracy.png"
        args.out = args.out / "object_accuracy.json"
    return args


def main() -> int:
    args = parse_args()
    models, classifiers = named_models(args.model), named_models(args.classifier)
    if not (models or classifiers):
        raise ValueError("Whose accuracy? Give --model or --classifier NAME=CONFIG,CHECKPOINT.")
    for name in (*models, *classifiers):
        if Path(name).name != name or (name in models and name in classifiers):
            raise ValueError(f"'{name}' is to be the name of a folder of its own: give each model another plain name.")
    check_outputs(args)
    parts = ("train", args.test_part)
    learned, tested = (object_images(args.data_config, part, args.label, args.data_options) for part in parts)
    (train, _), (test, objects) = common_classes(learned, tested, args.least)
    print(f"{len(set(train.labels.tolist()))} classes, {len(train)} training images and {len(test)} test images")
    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    sizes = {name: getattr(args, name) for name in ("resize_edge", "crop", "batch_size", "workers")}
    runner = Runner(device, args.cfg_options, **sizes, overwrite=args.force)
    right = {name: runner.probe(*files, train, test, args.work_dir / name) for name, files in models.items()}
    right |= {name: runner.classify(*files, test, name) for name, files in classifiers.items()}
    sources = {name: files._asdict() for name, files in (models | classifiers).items()}
    result = replace(object_accuracy(objects, right), data=str(args.data_config), label=args.label, models=sources)
    write_outputs(args, result, lambda: draw_object_accuracy(result, title=args.title))
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
