"""Runs that probe frozen features: conv5 of each start (Table 6), every layer of a detector (Table 7)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdetpre.analysis.feature_file import read_features
from mmdetpre.analysis.transfer_tables import read_cells
from mmdetpre.study.plan import work_dir
from mmdetpre.study.training_job import last_checkpoint

if TYPE_CHECKING:
    from mmdetpre.study.job import Job

TABLE_OF_PROBE = {"linear": ("6", "stored features, linear"), "layers": ("7", ", linear")}


def probe(job: Job) -> dict[str, Any]:
    """Extract, store and probe features.

    Returns:
        Load of the backbone and cells, for the record. Accuracy counts images; k-NN's is in the notes.

    Raises:
        RunFailed: If a command fails.
    """
    settings, start = job.settings, str(job.run["start"])
    if job.folder.exists():  # of other weights or settings: features are cheap, and what is the same is made again
        shutil.rmtree(job.folder)
    images = ["--data-config", settings["data_config"], "--name", start, "--data-name", settings["column"]]
    for key in ("crop", "resize_edge"):
        images += [f"--{key.replace('_', '-')}", str(settings[key])] if settings[key] else []
    if settings["options"]:
        images += ["--data-options", *(f"{key}={value}" for key, value in settings["options"].items())]
    layers = ["--layers", *settings["layers"]] if settings["layers"] else []
    if job.run["kind"] == "linear":
        _linear(job, images)
        results, train = job.folder / "results", job.folder / "train"
    else:
        job.tool(
            "analysis_tools/layer_probes.py", settings["model_config"], _detector(job), *images, *layers, "--out",
            job.folder,
        )  # fmt: skip
        results, train = job.folder / "results", job.folder / "train"
    table, group = TABLE_OF_PROBE[job.run["kind"]]
    found, _ = read_cells([results])
    cells = [
        {
            "table": table,
            "group": start if table == "7" else "",
            "row": cell.row,
            "column": cell.column,
            "value": cell.value,
            "low": cell.low,
            "high": cell.high,
        }
        for cell in found
        if cell.table == table and cell.group.endswith(group)
    ]
    others = [
        f"k-NN {cell.row}: {cell.value:.1f}" for cell in found if cell.table == table and cell.group.endswith("k-NN")
    ]
    metadata = read_features(train).metadata
    load = {key: metadata[f"backbone_{key}"] for key in ("verdict", "digest")} | {"source": metadata["checkpoint"]}
    return {
        "checkpoint": None,
        "load": load,
        "cells": cells,
        "figure": None,
        "notes": ["; ".join(others)] if others else [],
    }


def _linear(job: Job, images: list[str]) -> None:
    settings = job.settings
    data, backbone = settings["data_config"], settings["backbone"]
    for part in ("train", "test"):
        job.tool(
            "analysis_tools/extract_features.py", data, backbone, "--layers", "conv5_pooled", "--split", part, *images,
            "--out", job.folder / part,
        )  # fmt: skip
    for name in ("linear", "knn"):
        job.tool(
            f"analysis_tools/{name}_probe.py", job.folder / "train", job.folder / "test", "--layer", "conv5_pooled",
            "--out", job.folder / "results" / f"conv5_pooled_{name}.json",
        )  # fmt: skip


def _detector(job: Job) -> str | Path:
    """Checkpoint of the whole detector."""
    if job.settings["pretraining"]:
        return last_checkpoint(work_dir(job.out, job.settings["pretraining"]))
    return str(job.settings["checkpoint"])
