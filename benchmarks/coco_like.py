"""Annotations with the statistics of COCO, drawn: for benchmarks that mine chips without the data set.

The size of a box is the root of its area over that of its image. Singh and Davis ("An Analysis of Scale Invariance in
Object Detection - SNIP", 2018, section 1) give its 10%, 50% and 90% quantiles on COCO: 0.024, 0.106 and 0.472, which is
a log-normal distribution. How alike sizes and places within an image are follows 160 real images of COCO: objects
flock together, which decides how many chips an image needs.
"""

from __future__ import annotations

import numpy as np

from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations

BOXES_PER_IMAGE = 7.3
CLASSES = tuple(f"class {i}" for i in range(80))
_MEDIAN, _SPREAD_OF_IMAGES, _SPREAD_WITHIN = 0.106, 0.9, 0.73  # together 1.16, what the three quantiles say
_AROUND_CENTER = (0.25, 0.17)
"""Deviation of places within an image, across and down; 0 and 1 are at the edges."""
_SHAPES = ((640, 480), (480, 640), (640, 427), (427, 640), (500, 375))
_SHARES = (0.35, 0.13, 0.32, 0.1, 0.1)


def coco_like(images: int, seed: int = 0) -> PackedAnnotations:
    """A table of ``images`` images with about 7.3 boxes each, 1% of them crowds; not one is without a box."""
    rng = np.random.default_rng(seed)
    sizes = np.array(_SHAPES, np.int32)[rng.choice(len(_SHAPES), size=images, p=_SHARES)]
    counts = np.minimum(rng.geometric(1 / BOXES_PER_IMAGE, size=images), 90)
    image = np.repeat(np.arange(images, dtype=np.int32), counts)
    spread = rng.normal(0, _SPREAD_OF_IMAGES, images)[image] + rng.normal(0, _SPREAD_WITHIN, len(image))
    root = np.sqrt(rng.lognormal(0, 0.7, len(image)))  # of width over height
    extent = sizes[image].astype(np.float32)
    side = np.minimum(_MEDIAN * np.exp(spread), 1) * np.sqrt(extent.prod(axis=1))
    sides = np.minimum(np.maximum(np.stack([side * root, side / root], axis=1), 2), extent)
    center = 0.25 + 0.5 * rng.random((images, 2))
    place = np.clip(rng.normal(center[image], _AROUND_CENTER), 0, 1)
    corner = place * (extent - sides)
    return PackedAnnotations.from_boxes(
        names=[f"{i:012d}.jpg" for i in range(images)],
        sizes=sizes,
        classes=CLASSES,
        image=image,
        boxes=np.concatenate([corner, corner + sides], axis=1).astype(np.float32),
        labels=rng.integers(len(CLASSES), size=len(image)),
        flags=np.where(rng.random(len(image)) < 0.012, IGNORE, 0).astype(np.uint8),
    )
