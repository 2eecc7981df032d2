"""A user's boxes, from a COCO JSON or a folder of VOC XML: checked, and in one form."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mmdetpre.datasets.coco.json_file import OBJECT_FLAGS
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.datasets.packed.box_form import WAYS, judge_boxes, remarks_on_boxes, require_form
from mmdetpre.study.custom_data.box_files import read_annotations
from mmdetpre.utils.open_image import open_image
from mmdetpre.utils.progress_bar import progress_bar

_KEPT = ("image_id", "category_id", "bbox", "iscrowd", *OBJECT_FLAGS)
_SHOWN = 3
_OPTION = "--leave-out-bad"
_MANY = 2000
Item = TypeVar("Item")


@dataclass(frozen=True)
class OwnBoxes:
    """Images and boxes as COCO's JSON holds them, with nothing in them that cannot be used.

    Attributes:
        source: What they were read from.
        images_dir: Folder that file names are relative to, absolute.
        images: ``id``, ``file_name``, ``width`` and ``height`` (pixels) of each image.
        annotations: ``id``, ``image_id``, ``category_id``, ``bbox`` (x, y, width, height in pixels), ``area``,
            ``iscrowd`` and, where the source knows them, the flags of
            `mmdetpre.datasets.coco.json_file.OBJECT_FLAGS`.
        categories: ``id`` and ``name``, in label order.
        upright: Whether sizes and boxes count pixels of photos turned by their EXIF orientation; None where no photo is
            turned.
        left_out: How many things were left out, by what they are.
        remarks: What to say of data that are used.
    """

    source: Path
    images_dir: Path
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    upright: bool | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in label order."""
        return [category["name"] for category in self.categories]

    def paths(self) -> list[Path]:
        """Paths of the images."""
        return [self.images_dir / image["file_name"] for image in self.images]

    def part(self, rows: Sequence[int]) -> OwnBoxes:
        """Some of the images with their boxes; all categories stay."""
        images = [self.images[row] for row in rows]
        kept = {image["id"] for image in images}
        return replace(self, images=images, annotations=[a for a in self.annotations if a["image_id"] in kept])

    def to_coco(self) -> dict[str, list[dict[str, Any]]]:
        """The content of a COCO JSON file."""
        return {"images": self.images, "annotations": self.annotations, "categories": self.categories}


def read_own_boxes(
    source: str | os.PathLike,
    images_dir: str | os.PathLike | None = None,
    *,
    leave_out_bad: bool = False,
    classes: Sequence[str] | None = None,
) -> OwnBoxes:
    """Read a COCO JSON or a folder of VOC XML, and check every image and box.

    Args:
        source: The JSON, or the folder.
        images_dir: Folder of the images; auto-detected beside the annotations where they have a usual name.
        leave_out_bad: Continue without images that are missing, cannot be read or have another size, boxes that are
            empty or outside of their image, and categories without boxes, and count them. Otherwise these are errors.
        classes: The classes of the data that are trained on. Others are an error, and so is none of them having a box;
            categories get the numbers that these classes have, 1, 2, ....

    Raises:
        FileNotFoundError: If the file, the folder or images are missing.
        ValueError: Names what is wrong, and what to change.

    Example:
        >>> read_own_boxes("my_coco.json", "photos").classes  # doctest: +SKIP
        ['bolt', 'nut']
    """
    source = Path(source)
    option = "--det-images" if classes is None else "--det-test-images"
    raw = read_annotations(source, images_dir, option)
    left_out: Counter[str] = Counter(raw.left_out)

    def refuse(what: str, bad: Sequence[str], advice: str, kind: type[Exception] = ValueError) -> None:
        if bad and not leave_out_bad:
            raise kind(f"{source}: {len(bad)} {what}: {_listed(bad)}. {advice}, or add {_OPTION} to go on without.")
        left_out.update({what: len(bad)} if bad else {})

    images, missing = _parted(raw.images, lambda image: image["id"] not in raw.missing)
    refuse(
        f"of {len(raw.images)} images are missing in {raw.images_dir}",
        [raw.missing[image["id"]] for image in missing],
        f"Set {option} to the folder of the images",
        FileNotFoundError,
    )
    headers = _headers([raw.images_dir / image["file_name"] for image in images])
    found = dict(zip((image["id"] for image in images), headers, strict=True))
    images, broken = _parted(images, lambda image: found[image["id"]] is not None)
    refuse("images cannot be read", [image["file_name"] for image in broken], "Replace them")
    reasons = broken_images([raw.images_dir / image["file_name"] for image in images])
    images, cut = _parted(images, lambda image: str(raw.images_dir / image["file_name"]) not in reasons)
    named = [f"{image['file_name']} ({reasons[str(raw.images_dir / image['file_name'])]})" for image in cut]
    refuse("images cannot be decoded", named, "Replace them")
    images, wrong, upright = _settle_sizes(source, images, found)
    refuse("images have another size than is annotated", wrong, "Use those that were annotated")

    files = {image["id"]: image["file_name"] for image in images}
    sizes = {image["id"]: (image["width"], image["height"]) for image in images}
    annotations = [a for a in raw.annotations if a["image_id"] in sizes]
    where = [files[a["image_id"]] for a in annotations]
    box_sizes = np.array([sizes[a["image_id"]] for a in annotations], np.int64).reshape(-1, 2)
    corners = WAYS["x y width height"](np.array([a["bbox"] for a in annotations], np.float64).reshape(-1, 4))
    verdicts = judge_boxes(corners, box_sizes)
    written = np.array([a.pop("written") for a in annotations], np.float64).reshape(-1, 4)
    require_form(source, written, raw.way, box_sizes, verdicts, where.__getitem__)
    kept = np.ones(len(annotations), bool)
    for problem, mask in (
        ("boxes are empty (a side below 1 pixel)", verdicts.empty),
        ("boxes lie outside of their image", verdicts.outside),
        ("boxes reach beyond their image by more than three times its size", verdicts.far),
    ):
        rows = np.flatnonzero(mask & kept)
        refuse(problem, [f"{_shown(annotations[i]['bbox'])} in {where[i]}" for i in rows], "Correct the boxes")
        kept &= ~mask
    remarks = [*raw.remarks, *remarks_on_boxes(verdicts, kept, corners, box_sizes, where.__getitem__)]
    annotations = [annotations[i] for i in np.flatnonzero(kept)]
    annotations, ignored = _parted(annotations, lambda a: not a.get("ignore"))
    left_out.update({"boxes marked ignore": len(ignored)} if ignored else {})
    if not annotations:
        gone = "".join(f"; left out: {count} {what}" for what, count in left_out.items())
        raise ValueError(f"{source}: no box is left to learn from or to test on{gone}.")
    for key in ("iscrowd", "difficult"):
        if all(a.get(key) for a in annotations):
            raise ValueError(
                f"{source}: all {len(annotations)} boxes have {key} 1, and such boxes are neither learned nor counted:"
                f" set {key} to 0 where a box surrounds one object."
            )

    used = {a["category_id"] for a in annotations}
    categories, empty = _parted(raw.categories, lambda category: category["id"] in used)
    if classes is None:
        refuse("categories without boxes", [c["name"] for c in empty], "Remove them from the JSON")
        classes = [category["name"] for category in categories]
    elif strange := [c["name"] for c in categories if c["name"] not in classes]:
        raise ValueError(
            f"{source} has boxes of {_listed(strange)}, which nothing is trained on: the classes are"
            f" {', '.join(classes)}. Rename the categories, or leave their boxes out."
        )
    number = {name: label for label, name in enumerate(classes, start=1)}
    renumbered = {category["id"]: number[category["name"]] for category in categories}
    return OwnBoxes(
        source=source,
        images_dir=raw.images_dir.resolve(),
        images=images,
        annotations=[_clean(i, a, renumbered) for i, a in enumerate(annotations, start=1)],
        categories=[{"id": label, "name": name} for name, label in number.items()],
        upright=upright,
        left_out=dict(left_out),
        remarks=remarks,
    )


