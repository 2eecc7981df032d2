"""OpenImages over a packed table."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmdetpre.datasets.images.size import read_image_sizes
from mmdetpre.datasets.openimages.boxes_csv import read_box_csv
from mmdetpre.datasets.openimages.classes import choose_classes, read_class_descriptions, relation_matrix
from mmdetpre.datasets.openimages.image_labels import ImageLevelLabels, read_image_labels
from mmdetpre.datasets.packed.annotations import IGNORE, OCCLUDED, TRUNCATED, PackedAnnotations
from mmdetpre.datasets.packed.dataset import PackedDataset
from mmdetpre.registry import DATASETS

_LAYOUT = """\
    <data_root>/annotations/class-descriptions-boxable.csv                            label_file
    <data_root>/annotations/bbox_labels_600_hierarchy.json                            hierarchy_file
    <data_root>/annotations/train-annotations-bbox.csv                                ann_file
        (its name in V4; V6, and with it mmdet's documents, has oidv6-train-annotations-bbox.csv)
    <data_root>/annotations/validation-annotations-bbox.csv                           ann_file for validation
    <data_root>/annotations/validation-annotations-human-imagelabels-boxable.csv      image_level_ann_file
    <data_root>/OpenImages/train/<ImageID>.jpg                                        data_prefix['img']"""


@DATASETS.register_module()
class PackedOpenImagesDataset(PackedDataset):
    """OpenImages whose 14.6 million boxes are read once, then opened at once and shared by all workers.

    Works wherever ``mmdet.OpenImagesDataset`` does (training and test loops, ``OpenImagesMetric``), without a meta file
    of image sizes: they are read from the image headers when the table is built. Labels are those of the CSV, no
    parent class is added. Group-of boxes are ignored in training.

    Args:
        ann_file: Official box CSV. The training file is ``train-annotations-bbox.csv`` in V4,
            ``oidv6-train-annotations-bbox.csv`` in V6 and in mmdet's documents; both can be read.
        label_file: Class descriptions, ``MID,name`` per line.
        hierarchy_file: JSON tree of the classes.
        classes: ``"challenge"`` (500 classes), ``None`` (all of ``label_file``), a list of names or MIDs, or a file.
        image_level_ann_file: Official CSV of human-verified image-level labels, for validation and testing: the labels
            verified in an image, present or absent, become its ``image_level_labels`` (int64), and the metric with
            ``filter_labels=True`` judges detections of these classes. Held in memory, about 2 bytes per label.
        expand_image_labels: Expand these labels as the OpenImages Challenge does: a class verified present makes its
            ancestors present, one verified absent its descendants absent. Together with ``get_supercategory=True`` and
            ``filter_labels=True`` of the metric this is the protocol of the challenge.
        img_suffix: Image files are called ImageID + suffix.
        **kwargs: See :class:`PackedDataset` (``cache_dir``, ``max_images``, ``max_unreadable``) and
            ``mmdet.BaseDetDataset``.

    Raises:
        FileNotFoundError: Names every missing file and folder at once.
        ValueError: If the files do not fit each other, or no image has a box.

    Example:
        >>> PackedOpenImagesDataset(
        ...     data_root="data/OpenImages", data_prefix=dict(img="OpenImages/train/"),
        ...     ann_file="annotations/train-annotations-bbox.csv",
        ...     label_file="annotations/class-descriptions-boxable.csv",
        ...     hierarchy_file="annotations/bbox_labels_600_hierarchy.json")  # doctest: +SKIP
    """

    SOURCE = "OpenImages"
    LAYOUT = _LAYOUT
    IGNORED = "group-of"
    FLAGS = {"is_group_of": IGNORE, "is_occluded": OCCLUDED, "is_truncated": TRUNCATED}  # noqa: RUF012
    METAINFO: dict = {"dataset_type": "oid_v6"}

    def __init__(
        self,
        *args: Any,
        label_file: str,
        hierarchy_file: str,
        classes: str | Sequence[str] | None = "challenge",
        image_level_ann_file: str | None = None,
        expand_image_labels: bool = False,
        img_suffix: str = ".jpg",
        **kwargs: Any,
    ) -> None:
        self.label_file, self.hierarchy_file = label_file, hierarchy_file
        self.image_level_ann_file, self.expand_image_labels = image_level_ann_file, expand_image_labels
        self._image_labels: ImageLevelLabels | None = None
        super().__init__(*args, classes=classes, img_suffix=img_suffix, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        for name in ("label_file", "hierarchy_file", "image_level_ann_file"):
            path = getattr(self, name)
            if path and not is_abs(path) and self.data_root:
                setattr(self, name, osp.join(self.data_root, path))

    def full_init(self) -> None:
        """Open the packed table, after building it if need be."""
        if self._fully_initialized:
            return
        super().full_init()
        if self.image_level_ann_file is not None:
            self._image_labels = self._read_image_labels(self.image_level_ann_file)

    def _files(self) -> dict[str, str]:
        names = ("ann_file", "label_file", "hierarchy_file", "image_level_ann_file")
        return {name: path for name in names if (path := getattr(self, name)) is not None}

    def _folders(self) -> dict[str, str]:
        return {"folder of the images, data_prefix['img']": self.data_prefix["img"]}

    def _open(self) -> PackedAnnotations:
        label_file, ann_file = self._here(self.label_file), self._here(self.ann_file)
        descriptions = read_class_descriptions(label_file)
        self._mids = mids = choose_classes(self.classes, descriptions)
        self._metainfo["classes"] = tuple(descriptions[mid] for mid in mids)
        self._metainfo["RELATION_MATRIX"] = relation_matrix(self._here(self.hierarchy_file), mids)
        if self.classes == "challenge":
            self._metainfo["dataset_type"] = "oid_challenge"
        images = self.data_prefix["img"]
        return self._cached(
            Path(self.ann_file).stem,
            {"classes": mids},
            [ann_file, label_file],
            images,
            lambda: self._build(ann_file, descriptions, mids, osp.join(images, "")),
        )

    def _build(self, ann_file: str, descriptions: dict[str, str], mids: list[str], images: str) -> PackedAnnotations:
        labels = {mid: i for i, mid in enumerate(mids)}
        rows = read_box_csv(ann_file, labels, set(descriptions), self.max_images)
        if not len(rows.boxes):
            raise ValueError(
                f"{self.ann_file}: no image has a box of the chosen classes ({len(rows.images)} images; left out:"
                f" {rows.dropped or 'nothing'}). Check `classes` of the data set."
            )
        sizes = read_image_sizes([f"{images}{name}{self.img_suffix}" for name in rows.images], self.img_backend_args)
        boxes = rows.boxes
        for axis in range(4):
            boxes[:, axis] *= sizes[rows.image, axis % 2]
        return PackedAnnotations.from_boxes(
            names=rows.images,
            sizes=sizes,
            classes=[descriptions[mid] for mid in mids],
            image=rows.image,
            boxes=boxes,
            labels=rows.labels,
            flags=rows.flags,
            notes=rows.dropped,
        )

    def _read_image_labels(self, path: str) -> ImageLevelLabels:
        relation = self._metainfo["RELATION_MATRIX"] if self.expand_image_labels else None
        image_labels = read_image_labels(self._here(path), {mid: i for i, mid in enumerate(self._mids)}, relation)
        covered = sum(self._table.names[int(row)] in image_labels.rows for row in self._rows)
        left_out = "".join(f" {count} rows with {what} left out." for what, count in image_labels.dropped.items())
        print_log(
            f"{osp.basename(path)}: {len(image_labels.labels)} image-level labels of the chosen classes, for {covered}"
            f" of the {len(self._rows)} images.{left_out}"
            + ("" if covered else " Is it the file that belongs to ann_file?"),
            "current",
            logging.INFO if covered else logging.WARNING,
        )
        return image_labels

    def get_data_info(self, idx: int) -> dict:
        """Data info of one image as mmdet's pipelines and ``OpenImagesMetric`` expect it; boxes in pixels."""
        info = super().get_data_info(idx)
        if self._image_labels is not None:
            info["image_level_labels"] = self._image_labels.of(info["img_id"])
        return info
