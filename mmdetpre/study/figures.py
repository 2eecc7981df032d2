"""The figures of a study: what draws them, of which task. A new figure is a row of `FIGURES`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """How a figure is made.

    Attributes:
        title: In the report.
        caption: In the report, after the title of the task.
        kind: Kind of the task that it shows: the first of the study.
        tool: Command line tool.
        arguments: What gives the tool's arguments without the files to write, a function of
            `mmdetpre.study.runs.figure`.
        data: Suffix of the numbers that it writes beside the picture, or None.
        photos: Whether it shows photos of the data.
        suffix: Of the picture.
        of_two: Whether it compares two initializations; else it shows all.
        paper_pair: The two that the paper's caption names.
    """

    title: str
    caption: str
    kind: str
    tool: str
    arguments: str
    data: str | None = None
    photos: bool = False
    suffix: str = ".png"
    of_two: bool = False
    paper_pair: tuple[str, str] | None = None


FIGURES: dict[int, Figure] = {
    1: Figure(
        "mAP over the IoU threshold", "one curve per initialization, first seed.", "detection",
        "analysis_tools/iou_sweep.py", "scores", ".json",
    ),
    2: Figure(
        "Detections of two initializations", "images where they differ most, first seed.", "detection",
        "visualization/compare_detections.py", "boxes", photos=True, of_two=True,
        paper_pair=("imagenet_cls", "openimages"),
    ),
    3: Figure(
        "Segmentations of two initializations", "images where they differ most, first seed.", "segmentation",
        "visualization/compare_segmentations.py", "maps", photos=True, of_two=True,
        paper_pair=("imagenet_cls", "imagenet_loc"),
    ),
    4: Figure(
        "mIoU near boundaries and away from them", "over the width of the trimap, first seed.", "segmentation",
        "analysis_tools/trimap_curves.py", "scores", ".json",
    ),
    5: Figure(
        "Closest pairs", "pairs of test images closest in either space, and close in one but distant in the other.",
        "linear", "analysis_tools/closest_pairs.py", "pairs", ".json", photos=True, of_two=True,
    ),
    6: Figure(
        "Cluster agreement", "test images that share a cluster in one space and in the other.",
        "linear", "analysis_tools/cluster_agreement.py", "agreement", ".json", of_two=True,
    ),
    7: Figure(
        "t-SNE of average-pooled conv5", "test images; colored are classes that lie far apart in all spaces.",
        "linear", "analysis_tools/tsne.py", "tsne", ".csv",
    ),
    8: Figure(
        "Activations of conv5", "mean over the channels, before any fine-tuning.",
        "linear", "visualization/activation_maps.py", "activations", ".csv", photos=True,
    ),
    9: Figure(
        "Probability of the correct class under a mask",
        "linear classifiers on the frozen backbones; test images that all of them classify correctly.",
        "linear", "visualization/mask_out.py", "masked", ".json", photos=True, of_two=True,
    ),
}  # fmt: skip
"""Number of the paper's figure -> how it is made."""

IMAGES = "images"
"""Stands among the numbers of a study's figures for those of `GAINS`."""
_EXTREMES = "first those of its greatest gains, then those of its greatest losses; first seed. They show no average."
_CLASSIFIED = f"a gain is right instead of wrong, else a higher probability of the true class; {_EXTREMES}"
GAINS: dict[str, Figure] = {
    "detection": Figure(
        "Where {init} finds more objects than {base}, and fewer", _EXTREMES, "detection",
        "visualization/compare_detections.py", "gained_boxes", photos=True, suffix=".jpg",
    ),
    "segmentation": Figure(
        "Where {init} segments better than {base}, and worse", _EXTREMES, "segmentation",
        "visualization/compare_segmentations.py", "gained_maps", photos=True, suffix=".jpg",
    ),
    "classification": Figure(
        "Where {init} classifies better than {base}, and worse", _CLASSIFIED, "classification",
        "visualization/compare_classifications.py", "gained_labels", photos=True, suffix=".jpg",
    ),
    "linear": Figure(
        "Where {init} classifies better than {base}, and worse",
        f"linear classifiers on the frozen backbones; {_CLASSIFIED}", "linear",
        "visualization/compare_classifications.py", "gained_labels", photos=True, suffix=".jpg",
    ),
}  # fmt: skip
"""Kind of a task -> the figure of each of its initializations: images in which it gains and loses most."""


def numbers(figures: Iterable[int]) -> str:
    """Numbers of figures as a message lists them.

    Example:
        >>> numbers([1, 2, 3, 4]), numbers([2, 3, 5])
        ('1 to 4', '2, 3, 5')
    """
    found = sorted(figures)
    in_row = len(found) > 2 and found == list(range(found[0], found[-1] + 1))
    return f"{found[0]} to {found[-1]}" if in_row else ", ".join(map(str, found))
