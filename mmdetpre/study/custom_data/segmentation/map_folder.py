"""A folder of label maps with its photos: found, checked and brought to labels 0, 1, 2, ..., 255 for void."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.datasets.images.photo_names import PARTS, FoundPhotos, PhotoFolder
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.datasets.label_maps.check import LabelMapScan, check_scan, scan_label_maps
from mmdetpre.datasets.label_maps.files import count_labels, described_labels, read_label_map
from mmdetpre.study.custom_data.formats.annotations import find_photos, missing_photos, other_forms, photo_folders
from mmdetpre.study.custom_data.formats.voc_lists import voc_lists
from mmdetpre.study.custom_data.gate import Gate
from mmdetpre.study.custom_data.segmentation.class_files import ClassFile, find_class_file, read_class_file
from mmdetpre.study.custom_data.segmentation.color_maps import is_colored, read_color_map
from mmdetpre.study.custom_data.segmentation.own_maps import BACKGROUND, VOID, OwnMaps, label_png

_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""What keeps the values of pixels; JPEG does not."""
_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_L", "_labelIds", "_labelTrainIds")
_LOOKED_AT, _MOST_GAPS = 3, 64
Table = dict[int, int]
"""Value in the files -> label."""


def read_map_folder(
    source: Path, images_dir: Path | None = None, class_file: Path | None = None, *, leave_out_bad: bool = False
) -> OwnMaps:
    """Read and check a folder of label maps: one value per pixel, gray or with a palette, 255 for void.

    Maps of 0 and 255 alone are read as background and object; values with gaps, and colors that a list of classes
    names, become labels 0, 1, 2, ...; such maps are drawn anew.

    Args:
        source: The folder, or one with VOC's ``SegmentationClass``.
        images_dir: Folder of the photos; None: a usual one beside it.
        class_file: Names of the classes; None: a list of a usual name, else the values are the classes.
        leave_out_bad: Continue without maps and photos that cannot be used, and count them. Otherwise they are errors.

    Raises:
        FileNotFoundError: If the folder, photos or maps are missing.
        ValueError: Names what is wrong.
    """
    root = source / "SegmentationClass" if (source / "SegmentationClass").is_dir() else source
    listed = class_file or find_class_file((root, source, root.parent))
    known = None if listed is None else read_class_file(listed)
    gate = Gate(source, leave_out_bad)
    pairs, remarks = _pairs(root, images_dir, gate)
    maps = [str(root / name) for name in pairs.maps]
    drawn: list[bytes | None] = [None] * len(maps)
    pixels: list[dict[int, int]] = [{} for _ in maps]
    if known is not None and known.colors and any(map(is_colored, maps[:_LOOKED_AT])):
        classes, bad = known.names, {}
        for i, path in enumerate(maps):
            try:
                labels = read_color_map(path, known)
            except ValueError as error:
                bad[path] = str(error)
            else:
                drawn[i], pixels[i] = label_png(labels), count_labels(labels)
        remarks.append(f"the maps are in color, by {known.file.name}: drawn anew with one label per pixel")
    else:
        scan = scan_label_maps(maps)
        bad, scan.broken = {path: f"{path} ({reason})" for path, reason in scan.broken.items()}, {}
        gate.refuse("label maps cannot be used", list(bad.values()), "Correct or replace them")
        classes, table, told = _classes(scan, known, source)
        remarks += told
        pixels = [scan.values.get(path, {}) for path in maps]
        if table is not None:
            drawn = [None if path in bad else label_png(_mapped(read_label_map(path), table)) for path in maps]
            pixels = [{table[value]: count for value, count in counts.items()} for counts in pixels]
    if drawn.count(None) < len(drawn):  # else it was said above
        gate.refuse("label maps cannot be used", list(bad.values()), "Correct or replace them")
    rows = [i for i, path in enumerate(maps) if path not in bad]
    if not rows:
        raise ValueError(f"{source}: no label map is left that can be used.")
    names = [f"{os.path.splitext(name)[0]}.png" if drawn[rows[0]] else name for name in pairs.maps]
    return OwnMaps(
        source, "label maps", pairs.images_dir, None if drawn[rows[0]] else root.resolve(),
        [pairs.images[i] for i in rows], [names[i] for i in rows], classes, [pixels[i] for i in rows],
        {names[i]: png for i in rows if (png := drawn[i]) is not None}, "", dict(gate.left_out), remarks,
        {names[i]: pairs.parts[i] for i in rows},
    )  # fmt: skip


@dataclass(frozen=True)
class _Pairs:
    """Photos that can be used, their label maps, which were not read, and the part of each."""

    images_dir: Path
    images: list[str]
    maps: list[str]
    parts: list[str]


