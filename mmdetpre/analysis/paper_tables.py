"""Tables 1 to 7 and Figures 1 to 9 of the paper: what they show, and where figures of the paper go.

Of the figures only those of the paper's abstract ship with this package: a cell without one is shown as "see paper". A
JSON file of the form ``{"7": {"fc1": {"caltech256": 80.1}}}``, percent by table, row and column, fills them in
(:func:`with_figures`).

Source: "An Analysis of Pre-Training on Object Detection" (2019).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

STARTS = {
    "imagenet_cls": "ImageNet-CLS",
    "imagenet_loc": "ImageNet-LOC",
    "coco": "COCO",
    "openimages": "OpenImagesV4",
}
DETECTION = {"ap50": "mAP at IoU 0.5", "ap70": "mAP at IoU 0.7"}
MISSED = {"visible": "visible objects missed", "occluded": "occluded objects missed"}
SEGMENTATION = {"miou": "mIoU", "trimap": "mIoU in the trimap", "anti_trimap": "mIoU outside the trimap"}
DATA = {"caltech256": "Caltech-256", "sun397": "SUN-397", "flowers102": "Flowers-102"}
LAYERS = {
    "conv5_pooled": "Conv5 (pooled)",
    "conv_proj": "ConvProj blob",
    "conv_proj_4x4": "ConvProj 4x4",
    "conv_proj_2x2": "ConvProj 2x2",
    "conv_proj_pooled": "ConvProj (pooled)",
    "fc1": "FC1",
    "fc2": "FC2",
}
PICTURES = {
    "1": "AP over the IoU threshold",
    "2": "Detections of two starts on the same images",
    "3": "Segmentations of two starts on the same images",
    "4": "mIoU over the width of the trimap",
    "5": "Closest pairs of images",
    "6": "Agreement of clusters",
    "7": "t-SNE of the features",
    "8": "Activation maps",
    "9": "Mask-out maps",
}
"""Figure of the paper -> its subject."""


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Args:
        title: Its subject.
        rows, columns: Key -> name, in order.
        figures: Row key -> column key -> percent; what is missing is not known here.
        lower_is_better: Of all its columns.
        note: Where the shipped figures come from, or what else the paper says.
    """

    title: str
    rows: Mapping[str, str]
    columns: Mapping[str, str]
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lower_is_better: bool = False
    note: str = ""


@dataclass(frozen=True)
class PaperData:
    """A data set of Table 1, sizes as the paper prints them; empty where they are not known here.

    Args:
        title: Its name.
        classes: Number of classes.
        train_images, train_objects, test_images: Sizes.
    """

    title: str
    classes: str = ""
    train_images: str = ""
    train_objects: str = ""
    test_images: str = ""


DATA_SETS = {
    "imagenet_loc": PaperData("ImageNet-LOC", "3,130"),
    "openimages": PaperData("OpenImagesV4", "500", "1.74M", "14.6M"),
    "caltech256": PaperData("Caltech-256", "257", "15.4K", "", "15.2K"),
    "sun397": PaperData("SUN-397", "397", "19.85K", "", "19.85K"),
    "flowers102": PaperData("Flowers-102", "102", "2,040", "", "6,149"),
}
"""Table 1, as far as its sizes are known here."""

TABLES = {
    "2": PaperTable(
        "Detection on PASCAL VOC, mAP in %",
        STARTS,
        DETECTION,
        figures={"openimages": {"ap70": 81.1}},
        note="81.1 is from the paper's abstract, which calls it 7.6 better than DeformableConvNetsV2 with ImageNet"
        " pre-training.",
    ),
    "3": PaperTable("Objects that the detectors miss, share in %", STARTS, MISSED, lower_is_better=True),
    "4": PaperTable("Segmentation of PASCAL VOC, mIoU in %", STARTS, SEGMENTATION),
    "5": PaperTable("Classification, fine-tuned, accuracy in %", STARTS, DATA),
    "6": PaperTable("Classification on frozen Conv5, accuracy in %", STARTS, DATA),
    "7": PaperTable("Classification on layers of the detector, accuracy in %", LAYERS, DATA),
}


def with_figures(path: str | Path, tables: Mapping[str, PaperTable] = TABLES) -> dict[str, PaperTable]:
    """The tables with the figures of a JSON file beside those they have: percent by table, row and column; null is not
    known.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another form, or names a table, row or column that there is not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} with figures of the paper.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [(t, r, c, v) for t, rows in content.items() for r, cells in rows.items() for c, v in cells.items()]
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f'{path} is not of the form {{"7": {{"fc1": {{"caltech256": 80.1}}}}}}: percent by table, row and column'
            f" ({error})."
        ) from error
    figures = {key: {row: dict(cells) for row, cells in table.figures.items()} for key, table in tables.items()}
    for table, row, column, value in found:
        if table not in tables:
            raise ValueError(f"{path} names table {table}: there is {', '.join(tables)}.")
        for kind, name, known in (("row", row, tables[table].rows), ("column", column, tables[table].columns)):
            if name not in known:
                raise ValueError(f"{path} names {kind} '{name}' of table {table}: there is {', '.join(known)}.")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise ValueError(f"{path} has {value!r} in table {table}, {row}, {column}: give percent, from 0 to 100.")
        figures[table].setdefault(row, {})[column] = float(value)
    return {key: replace(table, figures=figures[key]) for key, table in tables.items()}


def key_of(name: str, known: Mapping[str, str]) -> str:
    """The key of a row or column that is called by its key or name, in any spelling; else the name itself.

    Example:
        >>> key_of("Caltech 256", DATA), key_of("openimages", STARTS), key_of("own", DATA)
        ('caltech256', 'openimages', 'own')
    """

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    return next((key for key, title in known.items() if plain(name) in (plain(key), plain(title))), name)
