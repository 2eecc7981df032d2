"""Runs that draw the figures of the paper from what the other runs left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmdetpre.analysis.features.batches import CROP
from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.features.spaces import image_root
from mmdetpre.analysis.mask_out.mask_out import MASK, STRIDE
from mmdetpre.analysis.tsne.tsne import PERPLEXITY, THETA
from mmdetpre.study.figures import FIGURES, GAINS, IMAGES
from mmdetpre.study.kinds import KINDS, function
from mmdetpre.study.layout import config_path, work_dir
from mmdetpre.study.runs.result import FigureFiles, RunResult
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.utils.bounded_files import GIB, read_bounded
from mmdetpre.utils.own_files import require_own, write_own

SHOWN = 4
"""Images of Figures 8 and 9, each of another class."""
EXTREMES = 3
"""Images of the greatest gains, and of the greatest losses."""
COLORED = 10
"""Classes of Figure 7."""


def draw_figure(job: Job) -> RunResult:
    """Draw one figure.

    Returns:
        The figure's files and captions, for the record.

    Raises:
        FileExistsError: If the folder of the figures holds one of a user's own of this name.
        RunFailed: If the tool fails.
    """
    settings, number = job.settings, job.settings["number"]
    if number == IMAGES:  # keys hold no point, so the name is of this run alone
        figure, name = GAINS[settings["kind"]], f"{IMAGES}.{settings['task']}.{settings['init']}"
    else:
        figure, name = FIGURES[number], f"figure_{number}"
    base, *others = settings["runs"]
    title = figure.title.format(init=others[0], base=base) if number == IMAGES else figure.title
    folder = job.out / "figures"
    names = [f"{name}{figure.suffix}", *([f"{name}{figure.data}"] if figure.data else [])]
    require_own(folder, names)
    job.folder.mkdir(parents=True, exist_ok=True)
    picture, *data = (job.folder / file for file in names)
    files: list[str | Path] = ["--plot", picture, "--out", *data] if data else ["--out", picture]
    arguments = function(f"figure:{figure.arguments}")(job)
    job.tool(figure.tool, *arguments, *files, "--force")
    write_own(folder, {file.name: read_bounded(file, GIB) for file in (picture, *data)})
    caption = f"{settings['title']}: {figure.caption}"
    image, table = f"figures/{picture.name}", f"figures/{data[0].name}" if data else None
    return RunResult(figure=FigureFiles(str(number), title, caption, image, table))


def _named(names: Mapping[str, str | Path], flag: str = "--run") -> list[str | Path]:
    return [f"{flag}={name}={value}" for name, value in names.items()]  # one word: a name may begin with a dash


def _folders(job: Job, name: str = "") -> dict[str, str | Path]:
    """The folders of the runs, or what lies there."""
    return {title: work_dir(job.out, run) / name for title, run in job.settings["runs"].items()}


def _tests(job: Job, name: str = "") -> dict[str, str | Path]:
    """What the tests of the runs left: a file, or the folders."""
    return _folders(job, f"test/{name}")


def scores(job: Job) -> list[str | Path]:
    """Arguments of Figures 1 and 4."""
    return _named(_tests(job, "results.json"))


def _features(job: Job) -> list[str | Path]:
    return [*_named(_tests(job)), "--layer", "conv5_pooled"]


def _images(job: Job) -> FeatureFile:
    return read_features(job.root / job.settings["images"])


def _clusters(job: Job) -> list[str | Path]:
    return ["--clusters", job.out / "clusters", "--threads", str(job.threads)]


def pairs(job: Job) -> list[str | Path]:
    """Arguments of Figure 5. With few images the numbers of clusters of the paper would be one image each."""
    close, distant = max(4, min(1001, len(_images(job)) // 10)), 4
    return [*_features(job), *_clusters(job), "--close-k", str(close), "--distant-k", str(distant)]


def agreement(job: Job) -> list[str | Path]:
    """Arguments of Figure 6."""
    steps = np.unique(np.geomspace(2, max(4, min(1000, len(_images(job)) // 3)), 12).round().astype(int))
    return [*_features(job), *_clusters(job), "--k", *map(str, steps)]


def tsne(job: Job) -> list[str | Path]:
    """Arguments of Figure 7."""
    features = _images(job)
    perplexity = min(PERPLEXITY, (len(features) - 1) // 3)
    classes = ["--classes", str(min(COLORED, len(np.unique(features.labels)))), "--choice", "apart"]
    return [*_features(job), *classes, "--perplexity", str(perplexity), "--theta", str(THETA)]


def _sizes(job: Job) -> list[str | Path]:
    return ["--resize-edge", str(job.settings["resize_edge"])] if job.settings["resize_edge"] else []


def activations(job: Job) -> list[str | Path]:
    """Arguments of Figure 8: the first image of each of some classes."""
    features = _images(job)
    rows = [int(np.flatnonzero(features.labels == label)[0]) for label in np.unique(features.labels)[:SHOWN]]
    images = [image_root(features) / features.images[row] for row in rows]
    config = job.settings["data_config"]
    models = {name: f"{config},{file}" for name, file in job.settings["backbones"].items()}
    return [*images, *_named(models, "--model"), *_sizes(job)]


def masked(job: Job) -> list[str | Path]:
    """Arguments of Figure 9."""
    crop = job.settings["crop"] or CROP
    square = ["--crop", crop, "--mask", round(MASK * crop / CROP), "--stride", max(4, round(STRIDE * crop / CROP))]
    return [*_named(_folders(job), "--probe"), "--choose", str(SHOWN), *_sizes(job), *map(str, square)]


def maps(job: Job) -> list[str | Path]:
    """Arguments of Figure 3."""
    return [*_maps(job), "--largest-difference", str(SHOWN)]


def gained_maps(job: Job) -> list[str | Path]:
    """Arguments of the images in which one initialization segments better, and worse."""
    return [*_maps(job), "--gains-and-losses", str(EXTREMES)]


def _maps(job: Job) -> list[str | Path]:
    config = config_path(job.out, next(iter(job.settings["runs"].values())))
    return [*_named(_tests(job, "maps")), "--config", config]


def gained_labels(job: Job) -> list[str | Path]:
    """Arguments of the images that one initialization classifies right and the other wrong, and the reverse."""
    runs = _tests(job) if KINDS[job.settings["kind"]].labels else _folders(job)
    return [*_named(runs), "--gains-and-losses", str(EXTREMES)]


def boxes(job: Job) -> list[str | Path]:
    """Arguments of Figure 2."""
    return [*_boxes(job), "--largest-difference", "6"]


def gained_boxes(job: Job) -> list[str | Path]:
    """Arguments of the images in which one initialization finds more objects, and fewer."""
    return [*_boxes(job), "--gains-and-losses", str(EXTREMES)]


def _boxes(job: Job) -> list[str | Path]:
    """Boxes from a score of 0.5 on, or as many as there are objects where fewer have it."""
    from mmdetpre.evaluation.detections.detections import Detections

    files = _tests(job, "results.npz")
    runs = [Detections.load(file) for file in files.values()]
    objects = sum(int((~run.ground_truth().not_counted).sum()) for run in runs)
    highest = np.sort(np.concatenate([run.scores for run in runs]))[::-1][:objects]
    least = min(0.5, math.floor(100 * highest.min(initial=1)) / 100)
    return [*_named(files), "--score-thr", f"{least:g}"]
