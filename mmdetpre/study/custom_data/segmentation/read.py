"""A user's segmentation data: label maps or outlines, as a training and a test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmdetpre.datasets.coco.outlines import outline_mask
from mmdetpre.datasets.label_maps.files import count_labels
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.detection_data import DetectionData
from mmdetpre.study.custom_data.formats.coco_json import ROBOFLOW
from mmdetpre.study.custom_data.segmentation.map_folder import read_map_folder
from mmdetpre.study.custom_data.segmentation.own_maps import (
    BACKGROUND,
    MOST_CLASSES,
    VOID,
    OwnMaps,
    label_png,
    require_parts,
)
from mmdetpre.study.custom_data.split import in_both, same_files, split_images_by_class
from mmdetpre.utils.plain_text import require_names
from mmdetpre.utils.progress_bar import progress_bar

_COCO = (ROBOFLOW, f"train/{ROBOFLOW}", "labels.json", "train/labels.json")
"""Files by which a folder of Roboflow or FiftyOne is known."""
_MANY, _SHOWN = 500, 3


def read_segmentation(
    source: Path,
    images_dir: Path | None = None,
    class_file: Path | None = None,
    split_seed: int = 0,
    *,
    leave_out_bad: bool = False,
) -> tuple[OwnMaps, OwnMaps]:
    """The training and the test part of segmentation data, checked.

    Parts are those of VOC's lists in ``ImageSets/Segmentation``, or of folders ``train``, ``val`` and ``test``; else a
    fifth is split off, every class in both parts.

    Args:
        source: A folder of label maps, or a COCO JSON whose objects have outlines, also as a folder of Roboflow.
        images_dir: Folder of the photos; None: a usual one beside it.
        class_file: Names of the classes of label maps.
        split_seed: Seed of the split.
        leave_out_bad: Continue without what cannot be used, and count it.

    Raises:
        FileNotFoundError, ValueError: If something is wrong with the data.
    """
    if source.is_file() or any((source / name).is_file() for name in _COCO):
        if class_file is not None:
            raise ValueError(f"{source} names its classes itself: leave --seg-classes out.")
        parts = DetectionData(source, images_dir).read(split_seed, leave_out_bad=leave_out_bad, option="--seg-images")
        train, test = (
            _drawn(part, name, leave_out_bad=leave_out_bad) for part, name in zip(parts, ("train", "test"), strict=True)
        )
    elif source.is_dir():
        if images_dir is not None and not images_dir.is_dir():
            raise FileNotFoundError(f"There is no folder {images_dir}: set --seg-images to the folder of the photos.")
        whole = read_map_folder(source, images_dir, class_file, leave_out_bad=leave_out_bad)
        train, test = _parts(whole, split_seed)
    else:
        raise FileNotFoundError(f"There is no {source}: give --seg a folder of label maps, or a COCO JSON.")
    for part in (train, test):
        require_names(part.classes, f"{source}: the class")
        require_names([*part.images, *part.maps], f"{source}: the file")
    require_parts(train, test)
    return train, test


def _parts(whole: OwnMaps, seed: int) -> tuple[OwnMaps, OwnMaps]:
    own: dict[str, list[int]] = {}
    for i, name in enumerate(whole.maps):
        own.setdefault(whole.part_of.get(name, ""), []).append(i)
    test = next((part for part in ("test", "val") if part in own), None)
    if "train" in own and test and "" not in own:
        for part in own.keys() - {"train", test}:
            whole.remarks.append(f"the part {part} is not used")
        return _without(whole.of(own["train"], "train"), whole.of(own[test], test)), whole.of(own[test], test)
    try:
        rows = split_images_by_class(whole.images, same_files(whole.paths()), whole.shown(), seed=seed)
    except ValueError as error:
        raise ValueError(f"{whole.source}: {error} Add photos, or folders train and test.") from error
    return whole.of(rows[0]), whole.of(rows[1])


def _without(train: OwnMaps, test: OwnMaps) -> OwnMaps:
    """The training part, refused if the test part has photos of it."""
    paths = [*train.paths(), *test.paths()]
    both = in_both(paths, len(train.images))
    if both:
        pairs = ", ".join(f"{paths[group[0]]} = {paths[group[-1]]}" for group in both[:_SHOWN])
        raise ValueError(f"{len(both)} training photos are test photos as well, the test would know them: {pairs}.")
    return train


def _drawn(boxes: OwnBoxes, name: str, *, leave_out_bad: bool) -> OwnMaps:
    """Label maps of photos whose objects have outlines: smaller ones on larger ones, crowds and difficult ones void."""
    if boxes.outlines is None:
        raise ValueError(f"{boxes.title}: {boxes.form} has no outlines. Give --seg label maps, or a COCO JSON.")
    if boxes.upright is False:
        raise ValueError(
            f"{boxes.title}: photos with an EXIF orientation are annotated as they are stored. Turn them, for example"
            " with `exiftran -ai`, and correct width, height and outlines."
        )
    classes = [BACKGROUND, *(name for name in boxes.classes if name != BACKGROUND)]
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"{boxes.title} has {len(classes)} classes: label maps hold {MOST_CLASSES} at most.")
    label = [classes.index(name) for name in boxes.classes]
    outlines = boxes.outlines()
    of_image: list[list[int]] = [[] for _ in boxes.files]
    for row in np.argsort(-boxes.boxes["area"], kind="stable").tolist():
        of_image[boxes.boxes["image"][row]].append(row)
    maps: dict[str, bytes] = {}
    pixels, bad = [], 0
    bar = progress_bar(of_image, desc="drawing label maps", unit=" images", disable=len(of_image) < _MANY)
    for image, rows in enumerate(bar):
        width, height = boxes.sizes[image].tolist()
        found = np.zeros((height, width), np.uint8)
        for box in boxes.boxes[rows]:
            value = VOID if box["crowd"] else label[box["label"]]
            try:
                mask = outline_mask(outlines[int(box["id"]) - 1], width, height)
            except ValueError as error:
                if not leave_out_bad:
                    raise ValueError(
                        f"{boxes.title}: an object of {boxes.files[image]} has {error}. Correct it, or add"
                        " --leave-out-bad to make its box void."
                    ) from error
                mask, value, bad = outline_mask(_rectangle(box["box"]), width, height), VOID, bad + 1
            found[mask] = value
        maps[f"{name}/{image + 1:06d}.png"] = label_png(found)
        pixels.append(count_labels(found))
    left_out = boxes.left_out | ({"outlines that are void with their boxes": bad} if bad else {})
    return OwnMaps(
        boxes.source, boxes.form, boxes.images_dir, None, boxes.files, list(maps), classes, pixels, maps, boxes.part,
        left_out, boxes.remarks,
    )  # fmt: skip


def _rectangle(box: Sequence[float]) -> list[list[float]]:
    x, y, width, height = map(float, box)
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]
