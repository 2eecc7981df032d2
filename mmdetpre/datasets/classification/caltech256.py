"""Caltech-256 (Griffin, Holub and Perona, 2007) as it is unpacked."""

from __future__ import annotations

import re
from typing import Any

from mmdetpre.datasets.classification.dataset import ClassFolders
from mmdetpre.registry import DATASETS

CLUTTER = "clutter"
"""Name of the last of the 257 classes: pictures of no particular object."""


@DATASETS.register_module()
class Caltech256(ClassFolders):
    """Caltech-256 below ``data_root``: ``256_ObjectCategories/001.ak47/001_0001.jpg`` to ``257.clutter``.

    The set has no official split. Table 1 of the paper counts 15.4K and 15.2K images, which are 60 seeded images of
    each of the 257 classes, clutter included, to train on (15,420) and the others to test on (15,187). Only files of
    the form ``NNN_MMMM.jpg`` in the folder of the same number are images: the archive also has ``198.spider/RENAME2``
    and ``056.dog/greg``.

    Args:
        data_root: Folder that holds ``256_ObjectCategories``.
        split: ``"train"`` or ``"test"``.
        per_class: Training images per class.
        seed: Seed of the split.
        split_file: A split of your own: one ``001.ak47/001_0001.jpg`` per line, relative to ``data_root``.
        include_clutter: False leaves the 257th class out.
        data_prefix: Folder of the class folders below ``data_root``.
        **kwargs: As for `ClassFolders`.

    Raises:
        FileNotFoundError, ValueError: As `ClassFolders` does.
    """

    FOLDER = re.compile(r"\d{3}\.[^/]+")
    IMAGE = re.compile(r"(\d{3})\.[^/]+/\1_\d{4}\.jpg")

    def __init__(
        self,
        data_root: str,
        split: str = "train",
        per_class: int = 60,
        seed: int = 0,
        split_file: str | None = None,
        include_clutter: bool = True,
        data_prefix: str = "256_ObjectCategories",
        **kwargs: Any,
    ) -> None:
        self.include_clutter = include_clutter
        super().__init__(data_root, split, per_class, seed, split_file, data_prefix, **kwargs)

    def list_images(self) -> dict[str, list[str]]:
        """Folder of each class in label order, and its image files."""
        images = super().list_images()
        if not self.include_clutter:
            images = {folder: files for folder, files in images.items() if self.class_name(folder) != CLUTTER}
        return images

    def class_name(self, folder: str) -> str:
        """Name of the class that a folder holds: without its number."""
        return folder.partition(".")[2]
