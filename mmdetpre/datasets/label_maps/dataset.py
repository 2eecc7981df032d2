"""Photos and their label maps, in pairs of a list, for mmsegmentation."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmdetpre.datasets.images.lists import file_statuses
from mmdetpre.datasets.label_maps.check import check_scan, scan_label_maps
from mmdetpre.plotting.palette import voc_palette
from mmdetpre.registry import DATASETS
from mmdetpre.utils.class_list import read_class_names
from mmdetpre.utils.text_files import read_lines


@DATASETS.register_module()
class LabelMapDataset(BaseSegDataset):
    """Photos and label maps of any names: a line of the list is a photo, a tab, and its label map.

    All files are looked for before anything is read, and all label maps are checked against the number of classes. The
    loader of label maps, :class:`mmdetpre.datasets.LoadLabelMap`, checks each against its photo.

    Args:
        ann_file: The list.
        classes: Names in label order, or a text file with one per line.
        check_maps: Read all label maps first, on all cores, and refuse values that are not a class; known ones are not
            read again.
        **kwargs: See ``mmseg.BaseSegDataset``; ``data_prefix`` has the folders ``img_path`` and ``seg_map_path``.

    Raises:
        FileNotFoundError: Names missing files.
        ValueError: If a line has another form, or label maps hold values that are not a class.

    Example:
        >>> LabelMapDataset("train.txt", ["background", "cat"], lazy_init=True).metainfo["classes"]
        ('background', 'cat')
    """

    METAINFO: dict = {}

    def __init__(
        self, ann_file: str = "", classes: str | Sequence[str] | None = None, check_maps: bool = True, **kwargs: Any
    ) -> None:
        self.check_maps = check_maps
        if classes is not None:
            names = read_class_names(classes) if isinstance(classes, str) else list(classes)
            kwargs["metainfo"] = dict(classes=tuple(names), palette=voc_palette()[: len(names)].tolist())
        super().__init__(ann_file, **kwargs)

    def pairs(self) -> tuple[list[tuple[str, str]], str]:
        """Paths of each photo and its label map, and what names them.

        Raises:
            FileNotFoundError, ValueError: If the list is missing or has another form.
        """
        prefix = [self.data_prefix.get(key) or "" for key in ("img_path", "seg_map_path")]
        pairs = []
        for line in read_lines(self.ann_file, "a list of photos and label maps"):
            names = line.text.split("\t")
            if len(names) != 2:
                raise ValueError(f"{self.ann_file}, line {line.number}: expected a photo, a tab, and its label map.")
            pairs.append((osp.join(prefix[0], names[0]), osp.join(prefix[1], names[1])))
        return pairs, self.ann_file

    def load_data_list(self) -> list[dict]:
        """One entry per photo: paths, and what mmseg's loaders ask for.

        Raises:
            FileNotFoundError, ValueError: As the class says.
        """
        pairs, named_by = self.pairs()
        file_statuses([path for column in zip(*pairs, strict=True) for path in column], named_by)
        if self.check_maps:
            self._check_maps([path for _, path in pairs], named_by)
        return [
            dict(
                img_path=image,
                seg_map_path=label_map,
                num_classes=len(self.metainfo["classes"]),
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for image, label_map in pairs
        ]

    def _check_maps(self, maps: list[str], named_by: str) -> None:
        scan = scan_label_maps(maps)
        if self.label_map is not None:  # chosen classes: any other value may be there
            scan.pixels.clear()
        first = int(self.reduce_zero_label)  # of the values that are classes
        for warning in check_scan(scan, len(self.metainfo["classes"]) + first, self.ignore_index, source=named_by):
            print_log(warning, "current", logging.WARNING)
