"""Proposal recall: how many objects the best proposals of an image find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmdetpre.evaluation.errors.pairs import overlaps
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import percent, text_table


def count_recalled(boxes: np.ndarray, objects: np.ndarray, best: Sequence[int], iou_thr: float = 0.5) -> np.ndarray:
    """How many objects of one image are overlapped enough by one of its best proposals.

    Args:
        boxes: (n, 4) proposals, x1, y1, x2, y2, best first.
        objects: (g, 4) ground truth.
        best: K numbers of proposals to look at.
        iou_thr: Smallest IoU that counts as found.

    Returns:
        (K,) int64 found objects.

    Example:
        >>> count_recalled([[0, 0, 9, 9], [20, 0, 30, 10]], [[20, 0, 30, 10]], best=[1, 2]).tolist()
        [0, 1]
    """
    iou, _ = overlaps(boxes, objects)
    return np.array([(iou[:k].max(axis=0, initial=0) >= iou_thr).sum() for k in best], np.int64)


@dataclass(frozen=True)
class ProposalRecall(Result):
    """How many objects the best proposals of the images find.

    Attributes:
        images: Number of images.
        proposals: Number of proposals.
        objects: Number of objects.
        best: Numbers of proposals per image that count.
        recalled: Objects that each of these find.
    """

    kind: ClassVar[str] = "recall of proposals"
    images: int
    proposals: int
    objects: int
    best: tuple[int, ...]
    recalled: tuple[int, ...]

    def metrics(self) -> dict[str, float]:
        """``images``, ``proposals_per_image``, and ``recall@k`` from 0 to 1 where there are objects."""
        found = zip(self.best, self.recalled, strict=True) if self.objects else ()
        head = {"images": float(self.images), "proposals_per_image": self.proposals / max(self.images, 1)}
        return head | {f"recall@{k}": count / self.objects for k, count in found}

    def rows(self) -> list[list[Cell]]:
        """One line per number of proposals."""
        lines: list[list[Cell]] = [["proposals", "objects", "recalled"]]
        lines.extend([k, self.objects, count] for k, count in zip(self.best, self.recalled, strict=True))
        return lines

    def __str__(self) -> str:
        shares = [count / self.objects if self.objects else None for count in self.recalled]
        columns = zip(self.best, self.recalled, shares, strict=True)
        rows = [[k, f"{count:,}", percent(share)] for k, count, share in columns]
        return text_table(["best proposals", f"of {self.objects:,} objects", "recall (%)"], rows)
