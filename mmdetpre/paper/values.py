"""Every number that the paper's tables and text give, as data; percent unless said otherwise.

Figures 1, 4 and 6 of the paper are curves without printed values, and so are not here.

Source: "An Analysis of Pre-Training on Object Detection" (Li, Singh, Najibi, Wu, Davis, arXiv 1904.05871, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PaperData:
    """A data set of Table 1, sizes as the paper prints them; empty where it gives none.

    Args:
        title: Its name.
        classes: Number of classes.
        train_images, train_objects, test_images, test_objects: Sizes.
    """

    title: str
    classes: str = ""
    train_images: str = ""
    train_objects: str = ""
    test_images: str = ""
    test_objects: str = ""


@dataclass(frozen=True)
class PaperNumber:
    """A number that stands in the text of the paper.

    Args:
        what: What it is of.
        value: As printed, or in words.
    """

    what: str
    value: str


DATA_SETS: Mapping[str, PaperData] = {
    "imagenet_cls": PaperData("ImageNet-CLS", "1000", "1.28M"),
    "openimages": PaperData("OpenImagesV4", "500", "1.74M", "14.6M"),
    "imagenet_loc": PaperData("ImageNet-LOC", "3,130", "0.92M", "1.06M"),
    "coco": PaperData("COCO", "80", "0.14M", "0.89M"),
    "caltech256": PaperData("Caltech-256", "257", "15.4K", "", "15.2K"),
    "sun397": PaperData("SUN-397", "397", "19.9K", "", "19.9K"),
    "flowers102": PaperData("Flowers-102", "102", "2.0K", "", "6.1K"),
    "voc_detection": PaperData("PASCAL VOC detection", "20", "16.6K", "40.1K", "5.0K", "12.0K"),
    "voc_segmentation": PaperData("PASCAL VOC segmentation", "21", "10.6K", "", "1.4K"),
}
"""Table 1."""

VALUES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "2": {
        "dcn_v1": {"ap50": 81.9, "ap70": 68.2},
        "dcn_v2": {"ap50": 84.9, "ap70": 73.5},
        "imagenet_cls": {"ap50": 84.6, "ap70": 76.3},
        "imagenet_loc": {"ap50": 86.5, "ap70": 80.0},
        "coco": {"ap50": 86.8, "ap70": 80.7},
        "openimages": {"ap50": 86.8, "ap70": 81.1},
    },
    "3": {
        "imagenet_cls": {"low": 14.7, "medium": 15.7},
        "openimages": {"low": 10.1, "medium": 10.8},
    },
    "4": {
        "dcn_v1": {"miou": 75.2},
        "imagenet_cls": {"miou": 75.7},
        "imagenet_loc": {"miou": 78.3},
        "openimages": {"miou": 78.6},
    },
    "5": {
        "imagenet_loc": {"caltech256": 82.3, "sun397": 58.3, "flowers102": 90.9},
        "coco": {"caltech256": 79.8, "sun397": 57.8, "flowers102": 91.4},
        "openimages": {"caltech256": 82.2, "sun397": 59.5, "flowers102": 92.6},
        "imagenet_cls": {"caltech256": 86.3, "sun397": 61.5, "flowers102": 95.0},
    },
    "6": {
        "imagenet_cls": {"caltech256": 84.7, "sun397": 57.3, "flowers102": 87.4},
        "openimages": {"caltech256": 76.7, "sun397": 51.1, "flowers102": 83.1},
    },
    "7": {
        "conv5_pooled": {"caltech256": 76.7},
        "conv_proj": {"caltech256": 69.7},
        "conv_proj_4x4": {"caltech256": 72.4},
        "conv_proj_2x2": {"caltech256": 73.3},
        "conv_proj_pooled": {"caltech256": 74.1},
        "fc1": {"caltech256": 71.6},
        "fc2": {"caltech256": 70.0},
    },
    "coco_finetuning": {
        "imagenet_cls": {"ap50": 67.5, "ap75": 52.2},
        "openimages": {"ap50": 68.2, "ap75": 53.6},  # printed as +0.7 and +1.4
    },
    "pretraining": {
        "openimages": {"test_ap50": 45.0},
        "coco": {"test_map": 46.1},
        "imagenet_loc": {"test_ap50": 37.4},
    },
}
"""Table (``2`` to ``7``, and two of the text) -> row -> column -> percent."""

CLASS_GAINS: Mapping[str, float | None] = {"sheep": 7.5, "cow": 6.5, "diningtable": 5.6, "pottedplant": None}
"""Class of VOC -> points of IoU that detection pre-training gains over classification in Table 4; None: none."""

TEXT_VALUES: Mapping[str, PaperNumber] = {
    "voc_gain": PaperNumber("VOC, OpenImages over ImageNet-CLS, mAP at 0.5 / 0.7", "+2.2 / +4.8"),
    "coco_gain": PaperNumber("COCO, OpenImages over ImageNet-CLS, AP at 0.5 / 0.75", "+0.7 / +1.4"),
    "size": PaperNumber("Detection pre-trainings with more than a million boxes, apart by", "at most 1"),
    "class_gains": PaperNumber(
        "VOC segmentation, IoU per class, detection over classification pre-training",
        "sheep +7.5, cow +6.5, dining table +5.6; potted plant none",
    ),
    "linear_imagenet_loc": PaperNumber("Caltech-256, linear: ImageNet-LOC", "equal to OpenImages"),
    "linear_coco": PaperNumber("Caltech-256, linear: COCO", "2 lower than these"),
    "pairs": PaperNumber("Figure 6: pairs that are sampled", "100,000"),
    "clusters": PaperNumber("Figure 6: clusters", "2 to 1,000"),
    "close": PaperNumber("Figure 5, close: of one cluster, of more clusters than", "1,000"),
    "distant": PaperNumber("Figure 5, distant: of different clusters, of fewer clusters than", "5"),
    "tsne": PaperNumber("Figure 7, t-SNE: perplexity, theta", "10, 0.5"),
    "mask": PaperNumber("Figure 9: side of the mask in pixels", "60 x 60"),
}
"""Numbers and settings of the text that are not a cell of a table."""


def paper_value(table: str, row: str, column: str) -> float:
    """A number of the paper.

    Args:
        table: Such as ``2``, or ``pretraining``.
        row: Start or layer.
        column: Measure or data set.

    Raises:
        ValueError: If the paper has no such table, row or column; the message lists what it has.

    Example:
        >>> paper_value("2", "openimages", "ap70")
        81.1
    """
    found: object = VALUES
    asked = {"table": table, "row": row, "column": column}
    for kind, key in asked.items():
        known = found if isinstance(found, Mapping) else {}
        if key not in known:
            place = "" if kind == "table" else f" of table {table}" + (f", row {row}" if kind == "column" else "")
            raise ValueError(f"The paper has no {kind} '{key}'{place}: it has {', '.join(map(str, known))}.")
        found = known[key]
    assert isinstance(found, float)
    return found
