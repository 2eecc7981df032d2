"""Who hides whom: objects are accepted on a canvas only while every object stays visible enough."""

from __future__ import annotations

import numpy as np

from mmdetpre.sample.shapes import Contours, footprint

_MIN_INSIDE = 0.5
_MIN_VISIBLE = 0.5
_MIN_PIXELS = 16


class Canvas:
    """Visible pixels of the objects added so far, in painter's order.

    Args:
        width: Image width, pixels.
        height: Image height, pixels.

    Example:
        >>> from mmdetpre.sample.shapes import posed_contours
        >>> canvas = Canvas(64, 64)
        >>> canvas.add(posed_contours("disc", (32, 32), 30, 1, 0))
        True
        >>> canvas.add(posed_contours("square", (32, 32), 30, 1, 0))  # would hide the disc
        False
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._owner = np.full((height, width), -1, dtype=np.int32)
        self._areas: list[int] = []

    def add(self, *outlines: Contours) -> bool:
        """Add all of the outlines on top, or none of them.

        Returns:
            False, and nothing changed, where an outline would lie too far outside the image or any object of the canvas
            would keep too little of its area visible.
        """
        owner, areas = self._owner.copy(), list(self._areas)
        for contours in outlines:
            part = footprint(contours, self.width, self.height)
            inside = int(part.mask.sum())
            if inside < max(_MIN_INSIDE * part.total, _MIN_PIXELS):
                return False
            owner[part.window][part.mask] = len(areas)
            areas.append(inside)
        visible = np.bincount(owner[owner >= 0], minlength=len(areas))
        if np.any(visible < np.maximum(_MIN_VISIBLE * np.asarray(areas), _MIN_PIXELS)):
            return False
        self._owner, self._areas = owner, areas
        return True
