"""Images that several runs classify: which are worth showing, and their picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mmdetpre.hooks.write_labels_hook import ImageLabel
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import INK, new_figure, shorten
from mmdetpre.utils.open_image import read_thumbnail
from mmdetpre.visualization.choose_images import Choice, choose_images, gain_text

_WIDTH, _PHOTO, _LINE, _GAP = 14.0, 2.8, 0.19, 0.14  # inches
_PIXELS = 640  # of the longer side of a photo
_RUN, _CLASS, _NAME = 24, 20, 56  # letters


class ClassifiedImage(NamedTuple):
    """One image with what the runs say of it.

    Attributes:
        name: What it is called.
        image: (h, w, 3) uint8 RGB.
        labels: Its label as each run predicts it.
    """

    name: str
    image: np.ndarray
    labels: Sequence[ImageLabel]


def compare_classifications(
    runs: Mapping[str, Sequence[ImageLabel]],
    choice: Choice = Choice(),  # noqa: B008
) -> list[ClassifiedImage]:
    """Read the chosen images with the predictions of all runs.

    What differs is whether the class is right, and where both or none are, its probability.

    Args:
        runs: Name -> labels of the same images in the same order.
        choice: Which images; their ids are their paths.

    Raises:
        FileNotFoundError: If a photo is missing.
        ValueError: If the runs have other images or labels, the choice is impossible, or a photo cannot be read.

    Example:
        >>> labels = [ImageLabel("photo.jpg", 0, 1, 0.75, 0.25)]
        >>> [image.name for image in compare_classifications({"scratch": labels}, Choice(1))]
        ['photo.jpg']
    """
    known = {name: [(one.image, one.label) for one in labels] for name, labels in runs.items()}
    first = next(iter(known))
    if other := [name for name in known if known[name] != known[first]]:
        raise ValueError(f"'{first}' and '{other[0]}' were not tested on the same images with the same classes.")
    by_image = list(zip(*runs.values(), strict=True))

    def scores() -> np.ndarray:
        return np.array([[2 * (one.label == one.prediction) + one.true_score for one in of] for of in by_image])

    compared = []
    for i in choose_images([image for image, _ in known[first]], choice, scores):
        labels, path = by_image[i], Path(by_image[i][0].image)
        name = "/".join(path.parts[-2:])
        if choice.gains_and_losses:
            gain = labels[-1].true_score - labels[0].true_score
            name = f"{gain_text(100 * gain, 'points')}: {name}"
        compared.append(ClassifiedImage(name, read_thumbnail(path, _PIXELS), labels))
    return compared


def draw_classifications(
    images: Sequence[ClassifiedImage], run_names: Sequence[str], classes: Sequence[str], *, columns: int = 3
) -> Figure:
    """The images in a grid, each above its class and what each run predicts, bold where that is right.

    Args:
        images: What to draw, row by row.
        run_names: Names of the runs.
        classes: Class names.
        columns: Images side by side, at most.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: If there is no image.

    Example:
        >>> labels = [ImageLabel("a/1.jpg", 0, 1, 0.75, 0.25), ImageLabel("a/1.jpg", 0, 0, 0.5, 0.5)]
        >>> image = ClassifiedImage("a/1.jpg", np.zeros((32, 48, 3), np.uint8), labels)
        >>> [text.get_text() for text in draw_classifications([image], ["scratch", "COCO"], ["cat", "dog"]).texts]
        ['a/1.jpg', 'class: cat', 'scratch: dog 0.75 (cat 0.25)', 'COCO: cat 0.50']
    """
    if not images:
        raise ValueError("No images to draw: choose at least one.")
    columns = max(1, min(columns, len(images)))
    text, column = (2 + len(run_names)) * _LINE, (_WIDTH - _GAP) / max(columns, 3)
    width, row = columns * column + _GAP, _PHOTO + text + 2 * _GAP
    height = math.ceil(len(images) / columns) * row
    figure = new_figure(width, height, 110, None)
    for i, item in enumerate(images):
        left, top = _GAP + i % columns * column, _GAP + i // columns * row
        h, w = item.image.shape[:2]
        scale = min((column - _GAP) / w, _PHOTO / h)
        axis = figure.add_axes((left / width, 1 - (top + _PHOTO) / height, scale * w / width, scale * h / height))
        axis.set_axis_off()
        axis.imshow(item.image, interpolation="lanczos", aspect="auto")
        lines: list[tuple[str, Any, bool]] = [
            (shorten(item.name, _NAME, 20), INK, False),
            (f"class: {_class(classes, item.labels[0].label)}", INK, True),
        ]
        for k, (name, one) in enumerate(zip(run_names, item.labels, strict=True)):
            right = one.label == one.prediction
            told = f"{shorten(name, _RUN)}: {_class(classes, one.prediction)} {one.score:.2f}"
            told += "" if right else f" ({_class(classes, one.label)} {one.true_score:.2f})"
            lines.append((told, unit(run_color(k)), right))
        for k, (told, color, bold) in enumerate(lines):
            y = 1 - (top + _PHOTO + (k + 0.7) * _LINE) / height
            figure.text(
                left / width, y, told, color=color, fontsize=9.5, va="center", fontweight="bold" if bold else "normal"
            )
    return figure


def _class(classes: Sequence[str], label: int) -> str:
    return shorten(classes[label], _CLASS)
