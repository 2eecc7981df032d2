"""Images with true label maps that segmentations are drawn with: from a config, or from folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset, PascalVOCDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.datasets.label_maps.files import read_label_map
from mmdetpre.datasets.transforms.load_label_map import LoadLabelMap
from mmdetpre.plotting.palette import voc_palette
from mmdetpre.utils.read_config import read_config

_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPEG", ".JPG", ".PNG")


@dataclass(frozen=True)
class SegmentationImages:
    """Images and their true label maps.

    Args:
        names: File names of the images without suffix, each once; predictions are files of these names.
        paths: Files of the images.
        read_truth: Reads the label map of the image with this index, ``(h, w)`` uint8.
        classes: Names in label order.
        palette: ``(classes or more, 3)`` uint8 RGB.
        ignore_index: The label of void pixels.
        first_label: Label of the first class in files of predictions: 1 where mmseg reduces the zero label, else 0.

    Raises:
        ValueError: If two images have one name.
    """

    names: Sequence[str]
    paths: Sequence[Path]
    read_truth: Callable[[int], np.ndarray]
    classes: Sequence[str]
    palette: np.ndarray
    ignore_index: int = 255
    first_label: int = 0

    def __post_init__(self) -> None:
        name, times = Counter(self.names).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{times} images are called '{name}': files of predictions cannot tell them apart.")


def images_of_config(config: str | Path, options: Mapping[str, Any] | None = None) -> SegmentationImages:
    """The images of a config's ``test_dataloader``; label maps are read as its pipeline reads them.

    A data set that declares no colors is shown in those of VOC.

    Args:
        config: Path of a config.
        options: Values to override, by dotted key.

    Raises:
        FileNotFoundError: If the config or the data are not there.
        ValueError: If the config has no test data, or these have no label maps.

    Example:
        >>> images_of_config("configs/seg/deeplab_voc_sample.py").classes  # doctest: +SKIP
    """
    cfg = read_config(config, options)
    dataset = open_dataset(cfg, "test", scope="mmseg")
    if not isinstance(dataset, BaseSegDataset):
        raise ValueError(
            f"The test data of {config} are a {type(dataset).__name__}: give a config with a plain data set."
        )
    declared = cfg.test_dataloader.dataset.get("metainfo", {}).get("palette") or type(dataset).METAINFO.get("palette")
    loads = [one for one in dataset.pipeline.transforms if isinstance(one, LoadAnnotations | LoadLabelMap)]
    entries = [dataset.get_data_info(i) for i in range(len(dataset))]
    if not entries:
        raise ValueError(f"The test data of {config} hold no image: look at ann_file and data_prefix.")
    if not loads or not all("seg_map_path" in one for one in entries):
        raise ValueError(
            f"The test data of {config} come without label maps: its pipeline needs LoadAnnotations, and the data set"
            " a folder of label maps."
        )

    def read(i: int) -> np.ndarray:
        return loads[0](dataset.get_data_info(i))["gt_seg_map"]

    return SegmentationImages(
        names=[Path(one["img_path"]).stem for one in entries],
        paths=[Path(one["img_path"]) for one in entries],
        read_truth=read,
        classes=dataset.metainfo["classes"],
        # mmseg draws random colours where a data set declares none
        palette=np.array(dataset.metainfo["palette"], np.uint8) if declared else voc_palette(),
        ignore_index=dataset.ignore_index,
        first_label=int(dataset.reduce_zero_label),
    )


def images_of_folders(
    img_dir: str | Path, truth_dir: str | Path, classes: Sequence[str] | None = None
) -> SegmentationImages:
    """All label maps of a folder, sorted by name, with the images of the same names.

    Args:
        img_dir: Folder of the images, ``<name>.jpg`` or with another usual suffix.
        truth_dir: Folder of the label maps, ``<name>.png``, grey or with a palette; 255 is void.
        classes: Names in label order, shown in the colours of VOC; ``None``: background and the 20 classes of VOC.

    Raises:
        FileNotFoundError: If a folder or label maps are not there, or label maps have no image; these are counted.

    Example:
        >>> images_of_folders("VOC2012/JPEGImages", "VOC2012/SegmentationClass").names  # doctest: +SKIP
    """
    for folder in map(Path, (img_dir, truth_dir)):
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {folder}.")
    files = sorted(Path(truth_dir).glob("*.png"))
    if not files:
        raise FileNotFoundError(f"{truth_dir} holds no label maps: one <image>.png per image is expected.")
    by_stem = {path.stem: path for path in sorted(Path(img_dir).iterdir()) if path.suffix in _SUFFIXES}
    missing = [path.stem for path in files if path.stem not in by_stem]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(files)} label maps in {truth_dir} have no image in {img_dir}, e.g."
            f" '{missing[0]}'."
        )
    classes = tuple(PascalVOCDataset.METAINFO["classes"] if classes is None else classes)
    return SegmentationImages(
        names=[path.stem for path in files],
        paths=[by_stem[path.stem] for path in files],
        read_truth=lambda i: read_label_map(files[i]),
        classes=classes,
        palette=voc_palette(),
    )
