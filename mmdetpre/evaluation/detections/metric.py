"""Write the detections of a test run, with the ground truth, to one file for the analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetpre.evaluation.detections.detections import UNKNOWN, Detections, GroundTruth, check_out_file
from mmdetpre.registry import METRICS

_FLAGS = ("difficult", "occluded", "truncated")
_LAST_PIXEL_INSIDE = ("VOC2007", "VOC2012", None)


@dataclass(frozen=True, eq=False)
class ImageTruth:
    """Annotated boxes of one image; ``flags`` is (g, 3) int8: difficult, occluded, truncated; -1 where unknown."""

    boxes: np.ndarray
    labels: np.ndarray
    ignore: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True, eq=False)
class ImageResult:  # no tuple: mmengine turns those into plain ones when it gathers results
    """What one image adds to the file."""

    name: str
    path: str
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    truth: ImageTruth | None


@METRICS.register_module()
class DumpDetections(BaseMetric):
    """Writes :class:`~mmdetpre.evaluation.detections.detections.Detections`; measures nothing.

    Use it next to the metric of the config::

        test_evaluator = [
            dict(type="mmdetpre.VOCIoUMetric"),
            dict(type="mmdetpre.DumpDetections", out_file="work_dirs/{{ fileBasenameNoExtension }}/detections.npz"),
        ]

    The ground truth is stored too. Where the pipeline keeps ``instances`` among the ``meta_keys`` of ``PackDetInputs``,
    it is read from there, with the flags difficult, occluded and truncated that the data set knows; otherwise from
    ``gt_instances`` and ``ignored_instances``, which say only what is ignored. As for mmdet's own metrics,
    ``LoadAnnotations`` must come after ``Resize`` in the test pipeline, for boxes to stay in original pixels.

    Args:
        out_file: File to write, ``*.npz``.
        overwrite: Replace a file that is there already. In a training run each validation replaces the file of the one
            before in any case; to resume a training, whose own file is there already, set it.
        plus_one: Mark the file: x2 and y2 of all boxes name the last pixel inside, so that the analyses measure sides
            as ``x2 - x1 + 1``. ``None``: as the data set says, see :func:`settle_plus_one`.
        collect_device: "cpu" or "gpu", how results of several ranks are gathered.

    Raises:
        FileExistsError: If the file exists, before anything is trained or tested.
        ValueError: If the name does not end in ``.npz``, two images have the same id, or a prediction is not finite.

    Example:
        >>> DumpDetections(out_file="work_dirs/voc/detections.npz").out_file.name
        'detections.npz'
    """

    def __init__(
        self, out_file: str, overwrite: bool = False, plus_one: bool | None = None, collect_device: str = "cpu"
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.out_file = check_out_file(out_file, overwrite=overwrite)
        self.overwrite = overwrite
        self.plus_one = plus_one
        self._seen: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what one batch of tested images adds.

        Raises:
            ValueError: If two images have one id, or ``plus_one`` contradicts the data set.
        """
        if not self.results:
            self._seen.clear()
            settle_plus_one(self.plus_one, self.dataset_meta)
        for sample in data_samples:
            result = image_result(sample)
            if result.name in self._seen:  # at once, not after hours of testing
                raise ValueError(
                    f"The image id '{result.name}' occurs twice: every image of the data set needs an id of its own."
                )
            self._seen.add(result.name)
            self.results.append(result)

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """Write the file; runs on the main process alone. There are no numbers to return."""
        plus_one = settle_plus_one(self.plus_one, self.dataset_meta)
        detections = join_results(results, self.dataset_meta["classes"], plus_one=plus_one)
        detections.save(self.out_file, overwrite=self.overwrite)
        self.overwrite = True  # from now on it is our own file
        truth = "no ground truth" if detections.truth is None else f"{len(detections.truth)} annotated boxes"
        print_log(f"{len(detections)} detections in {len(results)} images and {truth} in {self.out_file}", "current")
        return {}


