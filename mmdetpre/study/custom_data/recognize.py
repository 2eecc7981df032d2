"""In which format a user's boxes are, by the files and folders that are there, and which parts they have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mmdetpre.datasets.images.lists import read_image_list
from mmdetpre.datasets.voc.xml_files import find_xml
from mmdetpre.study.custom_data.formats.annotations import Annotations
from mmdetpre.study.custom_data.formats.coco_json import read_coco
from mmdetpre.study.custom_data.formats.voc_xml import read_voc
from mmdetpre.study.custom_data.formats.yolo import read_yolo
from mmdetpre.study.custom_data.formats.yolo_layout import (
    NAME_LISTS,
    YAML_NAMES,
    YoloLayout,
    read_list_layout,
    read_yaml_layout,
)

Reader = Callable[[], Annotations]


@dataclass(frozen=True)
class BoxData:
    """Data of one format.

    Attributes:
        form: What the format is called.
        parts: How each part is read; a part ``""`` is all of them.
    """

    form: str
    parts: Mapping[str, Reader]

    @property
    def train(self) -> str:
        """The part to train on: that of this name, or the only one."""
        return "train" if "train" in self.parts else next(iter(self.parts))

    @property
    def test(self) -> str | None:
        """The part to test on, if the data have one: ``test``, else ``val``."""
        return next((part for part in ("test", "val") if part in self.parts and part != self.train), None)


def recognize(source: Path, images_dir: str | os.PathLike | None = None, option: str = "--det-images") -> BoxData:
    """What a file or folder holds; no annotation is read yet.

    Args:
        source: A file of annotations, or the folder of a data set.
        images_dir: Folder of the images; None: a usual one beside the annotations.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If the source, or the folder of the images, is missing.
        ValueError: If it is in no format that is known, or in several.
    """
    images = None if images_dir is None else Path(images_dir)
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"There is no folder {images}: set {option} to the folder of the images.")
    if source.is_dir():
        return _folder(source, images, option)
    if not source.is_file():
        raise FileNotFoundError(f"There is no {source}: give a COCO JSON, or a folder of VOC XML files.")
    if source.suffix.lower() in (".yaml", ".yml"):
        return _yolo_of_yaml(source, images, option)
    if source.name in NAME_LISTS or source.suffix == ".names":
        return _yolo(read_list_layout(source, images))
    if source.suffix == ".txt" and source.parent.name == "Main":
        root = source.parents[2] / "Annotations"
        return BoxData("VOC XML", {"": partial(_of_list, root, source, images, option)})
    return BoxData("COCO JSON", {"": partial(read_coco, source, images)})


def _of_list(root: Path, source: Path, images: Path | None, option: str) -> Annotations:
    """A list leaves photos out on purpose: they are not counted."""
    return replace(read_voc(root, find_xml(root, read_image_list(source)), images, option), left_out={})


def _folder(folder: Path, images: Path | None, option: str) -> BoxData:
    if file := _first(folder, YAML_NAMES):
        return _yolo_of_yaml(file, images, option)
    if file := _first(folder, NAME_LISTS) or _first(folder / "labels", NAME_LISTS):
        return _yolo(read_list_layout(file, images))
    inner = folder / "Annotations"  # of a VOC root
    root = inner if inner.is_dir() and not list(folder.glob("*.xml")) else folder
    return BoxData("VOC XML", {"": partial(read_voc, root, find_xml(root), images, option)})


def _yolo_of_yaml(file: Path, images: Path | None, option: str) -> BoxData:
    if images is not None:
        raise ValueError(f"{file} says itself where the photos are: leave {option} out.")
    return _yolo(read_yaml_layout(file))


def _yolo(layout: YoloLayout) -> BoxData:
    parts = {part: partial(read_yolo, layout, part) for part in layout.parts}
    return BoxData(f"YOLO ({layout.told_by.name})", parts)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
