"""Class sizes: how large the objects of each class are in images, and in pixels as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.box_size import box_sizes
from mmdetpre.chips.scale import scale_factors
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.utils.tables import text_table

SMALLEST_LEARNED = 16
"""Network pixels below which an object is hardly learned: one position of a feature map of stride 16."""
LARGEST_ENLARGEMENT = 3.0
"""Times that an image is enlarged at most, as by the finest scale of SNIPER on COCO; beyond it, resizing only blurs."""
_SHOWN = 20


@dataclass(frozen=True)
class ClassSize:
    """The boxes of one class, as chip settings show them.

    Attributes:
        name: Of the class.
        boxes: Boxes that take part.
        pixels: Median of ``sqrt(width * height)`` in the images.
        network_pixels: The same at the finest scale that learns the box; 0 for a box that no scale learns.
        enlargement: Median of the scale factor there.
        small_share: Share of the boxes with fewer than `SMALLEST_LEARNED` network pixels.
    """

    name: str
    boxes: int
    pixels: float
    network_pixels: float
    enlargement: float
    small_share: float

    @property
    def warning(self) -> str | None:
        """What to change where the median is below `SMALLEST_LEARNED` network pixels; None: it is not."""
        if self.network_pixels >= SMALLEST_LEARNED:
            return None
        text = (
            f"Half of the boxes of {self.name} have {self.network_pixels:.0f} pixels or fewer as the network sees them"
            f" ({self.pixels:.0f} in the images): below {SMALLEST_LEARNED} little is learned. "
        )
        if self.enlargement < 0.9 * LARGEST_ENLARGEMENT:
            return text + "Add a finer scale whose valid range holds them."
        return text + f"They are enlarged {self.enlargement:.1f} times already: photos with more pixels would help."


def class_sizes(
    sizes: np.ndarray,
    box_offsets: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    settings: ChipSettings,
    classes: Sequence[str],
    *,
    ignore: np.ndarray | None = None,
) -> tuple[ClassSize, ...]:
    """Sizes of the boxes of each class, in the images and as the network sees them.

    Args:
        sizes: (N, 2) image widths and heights in pixels.
        box_offsets: (N + 1,) integers; image ``i`` owns ``boxes[box_offsets[i]:box_offsets[i + 1]]``.
        boxes: (M, 4) xyxy in original pixels, half-open.
        labels: (M,) indices of classes.
        settings: Chip settings; a box counts at the finest scale that selects it.
        classes: Names of the classes.
        ignore: (M,) bool, boxes that take no part.

    Returns:
        One entry for each class that has a box, in the order of the classes.

    Raises:
        ValueError: If the arrays do not fit each other.

    Example:
        >>> settings = ChipSettings([(-1, 512), (-1, 128)], [(-1, 60), (48, -1)], chip_size=128, strides=(14, 15))
        >>> boxes = [[0, 0, 30, 30], [50, 50, 150, 150]]
        >>> [size.network_pixels for size in class_sizes([[640, 480]], [0, 2], boxes, [0, 1], settings, ["a", "b"])]
        [24.0, 20.0]
    """
    annotations = check_annotations(sizes, box_offsets, boxes, ignore)
    labels = np.asarray(labels)
    if labels.shape != (len(annotations.boxes),):
        raise ValueError(f"labels has shape {labels.shape}: expected ({len(annotations.boxes)},), one class per box.")
    selected, orphan = select_boxes(sizes, box_offsets, boxes, settings, ignore=ignore)
    if settings.rescue_orphans:
        selected[orphan, -1] = True
    factors = scale_factors(annotations.sizes, settings.scales)
    images = np.repeat(np.arange(annotations.image_count), np.diff(annotations.box_offsets))
    factor = np.where(selected.any(axis=1), factors[images, selected.argmax(axis=1)], 0.0)
    area = box_sizes(annotations)
    found = []
    for label, name in enumerate(classes):
        rows = np.flatnonzero((labels == label) & (area > 0))
        if len(rows):
            network = area[rows] * factor[rows]
            pixels, network_pixels, enlargement = (float(np.median(v)) for v in (area[rows], network, factor[rows]))
            small = float((network < SMALLEST_LEARNED).mean())
            found.append(ClassSize(name, len(rows), pixels, network_pixels, enlargement, small))
    return tuple(found)


def class_size_table(rows: Sequence[ClassSize]) -> str:
    """A table of `class_sizes`, the smallest classes first; of many the first ones.

    Args:
        rows: One entry for each class.

    Example:
        >>> print(class_size_table([ClassSize("cell", 310, 90.0, 36.0, 0.4, 0.02)]))
        class  boxes  pixels  network  x scale  < 16
        -----  -----  ------  -------  -------  ----
        cell     310      90       36     0.40   2 %
    """
    ordered = sorted(rows, key=lambda row: row.network_pixels)
    cells = [
        [
            row.name,
            row.boxes,
            f"{row.pixels:.0f}",
            f"{row.network_pixels:.0f}",
            f"{row.enlargement:.2f}",
            f"{100 * row.small_share:.0f} %",
        ]
        for row in ordered[:_SHOWN]
    ]
    table = text_table(["class", "boxes", "pixels", "network", "x scale", f"< {SMALLEST_LEARNED}"], cells)
    return table + (f"\n({len(ordered) - _SHOWN} more classes, larger ones)" if len(ordered) > _SHOWN else "")
