"""Classification data in one folder per class, with a seeded split or one from a file."""

from __future__ import annotations

import os
import re
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmdetpre.datasets.classification.class_folders import ANY_FOLDER, IMAGE_FILE, read_class_folders
from mmdetpre.datasets.classification.class_split import read_split, split_images
from mmdetpre.registry import DATASETS


@DATASETS.register_module()
class ClassFolders(BaseDataset):
    """A data set of mmpretrain over ``data_root/data_prefix/<class>/<image>``; labels follow the sorted folder names.

    Images in folders inside of a class folder belong to the class, see
    `mmdetpre.datasets.classification.class_folders.read_class_folders`.

    Without ``split_file`` the split is random: ``per_class`` images of each class are training images, all others test
    images, the same on every machine (see `mmdetpre.datasets.classification.class_split.split_images`).

    Args:
        data_root: Root of the data.
        split: ``"train"`` or ``"test"``. As with mmpretrain's data sets, ``"test"`` sets ``test_mode``.
        per_class: Training images per class.
        seed: Seed of the split.
        split_file: File with one ``<class>/<image>`` per line, relative to the folder of the
            class folders; takes the place of ``per_class`` and ``seed``.
        data_prefix: Folder of the class folders, relative to ``data_root``.
        **kwargs: As for mmpretrain's ``BaseDataset``, such as ``pipeline`` and ``indices``.

    Raises:
        FileNotFoundError: If there is no class folder, or ``split_file`` names images that are not there.
        ValueError: If the split is unknown, a class folder holds no image, or a class has too few.

    Example:
        >>> dataset = ClassFolders("my_folder", split="train", per_class=1)
        >>> len(dataset), dataset.metainfo["classes"]
        (2, ('cat', 'dog'))
    """

    FOLDER: re.Pattern[str] = ANY_FOLDER
    IMAGE: re.Pattern[str] = IMAGE_FILE

    def __init__(
        self,
        data_root: str,
        split: str = "train",
        per_class: int = 60,
        seed: int = 0,
        split_file: str | None = None,
        data_prefix: str = "",
        **kwargs: Any,
    ) -> None:
        require_split(split, ("train", "test"))
        self.split, self.per_class, self.seed = split, per_class, seed
        kwargs = {"test_mode": split == "test", **kwargs}
        super().__init__(ann_file=split_file or "", data_root=data_root, data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Path and label of every image of the split."""
        images = self.list_images()
        if self.ann_file:
            paths = read_split(self.ann_file, self.img_prefix, images)
        else:
            paths = split_images(images, self.per_class, self.seed)[self.split == "test"]
        labels = {folder: label for label, folder in enumerate(images)}
        self._metainfo.setdefault("classes", tuple(map(self.class_name, images)))
        return [
            dict(img_path=os.path.join(self.img_prefix, path), gt_label=labels[path.split("/")[0]]) for path in paths
        ]

    def list_images(self) -> dict[str, list[str]]:
        """Folder of each class in label order, and its image files."""
        tree = read_class_folders(self.img_prefix, self.FOLDER, self.IMAGE)
        self.data_prefix["img_path"] = str(tree.root)  # the class folders may lie one level below
        if tree.passed_over:
            left_out = ", ".join(f"{count} {what}" for what, count in tree.passed_over.items())
            print_log(f"{tree.root}: left out: {left_out}.", "current")
        return tree.images

    def class_name(self, folder: str) -> str:
        """Name of the class that a folder holds."""
        return folder.strip()


def require_split(split: str, known: tuple[str, ...]) -> None:
    """Refuse an unknown split.

    Raises:
        ValueError: Names those that there are.
    """
    if split not in known:
        raise ValueError(f"There is no split {split!r}: choose one of {', '.join(map(repr, known))}.")
