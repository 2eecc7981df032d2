"""Draw a scene: pixels, and for every pixel the object that is visible there."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from mmdetpre.sample.scene import Scene, SceneObject
from mmdetpre.sample.shapes import Footprint, footprint
from mmdetpre.sample.textures import background, texture

_NO_RIM_BELOW = 20.0


class Rendering(NamedTuple):
    """A synthetic scene.

    Attributes:
        image: (height, width, 3) uint8 RGB.
        owner: (height, width) int16: index of the visible object in ``scene.objects``, -1 where there is none.
        footprints: Per object its whole extent in the image, hidden pixels included.
    """

    image: np.ndarray
    owner: np.ndarray
    footprints: tuple[Footprint, ...]


def render(scene: Scene) -> Rendering:
    """Draw a scene.

    The same scene gives the same pixels.

    Example:
        >>> from mmdetpre.sample.world import World
        >>> drawn = render(World(size=(128, 96)).scene("train", 0))
        >>> drawn.image.shape[2], drawn.image.dtype, drawn.owner.dtype
        (3, dtype('uint8'), dtype('int16'))
    """
    rng = np.random.default_rng(scene.noise_seed)
    width, height = scene.size
    canvas = background(scene.size, scene.background, rng)
    owner = np.full((height, width), -1, dtype=np.int16)
    footprints = []
    for i, item in enumerate(scene.objects):
        part = footprint(item.contours(), width, height)
        alpha = part.alpha.astype(np.float32)[..., None] / 255
        canvas[part.window] += alpha * (_surface(item, part, rng) - canvas[part.window])
        owner[part.window][part.mask] = i
        footprints.append(part)
    return Rendering(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), owner, tuple(footprints))


def _surface(item: SceneObject, part: Footprint, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) float32: fill and accent mixed by the texture, a darker rim on bigger objects, soft light."""
    shape = part.alpha.shape
    fill, accent = (np.asarray(color, dtype=np.float32) for color in (item.fill, item.accent))
    period = max(5.0, 0.22 * item.size)
    weight = texture(item.texture, shape, period, item.texture_angle, rng)
    surface = fill + (accent - fill) * weight[..., None]
    if item.size >= _NO_RIM_BELOW:
        thickness = 2 * round(0.02 * item.size) + 3
        solid = cv2.copyMakeBorder(part.mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        inner = cv2.erode(solid, np.ones((thickness, thickness), np.uint8))[1:-1, 1:-1]
        surface *= np.where(inner, np.float32(1), np.float32(0.55))[..., None]
    light = np.linspace(1.08, 0.9, shape[0], dtype=np.float32)[:, None, None]
    grain = rng.standard_normal((*shape, 1), dtype=np.float32) * 4
    return surface * light + grain
