"""Ground truth and image paths for a run, from the test data of a config."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.metric import ImageResult, image_truth, join_results, settle_plus_one


def annotations_of_config(config: str | Path, options: Mapping[str, Any] | None = None) -> Detections:
    """The images and objects of a config's ``test_dataloader``, as a run without detections.

    Args:
        config: Path of a config.
        options: Values to override, by dotted key.

    Raises:
        FileNotFoundError: If the config or the data are not there.
        ValueError: If the config has no test data, or the data set no annotations.

    Example:
        >>> annotations_of_config("configs/det/sniper_openimages_sample.py").truth  # doctest: +SKIP
    """
    dataset = open_dataset(config, "test", options, scope="mmdet")
    results = []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        truth = image_truth(info)
        if truth is None:
            raise ValueError(f"The data set of {config} has no annotations (image {info['img_path']}).")
        results.append(
            ImageResult(
                name=str(info["img_id"]),
                path=osp.abspath(info["img_path"]),
                size=(int(info.get("width", 0)), int(info.get("height", 0))),
                boxes=np.zeros((0, 4), np.float32),
                scores=np.zeros(0, np.float32),
                labels=np.zeros(0, np.int32),
                truth=truth,
            )
        )
    return join_results(results, dataset.metainfo["classes"], plus_one=settle_plus_one(None, dataset.metainfo))


def with_annotations(run: Detections, annotations: Detections, whose: str) -> Detections:
    """A run with the ground truth and paths of other annotations of the same images.

    Args:
        run: The run; its own ground truth is replaced. Where its boxes and those of the annotations are not measured
            alike (``plus_one``), both become half-open.
        annotations: Of :func:`annotations_of_config`. Images that the run does not have are left out.
        whose: What to call the annotations in messages.

    Raises:
        ValueError: If the classes differ, or images of the run are not among the annotations.
    """
    run.require_classes(annotations.classes, whose)
    place = {name: i for i, name in enumerate(annotations.names)}
    missing = [name for name in run.names if name not in place]
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(run.names)} images of the run are not in {whose}, e.g. '{missing[0]}': give"
            " the config that the run was tested with."
        )
    if run.plus_one != annotations.plus_one:
        run, annotations = run.half_open(), annotations.half_open()
    truth = annotations.ground_truth()
    new_index = np.full(len(annotations.names), -1, np.int32)
    new_index[[place[name] for name in run.names]] = np.arange(len(run.names))
    image = new_index[truth.image]
    rows = np.argsort(image, kind="stable")
    rows = rows[image[rows] >= 0]
    columns = {name: getattr(truth, name)[rows] for name in truth.__dataclass_fields__}
    return replace(
        run,
        paths=tuple((annotations.paths or ())[place[name]] for name in run.names),
        sizes=np.asarray(annotations.sizes)[[place[name] for name in run.names]],
        truth=type(truth)(**(columns | {"image": image[rows]})),
    )
