"""OpenImages over a packed table."""

from __future__ import annotations

import copy
import logging
import os.path as osp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine import fileio
from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmdetpre.datasets.image_size import read_image_sizes
from mmdetpre.datasets.openimages_classes import choose_classes, read_class_descriptions, relation_matrix
from mmdetpre.datasets.openimages_csv import read_box_csv
from mmdetpre.datasets.openimages_image_labels import ImageLevelLabels, read_image_labels
from mmdetpre.datasets.packed_annotations import IGNORE, OCCLUDED, TRUNCATED, PackedAnnotations
from mmdetpre.datasets.packed_cache import cache_name, open_or_build
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
class PackedOpenImagesDataset(BaseDetDataset):
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
        cache_dir: Folder of the packed tables; by default ``<data_root>/.mmdetpre``.
        max_images: Use the first so many images of the CSV only.
        max_unreadable: Largest fraction of images that may be missing or unreadable.
        img_suffix: Image files are called ImageID + suffix.
        **kwargs: See ``mmdet.BaseDetDataset`` (``data_root``, ``data_prefix``, ``pipeline``, ``test_mode``,
            ``filter_cfg``, ``indices``, ``backend_args``, ``lazy_init``, ...).

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

    METAINFO: dict = {"dataset_type": "oid_v6"}
    _fully_initialized: bool

    def __init__(
        self,
        *args: Any,
        label_file: str,
        hierarchy_file: str,
        classes: str | Sequence[str] | None = "challenge",
        image_level_ann_file: str | None = None,
        cache_dir: str | None = None,
        max_images: int | None = None,
        max_unreadable: float = 0.1,
        img_suffix: str = ".jpg",
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        self.label_file, self.hierarchy_file = label_file, hierarchy_file
        self.image_level_ann_file = image_level_ann_file
        self._image_labels: ImageLevelLabels | None = None
        self.classes = (metainfo or {}).get("classes", classes)
        self.cache_dir, self.max_images, self.max_unreadable = cache_dir, max_images, max_unreadable
        self.img_suffix = img_suffix
        kwargs["serialize_data"] = False  # the packed table takes the place of pickled dicts
        super().__init__(*args, metainfo=metainfo, **kwargs)

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
        self._require_files()
        descriptions = read_class_descriptions(self.label_file)
        mids = choose_classes(self.classes, descriptions)
        self._metainfo["classes"] = tuple(descriptions[mid] for mid in mids)
        self._metainfo["RELATION_MATRIX"] = relation_matrix(self.hierarchy_file, mids)
        if self.classes == "challenge":
            self._metainfo["dataset_type"] = "oid_challenge"
        images = osp.join(self.data_prefix["img"], "")
        parameters = {
            "classes": mids,
            "max_images": self.max_images,
            "images": osp.realpath(images) if osp.isdir(images) else images,
            "suffix": self.img_suffix,
        }
        cache = Path(self.cache_dir or osp.join(self.data_root or osp.dirname(self.ann_file), ".mmdetpre"))
        table = open_or_build(
            cache / cache_name(Path(self.ann_file).stem, parameters),
            [self.ann_file, self.label_file],
            images if osp.isdir(images) else None,
            lambda: self._build(descriptions, mids, images),
        )
        self._table = table.with_paths(images, self.img_suffix)
        self._report()
        self._select_rows()
        if self.image_level_ann_file is not None:
            self._image_labels = self._read_image_labels(self.image_level_ann_file, mids)
        self._fully_initialized = True

    def _require_files(self) -> None:
        names = ("ann_file", "label_file", "hierarchy_file", "image_level_ann_file")
        wanted = {name: path for name in names if (path := getattr(self, name)) is not None}
        missing = [f"    {name}: {path}" for name, path in wanted.items() if not fileio.exists(path, self.backend_args)]
        if self.backend_args is None and not osp.isdir(self.data_prefix["img"]):
            missing.append(f"    folder of the images, data_prefix['img']: {self.data_prefix['img']}")
        if missing:
            lines = "\n".join(missing)
            raise FileNotFoundError(
                f"The OpenImages data is not complete. Missing:\n{lines}\nExpected layout (mmdet's):\n{_LAYOUT}\n"
                "Set data_root to where yours lies. `make demo` trains on drawn sample data without any download."
            )

    def _build(self, descriptions: dict[str, str], mids: list[str], images: str) -> PackedAnnotations:
        labels = {mid: i for i, mid in enumerate(mids)}
        rows = read_box_csv(self.ann_file, labels, set(descriptions), self.max_images)
        if not len(rows.boxes):
            raise ValueError(
                f"{self.ann_file}: no image has a box of the chosen classes ({len(rows.images)} images; left out:"
                f" {rows.dropped or 'nothing'}). Check `classes` of the data set."
            )
        sizes = read_image_sizes([f"{images}{name}{self.img_suffix}" for name in rows.images], self.backend_args)
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

    def _read_image_labels(self, path: str, mids: list[str]) -> ImageLevelLabels:
        image_labels = read_image_labels(path, {mid: i for i, mid in enumerate(mids)})
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

    def _report(self) -> None:
        table = self._table
        unreadable = table.unreadable()
        notes = dict(table.notes) | ({"images missing or unreadable": len(unreadable)} if len(unreadable) else {})
        left_out = ", ".join(f"{count} {what}" for what, count in notes.items()) or "nothing"
        print_log(
            f"{osp.basename(self.ann_file)}: {len(table)} images, {len(table.boxes)} boxes of {len(table.classes)}"
            f" classes, {int(np.count_nonzero(table.flags & IGNORE))} of them group-of. Left out: {left_out}.",
            "current",
            logging.WARNING if len(unreadable) else logging.INFO,
        )
        if len(unreadable) > self.max_unreadable * len(table):
            raise FileNotFoundError(
                f"{len(unreadable)} of the {len(table)} images in {self.ann_file} are missing or unreadable, e.g."
                f" {table.path(int(unreadable[0]))}. Check data_prefix. To work with the images that are there, set"
                " max_unreadable=1.0 of the data set."
            )
        if not len(table.boxes):
            raise ValueError(f"No image of {self.ann_file} has a box that can be used (left out: {left_out}).")

    def _select_rows(self) -> None:
        """Rows of the table that make up the data set: filtered, cut to ``indices``, readable."""
        rows = np.arange(len(self._table))
        config = {} if self.test_mode else (self.filter_cfg or {})
        if config.get("filter_empty_gt"):
            rows = rows[np.diff(self._table.box_offsets)[rows] > 0]
        if config.get("min_size"):
            rows = rows[self._table.sizes[rows].min(axis=1) >= config["min_size"]]
        if self._indices is not None:
            rows = _pick(rows, self._indices)
        self._set_rows(rows)

    def _set_rows(self, rows: np.ndarray) -> None:
        self._rows = rows[self._table.sizes[rows].min(axis=1) > 0]
        if len(rows) < len(self._table):
            self._table = self._table.subset(rows)
            self._rows = np.flatnonzero(self._table.sizes.min(axis=1) > 0)

    @property
    def packed(self) -> PackedAnnotations:
        """The table of the images and boxes of this data set, unreadable images included."""
        self.full_init()
        return self._table

    def __len__(self) -> int:
        """Number of readable images."""
        self.full_init()
        return len(self._rows)

    def get_data_info(self, idx: int) -> dict:
        """Data info of one image as mmdet's pipelines and ``OpenImagesMetric`` expect it; boxes in pixels."""
        self.full_init()
        position = range(len(self._rows))[idx]
        table, row = self._table, int(self._rows[position])
        boxes, name = table.slice_of(row), table.names[row]
        width, height = table.sizes[row].tolist()
        columns = (table.boxes[boxes].tolist(), table.labels[boxes].tolist(), table.flags[boxes].tolist())
        info = {
            "img_path": table.path(row),
            "img_id": name,
            "width": width,
            "height": height,
            "sample_idx": position,
            "instances": [_instance(*values) for values in zip(*columns, strict=True)],
        }
        if self._image_labels is not None:
            info["image_level_labels"] = self._image_labels.of(name)
        return info

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep some images only: a list of indices, the first n, or the last n when negative."""
        self.full_init()
        self._set_rows(_pick(self._rows, indices))

    def get_subset(self, indices: int | Sequence[int]) -> PackedOpenImagesDataset:
        """A copy with some of the images, see :meth:`get_subset_`."""
        other = copy.copy(self)
        other.get_subset_(indices)
        return other


def _pick(rows: np.ndarray, indices: int | Sequence[int]) -> np.ndarray:
    if isinstance(indices, int):
        return rows[:indices] if indices >= 0 else rows[indices:]
    return rows[np.asarray(indices, np.int64)]


def _instance(box: list[float], label: int, flags: int) -> dict:
    group_of = bool(flags & IGNORE)
    return {
        "bbox": box,
        "bbox_label": label,
        "ignore_flag": int(group_of),
        "is_group_of": group_of,
        "is_occluded": bool(flags & OCCLUDED),
        "is_truncated": bool(flags & TRUNCATED),
    }
