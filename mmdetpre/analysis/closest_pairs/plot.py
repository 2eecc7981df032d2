"""Grid of closest pairs of images in two feature spaces: Figure 5 of the paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageOps, UnidentifiedImageError

from mmdetpre.plotting.palette import run_colour, unit
from mmdetpre.plotting.plain_figure import PlainFigure

_INK, _GREY = "#20242a", "#8a9099"
_TILE, _TEXT, _GAP, _MARGIN, _HEAD, _TITLE = 1.3, 0.62, 0.3, 0.15, 0.5, 0.5  # inches
_PIXELS = 260  # of the longer side of a photo
_LETTERS = 21  # that fit under a photo


def draw_pairs(report: Mapping[str, Any], photos: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """One column per list of pairs, one row per pair: two photos, their classes, and similarity and rank in each space.

    Args:
        report: What :func:`~mmdetpre.analysis.closest_pairs.report.report_pairs` returns.
        photos: (h, w, 3) uint8 RGB of each image by its path, see :func:`read_photos`.
        title: Headline; by default it names metric and number of pairs.

    Returns:
        A matplotlib figure; ``figure.savefig(path)`` writes it.

    Source: Figure 5 of "An Analysis of Pre-Training on Object Detection".
    """
    lists, names = report["lists"], [space["name"] for space in report["spaces"]]
    rows = max(1, *(len(one["pairs"]) for one in lists))
    width = len(lists) * (2 * _TILE + _GAP) - _GAP + 2 * _MARGIN
    height = _HEAD + _TITLE + rows * (_TILE + _TEXT) + _MARGIN
    figure = PlainFigure(figsize=(width, height), dpi=110, facecolor="white")

    def place(x: float, y: float) -> tuple[float, float]:
        return x / width, 1 - y / height

    metric = {"l2": "distance", "inner": "inner product"}.get(report["metric"], report["metric"])
    headline = title or f"Most similar of {report['all_pairs']:,} pairs ({metric}, rank)"
    figure.text(0.5, 1 - 0.2 / height, headline, ha="center", va="center", color=_INK, fontsize=12, fontweight="bold")
    for column, one in enumerate(lists):
        left = _MARGIN + column * (2 * _TILE + _GAP)
        centre = left + _TILE
        heading = one["title"].replace(", ", ",\n")
        figure.text(*place(centre, _HEAD + 0.2), heading, ha="center", va="center", color=_INK, fontsize=10)
        if not one["pairs"]:
            figure.text(*place(centre, _HEAD + _TITLE + 0.5), "no such pair", ha="center", color=_GREY, fontsize=10)
        for row, pair in enumerate(one["pairs"]):
            top = _HEAD + _TITLE + row * (_TILE + _TEXT)
            for side, image in enumerate(pair["images"]):
                _draw_photo(figure, photos[image], left + side * _TILE, top, width, height)
                if pair["classes"]:
                    middle = left + (side + 0.5) * _TILE
                    figure.text(
                        *place(middle, top + _TILE + 0.09), _short(pair["classes"][side]), ha="center", va="center",
                        color=_INK, fontsize=7.5,
                    )  # fmt: skip
            for line, name in enumerate(names):
                text = f"{name}: {pair['values'][name]:.3f} (rank {pair['ranks'][name]:,})"
                figure.text(
                    *place(centre, top + _TILE + 0.25 + 0.15 * line), text, ha="center", va="center",
                    color=unit(run_colour(line)), fontsize=8, fontweight="bold" if name == one["space"] else "normal",
                )  # fmt: skip
    return figure


def read_photos(report: Mapping[str, Any], root: Path) -> dict[str, np.ndarray]:
    """The photos of all pairs, small and upright, by their path in the report.

    Args:
        report: What :func:`~mmdetpre.analysis.closest_pairs.report.report_pairs` returns.
        root: Folder that the paths are relative to.

    Raises:
        FileNotFoundError: If photos are not there; it counts them.
        ValueError: If one cannot be read.
    """
    return {name: _read_photo(path) for name, path in find_photos(_names(report), root).items()}


def find_photos(names: Iterable[str], root: Path) -> dict[str, Path]:
    """Path of each photo.

    Raises:
        FileNotFoundError: If any is not there.
    """
    paths = {name: root / name for name in names}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} photos are not there, e.g. {missing[0]}: say where they are with"
            " --image-root FOLDER, or leave out --plot."
        )
    return paths


def _names(report: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for one in report["lists"] for pair in one["pairs"] for name in pair["images"]))


def _read_photo(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * _PIXELS, 2 * _PIXELS))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}).") from error
    upright.thumbnail((_PIXELS, _PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(upright)


def _draw_photo(figure: Figure, photo: np.ndarray, left: float, top: float, width: float, height: float) -> None:
    """Photo in the middle of its tile, as large as fits."""
    tile = _TILE - 0.06
    scale = tile / max(photo.shape[:2])
    w, h = photo.shape[1] * scale, photo.shape[0] * scale
    x, y = left + (_TILE - w) / 2, top + (_TILE - h) / 2
    axis = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
    axis.set_axis_off()
    axis.imshow(photo, interpolation="lanczos", aspect="auto")


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 3]}..."
