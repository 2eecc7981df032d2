"""Folders of VOC's XML with their photos."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.datasets.images.photo_names import PhotoFolder
from mmdetpre.datasets.voc import xml_files
from mmdetpre.datasets.voc.xml_files import half_open, read_xml_files
from mmdetpre.study.custom_data.formats.annotations import (
    Annotations,
    box_rows,
    find_photos,
    missing_photos,
    other_forms,
    photo_folders,
)


def read_voc(root: Path, files: Mapping[str, Path], images_dir: Path | None, option: str) -> Annotations:
    """Read XML files of one photo each.

    Their boxes name the first and the last pixel inside, counted from 1; they become x, y, width, height of half-open
    boxes from 0.

    Args:
        root: Their folder.
        files: Path of each by its name, as of `mmdetpre.datasets.voc.xml_files.find_xml`.
        images_dir: Folder of the photos; None: a usual one beside the files.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If no photo is there.
        ValueError: Names what is wrong.
    """
    if not files:
        raise ValueError(f"{root} holds no *.xml file of a list.")
    objects = read_xml_files([str(file) for file in files.values()])
    folder, photos = find_photos(
        photo_folders(root, images_dir), lambda folder: folder.find_stems(list(files), objects.files)
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
    boxes = box_rows(
        len(corners), image=objects.image, box=np.concatenate([corners[:, :2], sides], axis=1), written=objects.boxes,
        label=[names.index(name) for name in objects.names], flags=objects.flags, area=sides.prod(axis=1),
    )  # fmt: skip
    without = len(folder.stems() - {os.path.splitext(name)[0] for name in photos.names})
    left_out = {"photos without an XML file": without} if without else {}
    remarks = [*other_forms(photos), *_strange_names(folder, photos.names, files, objects.files)]
    images = (Path(folder.folder), list(range(1, len(files) + 1)), photos.names, objects.sizes)
    return Annotations(*images, boxes, names, xml_files.WAY, missing_photos(folder, photos), left_out, remarks)


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
