"""COCO's metric with a choice of the program that computes it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric as MMDetCocoMetric
from mmdet.evaluation.metrics import coco_metric as mmdet_module
from mmengine.fileio import get_local_path
from pycocotools.cocoeval import COCOeval

from mmdetpre.datasets.coco.json_file import read_coco_json
from mmdetpre.datasets.coco.outlines import outline_runs
from mmdetpre.registry import METRICS
from mmdetpre.utils.bounded_files import GIB, read_json

BACKENDS = ("pycocotools", "hotcoco")


@METRICS.register_module()
class CocoMetric(MMDetCocoMetric):
    """``mmdet.CocoMetric`` that can leave the matching to hotcoco, which is much faster and gives the same numbers.

    Its ``ann_file`` is read by the reader of the data sets, so that flags, ids and names mean the same to both.

    It measures nothing on a file without boxes, such as that of COCO's test-dev, and says so before the test;
    ``format_only=True`` with ``outfile_prefix`` writes ``<prefix>.bbox.json`` for the server instead. ``metric=["bbox",
    "segm"]`` measures masks too; every object of ``ann_file`` then needs one.

    hotcoco (Rust, MIT licence) is optional. Its precisions, recalls and scores equal those of pycocotools in every bit,
    crowds and equal scores included; the tests compare them.

    Args:
        ann_file: The file of annotations; None: the boxes of the data set.
        backend: "pycocotools", or "hotcoco" for the metrics "bbox" and "proposal".
        overwrite: Replace ``<outfile_prefix>.bbox.json`` and its siblings.
        **kwargs: See ``mmdet.CocoMetric``.

    Raises:
        FileExistsError: If that file is there and is not to be replaced; before anything is tested.
        ImportError: For "hotcoco" where it is not installed; before anything is tested.
        ValueError: If ``ann_file`` is invalid, or has no boxes and ``format_only`` is not set, or not the masks that
            "segm" needs; for another
            name, and for metrics or ``use_mp_eval`` that do not go with hotcoco.

    Example:
        >>> CocoMetric(metric="bbox", proposal_nums=(1, 10, 100)).backend
        'pycocotools'
    """

    def __init__(
        self,
        ann_file: str | None = None,
        *args: Any,
        backend: str = "pycocotools",
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, *args, **kwargs)
        if ann_file is not None:
            with get_local_path(ann_file, backend_args=self.backend_args) as path:
                self._coco_api = _coco_of(path, masks="segm" in self.metrics and not self.format_only)
        if not self.format_only and self._coco_api is not None and not self._coco_api.dataset.get("annotations"):
            raise ValueError(
                "The ann_file of CocoMetric has no boxes, so there is nothing to measure: it is that of a test set"
                " whose boxes are secret. To write the detections set format_only=True and outfile_prefix=FILE, and"
                " require_boxes=False of the data set (configs/det/sniper_coco_test_dev.py)."
            )
        written = [Path(f"{self.outfile_prefix}.{name}.json") for name in ("bbox", *self.metrics)]
        if self.outfile_prefix and not overwrite and (there := [path for path in written if path.exists()]):
            raise FileExistsError(
                f"{there[0]} is there already and is left as it is: give another test_evaluator.outfile_prefix, or"
                " replace it with test_evaluator.overwrite=True."
            )
        if backend not in BACKENDS:
            raise ValueError(f"backend is {backend!r}: choose one of {', '.join(BACKENDS)}.")
        if backend == "hotcoco":
            if importlib.util.find_spec("hotcoco") is None:
                raise ImportError(
                    "backend='hotcoco' needs the package hotcoco, which is not installed: pip install"
                    " 'hotcoco>=1.3,<2', or leave backend out of the evaluator for pycocotools."
                )
            if self.use_mp_eval or not set(self.metrics) <= {"bbox", "proposal"}:
                raise ValueError(
                    f"backend='hotcoco' computes the metrics 'bbox' and 'proposal' in one process, found {self.metrics}"
                    f" and use_mp_eval={self.use_mp_eval}: use backend='pycocotools' for these."
                )
        if ann_file is None and "segm" in self.metrics:
            raise ValueError("CocoMetric measures masks (metric 'segm') by a file of annotations only: set ann_file.")
        self.backend = backend
        self.skipped_images: set[int] = set()  # by mmdetpre.BrokenImageHook: neither found nor missed
        self.iou_thrs: Any = np.array(
            vars(self)["iou_thrs"], np.float64, ndmin=1
        )  # pycocotools' summary fails on a list

    def compute_metrics(self, results: list) -> dict[str, float]:
        """The metrics of ``mmdet.CocoMetric``."""
        if self.dataset_meta is not None and self._coco_api is not None:
            self._require_classes()
        if self.skipped_images and self._coco_api is not None:
            known: list = self._coco_api.get_img_ids() if self.img_ids is None else self.img_ids  # type: ignore[has-type]
            self.img_ids = [image for image in known if image not in self.skipped_images]
        if self.backend == "pycocotools":
            return super().compute_metrics(results)
        with _evaluator_of_mmdet(HotCOCOeval):
            return super().compute_metrics(results)

    def _require_classes(self) -> None:
        names = {category["name"] for category in self._coco_api.dataset["categories"]}
        missing = [name for name in self.dataset_meta["classes"] if name not in names]
        if missing:
            raise ValueError(
                f"{len(missing)} classes of the data set are not in ann_file of the evaluator, the first is"
                f" '{missing[0]}'; it has {len(names)} classes. Give both the same annotation file."
            )


def _coco_of(path: str, masks: bool = False) -> COCO:
    """pycocotools' object of a file, with the values that our reader finds; boxes are renumbered, from 1.

    With ``masks`` the outline of every object is checked and replaced by run lengths.
    """
    found, content = read_coco_json(path, need_annotations=False), read_json(path, most_bytes=8 * GIB)
    for row, number in zip(content["images"], found.ids, strict=True):
        row["id"] = number
    content["categories"] = [
        {"id": number, "name": name} for number, name in zip(found.category_ids, found.names, strict=True)
    ]
    columns = found.image.tolist(), found.category.tolist(), found.area.tolist(), found.crowd.tolist()
    rows = content.setdefault("annotations", [])
    for number, (row, image, category, area, crowd) in enumerate(zip(rows, *columns, strict=True), start=1):
        row |= {"id": number, "image_id": found.ids[image], "category_id": found.category_ids[category]}
        row |= {"area": area, "iscrowd": int(crowd)}
        if masks:
            row["segmentation"] = _run_lengths(path, row, *found.sizes[image].tolist())
    coco = COCO()
    coco.dataset = content
    coco.createIndex()
    coco.img_ann_map, coco.cat_img_map = coco.imgToAnns, coco.catToImgs
    return coco


def _run_lengths(path: str, row: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    try:
        return {"size": [height, width], "counts": outline_runs(row.get("segmentation"), width, height)}
    except ValueError as error:
        raise ValueError(
            f"{path}: the object {row['id']} of image {row['image_id']!r:.40} has no mask that metric 'segm' can use"
            f" ({error}): mend its 'segmentation', or measure boxes alone with metric='bbox'."
        ) from error


class HotCOCOeval(COCOeval):
    """pycocotools' ``COCOeval`` with matching and accumulation by hotcoco; the summary stays pycocotools' own.

    Args:
        *args: ``COCO`` of the annotations, what its ``loadRes`` gave, and the kind of overlap, "bbox".
    """

    def evaluate(self) -> None:
        """Match detections and annotations.

        Raises:
            ValueError: If hotcoco cannot take the annotations, for instance because an id is not a whole number.
        """
        hotcoco: Any = importlib.import_module("hotcoco")
        own = self.params
        own.imgIds, own.maxDets = list(np.unique(own.imgIds)), sorted(own.maxDets)
        if own.useCats:
            own.catIds = list(np.unique(own.catIds))
        keys = ("image_id", "category_id", "bbox", "score")
        try:
            truth = hotcoco.COCO(self.cocoGt.dataset)
            found = truth.loadRes([{key: one[key] for key in keys} for one in self.cocoDt.dataset["annotations"]])
        except Exception as error:  # hotcoco documents no types
            raise ValueError(
                f"hotcoco cannot take these annotations ({error}). Remove backend='hotcoco' from the evaluator."
            ) from error
        self.fast = hotcoco.COCOeval(truth, found, own.iouType)
        theirs = self.fast.params
        theirs.imgIds, theirs.catIds = [int(i) for i in own.imgIds], [int(i) for i in own.catIds]
        theirs.maxDets, theirs.useCats = [int(i) for i in own.maxDets], bool(own.useCats)
        theirs.iouThrs, theirs.recThrs = np.asarray(own.iouThrs), np.asarray(own.recThrs)
        theirs.areaRng, theirs.areaRngLbl = [list(map(float, pair)) for pair in own.areaRng], list(own.areaRngLbl)
        self.fast.evaluate()

    def accumulate(self, p: object = None) -> None:
        """Put precisions, recalls and scores into ``eval``."""
        self.fast.accumulate()
        arrays = {name: self.fast.eval[name] for name in ("precision", "recall", "scores")}
        self.eval = {"params": self.params, "counts": list(arrays["precision"].shape), **arrays}


@contextmanager
def _evaluator_of_mmdet(evaluator: Any) -> Iterator[None]:
    """mmdet's metric names its evaluator in its module alone: there is no argument for it."""
    before = mmdet_module.COCOeval
    mmdet_module.COCOeval = evaluator
    try:
        yield
    finally:
        mmdet_module.COCOeval = before
