"""Read the boxes of a COCO JSON file into columns."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmdetpre.datasets.packed_annotations import DIFFICULT, IGNORE, OCCLUDED, TRUNCATED

OBJECT_FLAGS = {"difficult": DIFFICULT, "occluded": OCCLUDED, "truncated": TRUNCATED}
"""Keys of VOC's flags, 0 or 1, that an annotation may carry beyond COCO's own -> bit of the table's flags."""


@dataclass(frozen=True)
class CocoBoxes:
    """A COCO file as columns.

    Attributes:
        files: File names of the images in the order of the JSON.
        ids: (N,) int64 image ids.
        sizes: (N, 2) int32 width and height, (0, 0) where the JSON does not tell them.
        image: (M,) int32 index into ``files``.
        boxes: (M, 4) float32 x1, y1, x2, y2 in pixels, half-open.
        labels: (M,) int16.
        flags: (M,) uint8, ``IGNORE`` for crowds and difficult objects, and the bits of `OBJECT_FLAGS`.
        category_ids: Category id of each label.
        dropped: How many annotations were left out, by reason.
        known_flags: Keys of `OBJECT_FLAGS` that any annotation carries; the file says nothing of the others.
    """

    files: list[str]
    ids: np.ndarray
    sizes: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    flags: np.ndarray
    category_ids: list[int]
    dropped: dict[str, int]
    known_flags: list[str]


def read_coco_json(path: str | os.PathLike, classes: Sequence[str], max_images: int | None = None) -> CocoBoxes:
    """Read a detection file of COCO (``instances_*.json``, or ``image_info_*.json`` without annotations).

    Boxes come as mmdet's reader gives them: ``[x, y, w, h]`` becomes ``[x, y, x + w, y + h]``; annotations marked
    ``ignore``, without area, with a side below 1 pixel or outside their image are left out, and counted. The keys of
    `OBJECT_FLAGS` are read where a file has them.

    Args:
        path: The JSON.
        classes: Category names in label order.
        max_images: Read the first so many images only.

    Raises:
        ValueError: If it is no COCO file, if an annotation names no image or has no box, or if the class list does not
            match the categories.

    Example:
        >>> read_coco_json("annotations/instances_val2017.json", ["person", "bicycle"])  # doctest: +SKIP
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): it is cut off or another kind of file.") from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list) or "categories" not in content:
        raise ValueError(f"{path} is no COCO detection file: it needs the keys images, annotations and categories.")
    images = content["images"][:max_images]
    category_ids = _match_classes(path, content["categories"], classes)
    position = {image["id"]: i for i, image in enumerate(content["images"])}
    if len(position) < len(content["images"]):
        raise ValueError(f"{path}: {len(content['images'])} images have {len(position)} different ids.")
    sizes = [(image.get("width") or 0, image.get("height") or 0) for image in content["images"]]
    labels = {category: label for label, category in enumerate(category_ids)}
    known = {category["id"] for category in content["categories"]}
    dropped: Counter[str] = Counter()
    known_flags: set[str] = set()
    rows: list[tuple[int, float, float, float, float, int, int]] = []
    annotations = content.get("annotations", [])
    for ann in tqdm(annotations, desc=f"reading {path.name}", unit=" boxes", disable=len(annotations) < 100_000):
        i = position.get(ann.get("image_id"))
        if i is None or ann.get("category_id") not in known or len(ann.get("bbox") or ()) != 4:
            raise ValueError(
                f"{path}: annotation {ann.get('id')} needs a box of 4 numbers and an image and a category of the file;"
                f" it has bbox={ann.get('bbox')}, image_id={ann.get('image_id')}, category_id={ann.get('category_id')}."
            )
        if i >= len(images):
            continue
        reason = _reason_to_drop(ann, sizes[i], labels)
        if reason:
            dropped[reason] += 1
            continue
        x, y, w, h = ann["bbox"]
        flags = IGNORE if ann.get("iscrowd") or ann.get("difficult") else 0
        for key, bit in OBJECT_FLAGS.items():
            if key in ann:
                known_flags.add(key)
                flags |= bit if ann[key] else 0
        rows.append((i, x, y, x + w, y + h, labels[ann["category_id"]], flags))
    table = np.asarray(rows, np.float64).reshape(-1, 7)
    return CocoBoxes(
        files=[image["file_name"] for image in images],
        ids=np.asarray([image["id"] for image in images], np.int64),
        sizes=np.asarray(sizes[: len(images)], np.int32).reshape(-1, 2),
        image=table[:, 0].astype(np.int32),
        boxes=table[:, 1:5].astype(np.float32),
        labels=table[:, 5].astype(np.int16),
        flags=table[:, 6].astype(np.uint8),
        category_ids=category_ids,
        dropped=dict(dropped),
        known_flags=sorted(known_flags),
    )


def _match_classes(path: Path, categories: Sequence[dict], classes: Sequence[str]) -> list[int]:
    """Category ids of the classes; they must be some of the file's categories, in the file's order."""
    names = [category["name"] for category in categories]
    listed = f"\n    classes of the data set: {', '.join(classes)}\n    categories of the file: {', '.join(names)}\n"
    if len(set(names)) < len(names) or len(set(classes)) < len(classes):
        raise ValueError(f"{path}: a class is named twice.{listed}Names must differ.")
    if missing := [name for name in classes if name not in names]:
        raise ValueError(
            f"{path}: the class list does not match, the file has no {', '.join(missing)}.{listed}"
            "Set classes=[...] of the data set to names of the file."
        )
    chosen = set(classes)
    in_order = [category for category in categories if category["name"] in chosen]
    if [category["name"] for category in in_order] != list(classes):
        raise ValueError(
            f"{path}: the class list does not match the order of the file, by which mmdet and CocoMetric number"
            f" labels.{listed}Set classes={[category['name'] for category in in_order]}."
        )
    return [category["id"] for category in in_order]


def _reason_to_drop(ann: dict, size: tuple[int, int], labels: dict[int, int]) -> str | None:
    x, y, w, h = ann["bbox"]
    width, height = size if min(size) > 0 else (np.inf, np.inf)
    if ann["category_id"] not in labels:
        return "boxes of classes not chosen"
    if ann.get("ignore"):
        return "boxes marked ignore"
    if w < 1 or h < 1 or ann.get("area", w * h) <= 0:
        return "boxes without area"
    if min(x + w, width) <= max(x, 0) or min(y + h, height) <= max(y, 0):
        return "boxes outside their image"
    return None
