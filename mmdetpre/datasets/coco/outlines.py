"""Masks from the outlines of objects in COCO's form: polygons, or run lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

_FARTHEST = 4
"""Longer sides of the image that a point may be away: the memory of a polygon grows with its length."""


def outline_runs(outline: Any, width: int, height: int) -> str:
    """COCO's run lengths, as text, of what an outline surrounds in its image: the ``counts`` of ``pycocotools.mask``.

    Args:
        outline: A list of polygons x, y, x, y, ... in pixels, or the ``size`` and ``counts`` of run lengths.
        width, height: Of the image.

    Raises:
        ValueError: Says what is wrong with it.

    Example:
        >>> outline_runs([[1, 0, 3, 0, 3, 2, 1, 2]], 4, 3)
        '32103'
    """
    if isinstance(outline, dict):
        runs = {"size": [height, width], "counts": _runs_of(outline, width, height)}
        return str(coco_mask.frPyObjects(runs, height, width)["counts"].decode())
    if not isinstance(outline, list) or not outline:
        raise ValueError("no outline")
    if not all(isinstance(polygon, list) for polygon in outline):
        raise ValueError("an outline that is not a list of polygons")
    reach = _FARTHEST * max(width, height)
    for polygon in outline:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers, expected x and y of three points or more")
        if not all(_is_number(value) and abs(value) <= reach for value in polygon):
            raise ValueError("a polygon with a point that is not a number, or is far outside of the image")
    parts = coco_mask.frPyObjects([list(map(float, polygon)) for polygon in outline], height, width)
    return str(coco_mask.merge(parts)["counts"].decode())


def outline_mask(outline: Any, width: int, height: int) -> np.ndarray:
    """(height, width) bool, what an outline surrounds; errors are those of `outline_runs`.

    Args:
        outline: As of `outline_runs`.
        width, height: Of the image, in pixels.

    Example:
        >>> outline_mask([[1, 0, 3, 0, 3, 2, 1, 2]], 4, 3).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
        >>> outline_mask({"size": [2, 2], "counts": [1, 2, 1]}, 2, 2).astype(int).tolist()
        [[0, 1], [1, 0]]
    """
    return coco_mask.decode({"size": [height, width], "counts": outline_runs(outline, width, height)}).astype(bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _runs_of(outline: dict[str, Any], width: int, height: int) -> list[int]:
    """Lengths of the runs of background and object in turn, down the columns; too few pycocotools would not notice."""
    if outline.get("size") != [height, width]:
        raise ValueError(f"run lengths of size {str(outline.get('size'))[:40]}, its image has [{height}, {width}]")
    counts = outline.get("counts")
    runs = _packed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("run lengths that are not whole numbers from 0")
    if sum(runs) != width * height:
        raise ValueError(f"run lengths of {sum(runs)} pixels, its image has {width * height}")
    return runs


def _packed(text: str) -> list[int] | None:
    """The runs in COCO's text: numbers of five bits a sign, the lowest first, from the third on less the one before
    the last."""
    runs: list[int] = []
    value = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs
