"""COCO over a packed table."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset

from mmdetpre.datasets.coco_json import OBJECT_FLAGS, CocoBoxes, read_coco_json
from mmdetpre.datasets.coco_union import join_coco_boxes
from mmdetpre.datasets.image_size import settle_sizes
from mmdetpre.datasets.packed_annotations import PackedAnnotations
from mmdetpre.datasets.packed_dataset import PackedDataset
from mmdetpre.registry import DATASETS

_LAYOUT = """\
    <data_root>/annotations/instances_train2017.json      ann_file
    <data_root>/annotations/instances_val2017.json        ann_file for validation
    <data_root>/train2017/<file_name>                     data_prefix['img']
    <data_root>/val2017/<file_name>                       data_prefix['img'] for validation"""


@DATASETS.register_module()
class PackedCocoDataset(PackedDataset):
    """COCO detection, and any JSON in its format: read once, then opened at once and shared by all workers.

    Works wherever ``mmdet.CocoDataset`` does for boxes (training and test loops, ``CocoMetric``): same images in the
    same order, same boxes and labels, ``img_id`` the integer of the file. Boxes are clipped to their image; instance
    masks are not kept. Crowds are ignored in training, and so are objects with ``difficult: 1``; VOC's flags
    ``difficult``, ``occluded`` and ``truncated`` reach the analyses where a file has them. Boxes are half-open x1, y1,
    x2, y2 in pixels.

    Args:
        ann_file: The JSON.
        data_prefix: ``img``: folder of the images.
        further: More files, whose images follow, as (ann_file, folder of the images) below ``data_root``: COCO's
            trainval is ``[("annotations/instances_val2017.json", "val2017/")]`` behind train2017.
        classes: Names of categories in the order of the file; ``None``: the 80 of COCO. Other categories are left out.
        **kwargs: See :class:`PackedDataset` and ``mmdet.BaseDetDataset``.

    Raises:
        FileNotFoundError: Names every missing file and folder at once, or counts missing images.
        ValueError: If the class list does not match the file (both are listed), or the file is damaged.

    Example:
        >>> PackedCocoDataset(data_root="data/coco", ann_file="annotations/instances_train2017.json",
        ...                   data_prefix=dict(img="train2017/"))  # doctest: +SKIP
    """

    SOURCE = "COCO"
    LAYOUT = _LAYOUT
    IGNORED = "crowds"
    NEGATIVE_CHIPS = True
    METAINFO: dict = CocoDataset.METAINFO

    def __init__(
        self,
        *args: Any,
        classes: Sequence[str] | None = None,
        further: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        self.further = [tuple(pair) for pair in further]
        self._first = (kwargs.get("data_prefix") or {}).get("img", "")
        super().__init__(*args, classes=classes, **kwargs)

    def _files(self) -> dict[str, str]:
        files = {f"further, {pair[0]}": self._below(pair[0]) for pair in self.further}
        return {"ann_file": self.ann_file, **files}

    def _folders(self) -> dict[str, str]:
        folders = {f"further, {pair[1]}": self._below(pair[1]) for pair in self.further}
        return {"folder of the images, data_prefix['img']": self._images, **folders}

    def _below(self, path: str) -> str:
        return osp.join(self.data_root or "", path)

    def _label(self) -> str:
        return " and ".join([super()._label(), *(osp.basename(pair[0]) for pair in self.further)])

    @property
    def _images(self) -> str:
        return self.data_prefix.get("img", self.data_root or "")

    def _open(self) -> PackedAnnotations:
        classes = self._settle_classes()
        if self.further:
            files = list(self._files().values())
            return self._cached(
                Path(self.ann_file).stem,
                {"classes": classes, "first": self._first, "further": self.further},
                files,
                self.data_root,
                lambda: self._table_of(self._read_all(files, classes), self.data_root),
                list(self._folders().values()),
            )
        return self._cached(
            Path(self.ann_file).stem,
            {"classes": classes},
            [self.ann_file],
            self._images,
            lambda: self._table_of(read_coco_json(self.ann_file, classes, self.max_images), self._images),
        )

    def _read_all(self, files: Sequence[str], classes: list[str]) -> CocoBoxes:
        parts: list[CocoBoxes] = []
        for file in files:
            left = None if self.max_images is None else self.max_images - sum(len(part.files) for part in parts)
            parts.append(read_coco_json(file, classes, left))
        return join_coco_boxes(parts, [self._first, *(pair[1] for pair in self.further)], files)

    def _table_of(self, found: CocoBoxes, images: str) -> PackedAnnotations:
        classes = list(self._metainfo["classes"])
        paths = [str(Path(images, f"{name}{self.img_suffix}")) for name in found.files]
        return PackedAnnotations.from_boxes(
            names=found.files,
            sizes=settle_sizes(paths, found.sizes, self.backend_args),
            classes=classes,
            image=found.image,
            boxes=found.boxes,
            labels=found.labels,
            flags=found.flags,
            ids=found.ids,
            notes=found.dropped,
            extra={"category_ids": found.category_ids, "flags": found.known_flags},
        )

    def _instance(self, box: list[float], label: int, flags: int) -> dict:
        known = self._table.extra.get("flags", ())
        return super()._instance(box, label, flags) | {f"is_{key}": bool(flags & OBJECT_FLAGS[key]) for key in known}

    def _image_id(self, row: int) -> int:
        assert self._table.ids is not None
        return int(self._table.ids[row])

    @property
    def cat_ids(self) -> list[int]:
        """Category id of each label, as ``mmdet.CocoDataset`` has it."""
        return list(self.packed.extra["category_ids"])

    @property
    def cat2label(self) -> dict[int, int]:
        """Label of each category id."""
        return {category: label for label, category in enumerate(self.cat_ids)}
