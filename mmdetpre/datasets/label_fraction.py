"""A part of the training images, as if only these had been labeled: parts of one seed lie inside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

KEY, SEED_KEY = "label_fraction", "label_seed"
"""Keys of a config: the part, and the seed of its choice (0)."""


def fraction_indices(
    labels: Sequence[Sequence[int]] | None, images: int, fraction: float, classes: Sequence[str] = (), seed: int = 0
) -> list[int]:
    """The images of a part, rising. A smaller part of the same seed lies inside a greater one.

    Images of a single label are taken class by class, so that each keeps its share; others as they come.

    Args:
        labels: Classes of each image; None: not known, as those of label maps are not without reading them.
        images: Their number.
        fraction: Above 0, at most 1; what it is of the images is rounded up.
        classes: Names.
        seed: Of the order.

    Raises:
        ValueError: If the fraction is none, or leaves a class that the images have without image; says how many do.

    Example:
        >>> fraction_indices([[0], [1], [0], [1], [0], [1]], 6, 0.34)
        [2, 3, 4, 5]
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"{KEY} is {fraction}: give a number above 0 and at most 1.")
    order = np.random.default_rng(seed).permutation(images)
    if labels is None:
        return sorted(order[: math.ceil(fraction * images)].tolist())
    if images and all(len(set(one)) == 1 for one in labels):
        of_class: dict[int, list[int]] = {}
        for i in order.tolist():
            of_class.setdefault(int(labels[i][0]), []).append(i)
        return sorted(i for rows in of_class.values() for i in rows[: math.ceil(fraction * len(rows))])
    chosen = order[: math.ceil(fraction * images)]
    first: dict[int, int] = {}
    for place, i in enumerate(order.tolist()):
        for label in labels[i]:
            first.setdefault(int(label), place)
    if missing := sorted(label for label, place in first.items() if place >= len(chosen)):
        names = [classes[label] if label < len(classes) else str(label) for label in missing]
        least = (max(first.values()) + 1) / images
        raise ValueError(
            f"{KEY}={fraction:g} is {len(chosen)} of {images} training images and leaves {len(names)} classes without"
            f" any, e.g. {names[0]!r}: give at least {math.ceil(least * 1000) / 1000:g}, or another {SEED_KEY}."
        )
    return sorted(chosen.tolist())


def take_fraction(cfg: Config) -> None:
    """Cut the training images of a config to its ``label_fraction``, in place; the key is then of no further effect.

    The innermost data set of ``train_dataloader`` gets ``indices``, so that a config in a work dir says which images
    were learned. Epochs stay as many, and so have fewer steps. The data set is opened once for that.

    Args:
        cfg: Of mmdet, mmsegmentation or mmpretrain.

    Raises:
        FileNotFoundError: If data are missing.
        ValueError: As `fraction_indices` does; if there are no training data, or those of another kind.
    """
    fraction = cfg.get(KEY)
    if fraction is None or fraction == 1:
        return
    settings = (cfg.get("train_dataloader") or {}).get("dataset")
    while settings and "dataset" in settings:
        settings = settings["dataset"]
    if not settings:
        raise ValueError(f"{KEY}={fraction} is for configs with one training data set: this one has none.")
    before = settings.pop("indices", None)
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmengine"):
        dataset = DATASETS.build(settings)
    if hasattr(dataset, "full_init"):
        dataset.full_init()
    if not hasattr(dataset, "get_subset_"):
        raise ValueError(f"{KEY} cannot cut a {type(dataset).__name__}: it has no `indices`.")
    labels, images = image_labels(dataset)
    rows = np.arange(images)
    if before is not None:
        rows = rows[list(before)] if not isinstance(before, int) else rows[:before] if before >= 0 else rows[before:]
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes") or ()
    of_rows = None if labels is None else [labels[i] for i in rows.tolist()]
    chosen = fraction_indices(of_rows, len(rows), float(fraction), classes, int(cfg.get(SEED_KEY) or 0))
    settings["indices"] = rows[chosen].tolist()
    cfg[KEY] = None


def image_labels(dataset: Any) -> tuple[list[Sequence[int]] | None, int]:
    """Classes of each image that ``indices`` counts, None where only label maps know them; and the number of images.

    Args:
        dataset: Of mmdet, mmpretrain or mmsegmentation.
    """
    table = getattr(dataset, "packed", None)
    if table is not None:
        ends = np.asarray(table.box_offsets)
        return [table.labels[low:high].tolist() for low, high in pairwise(ends.tolist())], len(table)
    try:
        return [dataset.get_cat_ids(i) for i in range(len(dataset))], len(dataset)
    except (NotImplementedError, AttributeError):
        return None, len(dataset)
