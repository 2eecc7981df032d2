"""The boxes of a data set as the compiled code wants them: checked, and a range of images at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ImageRange(NamedTuple):
    """Private copies of the arrays of a range of images, in the exact types the compiled code is built for."""

    sizes: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    ignore: np.ndarray


class AnnotationArrays(NamedTuple):
    """N images with M boxes; arrays may be memory-mapped and are read a range at a time.

    Attributes:
        sizes: (N, 2) integers, widths and heights in pixels.
        box_offsets: (N + 1,) integers.
        boxes: (M, 4) xyxy in original pixels, half-open.
        ignore: (M,) bool or None.
    """

    sizes: np.ndarray
    box_offsets: np.ndarray
    boxes: np.ndarray
    ignore: np.ndarray | None

    @property
    def image_count(self) -> int:
        """Number of images."""
        return len(self.sizes)

    def images(self, start: int, stop: int) -> ImageRange:
        """The images ``start`` to ``stop - 1``.

        Raises:
            ValueError: If a box of the range is not finite.
        """
        offsets = np.array(self.box_offsets[start : stop + 1], dtype=np.int64)
        first, last = int(offsets[0]), int(offsets[-1])
        boxes = np.array(self.boxes[first:last], dtype=np.float32, order="C")
        if not np.isfinite(boxes).all():
            box = first + int(np.flatnonzero(~np.isfinite(boxes).all(axis=1))[0])
            image = start + int(np.searchsorted(offsets, box, side="right")) - 1
            raise ValueError(
                f"Box {box - self.box_offsets[image]} of image {image} is {self.boxes[box].tolist()}: coordinates must"
                " be finite pixels (x1, y1, x2, y2). Remove the box or mend the annotation it comes from."
            )
        ignore = np.zeros(last - first, dtype=np.bool_)
        if self.ignore is not None:
            ignore[:] = self.ignore[first:last]
        return ImageRange(
            np.maximum(np.array(self.sizes[start:stop], dtype=np.int64), 1), offsets - first, boxes, ignore
        )


def check_annotations(
    sizes: np.ndarray, box_offsets: np.ndarray, boxes: np.ndarray, ignore: np.ndarray | None
) -> AnnotationArrays:
    """Check that the arrays of a data set fit each other.

    Args:
        sizes: (n, 2) width and height of each image, pixels.
        box_offsets: (n + 1,) row of the first box of each image, and the number of boxes.
        boxes: (m, 4) xyxy in image pixels.
        ignore: (m,) bool, boxes that are neither objects nor background; None: none of them.

    Raises:
        ValueError: If they do not; the message names the first offending image.
    """
    sizes, box_offsets, boxes = (_as_array(array) for array in (sizes, box_offsets, boxes))
    if sizes.ndim != 2 or sizes.shape[1] != 2:
        raise ValueError(f"sizes has shape {sizes.shape}: expected (N, 2), the width and height of every image.")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        if boxes.size:
            raise ValueError(f"boxes has shape {boxes.shape}: expected (M, 4), x1, y1, x2, y2 of every box.")
        boxes = np.zeros((0, 4), dtype=np.float32)
    if box_offsets.shape != (len(sizes) + 1,):
        raise ValueError(
            f"box_offsets has shape {box_offsets.shape}: {len(sizes)} images need ({len(sizes) + 1},), where the boxes"
            " of image i start at entry i and the last entry is the number of boxes."
        )
    if box_offsets[0] != 0 or box_offsets[-1] != len(boxes):
        raise ValueError(
            f"box_offsets run from {box_offsets[0]} to {box_offsets[-1]}: expected 0 to {len(boxes)}, the number of"
            " boxes."
        )
    if (box_offsets[1:] < box_offsets[:-1]).any():
        image = int(np.flatnonzero(box_offsets[1:] < box_offsets[:-1])[0])
        raise ValueError(
            f"box_offsets fall from {box_offsets[image]} to {box_offsets[image + 1]} at image {image}: they must never"
            " decrease. Sort the boxes by image and accumulate their counts."
        )
    without_pixels = (sizes <= 0).any(axis=1)
    if without_pixels.any() and (without_pixels & (np.diff(box_offsets) > 0)).any():
        image = int(np.flatnonzero(without_pixels & (np.diff(box_offsets) > 0))[0])
        raise ValueError(
            f"Image {image} has boxes but width and height {sizes[image].tolist()}: both must be at least 1 pixel. Read"
            " the size from the image file, or leave the image out. (Unreadable images have no size, and no boxes.)"
        )
    if ignore is not None:
        ignore = _as_array(ignore)
        if ignore.shape != (len(boxes),):
            raise ValueError(f"ignore has shape {ignore.shape}: expected ({len(boxes)},), one flag per box.")
    return AnnotationArrays(sizes, box_offsets, boxes, ignore)


def _as_array(array: np.ndarray) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else np.asarray(array)
