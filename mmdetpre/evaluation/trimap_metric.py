"""Segmentation scores near the boundaries of objects and away from them, as a metric of a test run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetpre.evaluation.trimap import WIDTHS, TrimapConfusion, check_boundary, check_widths, count_image, region_scores
from mmdetpre.evaluation.trimap_table import format_classes, format_table, to_dict, write_csv, write_json
from mmdetpre.registry import METRICS


@METRICS.register_module()
class TrimapIoUMetric(BaseMetric):
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
        outfile_prefix: Write ``<prefix>.json``, which ``tools/analysis_tools/trimap_curves.py`` draws, and
            ``<prefix>.csv``, or ``None``.
        overwrite: Replace such files where they exist. In a training run each validation replaces those of the one
            before in any case.
        collect_device: "cpu" or "gpu", how results of several ranks are gathered.
        prefix: First part of the names of the results, "trimap" if not given.

    Raises:
        ValueError: If an argument is not as said above; a label map is missing, in colour, of another size than the
            prediction, or holds values that are no class; there are no images.
        FileExistsError: If a file is there already, before anything is tested.

    Source: section 4.2 and Figure 4 of "An Analysis of Pre-Training on Object Detection".

    Example:
        >>> TrimapIoUMetric(widths=[1, 2, 5, 10]).widths
        (1, 2, 5, 10)
    """

    default_prefix = "trimap"

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS,
        boundary: str = "void",
        ignore_index: int = 255,
        outfile_prefix: str | None = None,
        overwrite: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.widths = check_widths(widths)
        self.boundary = check_boundary(boundary)
        self.ignore_index = ignore_index
        self.overwrite = overwrite
        self.out_files = [] if outfile_prefix is None else [Path(f"{outfile_prefix}{end}") for end in (".json", ".csv")]
        for path in self.out_files:
            if path.exists() and not overwrite:
                raise FileExistsError(
                    f"{path} exists and is left as it is: give another outfile_prefix, or set overwrite=True."
                )
        self._sum: TrimapConfusion | None = None  # of all images of this rank but the last
        self._last: TrimapConfusion | None = None  # samplers may repeat an image there to give all ranks as many

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add the images of one batch."""
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            name = sample.get("img_path") or sample.get("seg_map_path") or "without a path"
            if "gt_sem_seg" not in sample:
                raise ValueError(
                    f"Image {name} comes without a label map, so there is nothing to evaluate. Test a split that has"
                    " label maps, with LoadAnnotations in the test pipeline."
                )
            try:
                counts = count_image(
                    _map(sample["gt_sem_seg"]), _map(sample["pred_sem_seg"]), classes=classes, widths=self.widths,
                    boundary=self.boundary, ignore_index=self.ignore_index,
                )  # fmt: skip
            except ValueError as error:
                raise ValueError(f"Image {name}: {error}") from error
            if self._last is not None:
                self._sum = _total([self._sum, self._last])
            self._last = counts

    def evaluate(self, size: int) -> dict[str, float]:
        """Merge the sums of all ranks and compute the results.

        Args:
            size: Number of images of the data set. Image k of rank r has the number ``k * ranks + r``; a last image
                beyond the size is a repetition and not counted, as mmengine has it.
        """
        images = sum(part.images for part in (self._sum, self._last) if part is not None)
        ranks, rank = get_world_size(), get_rank()
        if images > 1 and (images - 2) * ranks + rank >= size:
            raise ValueError(
                f"{images} images were tested on rank {rank} of {ranks}, but the data set has {size}: only a repeated"
                " last one can be taken out. Test with DefaultSampler."
            )
        repeated = images > 0 and (images - 1) * ranks + rank >= size
        self.results = [_total([self._sum, None if repeated else self._last])]
        self._sum = self._last = None
        return super().evaluate(ranks)  # one result per rank

    def compute_metrics(self, results: list[TrimapConfusion | None]) -> dict[str, float]:
        """Print the tables and return the results; runs on the main process alone."""
        counts = _total(results)
        if counts is None:
            raise ValueError("No image was tested: the test data set is empty. Look at its ann_file and data_prefix.")
        run = to_dict(counts, self.dataset_meta["classes"], self.boundary)
        print_log(f"\n{format_classes(run)}\n\n{format_table(run)}", "current")
        if counts.without_boundary:
            what = f"void ({self.ignore_index}) pixel" if self.boundary == "void" else "border between labels"
            hint = ' boundary="label" needs no void pixels.' if self.boundary == "void" else ""
            print_log(
                f"{counts.without_boundary} of {counts.images} label maps have no {what}, so all their pixels are"
                f" outside of every band.{hint}",
                "current",
                logging.WARNING,
            )
        if self.out_files:
            numbers, table = self.out_files
            write_json(numbers, [run], overwrite=self.overwrite)
            write_csv(table, [run], overwrite=self.overwrite)
            print_log(f"Written to {', '.join(map(str, self.out_files))}", "current")
        self.overwrite = True  # from now on they are our own files
        whole, inside, outside = (region_scores(part) for part in (counts.whole(), counts.inside(), counts.outside()))
        scores = {"whole_aAcc": whole.accuracy, "whole_mIoU": whole.mean_iou, "whole_mAcc": whole.mean_accuracy}
        for region, means in (("mIoU", inside.mean_iou), ("anti_mIoU", outside.mean_iou)):
            scores |= {f"{region}_{width}": mean for width, mean in zip(self.widths, means, strict=True)}
        return {name: np.round(np.float32(score) * 100, 2) for name, score in scores.items()}


def _map(field: dict) -> np.ndarray:
    """``(h, w)`` of data ``(1, h, w)`` or ``(h, w)``; any other shape as it is."""
    data = np.asarray(field["data"].cpu())
    return data[0] if data.ndim == 3 and data.shape[0] == 1 else data


def _total(parts: Sequence[TrimapConfusion | None]) -> TrimapConfusion | None:
    found = [part for part in parts if part is not None]
    return sum(found[1:], start=found[0]) if found else None
