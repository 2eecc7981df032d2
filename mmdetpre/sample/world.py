"""Compose scenes: which objects a scene holds, where, how big and how they look."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mmdetpre.sample.classes import ClassSet, ObjectClass, object_classes
from mmdetpre.sample.palette import Color, accent_color, muted_color, vivid_color
from mmdetpre.sample.placement import Canvas
from mmdetpre.sample.scene import Scene, SceneObject
from mmdetpre.sample.textures import TEXTURES

SPLITS = ("train", "validation")

_SEED_OF_SPLIT = {"train": 0, "validation": 1}
_SEED_OF_CLASS_SET: dict[ClassSet, int] = {"source": 0, "target": 1}
_PORTRAIT = 2  # in the seed of a scene with one dominant object
_CENTERD = 3  # in the seed of a scene to be classified
_PLACEMENT_TRIES = 15
_PLAIN_BELOW = 18.0  # pixels; a pattern would hide the outline of a smaller object


@dataclass(frozen=True)
class World:
    """A deterministic source of scenes.

    A scene depends on ``(which, seed, size, split, index)`` only, never on how many others are made or in which order.

    Args:
        which: Class set, ``"source"`` or ``"target"``.
        seed: Non-negative seed.
        size: (width, height) of a landscape image, pixels; some images are portrait or square.
        min_object: Smallest ``sqrt(width * height)`` of an object, pixels.

    Example:
        >>> world = World("source", seed=0)
        >>> world.scene("train", 7) == world.scene("train", 7)
        True
    """

    which: ClassSet = "source"
    seed: int = 0
    size: tuple[int, int] = (256, 192)
    min_object: float = 9.0
    classes: tuple[ObjectClass, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", object_classes(self.which))
        object.__setattr__(self, "size", tuple(int(side) for side in self.size))
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: give a number >= 0.")
        if len(self.size) != 2 or min(self.size) < 64:
            raise ValueError(f"size is {self.size}: give (width, height) with both sides at least 64 pixels.")

    def scene(self, split: str, index: int) -> Scene:
        """The scene number ``index`` of a split.

        Raises:
            ValueError: If the split is not one of :data:`SPLITS`.
        """
        key, rng = self._start(split, index)
        width, height = self._image_size(rng)
        background = (muted_color(rng), muted_color(rng))
        canvas = Canvas(width, height)
        objects: list[SceneObject] = []
        largest = 0.9 * min(width, height)
        count = int(rng.integers(2, 9))
        sizes = np.exp(rng.uniform(math.log(self.min_object), math.log(largest), size=count))
        for size in np.sort(sizes)[::-1]:
            self._place(rng, canvas, objects, background, float(size))
        if rng.random() < 0.15:
            self._place_group(rng, canvas, objects, background)
        return Scene(split, index, (width, height), background, tuple(objects), (*key, 1))

    def portrait(self, split: str, index: int) -> Scene:
        """A scene with one dominant object, as most images of ImageNet are; now and then a smaller one of its class.

        The class is ``index`` modulo the number of classes.

        Raises:
            ValueError: If the split is not one of :data:`SPLITS`.
        """
        key, rng = self._start(split, index, _PORTRAIT)
        width, height = self._image_size(rng)
        background = (muted_color(rng), muted_color(rng))
        canvas = Canvas(width, height)
        objects: list[SceneObject] = []
        label, short = index % len(self.classes), min(width, height)
        self._place(rng, canvas, objects, background, float(rng.uniform(0.35, 0.85)) * short, label)
        if rng.random() < 0.25:
            self._place(rng, canvas, objects, background, float(rng.uniform(0.1, 0.3)) * short, label)
        return Scene(split, index, (width, height), background, tuple(objects), (*key, 1))

    def centered(self, split: str, index: int, label: int | None) -> Scene:
        """A scene to be classified: a main object among up to three smaller ones of other classes.

        Args:
            split: One of :data:`SPLITS`.
            index: Number of the scene in the split.
            label: Class of the main object; ``None``: the background alone.

        Raises:
            ValueError: If the split is not one of :data:`SPLITS`.
        """
        key, rng = self._start(split, index, _CENTERD)
        width, height = self._image_size(rng)
        background = (muted_color(rng), muted_color(rng))
        objects: list[SceneObject] = []
        if label is not None:
            canvas = Canvas(width, height)
            size = float(rng.uniform(0.25, 0.7)) * min(width, height)
            self._place(rng, canvas, objects, background, size, label)
            others = [other for other in range(len(self.classes)) if other != label]
            for _ in range(int(rng.integers(0, 4))):
                smaller = max(float(rng.uniform(0.3, 0.6)) * size, self.min_object)
                self._place(rng, canvas, objects, background, smaller, others[rng.integers(len(others))])
        return Scene(split, index, (width, height), background, tuple(objects), (*key, 1))

    def _start(self, split: str, index: int, *kind: int) -> tuple[tuple[int, ...], np.random.Generator]:
        """The seed of a scene and its generator.

        Raises:
            ValueError: If the split is not one of :data:`SPLITS`.
        """
        if split not in _SEED_OF_SPLIT:
            raise ValueError(f"No split {split!r}: choose one of {', '.join(map(repr, SPLITS))}.")
        key = (self.seed, _SEED_OF_CLASS_SET[self.which], _SEED_OF_SPLIT[split], index, *kind)
        return key, np.random.default_rng(key)

    def _image_size(self, rng: np.random.Generator) -> tuple[int, int]:
        width, height = self.size
        kind = rng.random()
        if kind < 0.7:
            return width, height
        return (height, width) if kind < 0.88 else (min(self.size), min(self.size))

    def _place(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        objects: list[SceneObject],
        background: tuple[Color, Color],
        size: float,
        label: int | None = None,
    ) -> None:
        """Add one object where it hides no other too much; after a failed try it shrinks a little."""
        label = int(rng.integers(len(self.classes))) if label is None else label
        aspect = math.exp(rng.uniform(-0.25, 0.25))
        angle = rng.uniform(-25, 25)
        margin = 0.0 if rng.random() < 0.2 else 0.5 * size
        fill = vivid_color(rng, (*background, *(o.fill for o in objects)), self.classes[label].hue)
        accent, texture = accent_color(rng, fill), _texture(rng, size)
        texture_angle = rng.uniform(0, 180)
        for _ in range(_PLACEMENT_TRIES):
            center = (_coordinate(rng, canvas.width, margin), _coordinate(rng, canvas.height, margin))
            shape = self.classes[label].shape
            candidate = SceneObject(label, shape, center, size, aspect, angle, fill, accent, texture, texture_angle)
            if canvas.add(candidate.contours()):
                objects.append(candidate)
                return
            size = max(0.93 * size, self.min_object)

    def _place_group(
        self, rng: np.random.Generator, canvas: Canvas, objects: list[SceneObject], background: tuple[Color, Color]
    ) -> None:
        """Add a tight cluster of at least six small objects of one class, or nothing if it finds no room."""
        label = int(rng.integers(len(self.classes)))
        fill = vivid_color(rng, (*background, *(o.fill for o in objects)), self.classes[label].hue)
        accent = accent_color(rng, fill)
        columns, rows = int(rng.integers(3, 5)), int(rng.integers(2, 4))
        size = float(rng.uniform(1.1, 1.8)) * self.min_object
        pitch = 0.95 * size
        for _ in range(_PLACEMENT_TRIES):
            left = rng.uniform(0, max(canvas.width - pitch * columns, 1))
            top = rng.uniform(0, max(canvas.height - pitch * rows, 1))
            members = [
                SceneObject(
                    label,
                    self.classes[label].shape,
                    (
                        float(left + pitch * (c + 0.5) + rng.uniform(-0.1, 0.1) * size),
                        float(top + pitch * (r + 0.5) + rng.uniform(-0.1, 0.1) * size),
                    ),
                    size * float(rng.uniform(0.9, 1.1)),
                    math.exp(rng.uniform(-0.15, 0.15)),
                    float(rng.uniform(-25, 25)),
                    fill,
                    accent,
                    "plain",
                    0.0,
                    group=0,
                )
                for r in range(rows)
                for c in range(columns)
            ]
            if canvas.add(*(member.contours() for member in members)):
                objects.extend(members)
                return


def _texture(rng: np.random.Generator, size: float) -> str:
    name = TEXTURES[rng.integers(len(TEXTURES))]
    return name if size >= _PLAIN_BELOW else "plain"


def _coordinate(rng: np.random.Generator, side: int, margin: float) -> float:
    """A position along an image side, at least ``margin`` from both ends where there is room for it."""
    margin = min(margin, side / 2)
    return float(rng.uniform(margin, side - margin))
