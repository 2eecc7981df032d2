"""The classes of the synthetic world: a source set to pre-train on and a disjoint target set to fine-tune on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ClassSet = Literal["source", "target"]


@dataclass(frozen=True)
class ObjectClass:
    """A category of the synthetic world.

    Attributes:
        name: Display name, as in a class description file.
        shape: Key of :data:`mmdetpre.sample.shapes.SHAPES`: what every object of the class looks like.
        mid: Machine identifier in the style of OpenImages.
        parent: Name of its parent category in the hierarchy.
        hue: Usual hue of its objects, 0 (red) to 1 (red again).
    """

    name: str
    shape: str
    mid: str
    parent: str
    hue: float


@dataclass(frozen=True)
class ParentCategory:
    """A category that is only an intermediate node of the hierarchy: no object is annotated with it."""

    name: str
    mid: str


ROOT_MID = "/m/0bl9f"
"""LabelName of the root of the official OpenImages hierarchy (``Entity``)."""

_CLASSES: dict[ClassSet, tuple[ObjectClass, ...]] = {
    "source": (
        ObjectClass("Disc", "disc", "/m/0smp1", "Round shape", 0),
        ObjectClass("Ring", "ring", "/m/0smp2", "Round shape", 0.375),
        ObjectClass("Crescent", "crescent", "/m/0smp3", "Round shape", 0.75),
        ObjectClass("Square", "square", "/m/0smp4", "Straight shape", 0.125),
        ObjectClass("Triangle", "triangle", "/m/0smp5", "Straight shape", 0.5),
        ObjectClass("Cross", "cross", "/m/0smp6", "Straight shape", 0.875),
        ObjectClass("Star", "star", "/m/0smp7", "Straight shape", 0.25),
        ObjectClass("Heart", "heart", "/m/0smp8", "Round shape", 0.625),
    ),
    "target": (
        ObjectClass("Arrow", "arrow", "/m/0smt1", "Straight shape", 0.06),
        ObjectClass("Hourglass", "hourglass", "/m/0smt2", "Straight shape", 0.31),
        ObjectClass("Arch", "arch", "/m/0smt3", "Round shape", 0.56),
        ObjectClass("Clover", "clover", "/m/0smt4", "Round shape", 0.81),
    ),
}
_PARENTS = (ParentCategory("Round shape", "/m/0smw1"), ParentCategory("Straight shape", "/m/0smw2"))


def object_classes(which: ClassSet) -> tuple[ObjectClass, ...]:
    """The annotated classes of a set, in label order.

    Raises:
        ValueError: If ``which`` is not a class set.

    Example:
        >>> [c.name for c in object_classes("target")]
        ['Arrow', 'Hourglass', 'Arch', 'Clover']
    """
    if which not in _CLASSES:
        raise ValueError(f"No class set {which!r}: choose one of {', '.join(map(repr, _CLASSES))}.")
    return _CLASSES[which]


def parent_categories(which: ClassSet) -> tuple[ParentCategory, ...]:
    """The intermediate nodes of the hierarchy above the classes of a set."""
    used = {c.parent for c in object_classes(which)}
    return tuple(p for p in _PARENTS if p.name in used)