def _shown(box: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in box)}]"


def _clean(number: int, annotation: dict[str, Any], renumbered: dict[Any, int]) -> dict[str, Any]:
    kept = {key: annotation[key] for key in _KEPT if key in annotation}
    x, y, w, h = (float(value) for value in annotation["bbox"])
    crowd = int(bool(annotation.get("iscrowd") or annotation.get("difficult")))
    kept |= {"id": number, "category_id": renumbered[annotation["category_id"]], "bbox": [x, y, w, h], "iscrowd": crowd}
    return kept | {"area": annotation.get("area", w * h)}


Header = tuple[tuple[int, int], tuple[int, int]]
"""Width and height of an image as it is stored, and turned by its EXIF orientation."""


def _headers(paths: Sequence[Path]) -> list[Header | None]:
    """The headers of images; None where there is no image in the file."""

    def read(path: Path) -> Header | None:
        try:
            with open_image(path) as image:
                stored = image.size
            return stored, read_image_size(str(path))
        except Exception:  # damaged headers make Pillow raise OSError, SyntaxError, ValueError, struct.error ...
            return None

    with ThreadPoolExecutor(16) as pool:
        bar = progress_bar(
            pool.map(read, paths), "reading image sizes", len(paths), unit=" images", disable=len(paths) < _MANY
        )
        return list(bar)


def _settle_sizes(
    source: Path, images: Iterable[dict[str, Any]], found: dict[Any, Header | None]
) -> tuple[list[dict[str, Any]], list[str], bool | None]:
    """Images with their sizes, those of another size, and whether sizes are of photos turned by their orientation."""
    settled, wrong, turned = [], [], {True: [], False: []}  # type: ignore[var-annotated]
    for image in images:
        header = found[image["id"]]
        assert header is not None
        told = (image.get("width") or 0, image.get("height") or 0)
        size = told if min(told) > 0 else header[0]
        if size not in header:
            wrong.append(f"{image['file_name']} has {header[1][0]} x {header[1][1]} pixels, not {size[0]} x {size[1]}")
            continue
        if header[0] != header[1]:
            turned[size == header[1]].append(image["file_name"])
        settled.append({"id": image["id"], "file_name": image["file_name"], "width": size[0], "height": size[1]})
    if turned[True] and turned[False]:
        raise ValueError(
            f"{source}: photos with an EXIF orientation are annotated in two ways, turned ({_listed(turned[True])}) and"
            f" as they are stored ({_listed(turned[False])}). Turn them all, for example with `exiftran -ai`, and"
            " correct width, height and boxes."
        )
    return settled, wrong, bool(turned[True]) if turned[True] or turned[False] else None


def _parted(items: Iterable[Item], good: Callable[[Item], bool]) -> tuple[list[Item], list[Item]]:
    parts: tuple[list[Item], list[Item]] = ([], [])
    for item in items:
        parts[not good(item)].append(item)
    return parts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
