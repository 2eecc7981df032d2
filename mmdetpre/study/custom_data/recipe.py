"""What a detection config takes from a user's boxes: chips, sizes to keep in the test, epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdetpre.chips.class_sizes import ClassSize, class_sizes
from mmdetpre.chips.coverage import CoverageReport, coverage_report
from mmdetpre.chips.proposal import propose_settings
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.models import ModelChoice

_WIDER_ABOVE, _WIDER_BELOW = 1.15, 0.75  # about as COCO's ranges of the test are wider than those of training


@dataclass(frozen=True)
class DetectionRecipe:
    """What the detection config takes from the data.

    Attributes:
        chips: Scales and valid ranges.
        coverage: What these make of the training part.
        class_sizes: Sizes of its objects in the images and as the network sees them.
        test_ranges: Sizes that each scale keeps in the test, as ``MultiScaleTTA`` takes them.
        epochs, steps: Epochs, and steps in all of them.
    """

    chips: ChipSettings
    coverage: CoverageReport
    class_sizes: tuple[ClassSize, ...]
    test_ranges: tuple[tuple[float, float], ...]
    epochs: int
    steps: int

    @property
    def test_side(self) -> int:
        """Longer image side of the test at one scale: the middle one."""
        return self.chips.scales[(len(self.chips.scales) - 1) // 2][1]

    @property
    def test_cost(self) -> float:
        """Pixels of a test at all scales, relative to the coarsest alone."""
        sides = [side for _, side in self.chips.scales]
        return sum((side / sides[-1]) ** 2 for side in sides)


def detection_recipe(
    boxes: OwnBoxes, choice: ModelChoice, epochs: int | None = None, chips: ChipSettings | None = None
) -> DetectionRecipe:
    """Fit chips and epochs to the training part.

    Args:
        boxes: The training part.
        choice: Size of the model.
        epochs: Train so many epochs instead.
        chips: Take these chips instead.

    Raises:
        ValueError: If no box can be learned.
    """
    sizes, offsets, corners, labels, ignore = box_columns(boxes)
    if chips is None:
        chips = propose_settings(sizes, offsets, corners, labels=labels, ignore=ignore, chip_size=choice.chip_size)
    coverage = coverage_report(sizes, offsets, corners, chips, ignore=ignore)
    amount = choice.detection_amount
    epochs = epochs or amount.epochs_for(coverage.chips)
    return DetectionRecipe(
        chips,
        coverage,
        class_sizes(sizes, offsets, corners, labels, chips, boxes.classes, ignore=ignore),
        widened([(lo, hi) for lo, hi in chips.valid_ranges]),
        epochs,
        epochs * amount.steps_per_epoch(coverage.chips),
    )


def widened(valid_ranges: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Sizes to keep of each scale in a test: somewhat wider than what it learned, open ends stay open.

    Example:
        >>> widened([(-1, 80), (40, -1)])
        ((-1, 92.0), (30.0, -1))
    """
    return tuple(
        (lo if lo < 0 else round(_WIDER_BELOW * lo, 1), hi if hi < 0 else round(_WIDER_ABOVE * hi, 1))
        for lo, hi in valid_ranges
    )


def box_columns(boxes: OwnBoxes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, offsets, corners (clipped to the image), labels and crowds of the boxes, sorted by image, as
    `mmdetpre.chips` takes them.

    Args:
        boxes: Any part of the data.
    """
    rows = boxes.boxes[np.argsort(boxes.boxes["image"], kind="stable")]
    corners = rows["box"].copy()
    corners[:, 2:] += corners[:, :2]
    corners = np.clip(corners, 0, np.tile(boxes.sizes[rows["image"]], 2))
    counts = np.bincount(rows["image"], minlength=len(boxes.sizes))
    return (
        boxes.sizes,
        np.concatenate([[0], np.cumsum(counts)]),
        corners.astype(np.float32),
        rows["label"],
        rows["crowd"],
    )
