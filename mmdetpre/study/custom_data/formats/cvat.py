"""CVAT's XML, "CVAT for images 1.1": one file for all photos, whose subsets are parts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from mmdetpre.datasets.coco.json_file import OBJECT_FLAGS
from mmdetpre.datasets.images.photo_names import PARTS
from mmdetpre.datasets.packed.annotation_values import FLAG, flag_of, name_of, number_of, side_of
from mmdetpre.datasets.voc.xml_files import WAY
from mmdetpre.study.custom_data.formats.annotations import (
    Annotations,
    box_rows,
    find_photos,
    missing_photos,
    other_forms,
    photo_folders,
)
from mmdetpre.utils.bounded_files import MIB, read_xml

_MOST_BYTES = 256 * MIB
_NO_BOX = ("polyline", "points", "cuboid", "skeleton", "tag")
Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class CvatImage:
    """A photo and its objects: corners, label and flags of each."""

    name: str
    size: tuple[int, int]
    subset: str
    objects: list[tuple[Corners, str, int]]


@dataclass
class CvatFile:
    """What a file holds.

    Attributes:
        path: The file.
        images: Its photos.
        labels: Names of the classes that it lists.
        around: How many objects are something else than upright boxes, by what they are: boxes around them are taken.
        left_out: How many objects have no box, by what they are.
    """

    path: Path
    images: list[CvatImage] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    around: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def parts(self) -> list[str]:
        """The subsets if they are parts of the data, each photo in one; else ``""``, all of them."""
        found = list(dict.fromkeys(PARTS.get(image.subset.lower(), "") for image in self.images))
        return found if "" not in found and "train" in found else [""]


def read_cvat_file(path: Path) -> CvatFile:
    """Read a file of CVAT. Rotated boxes, ellipses, polygons and masks give the upright boxes around them.

    Raises:
        OSError: If it cannot be read.
        ValueError: Names what is wrong: not of CVAT, of a video, or an object without label or numbers.
    """
    root = read_xml(path, _MOST_BYTES)
    if root.tag != "annotations":
        raise ValueError(f"{path} is not of CVAT: it holds <{root.tag:.40}>, expected <annotations>.")
    if root.find("track") is not None:
        raise ValueError(f'{path} is of a video, with tracks. Export it from CVAT as "CVAT for images 1.1".')
    found = CvatFile(path)
    labels = [name_of(item.findtext("name") or "") for item in root.iterfind("meta//labels/label")]
    found.labels = list(dict.fromkeys(name for name in labels if name))
    found.images = [_image(item, found) for item in root.iterfind("image")]
    names = Counter(image.name for image in found.images)
    if not names:
        raise ValueError(f"{path} has no <image>.")
    if names.most_common(1)[0][1] > 1:
        raise ValueError(f"{path}: two images are called {names.most_common(1)[0][0]!r}: they must differ.")
    return found


def read_cvat(file: CvatFile, part: str, images_dir: Path | None) -> Annotations:
    """The photos of a part with their boxes.

    Args:
        file: What was read.
        part: One of its parts.
        images_dir: Folder of the photos; None: a usual one beside the file.
    """
    images = [image for image in file.images if not part or PARTS[image.subset.lower()] == part]
    folder, photos = find_photos(
        photo_folders(file.path.parent, images_dir), lambda folder: folder.find([image.name for image in images])
    )
    rows = [(i, *one) for i, image in enumerate(images) for one in image.objects]
    names = file.labels or sorted({label for _, _, label, _ in rows})
    corners = np.array([box for _, box, _, _ in rows], np.float64).reshape(-1, 4)
    sides = corners[:, 2:] - corners[:, :2]
    boxes = box_rows(
        len(rows), image=[row[0] for row in rows], box=np.concatenate([corners[:, :2], sides], axis=1), written=corners,
        label=[names.index(label) for _, _, label, _ in rows], flags=[flags for *_, flags in rows],
        area=sides.prod(axis=1),
    )  # fmt: skip
    remarks = [*other_forms(photos)]
    if file.around:
        listed = " and ".join(f"{count} {what}" for what, count in file.around.items())
        remarks.append(f"{listed} of {file.path.name} are read as the upright boxes around them")
    sizes = np.array([image.size for image in images], np.int32).reshape(-1, 2)
    return Annotations(
        Path(folder.folder), list(range(1, len(images) + 1)), photos.names, sizes, boxes, names, WAY,
        missing_photos(folder, photos), dict(file.left_out), remarks, spare_names=True,
    )  # fmt: skip


def _image(item: Element, found: CvatFile) -> CvatImage:
    name = (item.get("name") or "").strip()
    sides = [_side(item.get(key)) for key in ("width", "height")]
    if not name or None in sides:
        raise ValueError(
            f"{found.path}: an <image> has name {item.get('name')!r:.80}, width {item.get('width')!r:.20} and height"
            f" {item.get('height')!r:.20}: expected a name, and whole pixels."
        )
    objects = []
    for shape in item:
        if shape.tag in _NO_BOX:
            found.left_out[f"objects without a box ({shape.tag})"] += 1
            continue
        label, corners = name_of(shape.get("label") or ""), _corners(shape)
        if label is None or corners is None:
            told = " ".join(f"{key}={value!r}" for key, value in shape.attrib.items())
            raise ValueError(
                f"{found.path}: image {name!r:.80} has <{shape.tag:.40} {told:.200}>: expected a label, and the numbers"
                " of a box, polygon, ellipse or mask."
            )
        if found.labels and label not in found.labels:
            raise ValueError(
                f"{found.path}: image {name!r:.80} has an object {label!r:.80}, which is not one of its labels,"
                f" {', '.join(found.labels)[:200]}."
            )
        if shape.tag != "box" or number_of(shape.get("rotation") or "0"):
            found.around[
                "rotated boxes" if shape.tag == "box" else {"ellipse": "ellipses"}.get(shape.tag, f"{shape.tag}s")
            ] += 1
        objects.append((corners, label, _flags(shape, found.path, name)))
    width, height = (side or 0 for side in sides)
    return CvatImage(name, (width, height) if min(width, height) > 0 else (0, 0), item.get("subset") or "", objects)


def _flags(shape: Element, path: Path, name: str) -> int:
    told = {"occluded": shape.get("occluded")}
    told |= {
        key: item.text
        for item in shape.iterfind("attribute")
        if (key := (item.get("name") or "").lower()) in OBJECT_FLAGS
    }
    flags = 0
    for key, text in told.items():
        value = flag_of(text)
        if value is None:
            raise ValueError(f"{path}: an object of {name!r:.80} has {key} {text!r:.40}, expected {FLAG}.")
        flags |= OBJECT_FLAGS[key] if value else 0
    return flags


def _corners(shape: Element) -> Corners | None:
    """The box around a shape, upright; None where its numbers are not all there."""

    def numbers(*keys: str) -> list[float] | None:
        values = [value for key in keys if (value := number_of(shape.get(key))) is not None]
        return values if len(values) == len(keys) else None

    angle = number_of(shape.get("rotation") or "0")
    if angle is None:
        return None
    turn = math.radians(angle)
    if shape.tag == "box" and (values := numbers("xtl", "ytl", "xbr", "ybr")):
        left, top, right, bottom = values
        if not angle:
            return left, top, right, bottom
        width, height = abs(right - left) / 2, abs(bottom - top) / 2
        reach_x = width * abs(math.cos(turn)) + height * abs(math.sin(turn))
        reach_y = width * abs(math.sin(turn)) + height * abs(math.cos(turn))
        return _about((left + right) / 2, (top + bottom) / 2, reach_x, reach_y)
    if shape.tag == "ellipse" and (values := numbers("cx", "cy", "rx", "ry")):
        x, y, a, b = values
        reach_x = math.hypot(a * math.cos(turn), b * math.sin(turn))
        return _about(x, y, reach_x, math.hypot(a * math.sin(turn), b * math.cos(turn)))
    if shape.tag == "mask" and (values := numbers("left", "top", "width", "height")):
        left, top, width, height = values
        return left, top, left + width, top + height
    if shape.tag == "polygon":
        points = [[number_of(text) for text in pair.split(",")] for pair in (shape.get("points") or "").split(";")]
        xy = [(pair[0], pair[1]) for pair in points if len(pair) == 2 and pair[0] is not None and pair[1] is not None]
        if len(xy) == len(points) >= 3:
            xs, ys = [x for x, _ in xy], [y for _, y in xy]
            return min(xs), min(ys), max(xs), max(ys)
    return None


def _about(x: float, y: float, reach_x: float, reach_y: float) -> Corners:
    return x - reach_x, y - reach_y, x + reach_x, y + reach_y


def _side(text: str | None) -> int | None:
    value = number_of(text)
    return side_of(value) if value is not None or not text else None
