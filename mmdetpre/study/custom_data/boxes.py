"""A user's boxes, in whatever format they were: checked, and in one form."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.coco.json_file import OBJECT_FLAGS
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.datasets.packed.box_form import WAYS, judge_boxes, remarks_on_boxes, require_form
from mmdetpre.study.custom_data.formats.annotations import Annotations
from mmdetpre.study.custom_data.gate import OPTION, Gate, listed
from mmdetpre.study.custom_data.recognize import recognize
from mmdetpre.utils.open_image import open_image
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.results import Json

_MANY = 2000


@dataclass(frozen=True)
class OwnBoxes:
    """Images and boxes, with nothing in them that cannot be used.

    Attributes:
        source: What they were read from.
        images_dir: Folder that file names are relative to, absolute.
        ids, files, sizes: Of the N images: ids, names, and (N, 2) width and height in pixels.
        boxes: Rows of `mmdetpre.study.custom_data.formats.annotations.BOX_ROW`, in any order; ``crowd`` is also set of
            difficult objects.
        classes: Names of the classes in label order.
        known_flags: Keys of `mmdetpre.datasets.coco.json_file.OBJECT_FLAGS` that the source knows.
        upright: Whether sizes and boxes count pixels of photos turned by their EXIF orientation; None where no photo is
            turned.
        left_out: How many things were left out, by what they are.
        remarks: What to say of data that are used.
        form: Format of the source.
        part: The part of the source that was read; "": all of it.
        own_test: The part of the source to test on, if it has one.
        found: Images and boxes that the files of the part have.
        outlines: As of `mmdetpre.study.custom_data.formats.annotations.Annotations`, by the ids of the boxes less 1.
    """

    source: Path
    images_dir: Path
    ids: list[int]
    files: list[str]
    sizes: np.ndarray
    boxes: np.ndarray
    classes: list[str]
    known_flags: tuple[str, ...] = ()
    upright: bool | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    form: str = ""
    part: str = ""
    own_test: str | None = None
    found: tuple[int, int] = (0, 0)
    outlines: Callable[[], Sequence[Any]] | None = None

    @property
    def title(self) -> str:
        """The source, and the part of it."""
        return _title(self.source, self.part)

    def paths(self) -> list[Path]:
        """Paths of the images."""
        return [self.images_dir / file for file in self.files]

    def of_images(self, rows: Sequence[int]) -> OwnBoxes:
        """Some of the images with their boxes; all classes stay."""
        ids, files = [self.ids[row] for row in rows], [self.files[row] for row in rows]
        boxes = _of_images(self.boxes, rows, len(self.files))
        return replace(self, ids=ids, files=files, sizes=self.sizes[list(rows)], boxes=boxes)

    def to_coco(self) -> dict[str, Json]:
        """The content of a COCO JSON file."""
        images: list[Json] = [
            {"id": i, "file_name": name, "width": width, "height": height}
            for i, name, (width, height) in zip(self.ids, self.files, self.sizes.tolist(), strict=True)
        ]
        annotations: list[Json] = [
            {
                "id": int(box["id"]),
                "image_id": self.ids[box["image"]],
                "category_id": int(box["label"]) + 1,
                "bbox": box["box"].tolist(),
                "area": float(box["area"]),
                "iscrowd": int(box["crowd"]),
            }
            | {key: int(bool(box["flags"] & OBJECT_FLAGS[key])) for key in self.known_flags}
            for box in self.boxes
        ]
        categories: list[Json] = [{"id": i, "name": name} for i, name in enumerate(self.classes, start=1)]
        return {"images": images, "annotations": annotations, "categories": categories}


def _of_images(boxes: np.ndarray, images: Sequence[int], count: int) -> np.ndarray:
    """Boxes of some of ``count`` images, whose indices become those in ``images``."""
    row = np.full(count, -1)
    row[list(images)] = np.arange(len(images))
    boxes = boxes[row[boxes["image"]] >= 0]
    boxes["image"] = row[boxes["image"]]
    return boxes


def read_own_boxes(
    source: str | os.PathLike,
    images_dir: str | os.PathLike | None = None,
    *,
    leave_out_bad: bool = False,
    classes: Sequence[str] | None = None,
    option: str = "--det-images",
) -> OwnBoxes:
    """Read annotations in any format that `mmdetpre.study.custom_data.recognize` knows, and check every image and box.

    Of data with parts of their own, the training part is read, or with ``classes`` the test part.

    Args:
        source: The file, or the folder.
        images_dir: Folder of the images; auto-detected beside the annotations where they have a usual name.
        leave_out_bad: Continue without images that are missing, cannot be read or have another size, boxes that are
            empty or outside of their image, and categories without boxes, and count them. Otherwise these are errors.
        classes: The classes of the training data. Others are an error, and so is none of them having a box;
            categories get the numbers that these classes have, 1, 2, ....
        option: What the command line calls the folder of the images.

    Raises:
        FileNotFoundError: If the file, the folder or images are missing.
        ValueError: Names what is wrong, and what to change.

    Example:
        >>> read_own_boxes("my_coco.json", "photos").classes  # doctest: +SKIP
        ['bolt', 'nut']
    """
    source = Path(source)
    data = recognize(source, images_dir, option)
    part = data.train if classes is None else data.test or data.train
    raw, title = data.parts[part](), _title(source, part)
    gate = Gate(title, leave_out_bad, Counter(raw.left_out))
    refuse, left_out = gate.refuse, gate.left_out
    refuse(
        f"of {len(raw.files)} images are missing in {raw.images_dir}",
        [raw.missing[i] for i in sorted(raw.missing)],
        "Add them" if raw.fractions else f"Set {option} to the folder of the images",
        FileNotFoundError,
    )
    paths = [raw.images_dir / name for name in raw.files]
    images = [i for i in range(len(paths)) if i not in raw.missing]
    found = dict(zip(images, _headers([paths[i] for i in images]), strict=True))
    refuse("images cannot be read", [raw.files[i] for i in images if found[i] is None], "Replace them")
    headers = {i: header for i, header in found.items() if header is not None}
    reasons = broken_images([paths[i] for i in headers])
    cut = {i: reasons[str(paths[i])] for i in headers if str(paths[i]) in reasons}
    refuse("images cannot be decoded", [f"{raw.files[i]} ({reason})" for i, reason in cut.items()], "Replace them")
    sizes, wrong, upright = _resolve_sizes(title, raw, {i: headers[i] for i in headers if i not in cut})
    refuse("images have another size than is annotated", wrong, "Use those that were annotated")

    files = [raw.files[i] for i in sizes]
    boxes = _of_images(raw.boxes, list(sizes), len(paths))
    box_sizes = np.array(list(sizes.values()), np.int64).reshape(-1, 2)[boxes["image"]]

    def where(i: int) -> str:
        return files[boxes["image"][i]]

    if raw.fractions:
        boxes["box"] *= np.tile(box_sizes, 2)
        boxes["area"] = boxes["box"][:, 2:].prod(axis=1)
    corners = WAYS["x y width height"](boxes["box"])
    verdicts = judge_boxes(corners, box_sizes)
    require_form(title, boxes["written"], raw.way, box_sizes, verdicts, where, fractions=raw.fractions)
    kept = np.ones(len(boxes), bool)
    for problem, mask in (
        ("boxes are empty (a side below 1 pixel)", verdicts.empty),
        ("boxes lie outside of their image", verdicts.outside),
        ("boxes reach beyond their image by more than three times its size", verdicts.far),
    ):
        bad = [
            f"[{', '.join(f'{v:g}' for v in boxes['box'][i])}] in {where(i)}"
            for i in np.flatnonzero(mask & kept).tolist()
        ]
        refuse(problem, bad, "Correct the boxes")
        kept &= ~mask
    aside = [name for name in data.parts if name not in (data.train, data.test)]
    remarks = [f"the part {name} of {source} is not used" for name in aside]
    remarks += [*raw.remarks, *remarks_on_boxes(verdicts, kept, corners, box_sizes, where)]
    if ignored := int((kept & boxes["ignore"]).sum()):
        left_out["boxes marked ignore"] += ignored
    boxes = boxes[kept & ~boxes["ignore"]]
    if not len(boxes):
        gone = "".join(f"; left out: {count} {what}" for what, count in left_out.items())
        raise ValueError(f"{title}: no box is left to train or test on{gone}.")
    difficult = (boxes["flags"] & OBJECT_FLAGS["difficult"]) > 0
    for key, marked in (("iscrowd", boxes["crowd"]), ("difficult", difficult)):
        if marked.all():
            raise ValueError(
                f"{title}: all {len(boxes)} boxes have {key} 1, and such boxes are neither learned nor counted:"
                f" set {key} to 0 where a box surrounds one object."
            )
    boxes["crowd"] |= difficult

    used = set(boxes["label"].tolist())
    names = [name for i, name in enumerate(raw.names) if i in used]
    if classes is None:
        empty = [name for i, name in enumerate(raw.names) if i not in used]
        if raw.spare_names:
            left_out.update({"classes without boxes": len(empty)} if empty else {})
        else:
            refuse("categories without boxes", empty, "Remove them from the JSON")
        classes = names
    elif (strange := [name for name in names if name not in classes]) and not leave_out_bad:
        raise ValueError(
            f"{title} has boxes of {listed(strange)}, which nothing is trained on: the classes are"
            f" {', '.join(classes)}. Rename the categories, leave their boxes out, or add {OPTION} to continue"
            " without."
        )
    label = {name: i for i, name in enumerate(classes)}
    boxes["label"] = np.array([label.get(name, -1) for name in raw.names])[boxes["label"]]
    if strange_boxes := int((boxes["label"] < 0).sum()):
        left_out[f"boxes of classes without training boxes ({listed(strange)})"] += strange_boxes
        boxes = boxes[boxes["label"] >= 0]
    return OwnBoxes(
        source=source,
        images_dir=raw.images_dir.resolve(),
        ids=[raw.ids[i] for i in sizes],
        files=files,
        sizes=np.array(list(sizes.values()), np.int64),
        boxes=boxes,
        classes=list(classes),
        known_flags=tuple(key for key, bit in OBJECT_FLAGS.items() if (raw.boxes["flags"] & bit).any()),
        upright=upright,
        left_out=dict(left_out),
        remarks=remarks,
        form=data.form,
        part=part,
        own_test=data.test,
        found=(len(raw.files) - len(raw.missing), len(raw.boxes)),
        outlines=raw.outlines,
    )


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


def _resolve_sizes(
    source: str, raw: Annotations, headers: Mapping[int, Header]
) -> tuple[dict[int, tuple[int, int]], list[str], bool | None]:
    """Sizes of images, those of another size, and whether sizes are of photos turned by their orientation."""
    sizes: dict[int, tuple[int, int]] = {}
    wrong: list[str] = []
    turned: dict[bool, list[str]] = {True: [], False: []}
    for i, header in headers.items():
        width, height = raw.sizes[i].tolist()
        size = (width, height) if min(width, height) > 0 else header[raw.fractions]
        if size not in header:
            shown = f"{header[1][0]} x {header[1][1]} pixels, not {size[0]} x {size[1]}"
            wrong.append(f"{raw.files[i]} has {shown}")
            continue
        if header[0] != header[1]:
            turned[size == header[1]].append(raw.files[i])
        sizes[i] = size
    if turned[True] and turned[False]:
        raise ValueError(
            f"{source}: photos with an EXIF orientation are annotated in two ways, turned ({listed(turned[True])}) and"
            f" as they are stored ({listed(turned[False])}). Turn them all, for example with `exiftran -ai`, and"
            " correct width, height and boxes."
        )
    return sizes, wrong, bool(turned[True]) if turned[True] or turned[False] else None


def _title(source: Path, part: str) -> str:
    return f"{source} ({part})" if part else str(source)
