"""How well networks classify images with several objects, and with small ones: the paper's fourth conclusion, measured.

Takes the images of a detection config whose objects are all of one class (--label only), or those of any objects with
the class that covers most (--label largest); the class is their label. A linear classifier learns from the features of
a frozen backbone (--model, any toolbox) on the training images; a fine-tuned classifier of mmpretrain whose classes
have the same names is taken as it is (--classifier). Prints accuracy on the test images by the number of objects and by
the part of the image that their class covers, and writes OUT/object_accuracy.json and .png; features and probes are
kept in OUT/NAME, so that a stopped run resumes.

Example: python tools/analysis_tools/object_accuracy.py --data-config configs/det/sniper_voc.py \\
    --model ImageNet=CONFIG,imagenet.pth --model OpenImages=CONFIG,openimages/backbone_final.pth --out work_dirs/objects
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import DictAction

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE, WholeImages, normalise, read_batches
from mmdetpre.analysis.features.extract import extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.analysis.object_accuracy.accuracy import RULES, format_object_accuracy, object_accuracy, to_dict
from mmdetpre.analysis.object_accuracy.images import object_images, with_classes
from mmdetpre.analysis.object_accuracy.plot import draw_object_accuracy
from mmdetpre.analysis.probes.layers import probe_layers
from mmdetpre.analysis.probes.linear_classifier import classifier_of_probe
from mmdetpre.cli.model_arguments import ModelFiles, named_models
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.inference.classifier import open_classifier
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.whole_file import write_figure, write_json

LAYER = "conv5_pooled"
LEAST = 5


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named: dict[str, Any] = dict(action="append", default=[], metavar="NAME=CONFIG,CHECKPOINT")
    parser.add_argument("--model", **named, help="a backbone to probe; repeat for more")
    parser.add_argument("--classifier", **named, help="a fine-tuned classifier of mmpretrain; repeat for more")
    parser.add_argument("--data-config", type=Path, required=True, help="detection config with train and test data")
    parser.add_argument("--test-part", default="test", choices=("val", "test"), help="images to test on (%(default)s)")
    parser.add_argument("--label", default="only", choices=RULES, help="which images, and their class (%(default)s)")
    parser.add_argument("--least", type=int, default=LEAST, help="training images that a class must have (%(default)s)")
    parser.add_argument("--resize-edge", type=int, default=RESIZE_EDGE, help="short side in pixels (%(default)s)")
    parser.add_argument("--crop", type=int, default=CROP, help="side of the centre square in pixels (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="start anew, replacing what is there")
    parser.add_argument("--batch-size", type=int, default=32, help="images that pass a model together (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode images (%(default)s)")
    parser.add_argument("--device", help="such as cuda:0; default: the GPU if there is one")
    parser.add_argument("--title", default="", help="headline of the picture")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override values of the models' configs")
    parser.add_argument("--data-options", nargs="+", action=DictAction, help="override values of --data-config")
    return parser.parse_args()


def probed(args: argparse.Namespace, name: str, files: ModelFiles, train: ImageSet, test: ImageSet) -> np.ndarray:
    """(n,) bool, whether a linear classifier on a frozen backbone classifies the test images correctly."""
    folder = args.out / name
    source = open_feature_source(*files, [LAYER], device=args.device, options=args.cfg_options)
    for part, images in (("train", train), ("test", test)):
        extract_features(
            source, images, folder / part, initialisation=name, resize_edge=args.resize_edge, crop=args.crop,
            batch_size=args.batch_size, workers=args.workers, overwrite=args.force,
        )  # fmt: skip
    learned, tested = (read_features(folder / part) for part in ("train", "test"))
    probe_layers(learned, tested, [LAYER], folder / "results", neighbours=None, overwrite=args.force)
    values = tested.layer(LAYER).reshape(len(tested), -1)
    return classifier_of_probe(folder, LAYER).probabilities(values).argmax(axis=1) == tested.labels


def classified(args: argparse.Namespace, name: str, files: ModelFiles, test: ImageSet) -> np.ndarray:
    """(n,) bool, whether a classifier classifies the test images correctly."""
    classifier = open_classifier(*files, device=args.device, options=args.cfg_options)
    wanted = [test.classes[label] for label in test.labels]
    if missing := sorted(set(wanted) - set(classifier.classes)):
        raise ValueError(
            f"{name} does not know the class {missing[0]} ({len(missing)} of those of {args.data_config}): give a"
            " classifier whose classes have the same names."
        )
    ready = classifier.preprocessing
    mean, std, order = ready.mean or (0.0,) * 3, ready.std or (1.0,) * 3, ready.channel_order or "bgr"
    rows = np.array_split(np.arange(len(test)), -(-len(test) // args.batch_size))
    found = []
    for pixels in read_batches(WholeImages(test, args.resize_edge, args.crop), rows, args.workers):
        with torch.inference_mode():
            scores = classifier(normalise(pixels.to(args.device), mean, std, order))
        found += [classifier.classes[int(label)] for label in scores.argmax(dim=1)]
    return np.array([a == b for a, b in zip(found, wanted, strict=True)])


def run(args: argparse.Namespace) -> str:
    models, classifiers = named_models(args.model), named_models(args.classifier)
    if not (models or classifiers):
        raise ValueError("Whose accuracy? Give --model or --classifier NAME=CONFIG,CHECKPOINT.")
    for name in (*models, *classifiers):
        if Path(name).name != name or (name in models and name in classifiers):
            raise ValueError(f"'{name}' is to be the name of a folder of its own: give each model another plain name.")
    numbers, picture = args.out / "object_accuracy.json", args.out / "object_accuracy.png"
    require_new_files([(numbers, (".json",)), (picture, (".png",))], force=args.force)
    args.device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    parts = ("train", args.test_part)
    train, test = (object_images(args.data_config, part, args.label, args.data_options) for part in parts)
    counts = np.bincount(train[0].labels, minlength=len(train[0].classes))
    kept = np.intersect1d(np.flatnonzero(counts >= args.least), test[0].labels)
    if len(kept) < 2:
        raise ValueError(
            f"{len(kept)} classes have {args.least} training images and a test image: there is nothing to tell"
            " apart. Lower --least, try --label largest, or take other data."
        )
    train, test = with_classes(*train, kept), with_classes(*test, kept)
    print(f"{len(kept)} classes, {len(train[0])} training images and {len(test[0])} test images")
    right = {name: probed(args, name, files, train[0], test[0]) for name, files in models.items()}
    right |= {name: classified(args, name, files, test[0]) for name, files in classifiers.items()}
    found = object_accuracy(test[1], right)
    told = {name: files._asdict() for name, files in (models | classifiers).items()}
    content = {"format": "mmdetpre object accuracy", "data": str(args.data_config), "label": args.label, "models": told}
    write_json(numbers, content | {"accuracy": to_dict(found)}, overwrite=True)
    write_figure(picture, draw_object_accuracy(found, title=args.title))
    return f"{format_object_accuracy(found)}\n\nWritten to {numbers} and {picture}"


def main() -> int:
    args = parse_args()
    table = run(args)
    print(table)
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
