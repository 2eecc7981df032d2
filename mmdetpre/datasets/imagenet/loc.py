"""ImageNet's boxes, as XML by WordNet id, over a packed table."""

from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.utils import is_abs

from mmdetpre.datasets.imagenet.det_classes import imagenet_det_names
from mmdetpre.datasets.imagenet.wordnet import class_names, read_class_map, read_wnid_names, read_wnids
from mmdetpre.datasets.images.lists import file_statuses, read_image_list
from mmdetpre.datasets.images.size import read_image_sizes
from mmdetpre.datasets.packed.annotations import DIFFICULT, OCCLUDED, TRUNCATED, PackedAnnotations
from mmdetpre.datasets.packed.cache import fingerprint, fingerprint_files
from mmdetpre.datasets.packed.dataset import PackedDataset
from mmdetpre.datasets.voc.xml_files import read_xml_files
from mmdetpre.registry import DATASETS

_LARGEST_COORDINATE = 4000
_LAYOUT = """\
    <data_root>/Annotation/<wnid>/<image>.xml                    ann_dir="Annotation" (release of Fall 2011)
    <data_root>/images/<wnid>/<image>.JPEG                       data_prefix=dict(img="images/")
  or ILSVRC/Annotations/CLS-LOC/train/<wnid>/<image>.xml         ann_dir="ILSVRC/Annotations/CLS-LOC/train"
     ILSVRC/Data/CLS-LOC/train/<wnid>/<image>.JPEG               data_prefix=dict(img="ILSVRC/Data/CLS-LOC/train/")
  or, with a list of images:
     ILSVRC/ImageSets/DET/val.txt                                ann_file
     ILSVRC/Annotations/DET/val/<image>.xml                      ann_dir="ILSVRC/Annotations/DET/val"
     ILSVRC/Data/DET/val/<image>.JPEG                            data_prefix=dict(img="ILSVRC/Data/DET/val/")"""


