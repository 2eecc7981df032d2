"""What is in a scene: the objects, their poses and their looks, before a single pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from mmdetpre.sample.palette import Color
from mmdetpre.sample.shapes import Contours, posed_contours


@dataclass(frozen=True)
class SceneObject:
    """One object; lengths in pixels, angles in degrees.

    Attributes:
        label: Index into the classes of the world.
        size: ``sqrt(width * height)`` of the object's box before rotation.
        aspect: ``width / height`` before rotation.
        group: Number of the group the object belongs to, or ``None`` for an object of its own.
    """

    label: int
    shape: str
    center: tuple[float, float]
    size: float
    aspect: float
    angle: float
    fill: Color
    accent: Color
    texture: str
    texture_angle: float
    group: int | None = None

    def contours(self) -> Contours:
        """The outline in image pixels."""
        return posed_contours(self.shape, self.center, self.size, self.aspect, self.angle)


@dataclass(frozen=True)
class Scene:
    """Everything needed to draw one image.

    Attributes:
        size: Image (width, height), pixels.
        background: Two colors the background is mixed from.
        objects: In painter's order: a later object hides an earlier one.
        noise_seed: Seed of everything that is drawn but carries no label: clutter, grain, speckles.
    """

    split: str
    index: int
    size: tuple[int, int]
    background: tuple[Color, Color]
    objects: tuple[SceneObject, ...]
    noise_seed: tuple[int, ...]
