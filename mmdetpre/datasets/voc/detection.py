"""PASCAL VOC, and other folders of XML in its format, over a packed table."""

from __future__ import annotations

import logging
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from mmdet.datasets import VOCDataset
from mmengine.logging import print_log

from mmdetpre.datasets.images.lists import file_statuses, read_image_list
from mmdetpre.datasets.images.photo_names import FoundPhotos, PhotoFolder
from mmdetpre.datasets.images.size import settle_sizes
from mmdetpre.datasets.packed.annotations import DIFFICULT, IGNORE, OCCLUDED, TRUNCATED, PackedAnnotations
from mmdetpre.datasets.packed.box_form import judge_boxes, remarks_on_boxes, require_form
from mmdetpre.datasets.packed.cache import fingerprint, fingerprint_files
from mmdetpre.datasets.packed.dataset import PackedDataset
from mmdetpre.datasets.voc.xml_files import WAY, XMLObjects, find_xml, half_open, read_xml_files
from mmdetpre.registry import DATASETS

_LAYOUT = """\
    <data_root>/VOC2012/ImageSets/Main/trainval.txt       sets=[("VOC2012", "trainval"), ...]
    <data_root>/VOC2012/Annotations/<id>.xml
    <data_root>/VOC2012/JPEGImages/<id>.jpg
  or, without sets and lists:
    <data_root>/<ann_subdir>/<id>.xml
    <data_root>/<img_subdir>/<id><img_suffix>"""


class _Part(NamedTuple):
    """One image set: its list (or ``None``: every XML), its folders, and what its image names begin with."""

    list_file: str | None
    annotations: str
    images: str
    prefix: str


