"""Features of training and test images, checked to belong together, and validation parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdetpre.analysis.features.feature_file import FeatureFile
from mmdetpre.analysis.probes.scores import FeatureSet

_SAME = ("backbone_digest", "model_digest", "preprocessing", "model")


@dataclass(frozen=True)
class Origin:
    """What the features of a probe were made of: names of weights and data, digest of the backbone, the files."""

    init: str | None = None
    data: str | None = None
    backbone_digest: str | None = None
    train: FeatureSet = FeatureSet("", 0, "")
    test: FeatureSet = FeatureSet("", 0, "")


@dataclass(frozen=True, eq=False)
class ProbeData:
    """One layer of training and test images.

    Args:
        layer: Its name.
        train, test: (n, d) and (m, d) float32, memory-mapped.
        train_labels, test_labels: (n,) and (m,) int64.
        classes: C names.
        origin: Where they are from.
    """

    layer: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    origin: Origin = Origin()


def probe_data(train: FeatureFile, test: FeatureFile, layer: str | None = None) -> ProbeData:
    """Take a layer of two feature files.

    Args:
        train: Features and classes of the training images.
        test: Those of the test images.
        layer: Name of the layer; None: the only one.

    Raises:
        ValueError: If the layer does not exist; if the files come from other weights or classes, or from images with
            different preprocessing; if an image has no class or is in both, or a class has no training image.
    """
    values, test_values = train.layer(layer), test.layer(layer)
    name = layer or next(iter(train.layers))
    if values.shape[1:] != test_values.shape[1:]:
        raise ValueError(
            f"{name} is {values.shape[1:]} in {train.path} and {test_values.shape[1:]} in {test.path}: extract both"
            " with the same config and image size."
        )
    for key in _SAME:
        ours, theirs = train.metadata.get(key), test.metadata.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise ValueError(
                f"{train.path} and {test.path} differ in {key} ({ours} and {theirs}): extract both with the same"
                " config, checkpoint and image size."
            )
    for file in (train, test):
        if len(without := np.flatnonzero(file.labels < 0)):
            raise ValueError(
                f"{len(without)} of {len(file)} images in {file.path} have no class, e.g. {file.images[without[0]]}: a"
                " probe needs classification data (--images FOLDER, or --data-config of a classification data set)."
            )
    if train.classes != test.classes:
        raise ValueError(f"{train.path} and {test.path} differ in classes: {_first_difference(train, test)}.")
    classes = train.classes or tuple(map(str, range(1 + max(train.labels.max(), test.labels.max()))))
    unseen = np.setdiff1d(test.labels, train.labels)
    if len(unseen):
        raise ValueError(
            f"{len(unseen)} classes of the test images have no image in {train.path}, e.g. {classes[unseen[0]]}: they"
            " cannot be learned. Take another split."
        )
    root = _root(train.metadata)
    if root is not None and root == _root(test.metadata) and (both := set(train.images) & set(test.images)):
        raise ValueError(
            f"{len(both)} images are in {train.path} and in {test.path}, e.g. {min(both)}: what is learned would be"
            " tested. Take another split."
        )
    return ProbeData(
        name,
        values.reshape(len(train), -1),
        train.labels,
        test_values.reshape(len(test), -1),
        test.labels,
        classes,
        Origin(
            train.metadata.get("initialisation"),
            train.metadata.get("data_name"),
            train.metadata.get("backbone_digest"),
            *(FeatureSet(str(file.path), len(file), file.digest()) for file in (train, test)),
        ),
    )


def stratified_part(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """(n,) bool of images to validate on: of each class that fraction, at least one, and at most all but one.

    Args:
        labels: (n,) int64 classes.
        fraction: Share of each class, between 0 and 1.
        seed: Seed of the choice.

    Raises:
        ValueError: If the fraction is not between 0 and 1, or no class has two images.

    Example:
        >>> part = stratified_part(np.array([0, 0, 0, 0, 1, 1, 2]), 0.25, seed=0)
        >>> part[:4].sum().item(), part[4:6].sum().item(), part[6].item()
        (1, 1, False)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"The validation part is {fraction}: give a number between 0 and 1, such as 0.2.")
    random = np.random.default_rng(seed)
    part = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        part[rows[: min(max(1, round(fraction * len(rows))), len(rows) - 1)]] = True
    if not part.any():
        raise ValueError("No class has two training images, so none is left to validate on: add images.")
    return part


def _root(metadata: Mapping[str, Any]) -> str | None:
    data: Mapping[str, Any] = metadata.get("data") or {}
    return data.get("root") or data.get("folder")


def _first_difference(train: FeatureFile, test: FeatureFile) -> str:
    def shown(classes: Sequence[str], label: int) -> str:
        return f"'{classes[label]}'" if label < len(classes) else "none"

    longer = max(len(train.classes), len(test.classes))
    label = next(i for i in range(longer) if shown(train.classes, i) != shown(test.classes, i))
    return (
        f"class {label} is {shown(train.classes, label)} in the first and {shown(test.classes, label)} in the second."
        " Extract both from the same data set"
    )