@DATASETS.register_module()
class PackedImageNetLOCDataset(PackedDataset):
    """ImageNet images with boxes: any number of classes (3,130 for R-FCN-3000), and ILSVRC's DET and CLS-LOC parts.

    A box is kept if its class is known, no coordinate is above 4,000, it lies inside the image and x2 > x1, y2 > y1
    (the rules of R-FCN-3000); what is left out is counted. Coordinates are taken as written: 0-based edges, half-open.
    Sizes come from the image headers, ImageNet's size tags being wrong now and then.

    ``metainfo`` gets ``classes`` (names), ``wnids`` (WordNet id of each label) and, if given, ``class_map``.

    Args:
        ann_dir: Folder of the XML, below ``data_root``.
        ann_file: A list of images, one per line, below ``ann_dir``; "" reads ``<ann_dir>/<wnid>/*.xml``.
        data_prefix: ``img``: folder of the images; an image has the path of its XML below ``ann_dir``.
        classes: WordNet ids in label order, or a file with one per line, below ``data_root``; ``"imagenet_det"``: the
            200 of ILSVRC-DET with their names. ``None``: every folder of ``ann_dir`` with a file in it, or every class
            that an image of the list shows, sorted.
        names_file: Lines ``n01440764 tench, Tinca tinca``, below ``data_root``. Without it classes are called by id,
            those of ``"imagenet_det"`` always as mmdet calls them.
        class_map: WordNet id of a model's class -> WordNet id of a class of this data set, as a mapping or a file of
            lines, below ``data_root``. Reading does not use it: it is passed on in ``metainfo`` for evaluation.
        img_suffix: Images are called by their XML's name + suffix.
        **kwargs: See :class:`PackedDataset` and ``mmdet.BaseDetDataset``.

    Raises:
        FileNotFoundError: Names missing files and folders.
        ValueError: If a list is damaged, an XML is, or no box is of the classes.

    Example:
        >>> PackedImageNetLOCDataset(data_root="data/imagenet_loc", ann_dir="Annotation",
        ...                          data_prefix=dict(img="images/"), names_file="words.txt")  # doctest: +SKIP
    """

    SOURCE = "ImageNet"
    LAYOUT = _LAYOUT
    FLAGS: ClassVar = {"is_difficult": DIFFICULT, "is_occluded": OCCLUDED, "is_truncated": TRUNCATED}

    def __init__(
        self,
        *args: Any,
        ann_dir: str = "Annotation",
        classes: str | Sequence[str] | None = None,
        names_file: str | None = None,
        class_map: str | Mapping[str, str] | None = None,
        img_suffix: str = ".JPEG",
        **kwargs: Any,
    ) -> None:
        self.ann_dir, self.names_file, self.class_map = ann_dir, names_file, class_map
        self._known_names: dict[str, str] = {}
        if classes == "imagenet_det":
            self._known_names = imagenet_det_names()
            classes = list(self._known_names)
        super().__init__(*args, classes=classes, img_suffix=img_suffix, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        for name in ("ann_dir", "names_file", "class_map", "classes"):
            path = getattr(self, name)
            if isinstance(path, str) and not is_abs(path) and self.data_root:
                setattr(self, name, osp.join(self.data_root, path))

    @property
    def _images(self) -> str:
        return self.data_prefix.get("img", self.data_root or "")

    def _files(self) -> dict[str, str]:
        paths = {name: getattr(self, name) for name in ("ann_file", "classes", "names_file", "class_map")}
        return {name: path for name, path in paths.items() if isinstance(path, str) and path}

    def _folders(self) -> dict[str, str]:
        return {"folder of the XML, ann_dir": self.ann_dir, "folder of the images, data_prefix['img']": self._images}

    def _label(self) -> str:
        return osp.basename(self.ann_file) or osp.basename(osp.normpath(self.ann_dir))

    def _open(self) -> PackedAnnotations:
        wnids = None if self.classes is None else read_wnids(self.classes)
        if self.ann_file:
            names = read_image_list(self.ann_file)
        else:
            wnids, names = self._tree(wnids)
        names = names[: self.max_images]
        statuses = file_statuses([osp.join(self.ann_dir, f"{name}.xml") for name in names], self._label())
        sources = [fingerprint(self.ann_file)] if self.ann_file else []
        folders = {osp.dirname(osp.join(self._images, name)) for name in names}
        table = self._cached(
            Path(self._label()).stem,
            {"classes": wnids, "annotations": osp.realpath(self.ann_dir)},
            [*sources, fingerprint_files(self.ann_dir, statuses)],
            self._images,
            lambda: self._build(names, [path for path, _ in statuses], wnids),
            sorted(folder for folder in folders if osp.isdir(folder)),
        )
        self._describe(list(table.classes))
        return table

    def _tree(self, wnids: list[str] | None) -> tuple[list[str], list[str]]:
        """Classes and image names of ``<ann_dir>/<wnid>/*.xml``."""
        with os.scandir(self.ann_dir) as entries:
            folders = {entry.name for entry in entries if entry.is_dir()}
        found = {wnid: _xml_names(osp.join(self.ann_dir, wnid)) for wnid in sorted(folders & set(wnids or folders))}
        chosen = [wnid for wnid, names in found.items() if names] if wnids is None else wnids
        if without := [wnid for wnid in chosen if not found.get(wnid)]:
            raise FileNotFoundError(
                f"{len(without)} of the {len(chosen)} classes have no XML in {self.ann_dir}: {', '.join(without[:20])}."
                f" There are {len(found)} of them. Leave them out of `classes`, or restore their folders."
            )
        if not chosen:
            raise ValueError(f"{self.ann_dir} has no folder with XML in it. Expected layout:\n{_LAYOUT}")
        read_wnids(chosen)
        return chosen, [f"{wnid}/{name}" for wnid in chosen for name in found[wnid]]

    def _build(self, names: list[str], files: list[str], wnids: list[str] | None) -> PackedAnnotations:
        found = read_xml_files(files)
        counts = Counter(found.names)
        wnids = sorted(counts) if wnids is None else wnids
        if counts and not counts.keys() & set(wnids):
            raise ValueError(
                f"{self._label()}: the class list does not match, no box is of its classes.\n    classes of the data"
                f" set: {', '.join(wnids[:20])}\n    names in the XML: {', '.join(sorted(counts)[:20])}\n"
                "Set classes=[...] of the data set to WordNet ids of the XML."
            )
        paths = [osp.join(self._images, f"{name}{self.img_suffix}") for name in names]
        sizes = read_image_sizes(paths, self.img_backend_args)
        index = {wnid: label for label, wnid in enumerate(wnids)}
        labels = np.asarray([index.get(name, -1) for name in found.names], np.int64)
        x1, y1, x2, y2 = found.boxes.T
        width, height = sizes[found.image].T
        known = (width > 0) & (labels >= 0)
        reasons = {
            "boxes of other classes": labels < 0,
            "boxes in unreadable images": (labels >= 0) & (width <= 0),
            f"boxes with a coordinate above {_LARGEST_COORDINATE}": known
            & (found.boxes.max(axis=1, initial=0) > _LARGEST_COORDINATE),
            "boxes without area": known & ((x2 <= x1) | (y2 <= y1)),
            "boxes not inside their image": known & ((x1 < 0) | (y1 < 0) | (x2 > width) | (y2 > height)),
        }
        keep, notes = np.ones(len(labels), bool), {}
        for reason, mask in reasons.items():
            if count := int(np.count_nonzero(mask & keep)):
                notes[reason] = count
            keep &= ~mask
        return PackedAnnotations.from_boxes(
            names=names,
            sizes=sizes,
            classes=wnids,
            image=found.image[keep],
            boxes=found.boxes[keep],
            labels=labels[keep],
            flags=found.flags[keep],
            notes=notes,
        )

    def _describe(self, wnids: list[str]) -> None:
        names = (read_wnid_names(self.names_file) if self.names_file else {}) | self._known_names
        self._metainfo["wnids"] = tuple(wnids)
        self._metainfo["classes"] = tuple(class_names(wnids, names))
        if self.class_map is None:
            return
        class_map = read_class_map(self.class_map)
        if strange := sorted(set(class_map.values()) - set(wnids)):
            raise ValueError(
                f"class_map leads to classes that {self._label()} does not have: {', '.join(strange[:20])}.\n"
                f"    classes of the data set: {', '.join(wnids[:20])} ...\nEach line needs a class of the model, then"
                " one of the data set."
            )
        self._metainfo["class_map"] = class_map


def _xml_names(folder: str) -> list[str]:
    return sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".xml"))
