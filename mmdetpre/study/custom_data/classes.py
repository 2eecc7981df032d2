"""A user's folder of images per class: checked, and split with a seed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmdetpre.datasets.classification.class_folders import read_class_folders
from mmdetpre.datasets.classification.class_split import split_images
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.study.custom_data.gate import listed
from mmdetpre.study.custom_data.split import same_files

MOST_PER_CLASS = 60
"""Training images per class, if not given: two thirds of the smallest class, at most so many, as on Caltech-256."""
_SHOWN = 5


@dataclass(frozen=True)
class OwnClasses:
    """Images in one folder per class, split.

    Attributes:
        root: Folder of the class folders, absolute.
        counts: Images of each class, both parts together, by folder in label order.
        train, test: ``folder/file`` of the images of each part.
        per_class: Training images of each class.
        left_out: How many images were left out, by why.
        nested: ``folder/file`` of images that lie in a folder inside of their class folder.
    """

    root: Path
    counts: dict[str, int]
    train: list[str]
    test: list[str]
    per_class: int
    left_out: dict[str, int] = field(default_factory=dict)
    nested: list[str] = field(default_factory=list)


def read_own_classes(
    root: str | os.PathLike, per_class: int | None = None, seed: int = 0, *, leave_out_bad: bool = False
) -> OwnClasses:
    """Read and split a folder that holds one folder of images per class.

    Of copies of one photo in a class, the first stays: so that no image is in both parts.

    Every image is decoded.

    Args:
        root: The folder.
        per_class: Training images of each class; None: two thirds of the smallest class, at most 60.
        seed: Seed of the split, see `mmdetpre.datasets.classification.class_split.split_images`.
        leave_out_bad: Continue without images that cannot be decoded, photos that lie in several classes and class
            folders without an image, and count them. Otherwise these are errors.

    Raises:
        FileNotFoundError: If there is no such folder, or no class folder in it.
        ValueError: If there are fewer than two classes, a class is empty or too small, or an image is bad.

    Example:
        >>> read_own_classes("my_folder", per_class=1).counts
        {'cat': 3, 'dog': 2}
    """
    tree = read_class_folders(root, leave_out_empty=leave_out_bad)
    root, images = tree.root, tree.images
    if len(images) < 2:
        raise ValueError(f"{root} holds one class folder, {next(iter(images))}: classification needs two at least.")
    paths = [f"{folder}/{file}" for folder, files in images.items() for file in files]
    bad: dict[str, list[str]] = {}
    reasons = broken_images([str(root / path) for path in paths])
    broken = {path: reason for path in paths if (reason := reasons.get(str(root / path)))}
    bad["images that cannot be read"] = [f"{path} ({reason})" for path, reason in broken.items()]
    paths = [path for path in paths if path not in broken]

    copies, twice = [], []
    for group in same_files([root / path for path in paths]):
        names = [paths[i] for i in group]
        if len({name.split("/")[0] for name in names}) > 1:
            twice += names
        else:
            copies += names[1:]
    bad["images that lie in several classes"] = twice
    for what, names in bad.items():
        if names and not leave_out_bad:
            raise ValueError(
                f"{root}: {len(names)} {what}: {listed(names, _SHOWN)}. Replace or remove them, or add"
                " --leave-out-bad to continue without."
            )
    gone = {*copies, *twice}
    kept = {
        folder: [p.partition("/")[2] for p in paths if p.startswith(f"{folder}/") and p not in gone]
        for folder in images
    }
    per_class = _per_class(root, {folder: len(files) for folder, files in kept.items()}, per_class)
    train, test = split_images(kept, per_class, seed)
    left_out = {what: len(names) for what, names in bad.items() if names}
    if copies:
        left_out["copies of an image of the same class"] = len(copies)
    left_out |= tree.passed_over | ({"class folders without an image": len(tree.empty)} if tree.empty else {})
    counts = {folder: len(files) for folder, files in kept.items()}
    return OwnClasses(root.resolve(), counts, train, test, per_class, left_out, tree.nested)


def _per_class(root: Path, counts: Mapping[str, int], per_class: int | None) -> int:
    smallest = min(counts.values())
    if per_class is None:
        per_class = max(1, min(MOST_PER_CLASS, 2 * smallest // 3))
    if per_class < 1:
        raise ValueError(f"--cls-per-class is {per_class}: give at least 1 training image of each class.")
    if small := [f"{folder} ({count})" for folder, count in counts.items() if count <= per_class]:
        raise ValueError(
            f"{root}: {len(small)} of {len(counts)} classes have fewer than {per_class + 1} different images,"
            f" {per_class} for training and at least one for the test: {listed(small, _SHOWN)}. Set --cls-per-class"
            " lower, add images, or move these folders away."
        )
    return per_class
