"""What each scale of a multi-scale test brings: COCO's AP of its detections alone, and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from torch import Tensor

from mmdetpre.evaluation.coco_metric import CocoMetric
from mmdetpre.registry import METRICS
from mmdetpre.utils.tables import text_table

SCALES = "scales"
"""Field of detections: index of the scale that each comes from, in the order of the pipeline."""
_COLUMNS = {"mAP": "AP", "mAP_50": "AP50", "mAP_s": "small", "mAP_m": "medium", "mAP_l": "large"}
_KEYS = ("img_id", "bboxes", "scores", "labels")


@METRICS.register_module()
class ScaleOriginMetric(CocoMetric):
    """AP by size of object and by the scale that a detection comes from, after ``mim test mmdet ... --tta``.

    ``mmdetpre.MultiScaleTTA`` and ``mmdetpre.FocusTTA`` say of each detection which scale saw it. The table has a row
    for all scales, one for each scale's detections alone, and one for all but these: what is missed without the scale.
    Detections are those that the suppression over all scales left, so "alone" differs from a test at that scale.
    Objects are small below 32 x 32 pixels, large from 96 x 96 on, in pixels of the image. In a config::

        test_evaluator = [test_evaluator, dict(type="mmdetpre.ScaleOriginMetric", ann_file=..., metric="bbox")]

    Args:
        *args: Of `CocoMetric`; without ``ann_file``, boxes are those of the data set.
        **kwargs: The same.

    Raises:
        ValueError: In the first batch, if detections do not say their scale: the test is not one at several scales.

    Source: sizes and AP of COCO; the comparison is ours.

    Example:
        >>> ScaleOriginMetric(backend="hotcoco").metrics
        ['bbox']
    """

    default_prefix = "scale_origin"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.metrics != ["bbox"] or self.format_only or kwargs.get("outfile_prefix"):
            raise ValueError("ScaleOriginMetric measures boxes: leave metric, format_only and outfile_prefix out.")

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the detections of a batch, and their scales."""
        first = len(self.results)
        super().process(data_batch, data_samples)
        for (_, kept), sample in zip(self.results[first:], data_samples, strict=True):
            scales = sample["pred_instances"].get(SCALES)
            if scales is None:
                raise ValueError(
                    "ScaleOriginMetric: the detections do not say which scale they come from. Test with --tta and a"
                    " tta_model of the type mmdetpre.MultiScaleTTA or mmdetpre.FocusTTA."
                )
            kept[SCALES] = scales.cpu().numpy() if isinstance(scales, Tensor) else np.asarray(scales)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Names such as ``mAP``, ``scale0_alone/mAP_s`` and ``scale0_left_out/mAP``, from 0 to 1; 0 is the first."""
        count = max((int(kept[SCALES].max()) + 1 for _, kept in results if len(kept[SCALES])), default=0)
        origins = [kept[SCALES] for _, kept in results]
        choices = {"": ("all scales", [np.ones(len(one), bool) for one in origins])}
        for i in range(count):
            choices[f"scale{i}_alone"] = f"scale {i} alone", [one == i for one in origins]
        for i in range(count):
            choices[f"scale{i}_left_out"] = f"all but scale {i}", [one != i for one in origins]
        found = {name: self._measure(results, kept) for name, (_, kept) in choices.items()}
        rows = [
            [title, str(sum(map(np.count_nonzero, kept)))]
            + [_percent(found[name].get(f"bbox_{key}")) for key in _COLUMNS]
            for name, (title, kept) in choices.items()
        ]
        head = ["detections of", "number", *_COLUMNS.values()]
        MMLogger.get_current_instance().info("AP in %% by scale of origin:\n%s", text_table(head, rows))
        return {
            f"{name}/{key}" if name else key: values[f"bbox_{key}"]
            for name, values in found.items()
            for key in _COLUMNS
            if f"bbox_{key}" in values
        }

    def _measure(self, results: list, chosen: Sequence[np.ndarray]) -> Mapping[str, float]:
        """COCO's numbers of chosen detections of each image."""
        if not any(kept.any() for kept in chosen):
            return {f"bbox_{key}": 0.0 for key in _COLUMNS}
        own = [
            (truth, {key: one[key] if key == "img_id" else one[key][kept] for key in _KEYS})
            for (truth, one), kept in zip(results, chosen, strict=True)
        ]
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel("WARNING")  # COCO's own table, once for each choice
        try:
            return super().compute_metrics(own)
        finally:
            logger.setLevel(level)


def _percent(value: float | None) -> str:
    return "-" if value is None or value < 0 else f"{100 * value:.1f}"
