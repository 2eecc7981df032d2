"""The lists of a VOC root that say which images are of which part: ``ImageSets/Main/train.txt`` and the like."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from mmdetpre.datasets.images.lists import read_image_list

_PARTS = ("train", "val", "test")


def voc_lists(folder: Path, task: str, known: Container[str]) -> dict[str, list[str]]:
    """Part -> names of its images; nothing where there are no lists of a training and a test part.

    A list of images that are not annotated (VOC's own test part) is none.

    Args:
        folder: Of the annotations, or the root of the lists.
        task: Folder of the lists, ``Main`` or ``Segmentation``.
        known: Names of the images that are annotated.

    Raises:
        ValueError: If a list is damaged, or two name one image.

    Example:
        >>> voc_lists(Path("nowhere"), "Main", ())
        {}
    """
    root = next((root for root in (folder, folder.parent) if (root / "ImageSets" / task).is_dir()), folder)
    files = {part: root / "ImageSets" / task / f"{part}.txt" for part in _PARTS}
    lists = {part: read_image_list(file) for part, file in files.items() if file.is_file()}
    lists = {part: names for part, names in lists.items() if any(name in known for name in names)}
    if "train" not in lists or len(lists) < 2:
        return {}
    for part in [part for part in lists if part != "train"]:
        if both := sorted(set(lists["train"]) & set(lists[part])):
            raise ValueError(
                f"{files['train']} and {files[part]} both name {both[0]}: the test would know it. Take it out of one."
            )
    return lists
