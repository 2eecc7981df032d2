"""Mask-out of several classifiers on the same pixels, and the numbers behind the pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE, normalise
from mmdetpre.analysis.features.pixels import as_rgb, read_photo
from mmdetpre.analysis.features.select_classes import class_index
from mmdetpre.analysis.mask_out.mask_out import BATCH, MASK, STRIDE, MaskOut, mask_out, mask_positions
from mmdetpre.inference.classifier import Classifier
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.tables import text_table
from mmdetpre.utils.whole_file import write_json, write_rows

FORMAT = "mmdetpre mask-out"


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """What several classifiers make of one image.

    Args:
        name: Path of the image.
        pixels: (H, W, 3) uint8 RGB, as the networks see it.
        label: Name of its class.
        found: Result of each classifier.
    """

    name: str
    pixels: np.ndarray
    label: str
    found: Mapping[str, MaskOut]


def mask_out_images(
    classifiers: Mapping[str, Classifier],
    images: Sequence[str | os.PathLike[str]],
    *,
    labels: Sequence[str] = (),
    mask: int = MASK,
    stride: int = STRIDE,
    grey: float | None = None,
    resize_edge: int = RESIZE_EDGE,
    crop: int = CROP,
    batch_size: int = BATCH,
    progress: bool = False,
) -> list[MaskedImage]:
    """Shift a blank square over images, for every classifier.

    Args:
        classifiers: Name and classifier.
        images: Image files.
        labels: Class of all images, or one per image, by name or number. Empty: each image's is the name of its folder,
            a number before it left out ("001.ak47").
        mask, stride, batch_size: As for :func:`mmdetpre.analysis.mask_out.mask_out.mask_out`.
        grey: Grey level of the square, 0 to 255. None: the mean colour that each classifier subtracts.
        resize_edge, crop: Length of the short side, and side of the square at the centre that the networks see, in
            pixels.
        progress: Show a progress bar.

    Raises:
        FileNotFoundError: If an image is missing.
        ValueError: If an image cannot be read, a class is unknown or not the same for all classifiers, or a setting is
            out of range.
    """
    if grey is not None and not 0 <= grey <= 255:
        raise ValueError(f"The grey level of the mask is {grey:g}: give one from 0 to 255.")
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
                        _input(classifier, photo),
                        indices[model],
                        mask=mask,
                        stride=stride,
                        blank=0.0 if grey is None else classifier.normalised((grey, grey, grey)),
                        batch_size=batch_size,
                        bar=bar,
                    )
                except ValueError as error:
                    raise ValueError(f"{model} on {path}: {error}") from error
            results.append(MaskedImage(os.fspath(path), as_rgb(photo), name, found))
    return results


def format_masked(images: Sequence[MaskedImage]) -> str:
    """A table: one line per image and classifier."""
    head = ["image", "class", "classifier", "unmasked", "lowest", "at x, y", "mean"]
    rows = []
    for image in images:
        for model, found in image.found.items():
            y, x = found.lowest()
            lowest, mean = float(found.probability.min()), float(found.probability.mean())
            rows.append(
                [Path(image.name).name, image.label, model, f"{found.unmasked:.4f}", f"{lowest:.4f}", f"{x}, {y}",
                 f"{mean:.4f}"]
            )  # fmt: skip
    return text_table(head, rows)


def write_masked(path: Path, images: Sequence[MaskedImage], settings: Mapping[str, Any]) -> None:
    """Write the probability at every position.

    Args:
        path: ``.csv``: a line per image, classifier and position (``x``, ``y`` of the square's top left pixel, empty
            for the whole image). ``.json``: settings too.
        images: What was found.
        settings: How it was found.
    """
    if path.suffix == ".csv":
        rows: list[list[Any]] = [["image", "class", "classifier", "x", "y", "probability"]]
        for image in images:
            for model, found in image.found.items():
                start = [image.name, image.label, model]
                rows.append([*start, "", "", found.unmasked])
                for y, row in zip(found.ys.tolist(), found.probability.tolist(), strict=True):
                    rows += [[*start, x, y, p] for x, p in zip(found.xs.tolist(), row, strict=True)]
        write_rows(path, rows)
        return
    content = {
        "format": FORMAT,
        "settings": dict(settings),
        "images": [
            {
                "image": image.name,
                "class": image.label,
                "classifiers": {model: _to_dict(found) for model, found in image.found.items()},
            }
            for image in images
        ],
    }
    write_json(path, content, indent=None)


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


def _input(classifier: Classifier, photo: Tensor) -> Tensor:
    ready = classifier.preprocessing
    mean, std, order = ready.mean or (0.0,) * 3, ready.std or (1.0,) * 3, ready.channel_order or "bgr"
    return normalise(photo[None].to(classifier.device), mean, std, order)[0]


def _to_dict(found: MaskOut) -> dict[str, Any]:
    y, x = found.lowest()
    return {
        "unmasked": found.unmasked,
        "lowest": {"x": x, "y": y, "probability": float(found.probability.min())},
        "mask": found.mask,
        "size": list(found.size),
        "xs": found.xs.tolist(),
        "ys": found.ys.tolist(),
        "probability": found.probability.tolist(),
    }
