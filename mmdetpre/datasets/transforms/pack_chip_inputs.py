"""Pack a chip for the model, group-of flags included."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

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
_OTHERS = {"gt_seg_map", "proposals", "gt_keypoints"}
"""What only mmdet packs, for transforms that add it."""


def channels_first(image: np.ndarray) -> torch.Tensor:
    """(h, w, c) pixels as a (c, h, w) tensor of its own memory, twice as fast as NumPy and torch do it.

    Args:
        image: Pixels of any type that OpenCV knows, or a flipped view of them.

    Example:
        >>> channels_first(np.zeros((4, 6, 3), np.uint8)).shape
        torch.Size([3, 4, 6])
    """
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    mirrored = image.strides[1] < 0  # the view that a flip leaves: planes are flipped faster than pixels
    cv2.split(np.ascontiguousarray(image[:, ::-1] if mirrored else image), list(planes))
    tensor = torch.from_numpy(planes)
    return tensor.flip(-1) if mirrored else tensor


@TRANSFORMS.register_module()
class PackChipInputs(PackDetInputs):
    """``PackDetInputs`` whose ``ignored_instances`` also tell which boxes are crowds.

    Adds ``ignored_instances.group_of``, (n,) bool, from ``gt_group_flags``; and ``valid_range`` (lo, hi in pixels of
    the chip) and ``chip`` (x, y, width, height in the scaled image) to the meta information. ``gt_masks``, which
    ``mmdetpre.LoadChip`` gives for the boxes that are not ignored alone, become ``gt_instances.masks``.

    Args:
        meta_keys: Keys copied to the meta information of the data sample.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        """Pack a chip into tensors and a data sample.

        Raises:
            ValueError: If a transform dropped boxes without their flags or masks.
        """
        flags, ignored = results["gt_group_flags"], results["gt_ignore_flags"]
        if len(flags) != len(ignored):
            raise ValueError(
                f"{len(ignored)} boxes but {len(flags)} gt_group_flags: a transform between LoadChip and PackChipInputs"
                " dropped boxes without their flags. Use transforms that keep all boxes, such as RandomFlip."
            )
        masks = results.get("gt_masks")
        if masks is not None and len(masks) != (objects := np.count_nonzero(~ignored)):
            raise ValueError(
                f"{objects} boxes that are not ignored but {len(masks)} gt_masks: a transform between"
                " LoadChip and PackChipInputs dropped some. Use transforms that keep all boxes, such as RandomFlip."
            )
        if results.keys() & _OTHERS:
            packed = super().transform({k: value for k, value in results.items() if k not in ("img", "gt_masks")})
        else:
            packed = {"data_samples": self._sample(results)}
        if masks is not None:
            packed["data_samples"].gt_instances.masks = masks
        packed["inputs"] = channels_first(results["img"])
        packed["data_samples"].ignored_instances.group_of = torch.from_numpy(flags[ignored])
        return packed

    def _sample(self, results: dict) -> DetDataSample:
        """What ``PackDetInputs`` makes of boxes and labels."""
        sample = DetDataSample()
        for key in self.meta_keys:
            if key in results:  # `metainfo=` would copy them deeply, which takes as long as all boxes
                sample.set_field(results[key], key, field_type="metainfo")
        for name, chosen in (
            ("gt_instances", ~results["gt_ignore_flags"]),
            ("ignored_instances", results["gt_ignore_flags"]),
        ):
            rows, instances = np.flatnonzero(chosen), InstanceData()
            instances.bboxes = results["gt_bboxes"][rows]
            instances.labels = torch.from_numpy(results["gt_bboxes_labels"][rows])
            setattr(sample, name, instances)
        return sample
