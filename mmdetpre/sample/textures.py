"""Surfaces: what fills an object, and what lies behind all objects."""

from __future__ import annotations

import math

import cv2
import numpy as np

from mmdetpre.sample.palette import Color

TEXTURES = ("plain", "stripes", "dots", "checker", "speckle")
"""Names that :func:`texture` takes."""


def texture(name: str, shape: tuple[int, int], period: float, angle: float, rng: np.random.Generator) -> np.ndarray:
    """Weight of the accent color over a surface.

    Args:
        name: One of :data:`TEXTURES`.
        shape: (height, width), pixels.
        period: Length after which the pattern repeats, pixels.
        angle: Direction of the pattern, degrees.
        rng: Source of randomness.

    Returns:
        (height, width) float32 in 0 to 1.

    Raises:
        ValueError: If there is no texture of that name.
    """
    height, width = shape
    if name == "plain":
        return np.zeros(shape, dtype=np.float32)
    if name == "speckle":
        cells = (max(2, math.ceil(height / (period / 2.5))), max(2, math.ceil(width / (period / 2.5))))
        return cv2.resize(rng.random(cells, dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    y, x = np.mgrid[:height, :width].astype(np.float32) * np.float32(2 * math.pi / period)
    u, v = np.sin(c * x + s * y), np.sin(c * y - s * x)
    if name == "stripes":
        wave = u
    elif name == "dots":
        wave = u + v - 0.7
    elif name == "checker":
        wave = u * v * 2
    else:
        raise ValueError(f"No texture {name!r}: choose one of {', '.join(TEXTURES)}.")
    return np.clip(0.5 + wave * np.float32(period / 6), 0, 1)


def background(size: tuple[int, int], colors: tuple[Color, Color], rng: np.random.Generator) -> np.ndarray:
    """A cluttered ground: a gradient, cloudy noise, soft blobs, thin lines and grain.

    Args:
        size: (width, height), pixels.
        colors: The two colors it is mixed from.
        rng: Source of randomness.

    Returns:
        (height, width, 3) float32 RGB, about 0 to 255.
    """
    width, height = size
    a, b = (np.asarray(color, dtype=np.float32) for color in colors)
    weight = _gradient(size, rng) + _clouds(size, rng) - 0.5
    ground = a + (b - a) * np.clip(weight, 0, 1)[..., None]
    _add_blobs(ground, rng)
    _add_lines(ground, rng)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    return ground + grain * np.float32(rng.uniform(2, 7))


def _gradient(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    width, height = size
    direction = rng.uniform(0, 2 * math.pi)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)
    return 0.5 + np.float32(math.cos(direction)) * x + np.float32(math.sin(direction)) * y[:, None]


def _clouds(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    for cells, strength in ((4, 0.6), (11, 0.3), (30, 0.2)):
        grid = rng.random((cells, cells), dtype=np.float32) - np.float32(0.5)
        total += strength * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return total + 0.5


def _add_blobs(ground: np.ndarray, rng: np.random.Generator) -> None:
    """Blurred ellipses without an edge, so that they are clutter and no object."""
    height, width = ground.shape[:2]
    layer = np.zeros((height // 4, width // 4), dtype=np.float32)
    for _ in range(int(rng.integers(3, 9))):
        center = (int(rng.integers(width // 4)), int(rng.integers(height // 4)))
        axes = (int(rng.integers(2, 12)), int(rng.integers(2, 12)))
        cv2.ellipse(layer, center, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(-45, 45)), -1)
    layer = cv2.GaussianBlur(layer, (0, 0), 1.6)
    ground += cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]


def _add_lines(ground: np.ndarray, rng: np.random.Generator) -> None:
    """Thin open curves."""
    height, width = ground.shape[:2]
    layer = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        start = rng.random(2) * (width, height)
        steps = np.cumsum(rng.uniform(-1, 1, size=(6, 2)) + rng.uniform(-1, 1, size=2), axis=0) * 0.12 * width
        points = np.round((start + steps) * 16).astype(np.int32)
        cv2.polylines(layer, [points], False, int(rng.integers(40, 160)), 1, cv2.LINE_AA, 4)
    sign = -1.0 if rng.random() < 0.5 else 1.0
    ground += (layer.astype(np.float32) * np.float32(0.35 * sign))[..., None]
