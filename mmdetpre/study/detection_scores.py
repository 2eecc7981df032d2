"""What any detection metric of mmdet gives, as columns of the study's tables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_AP = re.compile(r"(?:bbox_)?m?AP(?:_?(\d\d))?")


def average_precisions(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Average precisions in percent by column: ``map``, ``ap50``, ``ap75`` ...

    Of a metric without any average precision all values from 0 to 1 are taken, by their own names.

    Args:
        metrics: Values from 0 to 1 by the names that the toolbox gives: ``coco/bbox_mAP_50``, ``pascal_voc/AP50``.
            COCO's -1, for no such objects, becomes None.

    Raises:
        ValueError: If there is no such value; says what there is.

    Example:
        >>> average_precisions({"coco/bbox_mAP": 0.25, "coco/bbox_mAP_50": 0.5, "coco/bbox_mAP_s": -1.0})
        {'map': 25.0, 'ap50': 50.0}
        >>> average_precisions({"crowd_human/mMR": 0.5})
        {'mmr': 50.0}
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if match := _AP.fullmatch(name.rpartition("/")[2]):
            found.setdefault(f"ap{match[1]}" if match[1] else "map", value)
    if not found:
        found = {name.rpartition("/")[2].lower(): value for name, value in metrics.items() if 0 <= value <= 1}
    if not found:
        raise ValueError(
            f"The test gave no average precision and no other value from 0 to 1: {dict(metrics)}. A task of kind"
            " detection needs a metric such as CocoMetric or mmdetpre.VOCIoUMetric in its test_evaluator."
        )
    return {column: 100 * value if math.isfinite(value) and value >= 0 else None for column, value in found.items()}
