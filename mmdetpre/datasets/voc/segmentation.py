"""PASCAL VOC's segmentation, and other data in its layout, for mmsegmentation."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset, PascalVOCDataset

from mmdetpre.datasets.images.lists import file_statuses, read_image_list
from mmdetpre.datasets.label_maps.check import check_scan, scan_label_maps
from mmdetpre.registry import DATASETS

_LAYOUT = """\
    <data_root>/ImageSets/Segmentation/<list>.txt    sets=[("train", "SegmentationClass"), ...]
    <data_root>/SegmentationClass/<id>.png           class index per pixel, 255 void; or another folder of `sets`
    <data_root>/JPEGImages/<id>.jpg
  The synthetic sample: mim run mmdetpre make_sample --layout voc. VOC 2012 with SBD: docs/segmentation.md."""


@DATASETS.register_module()
class VOCSegmentationDataset(BaseSegDataset):
    """Several image sets of VOC's segmentation, each with its folder of label maps, as one data set of mmseg.

    All that the lists name is looked for before anything is read, and all label maps are checked against the number of
    classes. The loader of label maps, :class:`mmdetpre.datasets.LoadLabelMap`, checks each against its image.

    Args:
        data_root: Folder of the data set.
        sets: Image sets as (list, folder of the label maps), e.g. ``[("train", "SegmentationClass"), ("aug",
            "SegmentationClassAug")]`` for VOC 2012 with SBD; 10,582 images.
        classes: Names in label order, that of 0 (background) first; ``None``: the 21 of VOC.
        img_suffix: Images are called id + suffix.
        seg_map_suffix: Label maps are called id + suffix.
        check_maps: Read all label maps first, on all cores, and refuse values that are not a class; known ones are not
            read again.
        **kwargs: See ``mmseg.BaseSegDataset``.

    Raises:
        FileNotFoundError: Names missing lists, folders and files.
        ValueError: If a list is empty, an image is in two of the sets, or label maps hold values that are not a class.

    Example:
        >>> VOCSegmentationDataset(data_root="data/VOCdevkit/VOC2012",
        ...                        sets=[("val", "SegmentationClass")])  # doctest: +SKIP
    """

    METAINFO: dict = {}

    def __init__(
        self,
        data_root: str,
        sets: Sequence[tuple[str, str]],
        classes: Sequence[str] | None = None,
        img_suffix: str = ".jpg",
        seg_map_suffix: str = ".png",
        check_maps: bool = True,
        **kwargs: Any,
    ) -> None:
        self.check_maps = check_maps
        self.sets = [(name, folder) for name, folder in sets]
        voc = PascalVOCDataset.METAINFO
        metainfo = dict(classes=tuple(classes), palette=[]) if classes else dict(voc)
        if classes and len(classes) <= len(voc["palette"]):
            metainfo["palette"] = voc["palette"][: len(classes)]  # VOC's colors follow from the label alone
        super().__init__(
            data_root=data_root,
            data_prefix=dict(img_path="JPEGImages"),
            metainfo=metainfo,
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry per image: paths, and what mmseg's loaders ask for.

        Raises:
            FileNotFoundError, ValueError: As the class says.
        """
        lists = [osp.join(self.data_root, "ImageSets", "Segmentation", f"{name}.txt") for name, _ in self.sets]
        folders = [self.data_prefix["img_path"], *(osp.join(self.data_root, folder) for _, folder in self.sets)]
        missing = [path for path in lists if not osp.isfile(path)] + [path for path in folders if not osp.isdir(path)]
        if missing:
            found = "".join(f"\n    {path}" for path in dict.fromkeys(missing))
            raise FileNotFoundError(f"The segmentation data is not complete. Missing:{found}\n  Expected:\n{_LAYOUT}")
        data_list: list[dict] = []
        for path, folder in zip(lists, folders[1:], strict=True):
            names = read_image_list(path)
            data_list += [
                dict(
                    img_path=osp.join(folders[0], name + self.img_suffix),
                    seg_map_path=osp.join(folder, name + self.seg_map_suffix),
                    num_classes=len(self.metainfo["classes"]),
                    label_map=self.label_map,
                    reduce_zero_label=self.reduce_zero_label,
                    seg_fields=[],
                )
                for name in names
            ]
        images = [entry["img_path"] for entry in data_list]
        if len(set(images)) < len(images):
            twice = next(path for i, path in enumerate(images) if path in images[:i])
            raise ValueError(f"{twice} is in two of the sets {self.sets}: take lists that do not overlap.")
        named_by = " and ".join(f"{name}.txt" for name, _ in self.sets)
        maps = [entry["seg_map_path"] for entry in data_list]
        file_statuses(images + maps, named_by)
        if self.check_maps:
            self._check_maps(maps, named_by)
        return data_list

    def _check_maps(self, maps: list[str], named_by: str) -> None:
        scan = scan_label_maps(maps)
        if self.label_map is not None:  # chosen classes: any other value may be there
            scan.pixels.clear()
        first = int(self.reduce_zero_label)  # of the values that are classes
        for warning in check_scan(scan, len(self.metainfo["classes"]) + first, self.ignore_index, source=named_by):
            print_log(warning, "current", logging.WARNING)
