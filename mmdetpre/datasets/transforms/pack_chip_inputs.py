"""Pack a chip for the model, group-of flags included."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.datasets.transforms import PackDetInputs

from mmdetpre.registry import TRANSFORMS

META_KEYS = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "scale_factor",
    "flip",
    "flip_direction",
    "valid_range",
    "chip",
)


@TRANSFORMS.register_module()
class PackChipInputs(PackDetInputs):
    """``PackDetInputs`` whose ``ignored_instances`` also tell which boxes are crowds.

    Adds ``ignored_instances.group_of``, (n,) bool, from ``gt_group_flags``; and ``valid_range`` (lo, hi in pixels of
    the chip) and ``chip`` (x, y, width, height in the scaled image) to the meta information.

    Args:
        meta_keys: Keys copied to the meta information of the data sample.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        flags, ignored = results["gt_group_flags"], results["gt_ignore_flags"]
        if len(flags) != len(ignored):
            raise ValueError(
                f"{len(ignored)} boxes but {len(flags)} gt_group_flags: a transform between LoadChip and PackChipInputs"
                " dropped boxes without their flags. Use transforms that keep all boxes, such as RandomFlip."
            )
        packed = super().transform(results)
        packed["data_samples"].ignored_instances.group_of = torch.from_numpy(flags[ignored])
        return packed
