"""Boundary IoU of segmentation, as a metric of a test run."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmdetpre.evaluation.boundary_iou.counts import DILATION_RATIO, BoundaryAreas, check_dilation_ratio, measure_image
from mmdetpre.evaluation.boundary_iou.scores import BoundaryScores
from mmdetpre.evaluation.label_maps.base_metric import LabelMapMetric
from mmdetpre.registry import METRICS
from mmdetpre.utils.results import write_results


@METRICS.register_module()
class BoundaryIoUMetric(LabelMapMetric):
    """Mean Boundary IoU: each class's IoU of the pixels near the contours of its masks in truth and prediction.

    Unlike trimap IoU it is symmetric: pixels near a predicted contour that is far from the true one count as well.
    Unlike mask IoU it does not hide a poor contour of a large object behind its many inner pixels. Intersection and
    union are summed over all images, as those of mIoU. How void enters:
    :func:`~mmdetpre.evaluation.boundary_iou.counts.measure_image`.

    Results: ``boundary/mIoU``, and ``boundary/whole_mIoU`` of the whole masks for comparison, which is the mIoU of
    ``mmseg.IoUMetric``; both are means over the classes that are in the truth or in the prediction.

    Args:
        dilation_ratio: Distance to the contour, as part of the diagonal of the image: 0.02 in the paper for COCO, 0.005
            for the large images of Cityscapes.
        ignore_index: The label of void pixels.
        outfile_prefix: Write ``<prefix>.json`` and ``<prefix>.csv``, or ``None``.
        others: See :class:`~mmdetpre.evaluation.label_maps.base_metric.LabelMapMetric`. ``prefix`` is "boundary" if not
            given.

    Raises:
        ValueError: If an argument is invalid; and what ``LabelMapMetric`` raises.
        FileExistsError: If a file is there already, before anything is tested.

    Source: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
        Evaluation", CVPR 2021.

    Example:
        >>> BoundaryIoUMetric(dilation_ratio=0.005).dilation_ratio
        0.005
    """

    default_prefix = "boundary"

    def __init__(
        self,
        dilation_ratio: float = DILATION_RATIO,
        ignore_index: int = 255,
        outfile_prefix: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(ignore_index, outfile_prefix, **others)
        self.dilation_ratio = check_dilation_ratio(dilation_ratio)

    def count(self, truth: np.ndarray, prediction: np.ndarray, classes: int) -> BoundaryAreas:
        """Areas of one image.

        Args:
            truth: (h, w) integer label map.
            prediction: (h, w) integer label map.
            classes: Number of classes.
        """
        settings: dict[str, Any] = dict(dilation_ratio=self.dilation_ratio, ignore_index=self.ignore_index)
        return measure_image(truth, prediction, classes=classes, **settings)

    def report(self, counts: BoundaryAreas) -> dict[str, float]:
        """Print the table, write the files and return the results."""
        run = BoundaryScores.of_areas(counts, self.dataset_meta["classes"], self.dilation_ratio)
        print_log(f"\n{run}", "current")
        for path in self.out_files:
            write_results(path, [run], overwrite=self.overwrite)
        if self.out_files:
            print_log(f"Written to {', '.join(map(str, self.out_files))}", "current")
        means = {"mIoU": run.mean_boundary_iou, "whole_mIoU": run.mean_iou}
        return {name: np.round(np.float32(np.nan if v is None else v) * 100, 2) for name, v in means.items()}
