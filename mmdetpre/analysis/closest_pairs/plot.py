"""Grid of closest pairs of images in two feature spaces: Figure 5 of the paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmdetpre.analysis.closest_pairs.report import ClosestPairs
from mmdetpre.plotting.palette import run_color, unit
from mmdetpre.plotting.style import GRAY, HEADLINE, INK, new_figure, shorten
from mmdetpre.utils.open_image import read_thumbnail

_TILE, _TEXT, _GAP, _MARGIN, _HEAD, _TITLE = 1.3, 0.62, 0.3, 0.15, 0.5, 0.5  # inches
_PIXELS = 260  # of the longer side of a photo
_LETTERS = 21  # that fit under a photo


def draw_pairs(report: ClosestPairs, photos: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """One column per list of pairs, one row per pair: two photos, their classes, and similarity and rank in each space.

    Args:
        report: The pairs.
        photos: (h, w, 3) uint8 RGB of each image by its path, see :func:`read_photos`.
        title: Headline; by default it names metric and number of pairs.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 5 of "An Analysis of Pre-Training on Object Detection".
    """
    rows = max(1, *(len(one.pairs) for one in report.lists))
    width = len(report.lists) * (2 * _TILE + _GAP) - _GAP + 2 * _MARGIN
    height = _HEAD + _TITLE + rows * (_TILE + _TEXT) + _MARGIN
    figure = new_figure(width, height, 110, None)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, 1 - y / height, text, **{"ha": "center", "va": "center", "color": INK, **style})

    metric = {"l2": "distance", "inner": "inner product"}.get(report.metric, report.metric)
    write(width / 2, 0.2, title or f"Most similar of {report.all_pairs:,} pairs ({metric}, rank)", **HEADLINE)
    for column, one in enumerate(report.lists):
        left = _MARGIN + column * (2 * _TILE + _GAP)
        write(left + _TILE, _HEAD + 0.2, one.title.replace(", ", ",\n"), fontsize=10)
        if not one.pairs:
            write(left + _TILE, _HEAD + _TITLE + 0.5, "no such pair", color=GRAY, fontsize=10)
        for row, pair in enumerate(one.pairs):
            top = _HEAD + _TITLE + row * (_TILE + _TEXT)
            for side, image in enumerate(pair.images):
                _draw_photo(figure, photos[image], left + side * _TILE, top, width, height)
                if pair.classes:
                    name = shorten(pair.classes[side], _LETTERS)
                    write(left + (side + 0.5) * _TILE, top + _TILE + 0.09, name, fontsize=7.5)
            for line, (name, value) in enumerate(pair.values.items()):
                text = f"{name}: {value:.3f} (rank {pair.ranks[name]:,})"
                weight = "bold" if name == one.space else "normal"
                place = left + _TILE, top + _TILE + 0.25 + 0.15 * line
                write(*place, text, color=unit(run_color(line)), fontsize=8, fontweight=weight)
    return figure


def find_photos(names: Iterable[str], root: Path) -> dict[str, Path]:
    """Path of each photo.

    Raises:
        FileNotFoundError: If any is not there; it counts them.
    """
    paths = {name: root / name for name in names}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} photos are not there, e.g. {missing[0]}: say where they are with"
            " --image-root FOLDER, or leave out --plot."
        )
    return paths


def read_photos(report: ClosestPairs, root: Path) -> dict[str, np.ndarray]:
    """The photos of all pairs, (h, w, 3) uint8 RGB, small and upright, by their path in the report.

    Args:
        report: The pairs.
        root: Folder that the paths are relative to.

    Raises:
        FileNotFoundError: If photos are not there.
        ValueError: If one cannot be read.
    """
    return {name: read_thumbnail(path, _PIXELS) for name, path in find_photos(report.photos(), root).items()}


def _draw_photo(figure: Figure, photo: np.ndarray, left: float, top: float, width: float, height: float) -> None:
    """Photo in the middle of its tile, as large as fits."""
    scale = (_TILE - 0.06) / max(photo.shape[:2])
    w, h = photo.shape[1] * scale, photo.shape[0] * scale
    x, y = left + (_TILE - w) / 2, top + (_TILE - h) / 2
    axis = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
    axis.set_axis_off()
    axis.imshow(photo, interpolation="lanczos", aspect="auto")
