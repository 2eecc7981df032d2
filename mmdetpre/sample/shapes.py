"""Outlines of the objects: closed contours in a unit box, and their masks under a pose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

_SUPERSAMPLING = 4
_SUBPIXEL_BITS = 4

Contours = list[np.ndarray]
"""Closed polygons (n, 2) float64; a point is inside where an odd number of them encloses it."""


def _arc(radius: float, start: float, stop: float, n: int = 48, center: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    t = np.radians(np.linspace(start, stop, n))
    return np.stack([center[0] + radius * np.cos(t), center[1] + radius * np.sin(t)], axis=1)


def _polygon(*points: tuple[float, float]) -> Contours:
    return [np.asarray(points, dtype=np.float64)]


def _disc() -> Contours:
    return [_arc(0.5, 0, 360)]


def _ring() -> Contours:
    return [_arc(0.5, 0, 360), _arc(0.27, 0, 360)]


def _crescent() -> Contours:
    # The outer circle minus a circle shifted to the right; both pass through the two horns.
    inner_x, inner_r = 0.26, 0.43
    x = (0.5**2 - inner_r**2 + inner_x**2) / (2 * inner_x)
    outer_angle = math.degrees(math.acos(x / 0.5))
    inner_angle = math.degrees(math.acos((x - inner_x) / inner_r))
    outer = _arc(0.5, outer_angle, 360 - outer_angle)
    inner = _arc(inner_r, 360 - inner_angle, inner_angle, center=(inner_x, 0))
    return [np.concatenate([outer, inner])]


def _square() -> Contours:
    return _polygon((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))


def _triangle() -> Contours:
    return _polygon((0.0, -0.5), (0.5, 0.5), (-0.5, 0.5))


def _cross() -> Contours:
    a, b = 0.5, 0.16
    arm = np.array([(-b, -a), (b, -a), (b, -b)])
    quarter_turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return [np.concatenate([arm @ np.linalg.matrix_power(quarter_turn, k) for k in range(4)])]


def _star() -> Contours:
    angles = np.radians(-90 + 36 * np.arange(10))
    radius = np.where(np.arange(10) % 2 == 0, 0.5, 0.2)
    return [np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)]


def _heart() -> Contours:
    t = np.linspace(0, 2 * np.pi, 96)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [np.stack([x, y], axis=1)]


def _arrow() -> Contours:
    return _polygon((-0.5, -0.14), (0.02, -0.14), (0.02, -0.5), (0.5, 0.0), (0.02, 0.5), (0.02, 0.14), (-0.5, 0.14))


def _hourglass() -> Contours:
    return _polygon((-0.5, -0.5), (0.5, -0.5), (0.08, 0.0), (0.5, 0.5), (-0.5, 0.5), (-0.08, 0.0))


def _arch() -> Contours:
    outer = np.concatenate([[(-0.5, 0.5)], _arc(0.5, 180, 360), [(0.5, 0.5)]])
    inner = np.concatenate([[(0.24, 0.5)], _arc(0.24, 360, 180), [(-0.24, 0.5)]])
    return [np.concatenate([outer, inner])]


def _clover() -> Contours:
    t = np.linspace(0, 2 * np.pi, 97)[:-1]
    radius = 0.3 + 0.2 * np.abs(np.cos(2 * t)) ** 0.7 - 0.14 * (1 - np.abs(np.cos(2 * t)))
    return [np.stack([radius * np.cos(t + np.pi / 4), radius * np.sin(t + np.pi / 4)], axis=1)]


def _fit_unit_box(contours: Contours) -> Contours:
    points = np.concatenate(contours)
    low, high = points.min(axis=0), points.max(axis=0)
    return [(c - (low + high) / 2) / (high - low) for c in contours]


_DRAWERS: dict[str, Callable[[], Contours]] = {
    "disc": _disc,
    "ring": _ring,
    "crescent": _crescent,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "heart": _heart,
    "arrow": _arrow,
    "hourglass": _hourglass,
    "arch": _arch,
    "clover": _clover,
}
SHAPES: dict[str, Contours] = {name: _fit_unit_box(draw()) for name, draw in _DRAWERS.items()}
"""Shape name -> contours whose bounding box is [-0.5, 0.5] x [-0.5, 0.5], y down."""


def posed_contours(shape: str, center: tuple[float, float], size: float, aspect: float, angle: float) -> Contours:
    """Contours in image pixels.

    Args:
        shape: Key of :data:`SHAPES`.
        center: (x, y) of the box center, pixels; (0, 0) is the top-left corner of the top-left pixel.
        size: ``sqrt(width * height)`` of the box before rotation, pixels.
        aspect: ``width / height`` before rotation.
        angle: Clockwise rotation, degrees.
    """
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    scale = np.array([size * math.sqrt(aspect), size / math.sqrt(aspect)])
    rotation = np.array([[c, s], [-s, c]])
    return [(contour * scale) @ rotation + center for contour in SHAPES[shape]]


def coverage(contours: Contours) -> tuple[np.ndarray, int, int]:
    """Rasterise contours: the covered part of every pixel.

    Returns:
        ``(alpha, x, y)``: (h, w) uint8 coverage, 255 = whole pixel, and the image position of its top-left pixel, which
        may lie outside the image.

    Example:
        >>> alpha, x, y = coverage(posed_contours("square", (10, 10), 4, 1, 0))
        >>> alpha.shape, x, y, int((alpha == 255).sum())
        ((6, 6), 7, 7, 16)
    """
    points = np.concatenate(contours)
    x, y = np.floor(points.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    k = _SUPERSAMPLING
    fine = np.zeros(((bottom - y) * k, (right - x) * k), dtype=np.uint8)
    # OpenCV's integer coordinates are pixel centers, ours are pixel corners: hence the half.
    fixed = [np.round(((c - (x, y)) * k - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32) for c in contours]
    cv2.fillPoly(fine, fixed, 255, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return cv2.resize(fine, None, fx=1 / k, fy=1 / k, interpolation=cv2.INTER_AREA), int(x), int(y)


class Footprint(NamedTuple):
    """The part of an outline that lies in the image.

    Attributes:
        alpha: (h, w) uint8 coverage of the pixels inside the image; may have no pixel at all.
        x: Image column of the left edge of ``alpha``.
        y: Image row of the top edge of ``alpha``.
        total: Number of pixels at least half covered, those outside the image included.
    """

    alpha: np.ndarray
    x: int
    y: int
    total: int

    @property
    def mask(self) -> np.ndarray:
        """(h, w) bool: pixels at least half covered."""
        return self.alpha >= 128

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image that ``alpha`` lies on."""
        h, w = self.alpha.shape
        return slice(self.y, self.y + h), slice(self.x, self.x + w)


def footprint(contours: Contours, width: int, height: int) -> Footprint:
    """Rasterise contours and keep what lies in an image of ``width`` x ``height`` pixels.

    Args:
        contours: Outlines in image pixels.
        width: Width of the image, pixels.
        height: Height of the image, pixels.
    """
    alpha, x, y = coverage(contours)
    total = int((alpha >= 128).sum())
    left, top = max(x, 0), max(y, 0)
    right, bottom = max(min(x + alpha.shape[1], width), left), max(min(y + alpha.shape[0], height), top)
    return Footprint(alpha[top - y : bottom - y, left - x : right - x], left, top, total)
