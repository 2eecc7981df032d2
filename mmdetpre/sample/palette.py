"""Colors of the synthetic world: muted backgrounds, vivid objects that stand out from what they lie on."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

import numpy as np

Color = tuple[int, int, int]
"""RGB, 0 to 255."""

_CANDIDATES = 24
_CLEAR_DISTANCE = 170.0
_USUAL = 0.85
_HUE_SPREAD = 0.03


def color_distance(a: Color, b: Color) -> float:
    """Perceptual distance by the "redmean" approximation; black to white is about 765."""
    mean_red = (a[0] + b[0]) / 2
    dr, dg, db = (float(p - q) for p, q in zip(a, b, strict=True))
    return float(np.sqrt((2 + mean_red / 256) * dr**2 + 4 * dg**2 + (2 + (255 - mean_red) / 256) * db**2))


def muted_color(rng: np.random.Generator) -> Color:
    """A background color: little saturation, medium brightness."""
    return _rgb(rng.random(), 0.25 * rng.random(), 0.3 + 0.45 * rng.random())


def vivid_color(rng: np.random.Generator, avoid: Iterable[Color], usual_hue: float) -> Color:
    """An object color that is clearly different from the colors to avoid, or the most different of some tries.

    Most objects have about the usual hue (0 to 1) of their class, the others any: color is a hint, shape decides.

    Args:
        rng: Source of randomness.
        avoid: RGB colors to differ from.
        usual_hue: Hue of the class, 0 to 1.
    """
    avoid = list(avoid)
    usual = rng.random() < _USUAL
    best, best_distance = None, -1.0
    for _ in range(_CANDIDATES):
        dark = rng.random() < 0.25
        value = (0.2 if dark else 0.8) + 0.2 * rng.random()
        hue = (usual_hue + _HUE_SPREAD * rng.standard_normal()) % 1 if usual else rng.random()
        color = _rgb(hue, 0.6 + 0.4 * rng.random(), value)
        distance = min((color_distance(color, other) for other in avoid), default=np.inf)
        if distance > best_distance:
            best, best_distance = color, distance
        if distance >= _CLEAR_DISTANCE:
            break
    assert best is not None
    return best


def accent_color(rng: np.random.Generator, fill: Color) -> Color:
    """The second color of a texture: the fill made darker or lighter."""
    target = 255.0 if sum(fill) < 330 else 0.0
    weight = 0.3 + 0.2 * rng.random()
    return _round(np.asarray(fill) * (1 - weight) + target * weight)


def _rgb(h: float, s: float, v: float) -> Color:
    return _round(np.asarray(colorsys.hsv_to_rgb(h, s, v)) * 255)


def _round(values: np.ndarray) -> Color:
    r, g, b = (int(v) for v in np.round(values))
    return r, g, b
