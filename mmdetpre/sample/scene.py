"""What is in a scene: the objects, their poses and their looks, before a single pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from mmdetpre.sample.palette import Colour
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
    centre: tuple[float, float]
    size: float
    aspect: float
    angle: float
    fill: Colour
    accent: Colour
    texture: str
    texture_angle: float
    group: int | None = None

    def contours(self) -> Contours:
        """The outline in image pixels."""
        return posed_contours(self.shape, self.centre, self.size, self.aspect, self.angle)


@dataclass(frozen=True)
class Scene:
    """Everything needed to draw one image.

    Attributes:
        size: Image (width, height), pixels.
        background: Two colours the background is mixed from.
        objects: In painter's order: a later object hides an earlier one.
        noise_seed: Seed of everything that is drawn but carries no label: clutter, grain, speckles.
    """

    split: str
    index: int
    size: tuple[int, int]
    background: tuple[Colour, Colour]
    objects: tuple[SceneObject, ...]
    noise_seed: tuple[int, ...]
