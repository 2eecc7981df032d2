"""How much of an object is hidden."""

from __future__ import annotations

import numpy as np

from mmdetpre.evaluation.errors.pairs import rows_per_value

LEVEL_NAMES = ("none", "low", "medium", "high")
LEVEL_STARTS = (0.01, 0.10, 0.50)
"""Hidden share at which low, medium and high begin, as the annotators of Hoiem et al. 2012 used them."""

FLAG_NAMES = ("not occluded", "occluded")
HIDDEN_NAMES = ("low", "medium")


def hidden_from(levels: np.ndarray, truncated: np.ndarray) -> dict[str, np.ndarray]:
    """Which objects the software of Hoiem et al. counts as hidden by a low, and by a medium, amount when it counts
    those that are missed: all from that level on, and all that are truncated.

    Args:
        levels: (m,) indices into ``LEVEL_NAMES``, -1 where nothing is annotated.
        truncated: (m,) 1 yes, 0 no, -1 unknown.

    Returns:
        ``low`` and ``medium`` -> (m,) bool. Objects without a level are in none.

    Example:
        >>> {name: rows.tolist() for name, rows in hidden_from([0, 1, 2, 0], [0, 0, 0, 1]).items()}
        {'low': [False, True, True, True], 'medium': [False, False, True, True]}
    """
    levels = np.asarray(levels)
    cut = (np.asarray(truncated) == 1) & (levels >= 0)
    return {name: (levels >= LEVEL_NAMES.index(name)) | cut for name in HIDDEN_NAMES}


def covered_fractions(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Share of each box that the other boxes of its image cover together.

    Boxes do not tell who stands in front: of two that overlap, both count as covered. The share says how crowded the
    place is, an upper bound of what the labelled objects can hide; what unlabelled things hide is not seen.

    Args:
        image: (m,) index of the image of each object. Give all objects, also those that are not judged: they cover.
        boxes: (m, 4) x1, y1, x2, y2 in pixels, half-open.

    Returns:
        (m,) float64 in [0, 1]; 0 for boxes without area.

    Example:
        >>> covered_fractions([0, 0, 1], [[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 10]]).tolist()
        [0.5, 0.5, 0.0]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    covered = np.zeros(len(boxes))
    for rows in rows_per_value(image).values():
        for i in rows:
            others = boxes[rows[rows != i]]
            clipped = np.concatenate(
                [np.maximum(others[:, :2], boxes[i, :2]), np.minimum(others[:, 2:], boxes[i, 2:])], axis=1
            )
            area = float(np.clip(boxes[i, 2:] - boxes[i, :2], 0, None).prod())
            if area > 0:
                covered[i] = min(union_area(clipped) / area, 1.0)
    return covered


def levels_from_cover(covered: np.ndarray) -> np.ndarray:
    """(m,) int64 indices into ``LEVEL_NAMES`` of hidden shares: none below 1 %, low below 10 %, medium below 50 %.

    Example:
        >>> levels_from_cover([0.0, 0.05, 0.1, 0.9]).tolist()
        [0, 1, 2, 3]
    """
    return np.searchsorted(LEVEL_STARTS, np.asarray(covered, np.float64), side="right").astype(np.int64)


def union_area(boxes: np.ndarray) -> float:
    """Area that boxes (k, 4) x1, y1, x2, y2, half-open, cover together: exact, on the grid of their own edges.

    Example:
        >>> union_area(np.array([[0.0, 0, 10, 10], [5, 0, 15, 10]]))
        150.0
    """
    boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    xs, ys = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    if len(boxes) < 2:
        return float((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).sum())
    inside_x = (xs[:-1] >= boxes[:, :1]) & (xs[1:] <= boxes[:, 2:3])
    inside_y = (ys[:-1] >= boxes[:, 1:2]) & (ys[1:] <= boxes[:, 3:])
    cells = np.einsum("kx,ky->xy", inside_x.astype(np.int64), inside_y.astype(np.int64)) > 0
    return float(np.diff(xs) @ cells @ np.diff(ys))
