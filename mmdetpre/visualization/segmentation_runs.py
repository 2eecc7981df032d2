"""From predicted label maps of several runs to the images worth showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.datasets.label_maps.files import check_shapes, read_label_map, wrong_values
from mmdetpre.evaluation.trimap.counts import region_scores
from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.visualization.segmentation_images import SegmentationImages
from mmdetpre.visualization.segmentation_panels import SegmentedImage


def mean_iou(truth: np.ndarray, prediction: np.ndarray, classes: int, ignore_index: int = 255) -> float:
    """mIoU of one image over the classes that are in its truth or prediction; NaN if all is void.

    Args:
        truth: (h, w) integer label map.
        prediction: (h, w) integer label map.
        classes: Number of classes.
        ignore_index: Value of void pixels.

    Example:
        >>> mean_iou(np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 0]]), 2)
        0.5
    """
    scored = truth != ignore_index
    pairs = truth[scored].astype(np.int64) * classes + prediction[scored]
    confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    return float(region_scores(confusion).mean_iou)


def read_maps(
    images: SegmentationImages, runs: Mapping[str, Path], i: int
) -> tuple[np.ndarray, list[np.ndarray], list[float]]:
    """True label map of an image, the predictions of all runs, and their mIoU.

    Args:
        images: The images.
        runs: Name -> folder of predictions, ``<image>.png`` with one class index per pixel.
        i: Index of the image.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file cannot be read, differs in size from the truth, or holds values that are not a class.
    """
    name, classes, void = images.names[i], len(images.classes), images.ignore_index
    truth = images.read_truth(i)
    try:
        check_shapes(truth, truth)
        if problem := wrong_values(truth, np.zeros(1, np.int64), classes, void):
            raise ValueError(problem)
    except ValueError as error:
        raise ValueError(f"Truth of image '{name}': {error}") from error
    predictions = []
    for run, folder in runs.items():
        path = folder / f"{name}.png"
        prediction = read_label_map(path).astype(np.int64) - images.first_label
        if prediction.shape != truth.shape:
            sizes = " and the truth ".join(f"{w} x {h}" for h, w in (prediction.shape, truth.shape))
            raise ValueError(
                f"Run '{run}': {path} has {sizes} pixels. Give predictions for these images at their size."
            )
        if problem := wrong_values(truth, prediction, classes, void):
            raise ValueError(f"Run '{run}': {path}: {problem}")
        predictions.append(prediction)
    scores = [mean_iou(truth, prediction, classes, void) for prediction in predictions]
    return truth, predictions, scores


def choose_images(
    images: SegmentationImages,
    runs: Mapping[str, Path],
    n: int,
    *,
    ids: Sequence[str] = (),
    largest_difference: bool = False,
) -> list[int]:
    """Which images to show.

    Args:
        images: The images.
        runs: Name -> folder of predictions.
        n: How many.
        ids: These, by name and in this order, whatever ``n`` is.
        largest_difference: Those in which the best and the worst run differ most in the mIoU of the image; among equal
            ones the first. Such a choice shows where the runs differ, not how they do on average.

    Returns:
        Indices of images; without ``ids`` and ``largest_difference`` the first ``n``.

    Raises:
        ValueError: If a name is unknown, ``n`` is below 1, or one run alone is to differ.
    """
    if ids:
        place = {name: i for i, name in enumerate(images.names)}
        if unknown := [name for name in ids if name not in place]:
            raise ValueError(
                f"There is no image '{unknown[0]}': the {len(images.names)} images are called such as"
                f" '{images.names[0]}'."
            )
        return [place[name] for name in ids]
    if n < 1:
        raise ValueError(f"{n} images are to be drawn: give 1 or more.")
    if not largest_difference:
        return list(range(min(n, len(images.names))))
    if len(runs) < 2:
        raise ValueError("One run differs from nothing: give a second one, or choose images in another way.")
    require_predictions(images, runs, range(len(images.names)))
    scores = [
        read_maps(images, runs, i)[2] for i in progress_bar(range(len(images.names)), desc="comparing", unit=" images")
    ]
    return np.argsort(-np.nan_to_num(np.ptp(scores, axis=1)), kind="stable")[:n].tolist()


def require_predictions(images: SegmentationImages, runs: Mapping[str, Path], chosen: Sequence[int]) -> None:
    """Raise ``FileNotFoundError`` that counts the missing predictions of a run, if any is missing.

    Args:
        images: Images and label maps.
        runs: Folder of the predictions by name of the run.
        chosen: Indices of the images that need predictions.

    Raises:
        FileNotFoundError: If any is missing.
    """
    for name, folder in runs.items():
        missing = [i for i in chosen if not (folder / f"{images.names[i]}.png").is_file()]
        if missing:
            raise FileNotFoundError(
                f"Run '{name}' has no prediction for {len(missing)} of {len(chosen)} images, e.g."
                f" {folder / images.names[missing[0]]}.png. `mim test {toolbox_name('mmsegmentation')}"
                f" CONFIG --checkpoint FILE --out {folder}` writes them."
            )


def compare_segmentations(
    images: SegmentationImages,
    runs: Mapping[str, str | Path],
    n: int = 6,
    *,
    ids: Sequence[str] = (),
    largest_difference: bool = False,
) -> list[SegmentedImage]:
    """Read the chosen images with the truth and the predictions of all runs.

    Args:
        images: The images.
        runs: Name -> folder of predictions, ``<image>.png`` as ``mmseg.IoUMetric(output_dir=...)`` writes them.
        n: How many images.
        ids: See :func:`choose_images`.
        largest_difference: See :func:`choose_images`.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If there is no run, files do not fit, or the choice of images is impossible.

    Example:
        >>> chosen = compare_segmentations(images, {"scratch": "a/out", "COCO": "b/out"}, 4)  # doctest: +SKIP
    """
    if not runs:
        raise ValueError("No run is given: one or more are drawn.")
    folders = {name: Path(folder) for name, folder in runs.items()}
    chosen = choose_images(images, folders, n, ids=ids, largest_difference=largest_difference)
    require_predictions(images, folders, chosen)
    compared = []
    for i in chosen:
        truth, predictions, scores = read_maps(images, folders, i)
        photo = _read_image(images.paths[i], truth.shape)
        compared.append(SegmentedImage(images.names[i], photo, truth, predictions, scores))
    return compared


def _read_image(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"There is no image {path}.")
    data = np.frombuffer(read_bounded(path, 4 * GIB), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None  # turned by EXIF, as mmseg does
    if pixels is None:
        raise ValueError(f"{path} cannot be read as an image.")
    if pixels.shape[:2] != shape:
        raise ValueError(
            f"{path} has {pixels.shape[1]} x {pixels.shape[0]} pixels and its label map {shape[1]} x {shape[0]}: they"
            " must have one size."
        )
    return pixels[..., ::-1]