@DATASETS.register_module()
class PackedVOCDataset(PackedDataset):
    """PASCAL VOC, several image sets at once, and plain folders of such XML.

    Works wherever ``mmdet.VOCDataset`` does. VOC counts pixels from 1 and both corners of a box are inside it; here
    boxes are half-open as in all other data sets, ``[xmin - 1, ymin - 1, xmax, ymax]``, so that a box and its image
    turn over alike. Their sides are VOC's, so ``VOCIoUMetric`` measures by VOC's rule, and learns from ``metainfo``
    (``plus_one``) that nothing is to be added. ``mmdet.VOCDataset`` has 1 less at the right and bottom edge, which a
    flip moves by a pixel, and ``mmdet.VOCMetric`` adds it always: that metric is right on that data set alone. Image
    ids are those of the lists.

    Args:
        sets: Image sets as (folder, list), e.g. ``[("VOC2007", "trainval"), ("VOC2012", "trainval")]``: read from
            ``<data_root>/<folder>/ImageSets/Main/<list>.txt``.
        ann_file: Without ``sets``: a list as in mmdet, or "" for every XML there is. The folder is
            ``data_prefix["sub_data_root"]`` as in mmdet, or ``data_root``.
        classes: Names as in the XML, in label order; ``None``: the 20 of VOC. Other objects are left out and counted.
        difficult: What happens to objects marked difficult: ``"drop"``, as if they were not annotated, or
            ``"ignore"``, neither target nor mistake. ``None``: drop in training, ignore in ``test_mode``.
        empty_boxes: What happens to boxes of the chosen classes that are empty (xmax < xmin or ymax < ymin, in whole
            pixels): ``"error"``, or ``"drop"``, which leaves them out, counts them and names one. A box with
            xmin == xmax is 1 pixel wide.
        ann_subdir: Folder of the XML.
        img_subdir: Folder of the images.
        img_suffix: Images are called id + suffix.
        test_mode: See ``mmdet.BaseDetDataset``.
        **kwargs: See :class:`PackedDataset` and ``mmdet.BaseDetDataset``.

    Raises:
        FileNotFoundError: Names missing lists, folders and XML files.
        ValueError: Names an XML that is damaged or has an object without a box, or with an empty one; or no object is
            of a known class.

    Example:
        >>> PackedVOCDataset(data_root="data/VOCdevkit",
        ...                  sets=[("VOC2007", "trainval"), ("VOC2012", "trainval")])  # doctest: +SKIP
        >>> PackedVOCDataset(data_root="data/kangaroo", ann_subdir="annots", img_subdir="images",
        ...                  classes=["kangaroo"])  # doctest: +SKIP
    """

    SOURCE = "VOC"
    LAYOUT = _LAYOUT
    IGNORED = "difficult"
    NEGATIVE_CHIPS = True
    FLAGS: ClassVar = {"is_difficult": DIFFICULT, "is_occluded": OCCLUDED, "is_truncated": TRUNCATED}
    METAINFO: dict = VOCDataset.METAINFO | {"plus_one": False}

    def __init__(
        self,
        *args: Any,
        sets: Sequence[tuple[str, str]] | None = None,
        classes: Sequence[str] | str | None = None,
        difficult: str | None = None,
        empty_boxes: str = "error",
        ann_subdir: str = "Annotations",
        img_subdir: str = "JPEGImages",
        img_suffix: str = ".jpg",
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        self.sets = None if sets is None else [(folder, name) for folder, name in sets]
        self.ann_subdir, self.img_subdir = ann_subdir, img_subdir
        self.difficult = difficult or ("ignore" if test_mode else "drop")
        if self.difficult not in ("drop", "ignore"):
            raise ValueError(f"difficult is {difficult!r}: choose 'drop', 'ignore' or None.")
        if empty_boxes not in ("error", "drop"):
            raise ValueError(f"empty_boxes is {empty_boxes!r}: choose 'error' or 'drop'.")
        self.empty_boxes = empty_boxes
        super().__init__(*args, classes=classes, img_suffix=img_suffix, test_mode=test_mode, **kwargs)

    @property
    def _base(self) -> str:
        return (self.sets is None and self.data_prefix.get("sub_data_root")) or self.data_root or "."

    def _parts(self) -> list[_Part]:
        def part(list_file: str | None, folder: str) -> _Part:
            prefix = osp.join(folder, self.img_subdir, "")
            return _Part(list_file, osp.join(self._base, folder, self.ann_subdir), osp.join(self._base, prefix), prefix)

        if self.sets is None:
            return [part(self.ann_file or None, "")]
        lists = [osp.join(self._base, folder, "ImageSets", "Main", f"{name}.txt") for folder, name in self.sets]
        return [part(path, folder) for path, (folder, _) in zip(lists, self.sets, strict=True)]

    def _files(self) -> dict[str, str]:
        return {f"list {i}": part.list_file for i, part in enumerate(self._parts(), 1) if part.list_file}

    def _folders(self) -> dict[str, str]:
        folders = {"folder of the XML": "annotations", "folder of the images": "images"}
        return {f"{what} {i}": getattr(p, key) for i, p in enumerate(self._parts(), 1) for what, key in folders.items()}

    def _label(self) -> str:
        names = [f"{folder}/{name}" for folder, name in self.sets or []]
        return " + ".join(names) or osp.basename(self.ann_file) or osp.join(self._base, self.ann_subdir)

    def _open(self) -> PackedAnnotations:
        classes = self._resolve_classes()
        self._metainfo["dataset_type"] = self._dataset_type(classes)
        parts = self._parts()
        names, files = [], []
        for part in parts:
            found = find_xml(part.annotations, read_image_list(part.list_file) if part.list_file else None)
            if not found:
                raise ValueError(f"{part.annotations} holds no *.xml file: set ann_subdir of the data set.")
            names += [part.prefix + name for name in found]
            files += [str(path) for path in found.values()]
        names, files = names[: self.max_images], files[: self.max_images]
        if len(set(names)) < len(names):
            raise ValueError(f"{self._label()}: {Counter(names).most_common(1)[0][0]} is in two of the sets.")
        sources = [fingerprint(part.list_file) for part in parts if part.list_file]
        statuses = file_statuses(files, self._label())
        return self._cached(
            "+".join(f"{folder}-{name}" for folder, name in self.sets or []) or Path(self._label()).stem,
            {
                "classes": classes,
                "boxes": "half-open",
                "reader": 2,
                "difficult": self.difficult,
                "empty_boxes": self.empty_boxes,
                "folders": [self.ann_subdir, self.img_subdir],
            },
            [*sources, fingerprint_files(parts[0].annotations, statuses)],
            self._base,
            lambda: self._build(names, files, classes),
            [part.images for part in parts],
        )

    def _dataset_type(self, classes: list[str]) -> str | None:
        """``VOC2007`` or ``VOC2012`` as in mmdet, whose metric then prints the names of VOC's classes."""
        years = {folder for folder, _ in self.sets} if self.sets is not None else {self._base}
        found = {year for year in ("VOC2007", "VOC2012") if any(year in folder for folder in years)}
        return found.pop() if len(found) == 1 and classes == list(VOCDataset.METAINFO["classes"]) else None

    def _build(self, names: list[str], files: list[str], classes: list[str]) -> PackedAnnotations:
        found = read_xml_files(files)
        photos = self._photos_of(names, found.files)
        images = [osp.join(self._base, name) for name in photos.names]
        sizes = settle_sizes(images, found.sizes, self.img_backend_args, missing=photos.missing)
        labels = self._labels(found, classes)
        boxes = half_open(found.boxes)
        verdicts = judge_boxes(boxes, sizes[found.image])

        def file_of(row: int) -> str:
            return osp.basename(files[int(found.image[row])])

        require_form(self._label(), found.boxes, WAY, sizes[found.image], verdicts, file_of)
        difficult = (found.flags & DIFFICULT).astype(bool)
        dropped = difficult & (labels >= 0) & (self.difficult == "drop")
        without_area = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1) & (labels >= 0) & ~dropped
        keep = (labels >= 0) & ~without_area & ~dropped & ~verdicts.outside & ~verdicts.far
        notes = {"objects of other classes": int(np.count_nonzero(labels < 0)), "difficult objects": int(dropped.sum())}
        if without_area.any():
            first = int(np.flatnonzero(without_area)[0])
            example = files[int(found.image[first])]
            if self.empty_boxes == "error":
                corners = zip(("xmin", "ymin", "xmax", "ymax"), found.boxes[first], strict=True)
                raise ValueError(
                    f"{example}: the box of an object {found.names[first]!r} is empty, with"
                    f" {', '.join(f'{name} {value:g}' for name, value in corners)} (the first of"
                    f" {int(without_area.sum())}): xmax must not be below xmin, nor ymax below ymin. Correct the"
                    " file, or set empty_boxes='drop' of the data set to leave such objects out."
                )
            notes[f"boxes without area (e.g. in {example})"] = int(without_area.sum())
        used = (labels >= 0) & ~without_area & ~dropped
        notes["boxes outside their image"] = int((used & verdicts.outside).sum())
        notes["boxes beyond their image by more than three times its size"] = int(
            (used & verdicts.far & ~verdicts.outside).sum()
        )
        extra = {"remarks": remarks_on_boxes(verdicts, keep, boxes, sizes[found.image], file_of)}
        as_named = photos.names == [f"{name}{self.img_suffix}" for name in names]
        named = {"names": names, "extra": extra} if as_named else self._named(photos, self._ids_of(names), extra)
        return PackedAnnotations.from_boxes(
            **named,
            sizes=sizes,
            classes=classes,
            image=found.image[keep],
            boxes=boxes[keep],
            labels=labels[keep],
            flags=(found.flags | np.where(difficult, IGNORE, 0).astype(np.uint8))[keep],
            notes={what: count for what, count in notes.items() if count},
        )

    def _photos_of(self, names: list[str], told: list[str]) -> FoundPhotos:
        """The photos of XML files, which also tell their names, relative to the base folder."""
        if self.img_backend_args is not None:
            return self._find_photos(names, self._base)
        photos = FoundPhotos([f"{name}{self.img_suffix}" for name in names], [])
        for prefix in {part.prefix: None for part in self._parts()}:
            rows = [i for i, name in enumerate(names) if name.startswith(prefix)]
            stems = [names[i][len(prefix) :] for i in rows]
            found = PhotoFolder(osp.join(self._base, prefix)).find_stems(
                stems, [told[i] for i in rows], self.img_suffix
            )
            for i, name in zip(rows, found.names, strict=True):
                photos.names[i] = prefix + name
            photos.missing.extend(rows[i] for i in found.missing)
            photos.other_form.update({rows[i]: written for i, written in found.other_form.items()})
            photos.several.update({rows[i]: paths for i, paths in found.several.items()})
        return photos

    def _ids_of(self, names: Sequence[str]) -> list[str]:
        prefixes = [part.prefix for part in self._parts()]
        return [name[len(next(prefix for prefix in prefixes if name.startswith(prefix))) :] for name in names]

    def _labels(self, found: XMLObjects, classes: list[str]) -> np.ndarray:
        """(M,) label of each object, -1 for a class that was not chosen."""
        counts = Counter(found.names)
        listed = (
            f"\n    classes of the data set: {', '.join(classes)}\n    names in the XML: {', '.join(sorted(counts))}\n"
        )
        missing, others = [name for name in classes if name not in counts], set(counts) - set(classes)
        if counts and len(missing) == len(classes):
            raise ValueError(
                f"{self._label()}: the class list does not match, no object is of its classes.{listed}Set"
                " classes=[...] of the data set to names of the XML."
            )
        if missing and others:
            text = f"{self._label()}: no object of {', '.join(missing)}, but of classes not chosen.{listed}"
            print_log(text + "Is a class spelled in another way?", "current", logging.WARNING)
        index = {name: label for label, name in enumerate(classes)}
        return np.asarray([index.get(name, -1) for name in found.names], np.int64)

    def _image_id(self, row: int) -> str | int:
        if self._table.ids is not None:
            return super()._image_id(row)
        return self._ids_of([self._table.names[row]])[0]