def _pairs(root: Path, images_dir: Path | None, gate: Gate) -> tuple[_Pairs, list[str]]:
    """Label maps of a folder with their photos, and what to say."""
    stems = _map_stems(root)
    part_of = {name: part for part, listed in voc_lists(root, "Segmentation", stems).items() for name in listed}
    if part_of:
        gate.refuse(
            "images of the lists in ImageSets/Segmentation have no label map",
            [name for name in part_of if name not in stems],
            "Add them",
            FileNotFoundError,
        )
        if without := len(stems.keys() - part_of.keys()):
            gate.left_out["label maps that no list in ImageSets/Segmentation names"] = without
        stems = {name: stems[name] for name in part_of if name in stems}
    names = list(stems)
    maps = list(stems.values())

    def find(folder: PhotoFolder) -> FoundPhotos:
        found = folder.find_stems(names, [""] * len(names), ".jpg")
        own = [i for i, name in enumerate(found.names) if Path(folder.folder, name) == root / maps[i]]
        return replace(found, missing=sorted({*found.missing, *own}))  # a map is not its own photo

    folder, photos = find_photos(photo_folders(root, images_dir), find)
    where, missing = Path(folder.folder), missing_photos(folder, photos)
    if len(missing) == len(names):
        raise FileNotFoundError(
            f"{gate.title}: none of {len(names)} label maps has a photo of its name in {where}, such as"
            f" {names[0]}.jpg. Set --seg-images to the folder of the photos."
        )
    gate.refuse(
        "label maps have no photo", list(missing.values()), "Set --seg-images to their folder", FileNotFoundError
    )
    rows = [i for i in range(len(names)) if i not in missing]
    reasons = broken_images([where / photos.names[i] for i in rows])
    broken = {i: reason for i in rows if (reason := reasons.get(str(where / photos.names[i])))}
    gate.refuse(
        "photos cannot be decoded",
        [f"{photos.names[i]} ({reason})" for i, reason in broken.items()],
        "Replace them",
    )
    rows = [i for i in rows if i not in broken]
    with ThreadPoolExecutor(16) as pool:
        told = pool.map(lambda i: _other_size(str(where / photos.names[i]), str(root / maps[i])), rows)
        other = {i: text for i, text in zip(rows, told, strict=True) if text}
    gate.refuse("label maps have another size than their photo", list(other.values()), "Replace them")
    rows = [i for i in rows if i not in other]
    if where != root and not part_of:  # a list leaves photos out on purpose
        without = len(folder.stems() - {os.path.splitext(name)[0] for name in photos.names})
        gate.left_out.update({"photos without a label map": without} if without else {})
    parts = [part_of.get(names[i]) or _part_of_folder(maps[i]) for i in rows]
    pairs = _Pairs(where.resolve(), [photos.names[i] for i in rows], [maps[i] for i in rows], parts)
    said = ["the lists in ImageSets/Segmentation say which photo is of which part"] if part_of else []
    return pairs, [*said, *other_forms(photos)]


def _part_of_folder(name: str) -> str:
    return next((PARTS[step.lower()] for step in name.split("/")[:-1] if step.lower() in PARTS), "")


def _other_size(photo: str, label_map: str) -> str:
    try:
        sizes = [read_image_size(path) for path in (photo, label_map)]
    except Exception:  # of the map: its own check says why
        return ""
    shown = [f"{width} x {height}" for width, height in sizes]
    return "" if sizes[0] == sizes[1] else f"{label_map} ({shown[1]} pixels, its photo {shown[0]})"


def _map_stems(root: Path) -> dict[str, str]:
    """Name of each photo without suffix -> its label map, relative to the root."""
    found = PhotoFolder(root).photos()
    maps = [name for name in found if name.lower().endswith(_SUFFIXES)]
    if not maps:
        more = f" ({len(found)} JPEGs: they do not keep the values of pixels)" if found else ""
        raise FileNotFoundError(f"{root} holds no label maps{more}: expected one PNG for each photo.")
    others = {os.path.splitext(name)[0] for name in found}
    for ending in _ENDINGS:
        ended = {stem[: -len(ending)]: name for name in maps if (stem := os.path.splitext(name)[0]).endswith(ending)}
        if ended and (len(ended) == len(maps) or ended.keys() <= others):
            return ended
    stems: dict[str, str] = {}
    for name in maps:
        stem = os.path.splitext(name)[0]
        if stems.setdefault(stem, name) != name:
            raise ValueError(f"{root} holds {stems[stem]} and {name}: remove one of the two.")
    return stems


def _classes(scan: LabelMapScan, known: ClassFile | None, source: Path) -> tuple[list[str], Table | None, list[str]]:
    """Classes, labels of values that are to change, and what to say."""
    values = sorted(scan.pixels)
    if values == [0, VOID] and (known is None or len(known.names) == 2):
        names = known.names if known else [BACKGROUND, "object"]
        return names, {0: 0, VOID: 1}, [f"the maps hold 0 and 255 alone: 255 is read as {names[1]}, not as void"]
    values = [value for value in values if value != VOID]
    if known is not None:
        names, told, count = known.names, [], len(known.names)
        if values and values[-1] == count and BACKGROUND not in map(str.lower, names):
            names = [BACKGROUND, *names]
            told = [
                f"{known.file.name} names {count} classes, and the maps hold labels up to {count}: 0 is read as"
                f" {BACKGROUND}. If it is a class of yours, add the name that the list lacks"
            ]
        return names, None, told + check_scan(scan, len(names), VOID, source=f"{source} (classes: {known.file})")
    gaps = values != list(range(len(values)))
    if len(values) > VOID or (gaps and len(values) > _MOST_GAPS):
        raise ValueError(
            f"{source}: the maps hold {len(values)} different values, most often"
            f" {described_labels(dict(scan.pixels.most_common(3)))}: these are hardly classes but instances, or photos."
            " Name the classes (--seg-classes), and correct the maps."
        )
    names = [f"class {value}" for value in values]
    told = ["there is no list of classes: the values of the maps are their names"]
    if not gaps:
        return names, None, told
    table = {value: label for label, value in enumerate(values)} | {VOID: VOID}
    return names, table, [*told, f"the values {', '.join(map(str, values))} are drawn anew as 0 to {len(values) - 1}"]


def _mapped(labels: np.ndarray, table: Table) -> np.ndarray:
    values = np.array(sorted(table))
    return np.array([table[value] for value in values.tolist()], np.uint8)[np.searchsorted(values, labels)]
