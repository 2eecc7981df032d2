"""Images and their classes in a fixed order: from a folder per class, or from a data set of a config."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.classification.class_folders import read_class_folders
from mmdetpre.datasets.classification.class_split import read_split
from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.datasets.images.lists import file_statuses


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and their classes.

    Args:
        root: Folder that ``names`` are relative to; empty if they are paths by themselves.
        names: n names of image files.
        labels: (n,) int64 classes, -1 where an image has no single one.
        classes: Names of the classes.
        description: Where they come from, as JSON can hold it.
    """

    root: str
    names: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    description: Mapping[str, Any]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def path(self, row: int) -> str:
        """Path of an image."""
        return os.path.join(self.root, self.names[row])


def images_of_folder(root: str | os.PathLike[str], split_file: str | os.PathLike[str] | None = None) -> ImageSet:
    """Images of ``root/<class>/<image>``; classes are the folders in alphabetical order.

    Args:
        root: Folder of the class folders.
        split_file: Take the images that this file names only, in its order: one ``<class>/<image>`` per line.

    Raises:
        FileNotFoundError: If there is no such folder or file, or the file names images that are not there.
        ValueError: If a class folder has no image.
    """
    tree = read_class_folders(root)
    root, folders = os.fspath(tree.root), tree.images
    names = [f"{folder}/{file}" for folder, files in folders.items() for file in files]
    description = {"folder": root}
    if split_file is not None:
        names = read_split(split_file, root, folders)
        description["split_file"] = os.fspath(split_file)
    labels = {folder: label for label, folder in enumerate(folders)}
    labels_of_names = np.array([labels[name.split("/")[0]] for name in names], np.int64)
    return ImageSet(root, tuple(names), labels_of_names, tuple(tree.names()), description)


def images_of_config(
    config: str | os.PathLike[str], part: str = "test", options: Mapping[str, Any] | None = None
) -> ImageSet:
    """Images of a data set of a config of mmdet, mmsegmentation or mmpretrain, each once, in the data set's order.

    Detection and segmentation data have no class per image; nor do images with several.

    Args:
        config: The config.
        part: Which of its dataloaders: ``train``, ``val`` or ``test``.
        options: Values of the config to override, by dotted key.

    Raises:
        FileNotFoundError: If the config, the data set or images of it are missing.
        ValueError: If there is no such dataloader, or the data set has no image files.
    """
    dataset = open_dataset(config, part, options, inner=True)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if not infos or not all("img_path" in info for info in infos):
        raise ValueError(f"{type(dataset).__name__} of {config} holds no image files: give data that lie in files.")
    paths = [os.fspath(info["img_path"]) for info in infos]
    local = [path for path in paths if "://" not in path]
    file_statuses(local, named_by=f"{part}_dataloader of {config}")
    root = str(getattr(dataset, "data_root", "") or "")
    root = root if root and all(Path(path).is_relative_to(root) for path in paths) else ""
    names = [os.path.relpath(path, root) if root else path for path in paths]
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes") or ()
    labels = [_label(info) for info in infos]
    description = {"config": os.fspath(config), "part": part, "dataset": type(dataset).__name__, "root": root}
    known = any(label >= 0 for label in labels)
    return ImageSet(root, tuple(names), np.array(labels, np.int64), tuple(classes) if known else (), description)


def _label(info: Mapping[str, Any]) -> int:
    label = info.get("gt_label")
    if isinstance(label, Sequence | np.ndarray):
        label = label[0] if len(label) == 1 else None
    return -1 if label is None else int(label)
