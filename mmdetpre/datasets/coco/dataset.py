"""COCO over a packed table."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset

from mmdetpre.datasets.coco.json_file import OBJECT_FLAGS, WAY, CocoFile, match_classes, read_coco_json
from mmdetpre.datasets.coco.outlines import outline_runs
from mmdetpre.datasets.coco.union import join_coco_files
from mmdetpre.datasets.images.size import settle_sizes
from mmdetpre.datasets.packed.annotation_values import MOST_PIXELS
from mmdetpre.datasets.packed.annotations import DIFFICULT, IGNORE, PackedAnnotations
from mmdetpre.datasets.packed.box_form import WAYS, judge_boxes, remarks_on_boxes, require_form
from mmdetpre.datasets.packed.dataset import PackedDataset
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
    same order, same boxes and labels, ``img_id`` the id of the file. Boxes are clipped to their image; instance masks
    are kept with ``with_masks`` only. An area that is missing, null or 0 is that of the box, which mmdet leaves out
    where it is 0. Crowds are ignored in training, and so are objects with ``difficult: 1``; VOC's flags ``difficult``,
    ``occluded`` and ``truncated`` reach the analyses where a file has them. Boxes are half-open x1, y1, x2, y2 in
    pixels.

    Args:
        ann_file: The JSON.
        data_prefix: ``img``: folder of the images.
        further: More files, whose images follow, as (ann_file, folder of the images) below ``data_root``: COCO's
            trainval is ``[("annotations/instances_val2017.json", "val2017/")]`` behind train2017.
        classes: Names of categories in the order of the file; ``None``: the 80 of COCO. Other categories are left out.
        with_masks: Keep the instance masks (``segmentation``: polygons or run lengths) for a detector with a mask head.
            An object whose outline is missing or broken keeps its box, and the log tells how many these are.
        **kwargs: See :class:`PackedDataset` and ``mmdet.BaseDetDataset``.

    Raises:
        FileNotFoundError: Names every missing file and folder at once, or counts missing images.
        ValueError: If the class list does not match the file (both are listed), the file is damaged, or has no masks
            and ``with_masks`` is set.

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
        with_masks: bool = False,
        **kwargs: Any,
    ) -> None:
        self.with_masks = with_masks
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
        classes = self._resolve_classes()
        parameters: dict[str, Any] = {"classes": classes, "reader": 2} | ({"masks": 1} if self.with_masks else {})
        if self.further:
            files = [self._here(file) for file in self._files().values()]
            return self._cached(
                Path(self.ann_file).stem,
                parameters | {"first": self._first, "further": self.further},
                files,
                self.data_root,
                lambda: self._table_of(self._read_all(files), self.data_root),
                list(self._folders().values()),
            )
        file = self._here(self.ann_file)
        return self._cached(
            Path(self.ann_file).stem,
            parameters,
            [file],
            self._images,
            lambda: self._table_of(self._read(file), self._images),
        )

    def _read_all(self, files: Sequence[str]) -> CocoFile:
        return join_coco_files(list(map(self._read, files)), [self._first, *(pair[1] for pair in self.further)])

    def _read(self, file: str) -> CocoFile:
        return read_coco_json(file, need_annotations=False, outlines=self.with_masks)

    def _table_of(self, found: CocoFile, images: str) -> PackedAnnotations:
        classes = list(self._metainfo["classes"])
        labels = match_classes(found, classes)
        count = len(found.files[: self.max_images])
        photos = self._find_photos(found.files[:count], images)
        paths = [osp.join(images, name) for name in photos.names]
        sizes = settle_sizes(paths, found.sizes[:count], self.img_backend_args, missing=photos.missing)
        rows = np.flatnonzero(found.image < count)
        image, box_sizes, corners = found.image[rows], sizes[found.image[rows]], WAYS[WAY](found.boxes[rows])
        verdicts = judge_boxes(corners, box_sizes)

        def photo_of(row: int) -> str:
            return found.files[int(image[row])]

        require_form(self._label(), found.boxes[rows], WAY, box_sizes, verdicts, photo_of)
        label = labels[found.category[rows]]
        kept, notes = np.ones(len(rows), bool), {}
        for reason, mask in (
            ("boxes of classes not chosen", label < 0),
            ("boxes marked ignore", found.ignore[rows]),
            ("boxes without area", verdicts.empty),
            ("boxes outside their image", verdicts.outside),
            ("boxes beyond their image by more than three times its size", verdicts.far),
        ):
            if left_out := int(np.count_nonzero(mask & kept)):
                notes[reason] = left_out
            kept &= ~mask
        remarks = remarks_on_boxes(verdicts, kept, corners, box_sizes, photo_of)
        flags = found.flags[rows]
        ignored = found.crowd[rows] | (flags & DIFFICULT).astype(bool)
        numbers = [number for number, label_of in zip(found.category_ids, labels, strict=True) if label_of >= 0]
        masks: list[str] | None = None
        if found.outlines is not None:
            masks, broken = self._masks_of([found.outlines[row] for row in rows[kept]], box_sizes[kept])
            remarks += [
                f"{len(broken)} of {len(masks)} objects have no mask, the first is in"
                f" {photo_of(np.flatnonzero(kept)[row])} ({why})"
                for row, why in list(broken.items())[:1]
            ]
        extra = {"category_ids": numbers, "flags": found.known_flags, "remarks": [*found.remarks, *remarks]}
        return PackedAnnotations.from_boxes(
            sizes=sizes,
            classes=classes,
            image=image[kept],
            boxes=np.clip(corners[kept], -MOST_PIXELS, MOST_PIXELS),
            labels=label[kept],
            flags=(flags | np.where(ignored, IGNORE, 0).astype(np.uint8))[kept],
            masks=masks,
            notes=notes,
            **self._named(photos, found.ids[:count], extra),
        )

    def _masks_of(self, outlines: Sequence[Any], sizes: np.ndarray) -> tuple[list[str], dict[int, str]]:
        """Run lengths of each object's mask, empty where it has none, and why it has none."""
        masks, broken = [], {}
        for i, (outline, (width, height)) in enumerate(zip(outlines, sizes.tolist(), strict=True)):
            try:
                masks.append(outline_runs(outline, width, height) if width and height else "")
            except ValueError as error:
                masks.append("")
                broken[i] = str(error)
        if broken and len(broken) == len(masks):
            raise ValueError(
                f"{self._label()}: with_masks is set, but none of its {len(masks)} objects has a mask ({broken[0]}):"
                " give 'segmentation' to its annotations, or train without with_masks and model.roi_head.mask_head."
            )
        return masks, broken

    def _instance(self, box: list[float], label: int, flags: int) -> dict:
        known = self._table.extra.get("flags", ())
        return super()._instance(box, label, flags) | {f"is_{key}": bool(flags & OBJECT_FLAGS[key]) for key in known}

    @property
    def cat_ids(self) -> list[int | str]:
        """Category id of each label, as ``mmdet.CocoDataset`` has it."""
        return list(self.packed.extra["category_ids"])

    @property
    def cat2label(self) -> dict[int | str, int]:
        """Label of each category id."""
        return {category: label for label, category in enumerate(self.cat_ids)}
