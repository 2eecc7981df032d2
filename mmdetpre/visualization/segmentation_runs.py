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
from mmdetpre.visualization.choose_images import Choice, choose_images, gain_text
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
    choice: Choice = Choice(),  # noqa: B008
) -> list[SegmentedImage]:
    """Read the chosen images with the truth and the predictions of all runs; what differs is the mIoU of an image.

    Args:
        images: The images.
        runs: Name -> folder of predictions, ``<image>.png`` as ``mmseg.IoUMetric(output_dir=...)`` writes them.
        choice: Which images.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If there is no run, files do not fit, or the choice of images is impossible.

    Example:
        >>> chosen = compare_segmentations(images, {"scratch": "a/out", "COCO": "b/out"}, Choice(4))  # doctest: +SKIP
    """
    if not runs:
        raise ValueError("No run is given: one or more are drawn.")
    folders = {name: Path(folder) for name, folder in runs.items()}

    def scores() -> np.ndarray:
        if len(folders) < 2:
            return np.zeros((len(images.names), len(folders)))
        require_predictions(images, folders, range(len(images.names)))
        rows = progress_bar(range(len(images.names)), desc="comparing", unit=" images")
        return np.array([read_maps(images, folders, i)[2] for i in rows])

    chosen = choose_images(images.names, choice, scores)
    require_predictions(images, folders, chosen)
    compared = []
    for i in chosen:
        truth, predictions, found = read_maps(images, folders, i)
        photo, name = _read_image(images.paths[i], truth.shape), images.names[i]
        if choice.gains_and_losses:
            name = f"{gain_text(100 * (found[-1] - found[0]), 'mIoU')}: {name}"
        compared.append(SegmentedImage(name, photo, truth, predictions, found))
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
