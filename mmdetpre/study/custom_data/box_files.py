"""Annotation files as they are found: COCO's JSON, or VOC's XML, with their photos, in the terms of the former."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mmdetpre.datasets.coco import json_file as coco_json
from mmdetpre.datasets.coco.json_file import read_coco_json
from mmdetpre.datasets.images.lists import read_image_list
from mmdetpre.datasets.images.photo_names import FoundPhotos, PhotoFolder
from mmdetpre.datasets.voc import xml_files as voc_xml
from mmdetpre.datasets.voc.xml_files import find_xml, half_open, read_xml_files

_DESCRIBED = 3
_FOLDERS = (".", "images", "JPEGImages", "photos", "../images", "../JPEGImages", "../photos", "..")


BOX_ROW = np.dtype(
    [("id", "i8"), ("image", "i8"), ("box", "f8", 4), ("written", "f8", 4), ("label", "i8")]
    + [("flags", "u1"), ("area", "f8"), ("crowd", "?"), ("ignore", "?")]
)
"""A box: its id, index of its image, x, y, width, height in pixels, the four numbers of the file, index of its class,
bits of `mmdetpre.datasets.coco.json_file.OBJECT_FLAGS`, area in pixels, and whether it is a crowd or to be ignored."""


@dataclass(frozen=True)
class Annotations:
    """What the files say, of the right form, and not checked further.

    Attributes:
        images_dir: Folder that the file names of the images are relative to.
        ids, files, sizes: Of the N images: whole numbers, names, and (N, 2) width and height, 0 where unknown.
        boxes: Rows of `BOX_ROW`.
        names: Names of the classes.
        way: How boxes are written, a key of `mmdetpre.datasets.packed.box_form.WAYS`.
        missing: Indices of the images that are not there, and their names, the first with what is there instead.
        left_out: How many things were skipped, by what they are.
        remarks: What to say although it was read.
    """

    images_dir: Path
    ids: list[int]
    files: list[str]
    sizes: np.ndarray
    boxes: np.ndarray
    names: list[str]
    way: str
    missing: dict[int, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_annotations(
    source: Path, images_dir: str | os.PathLike | None = None, option: str = "--det-images"
) -> Annotations:
    """Read a COCO JSON, a folder of VOC XML, a VOC root with ``Annotations``, or a list in its ``ImageSets/Main``.

    Boxes of XML name the first and the last pixel inside, counted from 1; they become x, y, width, height of half-open
    boxes from 0.

    Args:
        source: The JSON, the folder, or the list.
        images_dir: Folder of the images; None: a usual one beside the annotations.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If the source, or the folder of the images, is missing.
        ValueError: Names what is wrong.
    """
    if images_dir is not None and not Path(images_dir).is_dir():
        raise FileNotFoundError(f"There is no folder {images_dir}: set {option} to the folder of the images.")
    if source.is_dir():
        inner = source / "Annotations"  # of a VOC root
        root = inner if inner.is_dir() and not list(source.glob("*.xml")) else source
        return _read_xml(root, find_xml(root), images_dir, option)
    if not source.is_file():
        raise FileNotFoundError(f"There is no {source}: give a COCO JSON, or a folder of VOC XML files.")
    if source.suffix == ".txt" and source.parent.name == "Main":
        root = source.parents[2] / "Annotations"
        found = _read_xml(root, find_xml(root, read_image_list(source)), images_dir, option)
        return replace(found, left_out={})  # a list leaves photos out on purpose
    return _read_json(source, images_dir)


def _read_json(source: Path, images_dir: str | os.PathLike | None) -> Annotations:
    found = read_coco_json(source)
    folder, photos = _find_photos(
        _candidates(source.parent, images_dir, source.stem), lambda folder: folder.find(found.files)
    )
    ids = [i for i in found.ids if isinstance(i, int) and abs(i) < 1 << 63]
    if len(ids) < len(found.ids):  # what is written has numbers, as COCO has
        ids = list(range(1, len(found.ids) + 1))
    boxes = _rows(
        len(found.image), image=found.image, box=found.boxes, written=found.boxes, label=found.category,
        flags=found.flags, area=found.area, crowd=found.crowd, ignore=found.ignore,
    )  # fmt: skip
    remarks, missing = [*found.remarks, *_other_forms(photos)], _missing(folder, photos)
    images = (Path(folder.folder), ids, photos.names, found.sizes)
    return Annotations(*images, boxes, found.names, coco_json.WAY, missing, remarks=remarks)


def _read_xml(root: Path, files: dict[str, Path], images_dir: str | os.PathLike | None, option: str) -> Annotations:
    if not files:
        raise ValueError(f"{root} holds no *.xml file: --det takes a COCO JSON or a folder of VOC XML files.")
    objects = read_xml_files([str(file) for file in files.values()])
    folder, photos = _find_photos(
        _candidates(root, images_dir), lambda folder: folder.find_stems(list(files), objects.files)
    )
    if len(photos.missing) == len(files) and not photos.several:
        where = images_dir or "the usual folders beside it"
        near = folder.nearest(photos.names[0])
        raise FileNotFoundError(
            f"{root}: none of {len(files)} XML files has a photo of its name in {where}, such as"
            f" {next(iter(files))}.jpg{f' (the nearest name there is {near})' if near else ''}. Set {option} to the"
            " folder of the images."
        )
    if not objects.names:
        raise ValueError(f"{root}: none of {len(files)} XML files has an <object>.")
    names = sorted(set(objects.names))
    corners = half_open(objects.boxes)
    sides = corners[:, 2:] - corners[:, :2]
    boxes = _rows(
        len(corners), image=objects.image, box=np.concatenate([corners[:, :2], sides], axis=1), written=objects.boxes,
        label=[names.index(name) for name in objects.names], flags=objects.flags, area=sides.prod(axis=1),
    )  # fmt: skip
    without = len(folder.stems() - {os.path.splitext(name)[0] for name in photos.names})
    left_out = {"photos without an XML file": without} if without else {}
    remarks = [*_other_forms(photos), *_strange_names(folder, photos.names, files, objects.files)]
    images = (Path(folder.folder), list(range(1, len(files) + 1)), photos.names, objects.sizes)
    return Annotations(*images, boxes, names, voc_xml.WAY, _missing(folder, photos), left_out, remarks)


def _rows(count: int, **columns: ArrayLike) -> np.ndarray:
    rows = np.zeros(count, BOX_ROW)
    for name, values in columns.items():
        rows[name] = values
    return rows


def _strange_names(
    folder: PhotoFolder, names: Sequence[str], files: Mapping[str, Path], told: Sequence[str]
) -> list[str]:
    """What to say where XML files tell the name of a photo that is there and is not theirs."""
    strange = [
        f"{path.name}: {text}"
        for path, text, name in zip(files.values(), told, names, strict=True)
        if text and os.path.basename(name) != text and text in folder and folder.find([text]).names != [name]
    ]
    if not strange:
        return []
    return [f"<filename> of {len(strange)} XML files names another photo than that of their own name ({strange[0]})"]


def _find_photos(
    folders: Sequence[PhotoFolder], find: Callable[[PhotoFolder], FoundPhotos]
) -> tuple[PhotoFolder, FoundPhotos]:
    """The folder that holds most of the photos, the first on ties."""
    best = None
    for folder in folders:
        photos = find(folder)
        if best is None or len(photos.missing) < len(best[1].missing):
            best = folder, photos
        if not photos.missing:
            break
    assert best is not None
    return best


def _candidates(beside: Path, images_dir: str | os.PathLike | None, stem: str = "") -> list[PhotoFolder]:
    if images_dir is not None:
        return [PhotoFolder(images_dir)]
    part = stem.rpartition("_")[2]  # instances_train2017.json
    names = [*_FOLDERS, *(f"{folder}/{part}" for folder in (".", "..", "images", "../images") if part)]
    folders = [PhotoFolder(beside / name, deep=name not in (".", "..")) for name in names if (beside / name).is_dir()]
    return folders or [PhotoFolder(beside, deep=False)]


def _missing(folder: PhotoFolder, photos: FoundPhotos) -> dict[int, str]:
    names = {i: photos.names[i] for i in photos.missing}
    return names | {i: folder.describe_missing(photos, [i]) for i in photos.missing[:_DESCRIBED]}


def _other_forms(photos: FoundPhotos) -> list[str]:
    if not photos.other_form:
        return []
    row, written = next(iter(photos.other_form.items()))
    count = len(photos.other_form)
    photo = "photo goes" if count == 1 else "photos go"
    return [f"{count} {photo} by another form of their name ({photos.names[row]} for {written})"]
