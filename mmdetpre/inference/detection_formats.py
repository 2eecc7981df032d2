"""Detections in the formats that other programs read: COCO JSON, VOC XML, YOLO text, CSV; supervision's objects."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np

from mmdetpre.inference.detection_log import ImageDetections
from mmdetpre.inference.image_source import inner_path
from mmdetpre.utils.plain_text import one_line
from mmdetpre.utils.whole_file import whole_file, write_json, write_rows, write_text

if TYPE_CHECKING:
    import supervision
    from mmdet.structures import DetDataSample

Found = Sequence[ImageDetections]


def _coco(folder: Path, found: Found, classes: Sequence[str]) -> Path:
    """``coco.json``: images, categories from 1, and annotations with a ``score``, boxes as x, y, width, height."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for i, one in enumerate(found, 1):
        images.append({"id": i, "file_name": one.image, "width": one.width, "height": one.height})
        for (x1, y1, x2, y2), score, label in zip(one.boxes, one.scores, one.labels, strict=True):
            width, height = x2 - x1, y2 - y1
            annotation = {"id": len(annotations) + 1, "image_id": i, "category_id": label + 1, "iscrowd": 0}
            annotations.append(annotation | {"bbox": [x1, y1, width, height], "area": width * height, "score": score})
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(folder / "coco.json", content)
    return folder / "coco.json"


def _voc(folder: Path, found: Found, classes: Sequence[str]) -> Path:
    """``voc/NAME.xml`` of each image: first and last pixel of a box, counted from 1, and a ``score``."""
    for one, file in zip(found, _files(folder / "voc", found, ".xml"), strict=True):
        root = Element("annotation")
        SubElement(root, "filename").text = one.image
        size = SubElement(root, "size")
        for key, side in (("width", one.width), ("height", one.height), ("depth", 3)):
            SubElement(size, key).text = str(side)
        for box, score, label in zip(one.boxes, one.scores, one.labels, strict=True):
            shown = SubElement(root, "object")
            SubElement(shown, "name").text = classes[label]
            SubElement(shown, "difficult").text = "0"
            corners = SubElement(shown, "bndbox")
            x1, y1, x2, y2 = (round(value) for value in box)
            pixels = (x1 + 1, y1 + 1, max(x2, x1 + 1), max(y2, y1 + 1))  # a box thinner than a pixel still has one
            for key, pixel in zip(("xmin", "ymin", "xmax", "ymax"), pixels, strict=True):
                SubElement(corners, key).text = str(pixel)
            SubElement(shown, "score").text = f"{score:.6g}"
        indent(root)
        with whole_file(file) as part:
            ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
    return folder / "voc"


def _yolo(folder: Path, found: Found, classes: Sequence[str]) -> Path:
    """``yolo/labels/NAME.txt`` of each image: class, center and size in parts of the image, score; ``classes.txt``."""
    write_text(folder / "yolo" / "classes.txt", "".join(f"{one_line(name)}\n" for name in classes))
    for one, file in zip(found, _files(folder / "yolo" / "labels", found, ".txt"), strict=True):
        lines = [
            f"{label} {(x1 + x2) / 2 / one.width:.6f} {(y1 + y2) / 2 / one.height:.6f} {(x2 - x1) / one.width:.6f}"
            f" {(y2 - y1) / one.height:.6f} {score:.6f}\n"
            for (x1, y1, x2, y2), score, label in zip(one.boxes, one.scores, one.labels, strict=True)
        ]
        write_text(file, "".join(lines))
    return folder / "yolo"


def _csv(folder: Path, found: Found, classes: Sequence[str]) -> Path:
    """``detections.csv``: a row for each box, corners in pixels."""
    rows = [
        [one.image, classes[label], score, *box]
        for one in found
        for box, score, label in zip(one.boxes, one.scores, one.labels, strict=True)
    ]
    write_rows(folder / "detections.csv", [["image", "class", "score", "x1", "y1", "x2", "y2"], *rows])
    return folder / "detections.csv"


FORMATS: Mapping[str, Callable[[Path, Found, Sequence[str]], Path]] = {
    "coco": _coco, "voc": _voc, "yolo": _yolo, "csv": _csv,
}  # fmt: skip
"""Name -> function of a folder, detections of all images and classes, which writes them there and gives the path."""


def to_supervision(found: DetDataSample, classes: Sequence[str]) -> supervision.Detections:
    """Detections as an object of supervision, for its annotators, trackers and filters.

    Args:
        found: Of `MultiScaleDetector.detect`, on any device; masks too.
        classes: Names of the classes, such as `MultiScaleDetector.classes`.

    Returns:
        ``xyxy`` (n, 4), ``confidence`` (n,), ``class_id`` (n,), ``mask`` (n, h, w) where there are masks, and
        ``data["class_name"]`` (n,), in the order of ``found``.

    Raises:
        ValueError: If supervision is not installed.
    """
    try:
        from supervision import Detections
    except ModuleNotFoundError as error:
        raise ValueError(
            f"supervision needs the package {error.name}, which is not installed: pip install 'mmdetpre[supervision]'."
        ) from error
    detections = Detections.from_mmdetection(found)
    detections.data["class_name"] = np.array(classes, dtype=str)[detections.class_id]
    return detections


def _files(folder: Path, found: Found, suffix: str) -> list[Path]:
    """A file for each image, inside of the folder whatever its name says; images of one stem keep their suffix."""
    names = [inner_path(one.image) for one in found]
    stems = [os.path.splitext(name)[0] for name in names]
    often = Counter(stems)
    return [folder / f"{name if often[stem] > 1 else stem}{suffix}" for name, stem in zip(names, stems, strict=True)]
