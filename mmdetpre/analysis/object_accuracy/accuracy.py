"""Accuracy of classifiers by how many objects an image has, and by how much of it they cover.

"Detection networks are poor at classification when multiple instances are present in an image or when an instance only
covers a small fraction of an image", says the abstract of "An Analysis of Pre-Training on Object Detection" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mmdetpre.analysis.probes.scores import wilson_interval
from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.evaluation.errors.occlusion import union_area
from mmdetpre.evaluation.errors.pairs import rows_per_value
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table

NUMBERS = (1, 2, 3, 5)
COVERED = (0.0, 0.05, 0.15, 0.35, 0.6)
"""Lower bounds of the groups of images: number of objects, and part of the image that they cover."""
RULES = ("only", "largest")
_NO_CLASS = -1


@dataclass(frozen=True, eq=False)
class ImageObjects:
    """What is annotated in N images.

    Args:
        label: (N,) int64 class that an image is to be classified as; -1 where there is none.
        number: (N,) int64 objects of all classes.
        covered: (N,) float64 part of the image that the boxes of its class cover together (without a class: of all
            boxes); NaN where its size is not known.
    """

    label: np.ndarray
    number: np.ndarray
    covered: np.ndarray


@dataclass(frozen=True)
class GroupAccuracy:
    """Images of one group.

    Attributes:
        name: Such as ``3-4`` objects, or ``5-15 %``.
        images, right: How many there are, and how many are classified correctly.
        accuracy: Part of the images that is right; None without images.
        interval: Its 95 % interval (Wilson).
    """

    name: str = field(metadata={"key": "group"})
    images: int
    right: int
    accuracy: float | None = field(init=False)
    interval: tuple[float, float] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accuracy", self.right / self.images if self.images else None)
        object.__setattr__(self, "interval", wilson_interval(self.right, self.images) if self.images else None)


@dataclass(frozen=True)
class Groupings:
    """Images by their number of objects, by the part of the image that these cover, and in one group."""

    objects: tuple[GroupAccuracy, ...]
    covered: tuple[GroupAccuracy, ...]
    all: tuple[GroupAccuracy, ...]

    def named(self) -> list[tuple[str, GroupAccuracy]]:
        """All groups with their full names."""
        parts = (("objects: ", self.objects), ("covered: ", self.covered), ("", self.all))
        return [(f"{words}{group.name}", group) for words, groups in parts for group in groups]


@dataclass(frozen=True)
class ObjectAccuracy(Result):
    """Accuracy of several classifiers by the objects of an image.

    Attributes:
        accuracy: Name of each classifier and its groups, the same for all.
        data, label: Config of the images, and the rule that gives them a class.
        models: Name and files of each classifier.
    """

    kind: ClassVar[str] = "object accuracy"
    alone: ClassVar[bool] = True

    accuracy: dict[str, Groupings]
    data: str = ""
    label: str = RULES[0]
    models: dict[str, dict[str, str]] = field(default_factory=dict)

    def rows(self) -> list[list[Cell]]:
        """A line per classifier and group."""
        rows: list[list[Cell]] = [["classifier", "group", "images", "right", "accuracy", "low", "high"]]
        for name, groups in self.accuracy.items():
            for group, g in groups.named():
                rows.append([name, group, g.images, g.right, g.accuracy, *(g.interval or (None, None))])
        return rows

    def __str__(self) -> str:
        """Groups of images; accuracy of each classifier in percent with its interval, difference to the first."""
        first, *others = self.accuracy
        named = {name: groups.named() for name, groups in self.accuracy.items()}
        head = ["accuracy (%)", "images", first]
        for name in others:
            head += [name, f"to {first}"]
        rows = []
        for k, (title, group) in enumerate(named[first]):
            row = [title, f"{group.images:,}", _shown(group)]
            for name in others:
                row += [_shown(named[name][k][1]), _difference(named[name][k][1], group)]
            rows.append(row)
        return text_table(head, rows)


def image_objects(truth: GroundTruth, sizes: np.ndarray, rule: str = "only") -> ImageObjects:
    """Class, number and covered part of the objects of each image.

    Args:
        truth: Annotated boxes of N images, half-open.
        sizes: (N, 2) width and height in pixels, 0 where unknown.
        rule: ``only``: images whose objects are all of one class have it. ``largest``: the class whose boxes cover most
            (ties go to the first). Images with a region (crowd, group-of), whose objects nobody counted, have none.

    Raises:
        ValueError: If the rule is another.

    Example:
        >>> truth = GroundTruth([0, 0, 1], [[0, 0, 5, 10], [5, 0, 10, 10], [0, 0, 2, 5]], [3, 3, 4], [False] * 3)
        >>> found = image_objects(truth, [[10, 10], [10, 10], [10, 10]])
        >>> found.label.tolist(), found.number.tolist(), found.covered.tolist()
        ([3, 4, -1], [2, 1, 0], [1.0, 0.1, 0.0])
    """
    if rule not in RULES:
        raise ValueError(f"The rule is {rule!r}: choose one of {', '.join(RULES)}.")
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    images = len(sizes)
    label, number = np.full(images, _NO_CLASS, np.int64), np.zeros(images, np.int64)
    covered = np.where(sizes.prod(axis=1) > 0, 0.0, np.nan)
    regions = truth.regions
    for image, rows in rows_per_value(truth.image).items():
        labels, boxes = truth.labels[rows], truth.boxes[rows].astype(np.float64)
        classes = np.unique(labels)
        number[image] = len(rows)
        if not regions[rows].any() and (len(classes) == 1 or rule == "largest"):
            areas = [union_area(boxes[labels == k]) for k in classes]
            label[image] = classes[int(np.argmax(areas))]
            boxes = boxes[labels == label[image]]
        width, height = sizes[image]
        if width * height > 0:
            covered[image] = union_area(np.clip(boxes, 0, [width, height, width, height])) / (width * height)
    return ImageObjects(label, number, covered)


def accuracy_by_group(
    values: np.ndarray, right: np.ndarray, bounds: Sequence[float], *, percent: bool = False
) -> tuple[GroupAccuracy, ...]:
    """Accuracy of the images whose value lies from one bound to the next.

    Args:
        values: (n,) number of objects, or part of the image; NaN takes no part.
        right: (n,) bool.
        bounds: Lower bounds of the groups, rising; the last is open.
        percent: Name the groups in percent.

    Example:
        >>> groups = accuracy_by_group(np.array([1, 1, 2, 4, 9]), np.array([1, 1, 1, 0, 0], bool), (1, 2, 3, 5))
        >>> [(group.name, group.images, group.accuracy) for group in groups]
        [('1', 2, 1.0), ('2', 1, 1.0), ('3-4', 1, 0.0), ('5 or more', 1, 0.0)]
    """
    values, right = np.asarray(values, np.float64), np.asarray(right, bool)
    known = np.isfinite(values)
    group = np.searchsorted(bounds, values, side="right") - 1
    return tuple(
        GroupAccuracy(name, int((known & (group == k)).sum()), int((known & (group == k) & right).sum()))
        for k, name in enumerate(_names(bounds, percent))
    )


def object_accuracy(objects: ImageObjects, right: Mapping[str, np.ndarray]) -> ObjectAccuracy:
    """Groups of every classifier.

    Args:
        objects: The images that were classified.
        right: Name -> (N,) bool, whether it classifies an image correctly.

    Raises:
        ValueError: If a classifier has another number of images.
    """
    found = {}
    for name, values in right.items():
        if len(values) != len(objects.number):
            raise ValueError(f"{name} classifies {len(values)} images, {len(objects.number)} are annotated.")
        found[name] = Groupings(
            accuracy_by_group(objects.number, values, NUMBERS),
            accuracy_by_group(objects.covered, values, COVERED, percent=True),
            (GroupAccuracy("all images", len(values), int(np.sum(values))),),
        )
    return ObjectAccuracy(found)


def _names(bounds: Sequence[float], percent: bool) -> list[str]:
    names = []
    for k, start in enumerate(bounds):
        end = bounds[k + 1] if k + 1 < len(bounds) else None
        if percent:
            names.append(f"{100 * start:.0f}-{100 if end is None else 100 * end:.0f} %")
        elif end is None:
            names.append(f"{start:g} or more")
        else:
            names.append(f"{start:g}" if end - start == 1 else f"{start:g}-{end - 1:g}")
    return names


def _shown(group: GroupAccuracy) -> str:
    if group.accuracy is None or group.interval is None:
        return "-"
    return f"{100 * group.accuracy:.1f} [{100 * group.interval[0]:.1f}, {100 * group.interval[1]:.1f}]"


def _difference(group: GroupAccuracy, first: GroupAccuracy) -> str:
    if group.accuracy is None or first.accuracy is None:
        return "-"
    return f"{100 * (group.accuracy - first.accuracy):+.1f}"
