"""Runs that probe frozen features: conv5 of each start (Table 6), every layer of a detector (Table 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.results.transfer_tables import read_cells
from mmdetpre.study.layout import work_dir
from mmdetpre.study.runs.checkpoints import last_checkpoint, weights_id
from mmdetpre.study.runs.run_folder import Job

TABLE_OF_PROBE = {"linear": ("6", "stored features, linear"), "layers": ("7", ", linear")}


def probe(job: Job) -> dict[str, Any]:
    """Extract, store and probe features.

    Returns:
        Load of the backbone and cells, for the record. Accuracy counts images; k-NN's is in the notes.

    Raises:
        RunFailed: If a command fails.
    """
    settings, start = job.settings, str(job.run["start"])
    images = ["--data-config", settings["data_config"], "--name", start, "--data-name", settings["column"]]
    for key in ("crop", "resize_edge"):
        images += [f"--{key.replace('_', '-')}", str(settings[key])] if settings[key] else []
    if settings["options"]:
        images += ["--data-options", *(f"{key}={value}" for key, value in settings["options"].items())]
    if job.run["kind"] == "linear":
        model, weights, layers = settings["data_config"], settings["backbone"], ["conv5_pooled"]
    else:
        model, weights, layers = settings["model_config"], _detector(job), settings["layers"] or []
    job.claim({"settings": settings, "weights": weights_id(str(weights), job.root)})
    chosen = ["--layers", *layers] if layers else []
    job.tool("analysis_tools/layer_probes.py", model, weights, *images, *chosen, "--out", job.folder)
    table, group = TABLE_OF_PROBE[job.run["kind"]]
    found = read_cells([job.folder / "results"]).cells
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
    metadata = read_features(job.folder / "train").metadata
    load = {key: metadata[f"backbone_{key}"] for key in ("verdict", "digest")} | {"source": metadata["checkpoint"]}
    return {
        "checkpoint": None,
        "load": load,
        "cells": cells,
        "figure": None,
        "notes": ["; ".join(others)] if others else [],
    }


def _detector(job: Job) -> str | Path:
    """Checkpoint of the whole detector."""
    if job.settings["pretraining"]:
        return last_checkpoint(work_dir(job.out, job.settings["pretraining"]))
    return str(job.settings["checkpoint"])
