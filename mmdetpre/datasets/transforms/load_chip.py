"""Load the pixels and boxes of one chip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from mmdetpre.datasets.coco.outlines import outline_mask
from mmdetpre.datasets.images.decoded_images import DecodedImages
from mmdetpre.datasets.images.decoding import BrokenImageError, decode_image, jpeg_reduction
from mmdetpre.datasets.packed.annotations import IGNORE
from mmdetpre.datasets.transforms.cut_chip import cut_chip, reduce_image
from mmdetpre.datasets.transforms.cut_mask import cut_mask
from mmdetpre.registry import TRANSFORMS
from mmdetpre.storage.read import read_bytes
from mmdetpre.storage.retry import StorageError


@TRANSFORMS.register_module()
class LoadChip(BaseTransform):
    """Decode an image as small as its chips allow, cut the chip, and carry the boxes into it.

    An image that a later chip needs again, as :class:`mmdetpre.datasets.ChipBatchSampler` says, is kept as it was
    decoded, as small as the finest of its chips allows; coarser chips are cut from means of its pixels.

    Boxes of the chip's valid list become ground truth; every other box that shows in the chip is flagged in
    ``gt_ignore_flags`` and so ends up in ``ignored_instances``: it is neither object nor background. Boxes that show
    with less than 1 pixel are left out.

    Required keys: ``img_path``, ``height``, ``width``, ``chip`` (x, y, width, height in the scaled image),
    ``chip_scale``, ``boxes`` (n, 4), ``labels``, ``flags``, ``valid``, as set by ``mmdetpre.ChipDataset``.
    Optional: ``decode_scale``, the finest scale of the chips that share the decoded image, ``keep_decoded``, and
    ``masks``, run lengths of the mask of each valid box, or None.

    Added keys: ``img``, ``img_shape``, ``ori_shape``, ``scale_factor``, ``gt_bboxes`` (chip pixels),
    ``gt_bboxes_labels``, ``gt_ignore_flags``, ``gt_group_flags`` (crowd or group-of); with ``masks`` also ``gt_masks``
    of the boxes that are not ignored, and only of these, in their order: empty where the mask is not known.

    Args:
        backend_args: Arguments of mmengine's file backend.
        keep_mb: Bound of the decoded images that are kept, in each worker; beyond it images are decoded again.

    Raises:
        BrokenImageError: If the image is missing, damaged or not of its annotated size.
        StorageError: If a file server or network does not answer after all retries: the image counts as no damaged one.

    Source: section 3.1 of "An Analysis of Pre-Training on Object Detection" (2019).
    """

    def __init__(self, backend_args: dict | None = None, keep_mb: float = 512) -> None:
        self.backend_args = backend_args
        self.decoded = DecodedImages(keep_mb)

    def transform(self, results: dict) -> dict:
        """Read the pixels of a chip and move its boxes into it."""
        results["img"] = self._pixels(results)
        results["img_shape"] = results["img"].shape[:2]
        results["ori_shape"] = (results["height"], results["width"])
        results["scale_factor"] = (results["chip_scale"],) * 2
        self._carry_boxes(results)
        return results

    def _pixels(self, results: dict) -> np.ndarray:
        s, path, keep = results["chip_scale"], results["img_path"], results.get("keep_decoded", False)
        key = (path, jpeg_reduction(results.get("decode_scale", s)))
        found = self.decoded.take(key, keep)
        if found is None:
            found = decode_image(self._read(path), (results["width"], results["height"]), key[1])
            if keep:
                self.decoded.put(key, *found)
        image, reduction = reduce_image(*found, jpeg_reduction(s))
        return cut_chip(image, results["chip"], s, reduction)

    def _read(self, path: str) -> bytes:
        try:
            return read_bytes(path, self.backend_args)
        except FileNotFoundError as error:
            raise BrokenImageError("the file is missing") from error
        except StorageError:  # a server that does not answer says nothing of the image
            raise
        except OSError as error:
            raise BrokenImageError(f"the file cannot be read ({error})") from error

    @staticmethod
    def _carry_boxes(results: dict) -> None:
        x, y, width, height = results["chip"]
        boxes, flags = results.pop("boxes"), results.pop("flags")
        moved = boxes * np.float32(results["chip_scale"])
        moved -= np.array([x, y, x, y], np.float32)
        np.clip(moved, 0, np.array([width, height, width, height], np.float32), out=moved)
        ignore = np.ones(len(boxes), bool)
        ignore[results.pop("valid")] = False
        group = (flags & IGNORE).astype(bool)
        shows = np.flatnonzero((moved[:, 2:] - moved[:, :2] >= 1).all(axis=1))
        results["gt_bboxes"] = HorizontalBoxes(moved[shows], clone=False)
        results["gt_bboxes_labels"] = results.pop("labels")[shows].astype(np.int64)
        results["gt_ignore_flags"] = (ignore | group)[shows]
        results["gt_group_flags"] = group[shows]
        if (masks := results.pop("masks", None)) is not None:
            objects = shows[~results["gt_ignore_flags"]].tolist()
            results["gt_masks"] = LoadChip._cut_masks(results, [masks[k] for k in objects])

    @staticmethod
    def _cut_masks(results: dict, masks: Sequence[dict | None]) -> BitmapMasks:
        height, width = results["img_shape"]
        planes = [np.zeros((height, width), np.uint8) for _ in masks]
        for k, mask in enumerate(masks):
            if mask is not None:
                whole = outline_mask(mask, results["width"], results["height"])
                planes[k] = cut_mask(whole, results["chip"], results["chip_scale"])
        return BitmapMasks(planes, height, width)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(backend_args={self.backend_args}, keep_mb={self.decoded.megabytes})"
