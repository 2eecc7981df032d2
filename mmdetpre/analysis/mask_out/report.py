"""Mask-out of several classifiers on the same pixels, and the numbers behind the pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE, normalize
from mmdetpre.analysis.features.pixels import as_rgb, read_photo
from mmdetpre.analysis.features.select_classes import class_index
from mmdetpre.analysis.mask_out.mask_out import BATCH, MASK, STRIDE, MaskOut, mask_out, mask_positions
from mmdetpre.inference.classifier import Classifier
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """What several classifiers make of one image.

    Attributes:
        name: Path of the image.
        label: Name of its class.
        found: Result of each classifier.
        pixels: (H, W, 3) uint8 RGB, as the networks see it; not in files.
    """

    name: str = field(metadata={"key": "image"})
    label: str = field(metadata={"key": "class"})
    found: dict[str, MaskOut] = field(metadata={"key": "classifiers"})
    pixels: np.ndarray | None = field(default=None, metadata={"key": None})


@dataclass(frozen=True, eq=False)
class MaskOutReport(Result):
    """Mask-out of several images and classifiers.

    Attributes:
        settings: How it was found.
        images: What was found.
    """

    kind: ClassVar[str] = "mask-out"
    alone: ClassVar[bool] = True

    settings: Mapping[str, Any]
    images: tuple[MaskedImage, ...]

    def rows(self) -> list[list[Cell]]:
        """A line per image, classifier and position: ``x``, ``y`` of the square, None for the whole image."""
        rows: list[list[Cell]] = [["image", "class", "classifier", "x", "y", "probability"]]
        for image in self.images:
            for model, found in image.found.items():
                start = [image.name, image.label, model]
                rows.append([*start, None, None, found.unmasked])
                for y, row in zip(found.ys.tolist(), found.probability.tolist(), strict=True):
                    rows += [[*start, x, y, p] for x, p in zip(found.xs.tolist(), row, strict=True)]
        return rows

    def __str__(self) -> str:
        """One line per image and classifier."""
        head = ["image", "class", "classifier", "unmasked", "lowest", "at x, y", "mean"]
        rows = []
        for image in self.images:
            for model, found in image.found.items():
                low, mean = found.lowest, float(found.probability.mean())
                numbers = [f"{found.unmasked:.4f}", f"{low.probability:.4f}", f"{low.x}, {low.y}", f"{mean:.4f}"]
                rows.append([Path(image.name).name, image.label, model, *numbers])
        return text_table(head, rows)


def mask_out_images(
    classifiers: Mapping[str, Classifier],
    images: Sequence[str | os.PathLike[str]],
    *,
    labels: Sequence[str] = (),
    mask: int = MASK,
    stride: int = STRIDE,
    gray: float | None = None,
    resize_edge: int = RESIZE_EDGE,
    crop: int = CROP,
    batch_size: int = BATCH,
    progress: bool = False,
) -> MaskOutReport:
    """Shift a blank square over images, for every classifier.

    Args:
        classifiers: Name and classifier.
        images: Image files.
        labels: Class of all images, or one per image, by name or number. Empty: each image's is the name of its folder,
            a number before it left out ("001.ak47").
        mask, stride, batch_size: As for :func:`mmdetpre.analysis.mask_out.mask_out.mask_out`.
        gray: Gray level of the square, 0 to 255. None: the mean color that each classifier subtracts.
        resize_edge, crop: Length of the short side, and side of the square at the center that the networks see, in
            pixels.
        progress: Show a progress bar.

    Raises:
        FileNotFoundError: If an image is missing.
        ValueError: If an image cannot be read, a class is unknown or not the same for all classifiers, or a setting is
            out of range.
    """
    if gray is not None and not 0 <= gray <= 255:
        raise ValueError(f"The gray level of the mask is {gray:g}: give one from 0 to 255.")
    positions = len(mask_positions(crop, mask, stride)) ** 2
    photos = [read_photo(path, resize_edge, crop) for path in images]
    if len(labels) not in (0, 1, len(images)):
        raise ValueError(
            f"There are {len(labels)} labels for {len(images)} images: give one for all, or one per image."
        )
    given: Sequence[str | None] = labels or [None]
    given = [*given] * len(images) if len(given) == 1 else given
    classes = [_classes(classifiers, os.fspath(path), label) for path, label in zip(images, given, strict=True)]
    total, results = positions * len(images) * len(classifiers), []
    with progress_bar(total=total, unit="position", desc="mask-out", disable=not progress) as bar:
        for path, photo, (name, indices) in zip(images, photos, classes, strict=True):
            found = {}
            for model, classifier in classifiers.items():
                try:
                    found[model] = mask_out(
                        classifier,
                        normalize(photo[None].to(classifier.device), classifier.preprocessing)[0],
                        indices[model],
                        mask=mask,
                        stride=stride,
                        blank=0.0 if gray is None else classifier.normalized((gray, gray, gray)),
                        batch_size=batch_size,
                        bar=bar,
                    )
                except ValueError as error:
                    raise ValueError(f"{model} on {path}: {error}") from error
            results.append(MaskedImage(os.fspath(path), name, found, as_rgb(photo)))
    settings = dict(mask=mask, stride=stride, grey=gray, resize_edge=resize_edge, crop=crop, batch_size=batch_size)
    return MaskOutReport(settings, tuple(results))


def _classes(classifiers: Mapping[str, Classifier], path: str, label: str | None) -> tuple[str, dict[str, int]]:
    folder = Path(path).absolute().parent.name
    indices = {}
    for model, classifier in classifiers.items():
        plain = re.sub(r"^\d+\.", "", folder)
        wanted = label if label is not None else folder if folder in classifier.classes else plain
        try:
            indices[model] = class_index(wanted, classifier.classes)
        except ValueError as error:
            hint = " It is the name of the image's folder: name the class with --label." if label is None else ""
            raise ValueError(f"{model}: {error}{hint}") from error
    names = {classifiers[model].classes[index]: model for model, index in indices.items()}
    if len(names) > 1:
        (first, a), (second, b) = list(names.items())[:2]
        raise ValueError(
            f"Class {label or folder} is '{first}' for {a} and '{second}' for {b}: give its name (--label)."
        )
    return next(iter(names)), indices
