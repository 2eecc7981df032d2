"""Pack the annotations of any mmdet detection data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations
from mmdetpre.utils.progress_bar import progress_bar


class DetectionDataset(Protocol):
    """What packing asks of a data set; ``BaseDetDataset`` of mmdet has it."""

    @property
    def metainfo(self) -> Mapping[str, Any]:
        """Holds ``classes``, the class names."""

    def __len__(self) -> int: ...

    def get_data_info(self, i: int, /) -> Mapping[str, Any]:
        """Image ``i`` and its boxes, without pixels."""


def pack_dataset(dataset: DetectionDataset) -> PackedAnnotations:
    """The images and boxes of a data set as a table in memory; image names are its ``img_path``.

    Crowds, difficult and group-of boxes (``ignore_flag``, ``is_group_of``) get the flag ``IGNORE``.

    Args:
        dataset: Any ``BaseDetDataset`` of mmdet or a data set with its interface: ``len``, ``metainfo["classes"]`` and
            ``get_data_info(i)`` with ``img_path``, ``width``, ``height`` and ``instances`` (``bbox`` as x1, y1, x2, y2
            in pixels, ``bbox_label``, ``ignore_flag``).

    Raises:
        ValueError: If an image lacks its size, or no image has a box.

    Example:
        >>> pack_dataset(CocoDataset(ann_file="instances_val2017.json"))  # doctest: +SKIP
    """
    kind = type(dataset).__name__
    names, sizes, counts, boxes, labels, flags = [], [], [], [], [], []
    for i in progress_bar(range(len(dataset)), desc=f"packing {kind}", disable=len(dataset) < 2000, unit=" images"):
        info = dataset.get_data_info(i)
        if not info.get("width") or not info.get("height"):
            raise ValueError(
                f"{kind}: image {info.get('img_path', i)} has no width and height. Chips need the size of every image:"
                " add 'width' and 'height' to its data info (load_data_list)."
            )
        names.append(info["img_path"])
        sizes.append((info["width"], info["height"]))
        counts.append(len(info["instances"]))
        for instance in info["instances"]:
            boxes.append(instance["bbox"])
            labels.append(instance["bbox_label"])
            flags.append(IGNORE if instance.get("ignore_flag") or instance.get("is_group_of") else 0)
    if not boxes:
        raise ValueError(
            f"{kind}: none of its {len(names)} images has a box, so there is nothing to learn. Check ann_file and that"
            f" the class names in metainfo match the annotations: {tuple(dataset.metainfo.get('classes', ()))[:5]} ..."
        )
    return PackedAnnotations.from_boxes(
        names=names,
        sizes=sizes,
        classes=dataset.metainfo["classes"],
        image=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        boxes=np.asarray(boxes, np.float32),
        labels=np.asarray(labels, np.int16),
        flags=np.asarray(flags, np.uint8),
    )
