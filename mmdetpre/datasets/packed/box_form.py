"""Boxes that cannot be meant: what they are, and which form of writing boxes a file looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_CLOSE = 1.0  # pixels that a box may reach beyond its image: rounding, and counting from 0 or 1
_MOST, _SOME, _FEW, _ENOUGH = 0.5, 0.05, 3, 10
_FITS = 0.8
_FAR = 3.0  # longer sides of the image

WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x y width height": lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1),
    "x1 y1 x2 y2": lambda b: b,
    "center form (center x, center y, width, height)": lambda b: np.concatenate(
        [b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], axis=1
    ),
    "y1 x1 y2 x2": lambda b: b[:, [1, 0, 3, 2]],
}
"""Ways to write a box -> (M, 4) corners x1, y1, x2, y2."""


@dataclass(frozen=True)
class BoxVerdicts:
    """Which of M boxes are not as boxes should be; in images of unknown size none is.

    Attributes:
        empty: (M,) bool, a side below 1 pixel.
        outside: (M,) bool, less than a pixel of it in the image, along one side.
        far: (M,) bool, it reaches beyond the image by more than three times the image's longer side.
        beyond: (M,) bool, it reaches beyond the image by more than a pixel, whatever else it does.
        tiny: (M,) bool, 1 x 1 pixels, or little more.
        reach: (M,) float64, pixels that it reaches beyond the image.
    """

    empty: np.ndarray
    outside: np.ndarray
    far: np.ndarray
    beyond: np.ndarray
    tiny: np.ndarray
    reach: np.ndarray


def judge_boxes(corners: np.ndarray, sizes: np.ndarray) -> BoxVerdicts:
    """Hold boxes against their images.

    Args:
        corners: (M, 4) x1, y1, x2, y2 in pixels, half-open.
        sizes: (M, 2) width and height of each box's image, 0 where it is not known.

    Example:
        >>> found = judge_boxes(np.array([[-9., 5, 40, 50], [5, 5, 5, 9], [0, 0, 99999, 99]]), np.full((3, 2), 100))
        >>> found.beyond.tolist(), found.empty.tolist(), found.far.tolist()
        ([True, False, True], [False, True, False], [False, False, True])
    """
    known = (sizes > 0).all(axis=1)
    sides = corners[:, 2:] - corners[:, :2]
    inside = np.minimum(corners[:, 2:], sizes) - np.maximum(corners[:, :2], 0)
    reach = np.maximum(-corners[:, :2], corners[:, 2:] - sizes)
    empty = (sides < 1).any(axis=1)
    return BoxVerdicts(
        empty=empty,
        outside=known & ~empty & (inside < 1).any(axis=1),
        far=known & ~empty & (reach > _FAR * sizes.max(axis=1, keepdims=True)).any(axis=1),
        beyond=known & (reach > _CLOSE).any(axis=1),
        tiny=known & ~empty & (sides < 2).all(axis=1),
        reach=np.where(known, reach.max(axis=1, initial=-np.inf), 0.0),
    )


def require_form(
    source: object,
    written: np.ndarray,
    way: str,
    sizes: np.ndarray,
    verdicts: BoxVerdicts,
    where: Callable[[int], str],
    *,
    fractions: bool = False,
) -> None:
    """Refuse a file most of whose boxes reach beyond their image or are empty, and say what form it looks like.

    So is a file in which some boxes do, and all would be sound in another form.

    Args:
        source: The file or folder, for the message.
        written: (M, 4) the four numbers of each box as written.
        way: Key of `WAYS` that they are read by.
        sizes: (M, 2) width and height of each box's image, 0 where it is not known.
        verdicts: Of these boxes.
        where: Name of a box's image, by the index of the box.
        fractions: What is written are fractions of the image's sides, not pixels.

    Raises:
        ValueError: With counts, the first such box, and the likely form.
    """
    rows = np.flatnonzero((sizes > 0).all(axis=1))
    bad = (verdicts.beyond | verdicts.empty)[rows]
    count, total = int(bad.sum()), len(rows)
    if count < _FEW or count < _SOME * total:
        return
    pixels = written * np.tile(sizes, 2) if fractions else written
    forms = _sound_shares(pixels[rows], way, sizes[rows].astype(np.float64))
    likely = max(forms, key=lambda form: forms[form])
    if count <= _MOST * total and not (forms[likely] == 1 and total >= _ENOUGH):
        return
    unit = "fractions of the image's sides" if fractions else "pixels"
    first = int(rows[np.flatnonzero(bad)[0]])
    width, height = sizes[first]
    numbers = ", ".join(f"{value:g}" for value in written[first])
    beyond = int(verdicts.beyond[rows].sum())
    problems = [f"{beyond} of {total} boxes reach beyond their image"] if beyond else []
    problems += [f"{count - beyond} of {total} boxes are empty (a side below 1 pixel)"] if count > beyond else []
    advice = (
        f"The file looks like {likely}: read so, {round(forms[likely] * total)} of {total} boxes lie in their image."
        f" Expected {way} in {unit}: convert the boxes."
        if forms[likely] >= _FITS
        else f"They fit in no usual form. Expected {way} in {unit}: are these the photos that were annotated?"
    )
    raise ValueError(
        f"{source}: {' and '.join(problems)}, such as {numbers} in {where(first)} of {width} x {height} pixels."
        f" {advice}"
    )


def remarks_on_boxes(
    verdicts: BoxVerdicts, kept: np.ndarray, corners: np.ndarray, sizes: np.ndarray, where: Callable[[int], str]
) -> list[str]:
    """What to say of boxes that are kept and may yet be wrong: beyond their image, tiny, all in a corner.

    Args:
        verdicts: Of M boxes.
        kept: (M,) bool.
        corners: (M, 4) x1, y1, x2, y2 in pixels.
        sizes: (M, 2) width and height of each box's image.
        where: Name of a box's image, by the index of the box.
    """

    def example(rows: np.ndarray) -> str:
        return f"[{', '.join(f'{value:g}' for value in corners[rows[0]])}] in {where(int(rows[0]))}"

    texts = []
    if len(rows := np.flatnonzero(verdicts.beyond & kept)):
        texts.append(
            f"{_boxes(len(rows), 'reaches', 'reach')} beyond the image, by up to {verdicts.reach[rows].max():.0f}"
            f" pixels: cut at its edge (x1 y1 x2 y2 {example(rows)})"
        )
    if len(rows := np.flatnonzero(verdicts.tiny & kept)):
        texts.append(f"{_boxes(len(rows), 'has', 'have')} 1 x 1 pixels (x1 y1 x2 y2 {example(rows)}): is that meant?")
    known = kept & (sizes > 0).all(axis=1)
    if known.sum() >= 2 * _ENOUGH and (corners[known] <= 101).all() and sizes[known].min() >= 200:
        texts.append(
            f"all boxes lie in the upper left 100 x 100 pixels of images of up to {sizes[known, 0].max()} x"
            f" {sizes[known, 1].max()}: are their numbers percent?"
        )
    return texts


def _boxes(count: int, one: str, many: str) -> str:
    return f"{count} {'box' if count == 1 else 'boxes'} {one if count == 1 else many}"


def _sound_shares(written: np.ndarray, way: str, sizes: np.ndarray) -> dict[str, float]:
    """Part of the boxes that would be sound if they were written in another way."""

    def share(corners: np.ndarray, limits: np.ndarray) -> float:
        sound = (corners[:, :2] >= -_CLOSE) & (corners[:, 2:] <= limits + _CLOSE)
        return float((sound & (corners[:, 2:] - corners[:, :2] >= 1)).all(axis=1).mean())

    shares = {name: share(corners(written), sizes) for name, corners in WAYS.items() if name != way}
    shares["boxes of a photo turned by 90 degrees"] = share(WAYS[way](written), sizes[:, ::-1])
    for name, whole in (("fractions of the image's sides (0..1)", 1.0), ("percent of the image's sides", 100.0)):
        if written.max() <= whole * 1.01:
            scaled = written / whole * np.tile(sizes, 2)
            shares[name] = max(share(corners(scaled), sizes) for corners in WAYS.values())
    return shares
