"""The sample in the layout of COCO 2017 detection: boxes, polygons, and run lengths for crowds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np

from mmdetpre.sample.instances import Instance, annotate
from mmdetpre.sample.layout import LayoutWriter, write_jpeg
from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World

FOLDERS = {"train": "train2017", "validation": "val2017"}
"""Split -> folder of its images, and ending of its annotation file."""

_FIRST_ID = {"train": 1, "validation": 500_001}
_CATEGORY_STEP = 3  # category ids have gaps, as COCO's 80 of 90 have


class CocoLayout(LayoutWriter):
    """Writes ``annotations/instances_{train,val}2017.json``, ``train2017/`` and ``val2017/`` under a root.

    ``annotations/image_info_test-dev2017.json`` names the images of ``val2017`` without their boxes.

    A group of objects is one annotation with ``iscrowd`` 1 and a run-length encoded mask; every other object has
    polygons around its visible parts. Category ids are not contiguous, as in COCO.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, world)
        self._images: dict[str, list[dict]] = {split: [] for split in FOLDERS}
        self._annotations: dict[str, list[dict]] = {split: [] for split in FOLDERS}
        for folder in FOLDERS.values():
            (root / folder).mkdir()
        (root / "annotations").mkdir()

    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image and remember its annotations."""
        number = _FIRST_ID[scene.split] + scene.index
        name = f"{number:012d}.jpg"
        write_jpeg(self.root / FOLDERS[scene.split] / name, drawn.image)
        width, height = scene.size
        entry = {"license": 1, "file_name": name, "height": height, "width": width, "id": number}
        self._images[scene.split].append(entry)
        known = self._annotations[scene.split]
        for instance in annotate(scene, drawn):
            known.append(self._annotation(instance, drawn, number, _FIRST_ID[scene.split] + len(known)))

    def finish(self) -> None:
        """Write the annotation files."""
        categories = [
            {"supercategory": c.parent, "id": category_id(label), "name": c.name}
            for label, c in enumerate(self.world.classes)
        ]
        for split, folder in FOLDERS.items():
            content = {
                "info": {"description": f"mmdetpre drawn sample, {split}", "version": "1.0", "year": 2017},
                "licenses": [{"url": "", "id": 1, "name": "drawn, no rights reserved"}],
                "images": self._images[split],
                "annotations": self._annotations[split],
                "categories": categories,
            }
            self._write(f"instances_{folder}.json", content)
        del content["annotations"]
        self._write("image_info_test-dev2017.json", content)

    def _write(self, name: str, content: dict) -> None:
        (self.root / "annotations" / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")

    def _annotation(self, instance: Instance, drawn: Rendering, image: int, number: int) -> dict:
        x1, y1, x2, y2 = instance.box
        mask = np.isin(drawn.owner, instance.objects)
        return {
            "segmentation": run_lengths(mask) if instance.group else polygons(mask),
            "area": instance.area,
            "iscrowd": int(instance.group),
            "image_id": image,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "category_id": category_id(instance.label),
            "id": number,
        }


def category_id(label: int) -> int:
    """The id of a category.

    Example:
        >>> [category_id(label) for label in range(3)]
        [1, 4, 7]
    """
    return 1 + _CATEGORY_STEP * label


class RunLengths(TypedDict):
    """A mask in a COCO file: lengths of the runs, and (height, width)."""

    counts: list[int]
    size: list[int]


def run_lengths(mask: np.ndarray) -> RunLengths:
    """COCO's uncompressed run lengths of an (h, w) bool mask: columns first, beginning with zeros.

    Example:
        >>> run_lengths(np.array([[False, True], [True, True]]))
        {'counts': [1, 3], 'size': [2, 2]}
    """
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return {"counts": np.diff(np.concatenate([[0], edges])).tolist(), "size": list(mask.shape)}


def polygons(mask: np.ndarray) -> list[list[float]]:
    """Outlines of the visible parts of an (h, w) bool mask along the edges of its pixels, as [x, y, x, y, ...].

    A hole is filled, as where COCO's annotators draw around an object.

    Example:
        >>> polygons(np.array([[False, False], [False, True]]))
        [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0]]
    """
    # Every pixel drawn as 2 x 2: outlines of OpenCV run through pixel centers, and half of them on are its edges.
    padded = np.kron(np.pad(mask, 1).astype(np.uint8), np.ones((2, 2), np.uint8))
    found, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = []
    for outline in found:
        points = np.ceil(outline.reshape(-1, 2) / 2) - 1  # even: left or top edge of the pixel, odd: right or bottom
        outlines.append([float(value) for value in points.ravel()])
    return outlines
