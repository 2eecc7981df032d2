"""Flip a chip at random."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmdetpre.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FlipChip(BaseTransform):
    """mmdet's horizontal ``RandomFlip`` of pixels, boxes and masks: the same random numbers and results, without
    its detours.

    Required keys: ``img``, ``gt_bboxes``, as set by ``mmdetpre.LoadChip``. Changed keys: both, and ``gt_masks`` if it
    is there; ``img`` becomes a view. Added keys: ``flip``, ``flip_direction``. Label maps are not flipped: with those
    use ``RandomFlip``.

    Args:
        prob: Probability of a flip.

    Raises:
        ValueError: If ``prob`` is not a probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f"prob={prob} of FlipChip: a probability lies between 0 and 1.")
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Flip, or not."""
        results["flip"] = bool(np.random.random_sample() < self.prob)
        results["flip_direction"] = "horizontal" if results["flip"] else None
        if results["flip"]:
            results["img"] = results["img"][:, ::-1]
            boxes = results["gt_bboxes"].tensor.numpy()
            boxes[:, [0, 2]] = results["img"].shape[1] - boxes[:, [2, 0]]
            if "gt_masks" in results:
                results["gt_masks"] = results["gt_masks"].flip()
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(prob={self.prob})"
