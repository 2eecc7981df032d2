"""VOC's mAP at many IoU thresholds as a metric of a test run: one curve of Figure 1."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetpre.evaluation.detections.metric import ImageResult, image_result, join_results, settle_plus_one
from mmdetpre.evaluation.voc_ap.average_precision import FIGURE_1_IOUS, MODES, check_iou_thrs, voc_average_precision
from mmdetpre.evaluation.voc_ap.scores import VOCScores, iou_key
from mmdetpre.registry import METRICS
from mmdetpre.utils.results import write_results


@METRICS.register_module()
class VOCIoUMetric(BaseMetric):
    """mAP in the manner of PASCAL VOC at many IoU thresholds, computed in one pass.

    The numbers are those of ``mmdet.VOCMetric`` with the same ``iou_thrs``, for less than the time of one of them.
    Reads ``instances`` where the pipeline keeps them among the ``meta_keys`` of ``PackDetInputs``, else
    ``gt_instances`` and ``ignored_instances``.

    Difficult, crowd and group-of boxes are ignored, all by IoU, as mmdet does: such a box excuses the detections, any
    number of them, that overlap it by at least the threshold and no other box of their class more. VOC has difficult
    boxes alone. On data with crowd or group-of boxes a detection of a single object inside one counts as false: prefer
    ``mmdetpre.CocoMetric`` or ``mmdetpre.OpenImagesMetric`` there, which take these boxes as regions, as the error
    analysis does.

    Results: ``mAP`` (mean over thresholds), ``AP10`` ... ``AP90`` (mean over the classes that have boxes).

    Args:
        iou_thrs: Rising thresholds in (0, 1].
        eval_mode: "11points", the metric of VOC 2007, which the paper reports, or "area", that of VOC 2010 and later.
        plus_one: Sides are ``x2 - x1 + 1``, because x2 and y2 name the last pixel inside, as in ``mmdet.VOCDataset``;
            ``False`` for half-open boxes; ``None``: as the data set says
            (:func:`~mmdetpre.evaluation.detections.metric.settle_plus_one`). Either way sides are those of VOC's files.
            The file of detections says it, so that the analyses measure its boxes in the same way.
        outfile_prefix: Write ``<prefix>.json`` and ``<prefix>.csv``, the numbers, and ``<prefix>.npz``, the detections
            with the ground truth (:class:`~mmdetpre.evaluation.detections.detections.Detections`), or ``None``. The
            first is
            what ``tools/analysis_tools/iou_sweep.py`` draws, the last what ``detection_errors.py`` there reads.
        overwrite: Replace such files where they exist. In a training run each validation replaces those of the one
            before in any case; but when the training is resumed, in a new process, these files are there already and
            nothing says whose they are. Resume with ``val_evaluator.overwrite=True``, by ``--cfg-options`` or in the
            config, to let it go on replacing them.
        collect_device: "cpu" or "gpu", how results of several ranks are gathered.
        prefix: First part of the names of the results, "pascal_voc" if not given.

    Raises:
        ValueError: If an argument is invalid; when the images carry no ground truth at all.
        FileExistsError: If a file is there already, before anything is trained or tested.

    Source: Figure 1 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> VOCIoUMetric(iou_thrs=[0.5, 0.7]).iou_thrs
        (0.5, 0.7)
    """

    default_prefix = "pascal_voc"

    def __init__(
        self,
        iou_thrs: Sequence[float] = FIGURE_1_IOUS,
        eval_mode: str = "11points",
        plus_one: bool | None = None,
        outfile_prefix: str | None = None,
        overwrite: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thrs = check_iou_thrs(iou_thrs)
        if eval_mode not in MODES:
            raise ValueError(f"eval_mode is {eval_mode!r}: choose one of {', '.join(MODES)}.")
        self.eval_mode = eval_mode
        self.plus_one = plus_one
        self.overwrite = overwrite
        ends = () if outfile_prefix is None else (".json", ".csv", ".npz")
        self.out_files = [Path(f"{outfile_prefix}{end}") for end in ends]
        for path in self.out_files:
            if path.exists() and not overwrite:
                raise FileExistsError(
                    f"{path} exists and is left as it is: give another outfile_prefix, or set overwrite=True, also when"
                    " resuming a training whose earlier validations wrote it."
                )

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep detections and ground truth of one batch.

        Raises:
            ValueError: Names an image without ground truth; or ``plus_one`` contradicts the data set.
        """
        if not self.results:
            settle_plus_one(self.plus_one, self.dataset_meta)
        for sample in data_samples:
            result = image_result(sample)
            if result.truth is None:
                raise ValueError(
                    f"Image '{result.name}' comes without ground truth, so there is nothing to evaluate. Test a split"
                    " that has annotations, with LoadAnnotations(with_bbox=True) in the test pipeline."
                )
            self.results.append(result)

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """Print the table and return the means; runs on the main process alone."""
        plus_one = settle_plus_one(self.plus_one, self.dataset_meta)
        run = join_results(results, self.dataset_meta["classes"], plus_one=plus_one)
        result = voc_average_precision(run, self.iou_thrs, mode=self.eval_mode)
        scores = VOCScores.of_result(result)
        print_log(f"\n{scores}", "current")
        if empty := [name for name, count in zip(result.classes, result.objects, strict=True) if not count]:
            print_log(
                f"{len(empty)} of {len(result.classes)} classes have no box that counts and are left out of the mean:"
                f" {', '.join(empty[:10])}{', ...' if len(empty) > 10 else ''}.",
                "current",
                logging.WARNING,
            )
        if self.out_files:
            numbers, table, detections = self.out_files
            for path in (numbers, table):
                write_results(path, [scores], overwrite=self.overwrite)
            run.save(detections, overwrite=self.overwrite)
            print_log(f"Written to {', '.join(map(str, self.out_files))}", "current")
        self.overwrite = True  # from now on they are our own files
        means = {iou_key(iou): float(value) for iou, value in zip(result.iou_thrs, result.mean_ap, strict=True)}
        return {"mAP": sum(means.values()) / len(means), **means}
