"""What an annotator would write down about a synthetic scene: one instance per visible object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene

_OCCLUDED_BELOW = 0.95


class Instance(NamedTuple):
    """A visible object, or a group of objects under one box.

    Attributes:
        label: Class index.
        objects: Indices of the scene's objects it consists of; its mask is where ``Rendering.owner`` is one of them.
        box: (x1, y1, x2, y2) integer pixels, half-open, tight around the visible mask.
        area: Visible pixels.
        visible_fraction: Visible part of what lies inside the image, 0 to 1.
        occluded: Another object hides a part of it.
        truncated: It extends beyond the image.
        group: True for several objects under one box.
    """

    label: int
    objects: tuple[int, ...]
    box: tuple[int, int, int, int]
    area: int
    visible_fraction: float
    occluded: bool
    truncated: bool
    group: bool


def annotate(scene: Scene, drawn: Rendering, merge_groups: bool = True) -> list[Instance]:
    """List the instances of a scene in painter's order.

    Args:
        scene: The scene.
        drawn: The same scene, drawn.
        merge_groups: One box over each group (as OpenImages' group-of and COCO's crowd boxes), or one per member.
    """
    members: dict[object, list[int]] = {}
    for i, item in enumerate(scene.objects):
        key = ("group", item.group) if merge_groups and item.group is not None else i
        members.setdefault(key, []).append(i)
    return [_instance(scene, drawn, tuple(indices)) for indices in members.values()]


def _instance(scene: Scene, drawn: Rendering, indices: tuple[int, ...]) -> Instance:
    mask = np.isin(drawn.owner, indices)
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    parts = [drawn.footprints[i] for i in indices]
    area, inside = int(mask.sum()), sum(int(part.mask.sum()) for part in parts)
    visible = area / inside
    return Instance(
        label=scene.objects[indices[0]].label,
        objects=indices,
        box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
        area=area,
        visible_fraction=visible,
        occluded=visible < _OCCLUDED_BELOW,
        truncated=any(int(part.mask.sum()) < part.total for part in parts),
        group=len(indices) > 1,
    )
