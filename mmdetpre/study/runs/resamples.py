"""The scores of a run on resamples of its test images, from what its test stored."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmdetpre.evaluation.bootstrap.resampled import Resampled, image_counts, resampled_accuracy, resampled_mean_iou
from mmdetpre.study.layout import config_path
from mmdetpre.study.records import Part
from mmdetpre.study.runs.parts import classification_parts, detection_parts, segmentation_parts
from mmdetpre.utils.class_list import read_class_names
from mmdetpre.utils.read_config import read_config

if TYPE_CHECKING:
    from mmdetpre.study.runs.run_folder import Job


class Resamples(NamedTuple):
    """What can be said of the test images.

    Attributes:
        columns: Column of the table -> the score on resamples; None where they are too few images for one.
        parts: Numbers by class and by size.
    """

    columns: Mapping[str, Resampled | None]
    parts: list[Part]


def detection_resamples(job: Job) -> Resamples:
    """AP at the IoUs of Table 2, as the run's metric has it.

    Raises:
        OSError, ValueError: If the detections cannot be read.
    """
    from mmdetpre.evaluation.detections.detections import Detections
    from mmdetpre.evaluation.voc_ap.resampled import resampled_mean_ap

    run = Detections.load(job.folder / "test" / "results.npz")
    mode = str(_evaluator(job, "VOCIoUMetric").get("eval_mode", "11points"))
    found = resampled_mean_ap(run, image_counts(len(run.names)), (0.5, 0.7), mode=mode)
    columns = {f"ap{iou}": Resampled.of(run.names, found[:, column]) for column, iou in enumerate((50, 70))}
    return Resamples(columns, detection_parts(run, mode))


def segmentation_resamples(job: Job, width: int) -> Resamples:
    """Mean IoU of whole images, in the trimap of a width and outside of it.

    Args:
        job: The run.
        width: In pixels.

    Raises:
        OSError, ValueError: If the predictions or the label maps cannot be read, or the data set is a joined one.
    """
    from mmdetpre.datasets.label_maps.files import read_label_map
    from mmdetpre.evaluation.trimap.counts import count_image
    from mmdetpre.visualization.segmentation_images import images_of_config

    metric, confusion = _evaluator(job, "TrimapIoUMetric"), []
    with _working_in(job.root):  # paths of data are of the folder that the study was started in
        images = images_of_config(_config(job).resolve())
        for i, name in enumerate(images.names):
            predicted = read_label_map(job.folder / "test" / "maps" / f"{name}.png").astype(np.int64)
            counts = count_image(
                images.read_truth(i),
                predicted - images.first_label,
                classes=len(images.classes),
                widths=(width,),
                boundary=str(metric.get("boundary", "void")),
                ignore_index=images.ignore_index,
            )
            tables = np.stack([counts.whole(), counts.inside()[0], counts.outside()[0]])
            right = tables.diagonal(axis1=1, axis2=2)
            confusion.append(np.stack([right, tables.sum(axis=2), tables.sum(axis=1)], axis=1))
    parts, weights = np.stack(confusion), image_counts(len(images.names))
    columns = ("miou", "trimap", "anti_trimap")
    found = {
        column: Resampled.of(images.names, resampled_mean_iou(parts[:, part], weights))
        for part, column in enumerate(columns)
    }
    return Resamples(found, segmentation_parts(images.names, images.classes, parts[:, 0]))


def classification_resamples(job: Job) -> Resamples:
    """Accuracy, under the key ``""``, from the files that `mmdetpre.WriteLabelsHook` wrote.

    Raises:
        OSError, ValueError: If the labels cannot be read.
    """
    from mmdetpre.hooks.write_labels_hook import CLASSES, FILE, read_labels

    labels = read_labels(job.folder / "test" / FILE)
    right = np.array([one.label == one.prediction for one in labels])
    names = [one.image for one in labels]
    columns = {"": Resampled.of(names, resampled_accuracy(right, image_counts(len(right))))}
    classes = read_class_names(job.folder / "test" / CLASSES)
    return Resamples(columns, classification_parts(names, classes, np.array([one.label for one in labels]), right))


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _config(job: Job) -> Path:
    return config_path(job.out, str(job.settings.get("tested", job.id)))


def _evaluator(job: Job, name: str) -> Mapping[str, Any]:
    """The metric of this name in the run's config; empty if there is none."""
    found = read_config(_config(job)).get("test_evaluator") or {}
    metrics = found if isinstance(found, list | tuple) else [found]
    return next((one for one in metrics if str(one.get("type")).endswith(name)), {})
