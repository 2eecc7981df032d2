"""PASCAL VOC's segmentation, and other data in its layout, for mmsegmentation."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmseg.datasets import PascalVOCDataset

from mmdetpre.datasets.images.lists import read_image_list
from mmdetpre.datasets.label_maps.dataset import LabelMapDataset
from mmdetpre.registry import DATASETS

_LAYOUT = """\
    <data_root>/ImageSets/Segmentation/<list>.txt    sets=[("train", "SegmentationClass"), ...]
    <data_root>/SegmentationClass/<id>.png           class index per pixel, 255 void; or another folder of `sets`
    <data_root>/JPEGImages/<id>.jpg
  The synthetic sample: mim run mmdetpre make_sample --layout voc. VOC 2012 with SBD: docs/segmentation.md."""


@DATASETS.register_module()
class VOCSegmentationDataset(LabelMapDataset):
    """Several image sets of VOC's segmentation, each with its folder of label maps, as one data set of mmseg.

    What is checked is that of :class:`mmdetpre.datasets.label_maps.dataset.LabelMapDataset`.

    Args:
        data_root: Folder of the data set.
        sets: Image sets as (list, folder of the label maps), e.g. ``[("train", "SegmentationClass"), ("aug",
            "SegmentationClassAug")]`` for VOC 2012 with SBD; 10,582 images.
        classes: Names in label order, that of 0 (background) first; ``None``: the 21 of VOC.
        img_suffix: Images are called id + suffix.
        seg_map_suffix: Label maps are called id + suffix.
        **kwargs: See :class:`mmdetpre.datasets.label_maps.dataset.LabelMapDataset`.

    Raises:
        FileNotFoundError: Names missing lists, folders and files.
        ValueError: If a list is empty, an image is in two of the sets, or label maps hold values that are not a class.

    Example:
        >>> VOCSegmentationDataset(data_root="data/VOCdevkit/VOC2012",
        ...                        sets=[("val", "SegmentationClass")])  # doctest: +SKIP
    """

    def __init__(
        self,
        data_root: str,
        sets: Sequence[tuple[str, str]],
        classes: Sequence[str] | None = None,
        img_suffix: str = ".jpg",
        seg_map_suffix: str = ".png",
        **kwargs: Any,
    ) -> None:
        self.sets = [(name, folder) for name, folder in sets]
        super().__init__(
            data_root=data_root,
            data_prefix=dict(img_path="JPEGImages"),
            classes=classes or PascalVOCDataset.METAINFO["classes"],
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **kwargs,
        )

    def pairs(self) -> tuple[list[tuple[str, str]], str]:
        """Paths of each photo and its label map, and the lists that name them.

        Raises:
            FileNotFoundError, ValueError: As the class says.
        """
        lists = [osp.join(self.data_root, "ImageSets", "Segmentation", f"{name}.txt") for name, _ in self.sets]
        folders = [self.data_prefix["img_path"], *(osp.join(self.data_root, folder) for _, folder in self.sets)]
        missing = [path for path in lists if not osp.isfile(path)] + [path for path in folders if not osp.isdir(path)]
        if missing:
            found = "".join(f"\n    {path}" for path in dict.fromkeys(missing))
            raise FileNotFoundError(f"The segmentation data is not complete. Missing:{found}\n  Expected:\n{_LAYOUT}")
        pairs = [
            (osp.join(folders[0], name + self.img_suffix), osp.join(folder, name + self.seg_map_suffix))
            for path, folder in zip(lists, folders[1:], strict=True)
            for name in read_image_list(path)
        ]
        images = [image for image, _ in pairs]
        if len(set(images)) < len(images):
            twice = next(path for i, path in enumerate(images) if path in images[:i])
            raise ValueError(f"{twice} is in two of the sets {self.sets}: take lists that do not overlap.")
        return pairs, " and ".join(f"{name}.txt" for name, _ in self.sets)
