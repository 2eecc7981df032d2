"""Runs that probe frozen features: conv5 of each initialization (Table 6), every layer of a detector (Table 7)."""

from __future__ import annotations

import numpy as np

from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.probes.scores import read_probe
from mmdetpre.evaluation.bootstrap.resampled import Resampled, image_counts, resampled_accuracy
from mmdetpre.results.transfer_tables import read_cells
from mmdetpre.study.kinds import KINDS
from mmdetpre.study.layout import work_dir
from mmdetpre.study.records import Cell, Part
from mmdetpre.study.runs.checkpoints import last_checkpoint, weights_id
from mmdetpre.study.runs.parts import classification_parts
from mmdetpre.study.runs.result import BackboneLoad, RunResult
from mmdetpre.study.runs.run_folder import Job


def probe(job: Job) -> RunResult:
    """Extract, store and probe features.

    Returns:
        Load of the backbone and cells, for the record. Accuracy counts images; k-NN's is in the notes.

    Raises:
        RunFailed: If a command fails.
    """
    settings, kind = job.settings, KINDS[job.kind]
    images = ["--data-config", settings["data_config"], "--name", job.init, "--data-name", settings["column"]]
    for key in ("crop", "resize_edge"):
        images += [f"--{key.replace('_', '-')}", str(settings[key])] if settings[key] else []
    if settings["options"]:
        images += ["--data-options", *(f"{key}={value}" for key, value in settings["options"].items())]
    model, weights, layers = settings["data_config"], settings["backbone"], ["conv5_pooled"]
    if kind.of_detector:
        model, layers = settings["model_config"], settings["layers"] or []
        if settings["pretraining"]:
            weights = str(last_checkpoint(work_dir(job.out, settings["pretraining"])))
    job.claim({"settings": settings, "weights": weights_id(weights, job.root)})
    chosen = ["--layers", *layers] if layers else []
    job.tool("analysis_tools/layer_probes.py", model, weights, *images, *chosen, "--out", job.folder)
    found = [cell for cell in read_cells([job.folder / "results"]).cells if cell.table == kind.table]
    group = job.init if kind.of_detector else ""
    test = read_features(job.folder / "test")
    cells = tuple(
        Cell(cell.table, group, cell.row, cell.column, cell.value, cell.low, cell.high, _resampled(cell.source, test))
        for cell in found
        if cell.group.endswith(", linear")
    )
    knn = "; ".join(f"k-NN {cell.row}: {cell.value:.1f}" for cell in found if cell.group.endswith("k-NN"))
    metadata = read_features(job.folder / "train").metadata
    load = BackboneLoad(metadata["backbone_verdict"], metadata["backbone_digest"], metadata["checkpoint"])
    sources = [cell.source for cell in found if cell.group.endswith(", linear")]
    parts = _parts(sources[0], test) if len(sources) == 1 else []  # of one layer
    return RunResult(load=load, cells=cells, notes=(knn,) if knn else (), parts=tuple(parts))


def _right(path: str, test: FeatureFile) -> np.ndarray | None:
    """(n,) how often a stored linear probe classifies each test image right, as a part; None if it does not say."""
    right = np.array(getattr(read_probe(path), "right", ()))
    return right if len(right) == len(test.images) else None


def _resampled(path: str, test: FeatureFile) -> Resampled | None:
    """The accuracy of a stored linear probe on resamples of its test images."""
    right = _right(path, test)
    return None if right is None else Resampled.of(test.images, resampled_accuracy(right, image_counts(len(right))))


def _parts(path: str, test: FeatureFile) -> list[Part]:
    """Its accuracy by class."""
    right = _right(path, test)
    return [] if right is None else classification_parts(test.images, test.classes, test.labels, right)
