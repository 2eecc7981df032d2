"""The embedded sample: a synthetic, deterministic world in the layouts of public data sets, without any download."""

from __future__ import annotations

from mmdetpre.sample.classes import ObjectClass, object_classes
from mmdetpre.sample.folder import LAYOUTS, make_sample
from mmdetpre.sample.render import render
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World

__all__ = ["LAYOUTS", "ObjectClass", "Scene", "World", "make_sample", "object_classes", "render"]
