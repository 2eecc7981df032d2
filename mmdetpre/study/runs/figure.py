"""Runs that draw: Figures 1 to 9 of the paper from what the other runs left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdetpre.analysis.features.batches import CROP
from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.features.spaces import image_root
from mmdetpre.analysis.mask_out.mask_out import MASK, STRIDE
from mmdetpre.analysis.tsne.tsne import PERPLEXITY, THETA
from mmdetpre.study.layout import config_path, work_dir
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.own_files import require_own, write_own

IMAGES = 4
"""Images of Figures 8 and 9, each of another class."""
COLOURED = 10
"""Classes of Figure 7."""


class Drawing(NamedTuple):
    """How a figure is made.

    Attributes:
        title: In the report.
        caption: In the report, after the title of the task.
        tool: Command line tool.
        arguments: Gives the tool's arguments, without the files to write.
        data: Suffix of the numbers that it writes beside the picture, or None.
    """

    title: str
    caption: str
    tool: str
    arguments: Callable[[Job], list[str | Path]]
    data: str | None


def draw_figure(job: Job) -> dict[str, Any]:
    """Draw one figure.

    Returns:
        The figure's files and captions, for the record.

    Raises:
        FileExistsError: If the folder of the figures holds one of a user's own of this name.
        RunFailed: If the tool fails.
    """
    number = job.settings["number"]
    drawing = DRAWINGS[number]
    folder, name = job.out / "figures", f"figure_{number}"
    names = [f"{name}.png", *([f"{name}{drawing.data}"] if drawing.data else [])]
    require_own(folder, names)
    job.folder.mkdir(parents=True, exist_ok=True)
    picture, *numbers = (job.folder / file for file in names)
    files: list[str | Path] = ["--plot", picture, "--out", *numbers] if numbers else ["--out", picture]
    job.tool(drawing.tool, *drawing.arguments(job), *files, "--force")
    write_own(folder, {file.name: read_bounded(file, GIB) for file in (picture, *numbers)})
    caption = f"{job.settings['title']}: {drawing.caption}"
    figure = {
        "number": str(number),
        "title": drawing.title,
        "caption": caption,
        "image": f"figures/{picture.name}",
        "data": f"figures/{numbers[0].name}" if numbers else None,
    }
    return {"checkpoint": None, "load": None, "cells": [], "figure": figure, "notes": []}


def _named(names: Mapping[str, str | Path], flag: str = "--run") -> list[str | Path]:
    return [f"{flag}={name}={value}" for name, value in names.items()]  # one word: a name may begin with a dash


def _results(suffix: str) -> Callable[[Job], list[str | Path]]:
    """Files that the tests of the runs left."""

    def arguments(job: Job) -> list[str | Path]:
        tests = {name: work_dir(job.out, run) / "test" for name, run in job.settings["runs"].items()}
        return _named({name: test / suffix for name, test in tests.items()})

    return arguments


def _features(job: Job) -> list[str | Path]:
    folders = {name: work_dir(job.out, run) / "test" for name, run in job.settings["runs"].items()}
    return [*_named(folders), "--layer", "conv5_pooled"]


def _few_pairs(job: Job) -> list[str | Path]:
    """With few images the numbers of clusters of the paper would be one image each."""
    images = len(read_features(job.root / job.settings["images"]))
    close, distant = max(4, min(1001, images // 10)), 4
    return [*_features(job), *_clusters(job), "--close-k", str(close), "--distant-k", str(distant)]


def _agreement(job: Job) -> list[str | Path]:
    images = len(read_features(job.root / job.settings["images"]))
    steps = np.unique(np.geomspace(2, max(4, min(1000, images // 3)), 12).round().astype(int))
    return [*_features(job), *_clusters(job), "--k", *map(str, steps)]


def _clusters(job: Job) -> list[str | Path]:
    return ["--clusters", job.out / "clusters", "--threads", str(job.threads)]


def _tsne(job: Job) -> list[str | Path]:
    features = read_features(job.root / job.settings["images"])
    perplexity = min(PERPLEXITY, (len(features) - 1) // 3)
    classes = ["--classes", str(min(COLOURED, len(np.unique(features.labels)))), "--choice", "apart"]
    return [*_features(job), *classes, "--perplexity", str(perplexity), "--theta", str(THETA)]


def _one_per_class(job: Job) -> list[str | Path]:
    """The first image of each of some classes."""
    features = read_features(job.root / job.settings["images"])
    labels = np.unique(features.labels)[:IMAGES]
    rows = [int(np.flatnonzero(features.labels == label)[0]) for label in labels]
    return [image_root(features) / features.images[row] for row in rows]


def _sizes(job: Job) -> list[str | Path]:
    return ["--resize-edge", str(job.settings["resize_edge"])] if job.settings["resize_edge"] else []


def _activations(job: Job) -> list[str | Path]:
    config = job.settings["data_config"]
    models = {name: f"{config},{file}" for name, file in job.settings["backbones"].items()}
    return [*_one_per_class(job), *_named(models, "--model"), *_sizes(job)]


def _masked(job: Job) -> list[str | Path]:
    folders = {name: work_dir(job.out, run) for name, run in job.settings["runs"].items()}
    crop = job.settings["crop"] or CROP
    square = ["--crop", crop, "--mask", round(MASK * crop / CROP), "--stride", max(4, round(STRIDE * crop / CROP))]
    return [*_named(folders, "--probe"), "--choose", str(IMAGES), *_sizes(job), *map(str, square)]


def _maps(job: Job) -> list[str | Path]:
    first = next(iter(job.settings["runs"].values()))
    return [
        *_results("maps")(job),
        "--config",
        config_path(job.out, first),
        "--largest-difference",
        str(IMAGES),
    ]


def _boxes(job: Job) -> list[str | Path]:
    """Boxes from a score of 0.5 on; where the runs have fewer such boxes than objects, so many as there are objects."""
    from mmdetpre.evaluation.detections.detections import Detections

    tests = [work_dir(job.out, run) / "test" / "results.npz" for run in job.settings["runs"].values()]
    runs = [Detections.load(file) for file in tests]
    objects = sum(int((~run.ground_truth().not_counted).sum()) for run in runs)
    scores = np.sort(np.concatenate([run.scores for run in runs]))[::-1][:objects]
    least = min(0.5, math.floor(100 * scores.min(initial=1)) / 100)
    return [*_results("results.npz")(job), "--largest-difference", "6", "--score-thr", f"{least:g}"]


DRAWINGS: Mapping[int, Drawing] = {
    1: Drawing(
        "mAP over the IoU threshold", "one curve per start, first seed.", "analysis_tools/iou_sweep.py",
        _results("results.json"), ".json",
    ),
    2: Drawing(
        "Detections of two starts", "images where they differ most, first seed.",
        "visualization/compare_detections.py", _boxes, None,
    ),
    3: Drawing(
        "Segmentations of two starts", "images where they differ most, first seed.",
        "visualization/compare_segmentations.py", _maps, None,
    ),
    4: Drawing(
        "mIoU near boundaries and away from them", "over the width of the trimap, first seed.",
        "analysis_tools/trimap_curves.py", _results("results.json"), ".json",
    ),
    5: Drawing(
        "Closest pairs", "pairs of test images closest in either space, and close in one but distant in the other.",
        "analysis_tools/closest_pairs.py", _few_pairs, ".json",
    ),
    6: Drawing(
        "Cluster agreement", "test images that share a cluster in one space and in the other.",
        "analysis_tools/cluster_agreement.py", _agreement, ".json",
    ),
    7: Drawing(
        "t-SNE of average-pooled conv5",
        "test images; coloured are classes that lie far apart in all spaces.", "analysis_tools/tsne.py", _tsne, ".csv",
    ),
    8: Drawing(
        "Activations of conv5", "mean over the channels, before any fine-tuning.",
        "visualization/activation_maps.py", _activations, ".csv",
    ),
    9: Drawing(
        "Probability of the correct class under a mask",
        "linear classifiers on the frozen backbones; test images that all of them classify correctly.",
        "visualization/mask_out.py", _masked, ".json",
    ),
}  # fmt: skip
