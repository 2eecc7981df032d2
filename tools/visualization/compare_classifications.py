"""Draw images above what several classifiers predict for them, as a grid in one picture.

A run is the work dir of a test with mmdetpre.WriteLabelsHook, or a folder of layer_probes.py, whose linear classifier
is shown then.

Example: python tools/visualization/compare_classifications.py --run scratch=work_dirs/a/test \\
    --run ImageNet=work_dirs/b/test --gains-and-losses 3 --plot compared.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdetpre.analysis.probes.classifier import probe_labels
from mmdetpre.cli.result_files import (
    add_image_choice,
    add_outputs,
    add_runs,
    check_outputs,
    image_choice,
    write_outputs,
)
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.hooks.write_labels_hook import CLASSES, FILE, ImageLabel, read_labels
from mmdetpre.utils.class_list import read_class_names
from mmdetpre.utils.file_arguments import named_files
from mmdetpre.visualization.classified_images import compare_classifications, draw_classifications
from mmdetpre.visualization.image_scores import classification_scores


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_runs(parser, "a run and its name; repeat for more", "FOLDER")
    add_outputs(parser, "probability of the true class per image and run to write, .csv or .json")
    add_image_choice(parser, 6, "images of these paths", "being right, then in the probability of the true class")
    parser.add_argument("--layer", default="conv5_pooled", help="layer of the probes (%(default)s)")
    parser.add_argument("--columns", type=int, default=3, help="images side by side (%(default)s)")
    return parser.parse_args()


def read_run(folder: Path, layer: str) -> tuple[list[ImageLabel], Sequence[str]]:
    if (folder / FILE).is_file():
        labels, classes = read_labels(folder / FILE), read_class_names(folder / CLASSES)
        if not all(0 <= label < len(classes) for one in labels for label in (one.label, one.prediction)):
            raise ValueError(f"{folder / FILE} has labels beyond the {len(classes)} classes of {CLASSES}: test again.")
        return labels, classes
    if (folder / "results").is_dir():
        return probe_labels(folder, layer)
    raise FileNotFoundError(
        f"{folder} holds neither {FILE} nor results of layer_probes.py: test with"
        " --cfg-options default_hooks.labels.type=mmdetpre.WriteLabelsHook."
    )


def main() -> int:
    args = parse_args()
    check_outputs(args, required=True)
    found = {
        name: read_run(folder, args.layer) for name, folder in named_files(args.run, "scratch=work_dirs/a").items()
    }
    names, (_, classes) = tuple(found), next(iter(found.values()))
    images = compare_classifications({name: labels for name, (labels, _) in found.items()}, image_choice(args))
    scores = classification_scores(images, names)
    write_outputs(args, scores, lambda: draw_classifications(images, names, classes, columns=args.columns))
    print(f"{len(images)} images: {', '.join(image.name for image in images)}")
    return 0


if __name__ == "__main__":
    run_tool(main)