def settle_plus_one(plus_one: bool | None, dataset_meta: Mapping[str, Any] | None) -> bool:
    """Whether x2 and y2 of a data set's boxes, and of what learned from them, name the last pixel inside.

    Data sets of mmdetpre are half-open and those of VOC say so in their metainfo (``plus_one=False``). Of mmdet's,
    ``VOCDataset`` alone keeps the last pixel inside; it is known by the ``dataset_type`` of its metainfo, ``None``
    where the folder bears no year.

    Args:
        plus_one: What the config says, or ``None`` for what the data set says.
        dataset_meta: ``metainfo`` of the data set.

    Raises:
        ValueError: If the config contradicts a data set that says it.

    Example:
        >>> settle_plus_one(None, {"classes": ("cat",)}), settle_plus_one(None, {"dataset_type": "VOC2007"})
        (False, True)
    """
    meta = dataset_meta or {}
    told = meta.get("plus_one")
    if plus_one is not None and told is not None and plus_one != told:
        raise ValueError(
            f"plus_one is {plus_one}, but the boxes of the data set are"
            f" {'half-open' if plus_one else 'not half-open'} (plus_one={told} in its metainfo): sides would be"
            f" measured {'too long' if plus_one else 'too short'} by a pixel. Remove plus_one from the evaluator."
        )
    if plus_one is None:
        return bool(meta.get("dataset_type", "") in _LAST_PIXEL_INSIDE if told is None else told)
    return plus_one


def image_result(sample: Mapping[str, Any]) -> ImageResult:
    """What a tested data sample (as a dict) adds to the file."""
    predicted = sample["pred_instances"]
    height, width = sample.get("ori_shape", (0, 0))[:2]
    return ImageResult(
        name=str(sample["img_id"]),
        path=str(sample.get("img_path") or ""),
        size=(int(width), int(height)),
        boxes=as_boxes(predicted["bboxes"]),
        scores=as_array(predicted["scores"], np.float32),
        labels=as_array(predicted["labels"], np.int32),
        truth=image_truth(sample),
    )


def image_truth(sample: Mapping[str, Any]) -> ImageTruth | None:
    """The annotated boxes of a data sample (as a dict), or ``None`` if it does not carry any."""
    if "instances" in sample:
        instances = [instance for instance in sample["instances"] if instance.get("bbox") is not None]
        return ImageTruth(
            as_boxes([instance["bbox"] for instance in instances]),
            np.array([instance["bbox_label"] for instance in instances], np.int32),
            np.array([bool(i.get("ignore_flag") or i.get("is_group_of")) for i in instances], np.bool_),
            np.array([[_flag(i, name) for name in _FLAGS] for i in instances], np.int8).reshape(-1, len(_FLAGS)),
        )
    if "gt_instances" not in sample:
        return None
    parts = [(sample["gt_instances"], False)]
    if "ignored_instances" in sample:
        parts.append((sample["ignored_instances"], True))
    boxes = [as_boxes(part["bboxes"]) for part, _ in parts]
    count = sum(map(len, boxes))
    return ImageTruth(
        np.concatenate(boxes),
        np.concatenate([as_array(part["labels"], np.int32) for part, _ in parts]),
        np.repeat([ignore for _, ignore in parts], [len(part) for part in boxes]),
        np.full((count, len(_FLAGS)), UNKNOWN, np.int8),
    )


def join_results(results: Sequence[ImageResult], classes: Sequence[str], *, plus_one: bool = False) -> Detections:
    """One table of all images; without ground truth as soon as one image has none.

    Args:
        results: One per image.
        classes: Class names.
        plus_one: See :class:`~mmdetpre.evaluation.detections.detections.Detections`.
    """
    truths = [result.truth for result in results if result.truth is not None]
    truth = None
    if results and len(truths) == len(results):
        flags = np.concatenate([part.flags for part in truths])
        truth = GroundTruth(
            image=_owners([len(part.boxes) for part in truths]),
            boxes=np.concatenate([part.boxes for part in truths]),
            labels=np.concatenate([part.labels for part in truths]),
            ignore=np.concatenate([part.ignore for part in truths]),
            **{name: flags[:, i] for i, name in enumerate(_FLAGS)},
        )
    return Detections(
        classes=tuple(classes),
        names=tuple(result.name for result in results),
        image=_owners([len(result.boxes) for result in results]),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(result.boxes for result in results)]),
        scores=np.concatenate([np.zeros(0, np.float32), *(result.scores for result in results)]),
        labels=np.concatenate([np.zeros(0, np.int32), *(result.labels for result in results)]),
        paths=tuple(result.path for result in results),
        sizes=np.array([result.size for result in results], np.int32),
        truth=truth,
        plus_one=plus_one,
    )


def as_array(values: Any, dtype: type) -> np.ndarray:
    """A tensor on any device, or anything array-like, as an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype)


def as_boxes(boxes: Any) -> np.ndarray:
    """(n, 4) float32 of a tensor, mmdet's ``HorizontalBoxes`` or a list."""
    return as_array(getattr(boxes, "tensor", boxes), np.float32).reshape(-1, 4)


def _flag(instance: Mapping[str, Any], name: str) -> int:
    value = instance.get(f"is_{name}")
    return UNKNOWN if value is None else int(value)


def _owners(counts: Sequence[int]) -> np.ndarray:
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)
