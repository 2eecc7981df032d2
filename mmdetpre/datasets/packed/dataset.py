"""What all data sets over a packed table share: opening it, its report, choosing images, data infos."""

from __future__ import annotations

import copy
import logging
import os
import os.path as osp
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmdetpre.datasets.images.photo_names import FoundPhotos, PhotoFolder
from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations
from mmdetpre.datasets.packed.cache import CACHE, cache_name, fingerprint_files, open_or_build
from mmdetpre.storage.read import file_exists, is_local, local_copy
from mmdetpre.utils.class_list import read_class_names

_FILTERS = ("filter_empty_gt", "min_size")
# Mistakes of the annotations.
_SUSPECT = tuple(f"boxes {what}" for what in ("without area", "outside their", "beyond their", "not inside their"))
Self = TypeVar("Self", bound="PackedDataset")


class PackedDataset(BaseDetDataset):
    """Base of the data sets whose annotations are packed once, then opened at once and shared by all workers.

    Photos with an EXIF orientation: boxes count pixels of the annotated size. Where it comes from the annotations
    (COCO, VOC) that is the picture as stored, so test pipelines load it with ``color_type="color_ignore_orientation"``.
    Where it is read from the image header (OpenImages, ImageNet, XML without a size) it is the picture turned upright,
    which is what ``LoadImageFromFile`` gives by itself. Chips are decoded in the orientation of the annotated size.

    A subclass names its files (:meth:`_files`, :meth:`_folders`) and opens its table (:meth:`_open`).

    Args:
        classes: The classes to learn, in label order; ``metainfo["classes"]`` wins over it.
        cache_dir: Folder of the packed tables; by default ``<data_root>/.mmdetpre``.
        max_images: Use only the first N images.
        max_unreadable: Largest fraction of images that may be missing or unreadable.
        img_suffix: What the name of an image file ends with, after its name in the annotations.
        require_boxes: False allows a data set without any box, to write detections where the boxes are secret.
        img_backend_args: What the images are read by, where that is another backend than the annotations have
            (``backend_args``); ``dict(backend="local")``: files of this machine. A pipeline has its own: the key
            ``img_backend_args`` of a config sets both.
        metainfo: See ``mmdet.BaseDetDataset``.
        **kwargs: See ``mmdet.BaseDetDataset`` (``data_root``, ``ann_file``, ``data_prefix``, ``pipeline``,
            ``test_mode``, ``filter_cfg``, ``indices``, ``backend_args``, ``lazy_init``, ...). ``filter_cfg`` knows
            ``filter_empty_gt`` and ``min_size``.

    Raises:
        FileNotFoundError: Names every missing file and folder at once.
        ValueError: If the files do not fit each other, or no image has a box.
    """

    SOURCE: ClassVar[str]
    """Name of the data in messages."""
    LAYOUT: ClassVar[str]
    """The expected folders and files, shown when one is missing."""
    IGNORED: ClassVar[str] = "ignored"
    """What the boxes with the flag ``IGNORE`` are called."""
    FLAGS: ClassVar[Mapping[str, int]] = {}
    """Key of an instance -> bit of the table's flags."""
    NEGATIVE_CHIPS: ClassVar[bool] = False
    """Whether the paper trains on these data with negative chips."""

    _fully_initialized: bool

    def __init__(
        self,
        *args: Any,
        classes: str | Sequence[str] | None = None,
        cache_dir: str | None = None,
        max_images: int | None = None,
        max_unreadable: float = 0.1,
        img_suffix: str = "",
        require_boxes: bool = True,
        img_backend_args: Mapping[str, Any] | None = None,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        self.classes = (metainfo or {}).get("classes", classes)
        self.cache_dir, self.max_images, self.max_unreadable = cache_dir, max_images, max_unreadable
        self.img_suffix, self.require_boxes = img_suffix, require_boxes
        images_by = dict((kwargs.get("backend_args") if img_backend_args is None else img_backend_args) or {})
        self.img_backend_args = None if images_by in ({}, {"backend": "local"}) else images_by
        if unknown := sorted(set(kwargs.get("filter_cfg") or {}) - set(_FILTERS)):
            raise ValueError(
                f"filter_cfg of {type(self).__name__} has {', '.join(unknown)}: it knows {', '.join(_FILTERS)}."
                " Boxes of unwanted size are left to the valid ranges of the chips."
            )
        kwargs["serialize_data"] = False  # the packed table takes the place of pickled dicts
        super().__init__(*args, metainfo=metainfo, **kwargs)

    def _join_prefix(self) -> None:
        """As mmengine does, whose own cannot join anything to an address."""
        if "://" not in (self.data_root or ""):
            super()._join_prefix()
            return

        def below(path: str) -> str:
            return path if not path or is_abs(path) else osp.join(str(self.data_root), path)

        self.ann_file: str = below(self.ann_file)
        self.data_prefix: dict[str, str] = {key: below(path) for key, path in self.data_prefix.items()}

    def _files(self) -> dict[str, str]:
        """Argument -> path of the files that must exist."""
        raise NotImplementedError

    def _folders(self) -> dict[str, str]:
        """What it is -> path of the folders that must exist, where the data are local."""
        raise NotImplementedError

    def _open(self) -> PackedAnnotations:
        """Resolve the classes (``self._metainfo``) and open the table, see :meth:`_cached`."""
        raise NotImplementedError

    def _resolve_classes(self) -> list[str]:
        """Class names in label order: the argument, a file with one per line, or those of the data set."""
        classes = self._metainfo["classes"] if self.classes is None else self.classes
        if isinstance(classes, str):
            classes = read_class_names(classes)
        self._metainfo["classes"] = tuple(classes)
        return list(classes)

    def _label(self) -> str:
        """The annotations' name in messages."""
        return osp.basename(self.ann_file)

    def full_init(self) -> None:
        """Open the packed table, after building it if need be."""
        if self._fully_initialized:
            return
        self._require_files()
        self._table = self._open()
        self._report()
        self._select_rows()
        self._fully_initialized = True

    def _require_files(self) -> None:
        files, folders = self._files(), self._folders() if self.img_backend_args is None else {}
        missing = [f"    {name}: {path}" for name, path in files.items() if not file_exists(path, self.backend_args)]
        missing += [f"    {name}: {path}" for name, path in folders.items() if not osp.isdir(path)]
        if missing:
            lines = "\n".join(missing)
            raise FileNotFoundError(
                f"The {self.SOURCE} data is not complete. Missing:\n{lines}\nExpected layout:\n{self.LAYOUT}\n"
                "Set data_root to where yours lies. Without any download: `make demo`, and the *_sample configs, whose"
                " data `mim run mmdetpre make_sample --layout all` draws."
            )

    def _cached(
        self,
        stem: str,
        parameters: Mapping[str, object],
        sources: Sequence[str | Mapping[str, object]],
        images: str,
        build: Callable[[], PackedAnnotations],
        image_folders: Sequence[str] = (),
    ) -> PackedAnnotations:
        """The table of these parameters and sources, built or opened; image paths are images + name + img_suffix.

        Args:
            stem: Beginning of the table's name.
            parameters: All that the table depends on besides the sources.
            sources: Annotation files, or fingerprints.
            images: Folder of the images.
            build: Makes the table.
            image_folders: Where the images lie, if not in ``images`` itself but in folders below it.
        """
        images = osp.join(images, "")
        local = self.img_backend_args is None and osp.isdir(images)
        parameters = {
            **parameters,
            "max_images": self.max_images,
            "images": osp.realpath(images) if local else images,
            "suffix": self.img_suffix,
        }
        cache, folders = self._cache_folder(), None
        if local:
            folders = fingerprint_files(images, ((folder, os.stat(folder)) for folder in image_folders or [images]))
        table = open_or_build(cache / cache_name(stem, parameters), sources, folders, build)
        return table.with_paths(images, table.extra.get("suffix", self.img_suffix))

    def _cache_folder(self) -> Path:
        """Where the packed table lies, and copies of annotation files that are read from elsewhere."""
        folder = self.cache_dir or osp.join(self.data_root or osp.dirname(self.ann_file), CACHE)
        if "://" in folder:
            raise ValueError(
                f"The packed table cannot be kept at {folder}: set cache_dir of the data set to a folder of this"
                " machine, e.g. cache_dir='work_dirs/annotations'."
            )
        return Path(folder)

    def _here(self, path: str) -> str:
        """An annotation file as a file of this machine: itself, or a copy of what ``backend_args`` reads."""
        return path if is_local(path, self.backend_args) else local_copy(path, self.backend_args, self._cache_folder())

    def _report(self) -> None:
        table, label = self._table, self._label()
        unreadable = table.unreadable()
        notes = dict(table.notes) | ({"images missing or unreadable": len(unreadable)} if len(unreadable) else {})
        left_out = ", ".join(f"{count} {what}" for what, count in notes.items()) or "nothing"
        print_log(
            f"{label}: {len(table)} images, {len(table.boxes)} boxes of {len(table.classes)}"
            f" classes, {int(np.count_nonzero(table.flags & IGNORE))} of them {self.IGNORED}. Left out: {left_out}.",
            "current",
            logging.WARNING if len(unreadable) or any(what.startswith(_SUSPECT) for what in notes) else logging.INFO,
        )
        for remark in table.extra.get("remarks", ()):
            print_log(f"{label}: {remark}.", "current", logging.WARNING)
        if len(unreadable) > self.max_unreadable * len(table):
            path = table.path(int(unreadable[0]))
            near = None if self.img_backend_args is not None else PhotoFolder(table.prefix or ".").nearest(path)
            raise FileNotFoundError(
                f"{len(unreadable)} of the {len(table)} images in {label} are missing or unreadable, e.g."
                f" {path}{f' (the nearest name there is {near})' if near else ''}. Check data_prefix. To work with the"
                " images that are there, set max_unreadable=1.0 of the data set."
            )
        if self.require_boxes and (table.flags & IGNORE).all():  # also where there is none
            found = f"; all {len(table.boxes)} others are {self.IGNORED}" if len(table.boxes) else ""
            raise ValueError(
                f"No image of {label} has a box that can be used (left out: {left_out}{found}): nothing to learn and"
                " nothing to measure. To write detections for images without known boxes set require_boxes=False."
            )

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

    def _find_photos(self, names: Sequence[str], folder: str) -> FoundPhotos:
        """The photos called name + suffix in a folder; those of a backend are trusted to be there."""
        if self.img_backend_args is not None:
            return FoundPhotos([f"{name}{self.img_suffix}" for name in names], [])
        return PhotoFolder(folder).find(names, self.img_suffix)

    def _named(self, photos: FoundPhotos, ids: Sequence[int | str], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Names, ids and extra of a table, see `PackedAnnotations.from_boxes`, from photos and image ids.

        Ids that a column of whole numbers cannot hold, and those of photos whose name is another, stand in ``extra``.
        """
        extra = dict(extra)
        if photos.other_form:
            row, written = next(iter(photos.other_form.items()))
            remark = f"{len(photos.other_form)} photos go by another form of their name (e.g. {photos.names[row]} for"
            extra["remarks"] = [*extra.get("remarks", []), f"{remark} {written})"]
        numbers = all(type(value) is int and abs(value) < 1 << 63 for value in ids)
        if not numbers:
            extra["image_ids"] = list(ids)
        columns = np.asarray(ids if numbers else range(len(ids)), np.int64)
        return {"names": photos.names, "ids": columns, "extra": extra | {"suffix": ""}}

    def _image_id(self, row: int) -> str | int:
        """What the metrics know the image of a row by."""
        if self._table.ids is None:
            return self._table.names[row]
        number = int(self._table.ids[row])
        return self._table.extra["image_ids"][number] if "image_ids" in self._table.extra else number

    def get_data_info(self, idx: int) -> dict:
        """Data info of one image as mmdet's pipelines and metrics expect it; boxes in pixels."""
        self.full_init()
        position = range(len(self._rows))[idx]
        table, row = self._table, int(self._rows[position])
        boxes = table.slice_of(row)
        width, height = table.sizes[row].tolist()
        columns = (table.boxes[boxes].tolist(), table.labels[boxes].tolist(), table.flags[boxes].tolist())
        instances = [self._instance(*values) for values in zip(*columns, strict=True)]
        if table.masks is not None:
            for k, instance in enumerate(instances):
                instance["mask"] = table.mask_of(row, k) or []  # mmdet ignores an object whose mask is an empty list
        return {
            "img_path": table.path(row),
            "img_id": self._image_id(row),
            "width": width,
            "height": height,
            "sample_idx": position,
            "instances": instances,
        }

    def _instance(self, box: list[float], label: int, flags: int) -> dict:
        instance = {"bbox": box, "bbox_label": label, "ignore_flag": int(bool(flags & IGNORE))}
        return instance | {key: bool(flags & bit) for key, bit in self.FLAGS.items()}

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep some images only: a list of indices, the first n, or the last n when negative."""
        self.full_init()
        self._set_rows(_pick(self._rows, indices))

    def get_subset(self: Self, indices: int | Sequence[int]) -> Self:
        """A copy with some of the images, see :meth:`get_subset_`."""
        other = copy.copy(self)
        other.get_subset_(indices)
        return other


def _pick(rows: np.ndarray, indices: int | Sequence[int]) -> np.ndarray:
    if isinstance(indices, int):
        return rows[:indices] if indices >= 0 else rows[indices:]
    return rows[np.asarray(indices, np.int64)]
