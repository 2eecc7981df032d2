"""The sample in the layout of OpenImages V4, as mmdet documents it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from mmdetpre.sample.classes import ROOT_MID, object_classes, parent_categories
from mmdetpre.sample.instances import Instance, annotate
from mmdetpre.sample.layout import LayoutWriter, image_id, write_jpeg
from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import SPLITS, World

BOX_COLUMNS = (
    "ImageID",
    "Source",
    "LabelName",
    "Confidence",
    "XMin",
    "XMax",
    "YMin",
    "YMax",
    "IsOccluded",
    "IsTruncated",
    "IsGroupOf",
    "IsDepiction",
    "IsInside",
)
"""The header of the official box files (V4, and V5/V6 validation)."""
LABEL_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
"""The header of the official files of verified image-level labels."""


class OpenImagesLayout(LayoutWriter):
    """Writes ``annotations/`` and ``OpenImages/{train,validation}/<ImageID>.jpg`` under a root.

    The annotation files carry the names of the official V4 release: ``{train,validation}-annotations-bbox.csv``,
    ``validation-annotations-human-imagelabels-boxable.csv``, ``class-descriptions-boxable.csv`` and
    ``bbox_labels_600_hierarchy.json``. mmdet's default config names the training file
    ``oidv6-train-annotations-bbox.csv`` because V6 renamed that one file (and added columns to it); a config that
    should read it differs in ``ann_file`` only.

    As in the official files a category that is only a node of the hierarchy is listed in the class descriptions too.
    The annotated classes come first, in label order. Every category is verified for every validation image.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, world)
        self._boxes: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
        self._labels: list[list[str]] = []
        self._parent_mid = {p.name: p.mid for p in parent_categories(world.which)}
        for split in SPLITS:
            (root / "OpenImages" / split).mkdir(parents=True)
        (root / "annotations").mkdir()

    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image and remember its boxes; a group becomes one ``IsGroupOf`` box."""
        name = image_id(self.world, scene)
        write_jpeg(self.root / "OpenImages" / scene.split / f"{name}.jpg", drawn.image)
        instances = annotate(scene, drawn)
        self._boxes[scene.split] += [self._box_row(name, instance, scene.size) for instance in instances]
        if scene.split == "validation":
            self._labels += self._label_rows(name, instances)

    def finish(self) -> None:
        """Write the annotation files, rows sorted by image."""
        folder = self.root / "annotations"
        for split, rows in self._boxes.items():
            _write_csv(folder / f"{split}-annotations-bbox.csv", [BOX_COLUMNS, *sorted(rows, key=lambda row: row[0])])
        labels = sorted(self._labels, key=lambda row: row[0])
        _write_csv(folder / "validation-annotations-human-imagelabels-boxable.csv", [LABEL_COLUMNS, *labels])
        descriptions = [(c.mid, c.name) for c in self.world.classes]
        descriptions += [(p.mid, p.name) for p in parent_categories(self.world.which)]
        _write_csv(folder / "class-descriptions-boxable.csv", descriptions)
        (folder / "bbox_labels_600_hierarchy.json").write_text(json.dumps(self._hierarchy(), indent=2) + "\n")

    def _box_row(self, name: str, instance: Instance, size: tuple[int, int]) -> list[str]:
        (width, height), (x1, y1, x2, y2) = size, instance.box
        corners = (x1 / width, x2 / width, y1 / height, y2 / height)
        flags = (instance.occluded, instance.truncated, instance.group, False, False)
        return [
            name,
            "xclick",
            self.world.classes[instance.label].mid,
            "1",
            *(f"{value:.6f}" for value in corners),
            *(str(int(flag)) for flag in flags),
        ]

    def _label_rows(self, name: str, instances: list[Instance]) -> list[list[str]]:
        classes = self.world.classes
        present = {classes[i.label].mid for i in instances}
        present |= {self._parent_mid[classes[i.label].parent] for i in instances}
        mids = [c.mid for c in classes] + list(self._parent_mid.values())
        return [[name, "verification", mid, str(int(mid in present))] for mid in mids]

    def _hierarchy(self) -> dict:
        return {
            "LabelName": ROOT_MID,
            "Subcategory": [
                {
                    "LabelName": parent.mid,
                    "Subcategory": [
                        {"LabelName": c.mid} for c in object_classes(self.world.which) if c.parent == parent.name
                    ],
                }
                for parent in parent_categories(self.world.which)
            ],
        }


def _write_csv(path: Path, rows: list) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
