"""Segmentation scores near the boundaries of objects and away from them, as a metric of a test run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmdetpre.evaluation.label_maps.base_metric import LabelMapMetric
from mmdetpre.evaluation.trimap.counts import (
    WIDTHS,
    TrimapConfusion,
    check_boundary,
    check_widths,
    count_image,
    region_scores,
)
from mmdetpre.evaluation.trimap.plot import draw_trimap_curves
from mmdetpre.evaluation.trimap.scores import TrimapScores
from mmdetpre.registry import METRICS
from mmdetpre.utils.results import write_results
from mmdetpre.utils.whole_file import write_figure


@METRICS.register_module()
class TrimapIoUMetric(LabelMapMetric):
    """mIoU in bands around object boundaries (trimaps) and outside them (anti-trimaps), for many widths in one pass.

    The band of width w is what w dilations of the boundary with a 3x3 square reach, in pixels of the label map. Void
    pixels are never scored. Results: ``mIoU_<w>`` inside and ``anti_mIoU_<w>`` outside per width, NaN where there is no
    scored pixel; ``whole_mIoU``, ``whole_aAcc`` and ``whole_mAcc``, the band of infinite width. Keeps running sums
    only, so memory does not grow with the data set.

    Those of whole images are ``mIoU``, ``aAcc`` and ``mAcc`` of ``mmseg.IoUMetric`` bit for bit, as long as a class has
    at most 2^24 pixels. Beyond, sums are exact here and rounded there: mmseg adds up in single precision.

    Args:
        widths: Rising widths in pixels.
        boundary: "void": the void pixels, as in the paper. "label": borders between the labels of the map (void is one
            more label), for data sets that mark no border with void.
        ignore_index: The label of void pixels. With ``reduce_zero_label`` in the data set, background is void as well,
            and its whole area the boundary: choose ``boundary="label"`` there.
        outfile_prefix: Write ``<prefix>.json``, which ``tools/analysis_tools/trimap_curves.py`` draws together with
            those of other runs, ``<prefix>.csv`` and the curves ``<prefix>.png``, or ``None``.
        others: See :class:`~mmdetpre.evaluation.label_maps.base_metric.LabelMapMetric`. ``prefix`` is "trimap" if not
            given.

    Raises:
        ValueError: If an argument is invalid; and what ``LabelMapMetric`` raises.
        FileExistsError: If a file is there already, before anything is tested.

    Source: section 4.2 and Figure 4 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> TrimapIoUMetric(widths=[1, 2, 5, 10]).widths
        (1, 2, 5, 10)
    """

    default_prefix = "trimap"
    file_ends = (".json", ".csv", ".png")

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS,
        boundary: str = "void",
        ignore_index: int = 255,
        outfile_prefix: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(ignore_index, outfile_prefix, **others)
        self.widths = check_widths(widths)
        self.boundary = check_boundary(boundary)

    def count(self, truth: np.ndarray, prediction: np.ndarray, classes: int) -> TrimapConfusion:
        """Confusion by band of one image.

        Args:
            truth: (h, w) integer label map.
            prediction: (h, w) integer label map.
            classes: Number of classes.
        """
        settings: dict[str, Any] = dict(widths=self.widths, boundary=self.boundary, ignore_index=self.ignore_index)
        return count_image(truth, prediction, classes=classes, **settings)

    def named(self, counts: TrimapConfusion, file: str) -> TrimapConfusion:
        """Counts of one image that know its file if it has no boundary."""
        return replace(counts, without_names=(file,)) if counts.without_boundary and file else counts

    def report(self, counts: TrimapConfusion) -> dict[str, float]:
        """Print the tables, write the files and return the results."""
        run = TrimapScores.of_counts(counts, self.dataset_meta["classes"], self.boundary)
        print_log(f"\n{run}", "current")
        if counts.without_boundary:
            what = f"void ({self.ignore_index}) pixel" if self.boundary == "void" else "border between labels"
            hint = ' boundary="label" needs no void pixels.' if self.boundary == "void" else ""
            more = ", ..." if counts.without_boundary > len(counts.without_names) else ""
            named = f" ({', '.join(counts.without_names)}{more})" if counts.without_names else ""
            print_log(
                f"{counts.without_boundary} of {counts.images} label maps have no {what}{named}, so all their pixels"
                f" are outside of every band.{hint}",
                "current",
                logging.WARNING,
            )
        for change in run.mean_changes():
            print_log(change, "current", logging.WARNING)
        if self.out_files:
            numbers, table, curves = self.out_files
            for path in (numbers, table):
                write_results(path, [run], overwrite=self.overwrite)
            write_figure(curves, draw_trimap_curves([run]))
            print_log(f"Written to {', '.join(map(str, self.out_files))}", "current")
        whole, inside, outside = (region_scores(part) for part in (counts.whole(), counts.inside(), counts.outside()))
        scores = {"whole_aAcc": whole.accuracy, "whole_mIoU": whole.mean_iou, "whole_mAcc": whole.mean_accuracy}
        for region, means in (("mIoU", inside.mean_iou), ("anti_mIoU", outside.mean_iou)):
            scores |= {f"{region}_{width}": mean for width, mean in zip(self.widths, means, strict=True)}
        return {name: np.round(np.float32(score) * 100, 2) for name, score in scores.items()}
