"""From two runs to the images worth comparing and their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdetpre.evaluation.detections.align import align_runs
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.errors.matching import Match, match_detections
from mmdetpre.evaluation.errors.pairs import overlapping_pairs
from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.plain_text import one_line
from mmdetpre.visualization.choose_images import Choice, choose_images, gain_text
from mmdetpre.visualization.compared_runs import ComparedImage, ShownBoxes

_SUFFIXES = ("", ".jpg", ".jpeg", ".png", ".JPEG", ".JPG", ".PNG")


def found_per_image(run: Detections, *, score_thr: float, iou_thr: float = 0.5) -> np.ndarray:
    """(N,) number of objects of each image that the detections with at least this score find.

    Objects to be ignored (difficult, crowd, group-of) are not counted.

    Args:
        run: Detections with ground truth.
        score_thr: Detections below it are dropped.
        iou_thr: IoU that a match needs, from 0 to 1.

    Raises:
        ValueError: If the run has no ground truth.
    """
    run = run.half_open()
    truth = run.ground_truth()
    pairs = overlapping_pairs(run.image, run.boxes, truth.image, truth.boxes, min_iou=iou_thr)
    found = match_detections(pairs, run.labels, run.scores, truth.labels, truth.not_counted, iou_thr=iou_thr)
    rows = (found.outcome == Match.CORRECT) & (run.scores >= score_thr)
    return np.bincount(run.image[rows], minlength=len(run.names))


def compare_runs(
    runs: Mapping[str, Detections],
    choice: Choice = Choice(),  # noqa: B008
    *,
    score_thr: float = 0.5,
    img_dir: str | Path | None = None,
) -> list[ComparedImage]:
    """Read the chosen images with the boxes of both runs; what differs is the number of objects that they find.

    Args:
        runs: Name -> detections; two of them, on the same images. Ground truth is drawn where both have it.
        choice: Which images.
        score_thr: Least score of the boxes.
        img_dir: Folder of the images; by default the paths that the first run has stored.

    Raises:
        FileNotFoundError: If an image is not there; all that are missing are counted.
        ValueError: If there are not two runs, they cannot be compared, or the choice of images is impossible.

    Example:
        >>> chosen = Choice(6, largest_difference=True)
        >>> images = compare_runs({"scratch": a, "pre-trained": b}, chosen)  # doctest: +SKIP
    """
    if len(runs) != 2:
        raise ValueError(f"{len(runs)} runs are given: two are drawn on the same images.")
    has_truth = all(run.truth is not None for run in runs.values())
    aligned = align_runs(runs, need_truth=choice.needs_scores or has_truth)
    aligned = {name: run.half_open() for name, run in aligned.items()}
    first = next(iter(aligned.values()))
    found = [found_per_image(run, score_thr=score_thr) for run in aligned.values()] if has_truth else []
    chosen = choose_images(first.names, choice, lambda: np.stack(found, axis=1))
    paths = find_images(first, chosen, img_dir)
    compared = []
    for i, path in zip(chosen, paths, strict=True):
        shown = []
        for k, run in enumerate(aligned.values()):
            rows = np.arange(len(run))[run.rows(i)]
            rows = rows[run.scores[rows] >= score_thr]
            count = int(found[k][i]) if has_truth else None
            shown.append(ShownBoxes(run.boxes[rows], run.scores[rows], run.labels[rows], count))
        truth = None
        if has_truth:
            objects = np.arange(len(first.ground_truth()))[first.truth_rows(i)]
            truth = first.ground_truth().boxes[objects[~first.ground_truth().not_counted[objects]]]
        width, height = np.asarray(first.sizes)[i].tolist()
        name = _name(first.names[i], path)
        if choice.gains_and_losses:
            name = f"{gain_text(found[1][i] - found[0][i], 'objects')}: {name}"
        compared.append(ComparedImage(name, _read_image(path, (width, height)), shown, truth))
    return compared


def find_images(run: Detections, images: Sequence[int], img_dir: str | Path | None = None) -> list[Path]:
    """Files of images: below ``img_dir`` by stored file name, then by id with a usual suffix; else the stored paths.

    Args:
        run: Detections with image paths or ids.
        images: Indices of the images.
        img_dir: Folder of the images; None: the stored paths.

    Raises:
        FileNotFoundError: If any is not there.
    """
    found: list[Path | None] = []
    for i in images:
        stored = (run.paths or [""] * len(run.names))[i]
        if img_dir is None:
            candidates = [Path(stored)] if stored else []
        else:
            names = [*([Path(stored).name] if stored else []), *(f"{run.names[i]}{suffix}" for suffix in _SUFFIXES)]
            candidates = [Path(img_dir) / name for name in names]
        found.append(next((path for path in candidates if path.is_file()), None))
    missing = [run.names[i] for i, path in zip(images, found, strict=True) if path is None]
    if missing:
        where = "at the paths that the run has stored" if img_dir is None else f"in {img_dir}"
        raise FileNotFoundError(
            f"{len(missing)} of {len(images)} images are not {where}, e.g. '{one_line(missing[0])}'. Say where they"
            " are with --img-dir FOLDER or --config CONFIG."
        )
    return [path for path in found if path is not None]


def _name(image_id: str, path: Path) -> str:
    """The file and the id, which ``ids`` takes, where one does not tell the other."""
    image_id = one_line(image_id)
    return image_id if path.stem.lstrip("0") == image_id.lstrip("0") else f"{path.stem} (id {image_id})"


def _read_image(path: Path, size: tuple[int, int]) -> np.ndarray:
    data = np.frombuffer(read_bounded(path, 4 * GIB), np.uint8)
    pixels: Any = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None  # turned by EXIF
    if pixels is None:
        raise ValueError(f"{path} cannot be read as an image.")
    if min(size) > 0 and pixels.shape[1::-1] == size[::-1] != size:  # a run on pixels as they are stored
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    height, width = pixels.shape[:2]
    if min(size) > 0 and size != (width, height):
        raise ValueError(
            f"{path} has {width} x {height} pixels, the run saw this image with {size[0]} x {size[1]}: its boxes do not"
            " fit. Give the folder of the images that the run was tested on."
        )
    return pixels[..., ::-1]
