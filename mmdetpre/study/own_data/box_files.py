"""Annotation files as they are found: COCO's JSON, or a folder of VOC's XML, in the terms of the former."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdetpre.datasets.class_folders import IMAGE_FILE
from mmdetpre.datasets.coco_json import OBJECT_FLAGS
from mmdetpre.datasets.voc_xml import read_xml_files

_KEYS = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}
_FOLDERS = (".", "images", "JPEGImages", "../images", "../JPEGImages", "..")


@dataclass(frozen=True)
class Annotations:
    """What the files say, of the right form, and not looked at further.

    Attributes:
        images_dir: Folder that the file names of the images are relative to.
        images, annotations, categories: As in COCO's JSON; ids differ, and references point at something.
        left_out: How many things were passed over, by what they are.
    """

    images_dir: Path
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    left_out: dict[str, int] = field(default_factory=dict)


def read_annotations(
    source: Path, images_dir: str | os.PathLike | None = None, option: str = "--det-images"
) -> Annotations:
    """Read a COCO JSON or a folder of VOC XML.

    Boxes of XML name the first and the last pixel inside, counted from 1; they become x, y, width, height of half-open
    boxes from 0.

    Args:
        source: The JSON, or the folder.
        images_dir: Folder of the images; None: a usual one beside the annotations.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If the source, or the folder of the images, is missing.
        ValueError: Names what is wrong.
    """
    if images_dir is not None and not Path(images_dir).is_dir():
        raise FileNotFoundError(f"There is no folder {images_dir}: set {option} to the folder of the images.")
    if source.is_dir():
        return _read_xml(source, images_dir, option)
    if not source.is_file():
        raise FileNotFoundError(f"There is no {source}: give a COCO JSON, or a folder of VOC XML files.")
    return _read_json(source, images_dir)


def _read_json(source: Path, images_dir: str | os.PathLike | None) -> Annotations:
    try:
        content = json.loads(source.read_bytes())
    except ValueError as error:
        raise ValueError(f"{source} is no JSON ({error}): it is cut off or another kind of file.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{source} is no COCO file: it holds a {type(content).__name__}, expected an object.")
    for key, needed in _KEYS.items():
        rows = content.get(key)
        if not isinstance(rows, list):
            found = f"it has no key {key!r}" if key not in content else f"its {key!r} is no list"
            raise ValueError(f"{source} is no COCO file: {found}. It needs {', '.join(_KEYS)}.")
        if not rows:
            raise ValueError(f"{source}: the list {key!r} is empty.")
        for i, row in enumerate(rows):
            if not isinstance(row, dict) or any(row.get(name) is None for name in needed):
                lacks = [name for name in needed if not isinstance(row, dict) or row.get(name) is None]
                raise ValueError(f"{source}: {key}[{i}] has no {' and no '.join(map(repr, lacks))}.")
    for key, name in (("images", "id"), ("images", "file_name"), ("categories", "id"), ("categories", "name")):
        _require_different(source, key, name, content[key])
    images, annotations = content["images"], content["annotations"]
    for image in images:
        if wrong := [image[side] for side in ("width", "height") if not isinstance(image.get(side) or 0, int | float)]:
            raise ValueError(f"{source}: {image['file_name']} has the side {wrong[0]!r}, expected pixels.")
    known = {"image_id": {row["id"] for row in images}, "category_id": {row["id"] for row in content["categories"]}}
    for i, annotation in enumerate(annotations):
        for key, ids in known.items():
            if not isinstance(annotation[key], int | str) or annotation[key] not in ids:
                listed = "categories" if key == "category_id" else "images"
                raise ValueError(f"{source}: annotations[{i}] has {key} {annotation[key]!r}, which {listed} lacks.")
        if not _is_box(annotation["bbox"]):
            raise ValueError(
                f"{source}: annotations[{i}] has bbox {annotation['bbox']!r}, expected [x, y, width, height] in pixels."
            )
    folder = _images_dir(source.parent, images_dir, str(images[0]["file_name"]))
    numbers = [image["id"] for image in images]
    if not all(isinstance(number, int) for number in numbers):  # COCO's are, and so are those that are written
        places = {number: place for place, number in enumerate(numbers, start=1)}
        images = [image | {"id": places[image["id"]]} for image in images]
        annotations = [a | {"image_id": places[a["image_id"]]} for a in annotations]
    return Annotations(folder, images, _with_flags(annotations), content["categories"])


def _read_xml(source: Path, images_dir: str | os.PathLike | None, option: str) -> Annotations:
    files = sorted(source.glob("*.xml"))
    if not files:
        raise ValueError(f"{source} holds no *.xml file: --det takes a COCO JSON or a folder of VOC XML files.")
    folder = next(
        (path for path in _candidates(source, images_dir) if _photos(path).keys() & {file.stem for file in files}), None
    )
    if folder is None:
        where = images_dir or "the usual folders beside it"
        raise FileNotFoundError(
            f"{source}: none of {len(files)} XML files has a photo of its name in {where}, such as"
            f" {files[0].stem}.jpg. Set {option} to the folder of the images."
        )
    photos = _photos(folder)
    objects = read_xml_files([str(file) for file in files])
    if not objects.names:
        raise ValueError(f"{source}: none of {len(files)} XML files has an <object>.")
    images = [
        {"id": i, "file_name": photos.get(file.stem, f"{file.stem}.jpg"), "width": int(size[0]), "height": int(size[1])}
        for i, (file, size) in enumerate(zip(files, objects.sizes, strict=True), start=1)
    ]
    names = sorted(set(objects.names))
    numbers = {name: number for number, name in enumerate(names, start=1)}
    annotations = []
    for image, (x1, y1, x2, y2), name, flags in zip(
        objects.image.tolist(), objects.boxes.tolist(), objects.names, objects.flags.tolist(), strict=True
    ):
        told = {key: int(bool(flags & bit)) for key, bit in OBJECT_FLAGS.items()}
        box = [x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1]
        annotations.append({"image_id": image + 1, "category_id": numbers[name], "bbox": box, **told})
    without = len(photos.keys() - {file.stem for file in files})
    return Annotations(
        folder,
        images,
        _with_flags(annotations),
        [{"id": number, "name": name} for name, number in numbers.items()],
        {"photos without an XML file": without} if without else {},
    )


def _with_flags(annotations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Annotations with a flag only where any object has it set: no flag at all says that nobody looked."""

    def told(annotation: Mapping[str, Any], key: str) -> int:
        attributes = annotation.get("attributes")  # where CVAT keeps them
        inner = attributes.get(key) if isinstance(attributes, Mapping) else None
        return int(annotation.get(key, inner) in (1, True, "1", "true", "True"))

    used = [key for key in OBJECT_FLAGS if any(told(annotation, key) for annotation in annotations)]
    return [
        {key: value for key, value in annotation.items() if key not in OBJECT_FLAGS}
        | {key: told(annotation, key) for key in used}
        for annotation in annotations
    ]


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in box)
    )


def _require_different(source: Path, key: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    seen: set[Any] = set()
    for row in rows:
        if not isinstance(row[name], str if name in ("name", "file_name") else int | str):
            raise ValueError(
                f"{source}: {key} has {name} {row[name]!r}, expected a {'name' if name != 'id' else 'number'}."
            )
        if row[name] in seen:
            raise ValueError(f"{source}: two {key} have the {name} {row[name]!r}: they must differ.")
        seen.add(row[name])


def _images_dir(beside: Path, images_dir: str | os.PathLike | None, example: str) -> Path:
    folders = _candidates(beside, images_dir)
    found = next((folder for folder in folders if (folder / example).is_file()), None)
    return found or Path(images_dir or beside)


def _candidates(beside: Path, images_dir: str | os.PathLike | None) -> list[Path]:
    return [Path(images_dir)] if images_dir is not None else [beside / name for name in _FOLDERS]


def _photos(folder: Path) -> dict[str, str]:
    """Image files of a folder by their names without suffix."""
    if not folder.is_dir():
        return {}
    return {Path(name).stem: name for name in sorted(os.listdir(folder)) if IMAGE_FILE.fullmatch(f"./{name}")}
