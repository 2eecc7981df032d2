"""The sample in the layout of PASCAL VOC 2012: XML with all flags, image sets, segmentation maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmdetpre.plotting.palette import voc_palette
from mmdetpre.sample.instances import Instance, annotate
from mmdetpre.sample.layout import LayoutWriter, write_jpeg
from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World
from mmdetpre.sample.xml_annotation import XMLObject, write_xml

YEAR = "VOC2012"
VOID = 255
"""Label of the border around objects in segmentation maps."""

_LISTS = {"train": "train", "validation": "val"}
_FIRST_ID = {"train": 1, "validation": 500_001}
_SMALL = 12.0  # pixels, sqrt of the box area
_BARELY_VISIBLE = 0.6


class VOCLayout(LayoutWriter):
    """Writes ``VOCdevkit/VOC2012`` under a root.

    ``Annotations/<id>.xml`` (boxes counted from 1, both corners inside), ``JPEGImages/<id>.jpg``,
    ``ImageSets/Main/{train,val,trainval}.txt`` and ``<class>_{train,val,trainval}.txt`` (1, -1, or 0 where all such
    objects are difficult), ``SegmentationClass/<id>.png`` (palette PNG: 0 background, 1 + label, 255 along the edges of
    objects) and ``ImageSets/Segmentation``. Every member of a group is an object of its own. ``difficult`` are objects
    that are small or barely visible.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, world)
        self.folder = root / "VOCdevkit" / YEAR
        for name in ("Annotations", "JPEGImages", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
            (self.folder / name).mkdir(parents=True)
        self._presence: dict[str, dict[str, dict[int, int]]] = {name: {} for name in _LISTS.values()}

    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image, its XML and its segmentation map."""
        name = f"2012_{_FIRST_ID[scene.split] + scene.index:06d}"
        write_jpeg(self.folder / "JPEGImages" / f"{name}.jpg", drawn.image)
        instances = annotate(scene, drawn, merge_groups=False)
        write_xml(
            self.folder / "Annotations" / f"{name}.xml",
            folder=YEAR,
            filename=f"{name}.jpg",
            database="mmdetpre drawn sample",
            size=scene.size,
            segmented=True,
            objects=[self._object(instance) for instance in instances],
        )
        labels = np.asarray([item.label for item in scene.objects], np.uint8)
        write_label_map(self.folder / "SegmentationClass" / f"{name}.png", label_map(drawn.owner, labels))
        presence: dict[int, int] = {}
        for instance in instances:
            presence[instance.label] = max(presence.get(instance.label, 0), int(not is_difficult(instance)))
        self._presence[_LISTS[scene.split]][name] = presence

    def finish(self) -> None:
        """Write the image sets."""
        lists = dict(self._presence)
        lists["trainval"] = {name: shown for images in self._presence.values() for name, shown in images.items()}
        for split, images in lists.items():
            names = sorted(images)
            for task in ("Main", "Segmentation"):
                _write_lines(self.folder / "ImageSets" / task / f"{split}.txt", names)
            for label, item in enumerate(self.world.classes):
                lines = [f"{name} {images[name].get(label, -1):2d}" for name in names]
                _write_lines(self.folder / "ImageSets" / "Main" / f"{item.name}_{split}.txt", lines)

    def _object(self, instance: Instance) -> XMLObject:
        x1, y1, x2, y2 = instance.box
        return XMLObject(
            self.world.classes[instance.label].name,
            (x1 + 1, y1 + 1, x2, y2),
            instance.truncated,
            instance.occluded,
            is_difficult(instance),
        )


def is_difficult(instance: Instance) -> bool:
    """Whether an object is small or barely visible."""
    x1, y1, x2, y2 = instance.box
    return ((x2 - x1) * (y2 - y1)) ** 0.5 < _SMALL or instance.visible_fraction < _BARELY_VISIBLE


def label_map(owner: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Segmentation map: 0 background, 1 + label, :data:`VOID` at pixels that touch another object or the background.

    Args:
        owner: (h, w) index of the object visible at each pixel, -1 for none.
        labels: Label of each object.

    Example:
        >>> label_map(np.array([[-1, -1, 0, 0, 0]]), np.array([3])).tolist()
        [[0, 255, 255, 4, 4]]
    """
    values = np.concatenate([labels.astype(np.uint8) + 1, np.zeros(1, np.uint8)])[owner]
    padded = np.pad(owner, 1, mode="edge")
    height, width = owner.shape
    edge = np.zeros(owner.shape, bool)
    for dy in range(3):
        for dx in range(3):
            edge |= padded[dy : dy + height, dx : dx + width] != owner
    values[edge] = VOID
    return values


def write_label_map(path: Path, labels: np.ndarray) -> None:
    """Write a palette PNG in VOC's colors."""
    image = Image.fromarray(labels, mode="L").copy()
    image.putpalette(voc_palette().ravel().tolist())
    image.save(path)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
