"""Images of a detection data set as images to classify."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.analysis.object_accuracy.accuracy import ImageObjects, image_objects
from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.evaluation.detections.metric import ImageResult, image_truth, join_results, settle_plus_one


def object_images(
    config: str | os.PathLike[str], part: str = "test", rule: str = "only", options: Mapping[str, Any] | None = None
) -> tuple[ImageSet, ImageObjects]:
    """Images of a detection config that have a class by a rule; it is their label.

    Args:
        config: Config of mmdet with annotated boxes.
        part: Which of its dataloaders: ``train``, ``val`` or ``test``.
        rule: See :func:`~mmdetpre.analysis.object_accuracy.accuracy.image_objects`.
        options: Values of the config to override, by dotted key.

    Returns:
        The images, and how many objects they have and how much of them these cover.

    Raises:
        FileNotFoundError: If the config or data are missing.
        ValueError: If the data set has no boxes, or no image has a class.

    Example:
        >>> images, objects = object_images("configs/det/sniper_voc.py")  # doctest: +SKIP
        >>> len(images), objects.number.max()  # doctest: +SKIP
        (3306, 36)
    """
    dataset = open_dataset(config, part, options, inner=True)
    results = []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        truth = image_truth(info)
        if truth is None:
            raise ValueError(f"{type(dataset).__name__} of {config} has no annotated boxes: give a detection config.")
        size = (int(info.get("width") or 0), int(info.get("height") or 0))
        nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        results.append(ImageResult(str(info["img_id"]), os.fspath(info["img_path"]), size, *nothing, truth))
    classes = tuple(dataset.metainfo["classes"])
    run = join_results(results, classes, plus_one=settle_plus_one(None, dataset.metainfo)).half_open()
    found = image_objects(run.ground_truth(), np.asarray(run.sizes), rule)
    rows = np.flatnonzero(found.label >= 0)
    if not len(rows):
        raise ValueError(f"No image of the {part} data of {config} has a class by the rule '{rule}'.")
    paths = run.paths or ()
    images = ImageSet(
        "", tuple(paths[row] for row in rows), found.label[rows], classes,
        {"config": os.fspath(config), "part": part, "dataset": type(dataset).__name__, "label": rule},
    )  # fmt: skip
    return images, ImageObjects(found.label[rows], found.number[rows], found.covered[rows])


def common_classes(
    train: tuple[ImageSet, ImageObjects], test: tuple[ImageSet, ImageObjects], least: int
) -> tuple[tuple[ImageSet, ImageObjects], tuple[ImageSet, ImageObjects]]:
    """Training and test images of the classes that have enough of them.

    Args:
        train, test: Of :func:`object_images`.
        least: Training images that a class must have; one test image is enough.

    Raises:
        ValueError: If fewer than two classes are left.
    """
    counts = np.bincount(train[0].labels, minlength=len(train[0].classes))
    kept = np.intersect1d(np.flatnonzero(counts >= least), test[0].labels)
    if len(kept) < 2:
        raise ValueError(
            f"{len(kept)} classes have {least} training images and a test image: there is nothing to distinguish. Lower"
            " --least, try --label largest, or take other data."
        )
    return with_classes(*train, kept), with_classes(*test, kept)


def with_classes(images: ImageSet, objects: ImageObjects, kept: np.ndarray) -> tuple[ImageSet, ImageObjects]:
    """The images of some classes.

    Args:
        images, objects: Of :func:`object_images`.
        kept: Labels of these classes.
    """
    rows = np.flatnonzero(np.isin(images.labels, kept))
    chosen = ImageSet(
        images.root, tuple(images.names[row] for row in rows), images.labels[rows], images.classes, images.description
    )
    return chosen, ImageObjects(objects.label[rows], objects.number[rows], objects.covered[rows])
