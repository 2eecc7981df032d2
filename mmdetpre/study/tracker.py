"""Experiment trackers that the trainings of a study report to, by mmengine's visualizer backends."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BACKENDS = {"tensorboard": "TensorboardVisBackend", "wandb": "WandbVisBackend", "mlflow": "MLflowVisBackend"}
"""Tracker, which is also the name of its package -> the backend."""


def require_tracker(tracker: str | None) -> None:
    """Check that the package of a tracker is there.

    Args:
        tracker: One of `BACKENDS`, or None.

    Raises:
        ValueError: If it is not installed.
    """
    if tracker and importlib.util.find_spec(tracker) is None:
        raise ValueError(
            f"The study has tracker: {tracker}, whose package is not installed: pip install {tracker}, or remove the"
            " key."
        )


def open_experiment(tracker: str | None, study: str, out: Path) -> None:
    """Make the experiment of MLflow before any run: runs that begin at once would each try to. Others need nothing.

    Args:
        tracker: One of `BACKENDS`, or None.
        study: Name of the study.
        out: Its folder.

    Raises:
        ValueError: If MLflow cannot be reached.
    """
    if tracker != "mlflow":
        return
    mlflow: Any = importlib.import_module("mlflow")
    place = _place(study, out)
    try:
        client = mlflow.MlflowClient(tracking_uri=place["tracking_uri"])
        if client.get_experiment_by_name(study) is None:
            client.create_experiment(study, artifact_location=place.get("artifact_location"))
    except mlflow.exceptions.MlflowException as error:
        raise ValueError(
            f"MLflow at {place['tracking_uri']} cannot be used ({error}): set MLFLOW_TRACKING_URI, or remove tracker."
        ) from error


def _place(study: str, out: Path) -> dict[str, Any]:
    """The experiment, and where MLflow keeps it."""
    if address := os.environ.get("MLFLOW_TRACKING_URI"):
        return {"exp_name": study, "tracking_uri": address}
    folder = out.resolve()
    files = (folder / "mlruns").as_uri()
    return {"exp_name": study, "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}", "artifact_location": files}


def with_tracker(
    config: Mapping[str, Any], tracker: str, *, study: str, out: Path, run: str, group: str, digest: str
) -> dict[str, Any]:
    """A config whose training also reports to a tracker. Backends that it has stay.

    Args:
        config: Values of the config.
        tracker: One of `BACKENDS`.
        study: Name of the study: project of Weights & Biases, experiment of MLflow.
        out: Folder of the study. MLflow writes to ``mlflow.db`` and ``mlruns`` there, unless MLFLOW_TRACKING_URI says
            otherwise.
        run: Id of the run, which is its name. TensorBoard names runs by their folders.
        group: Task of the run, as group or tag.
        digest: Of the config: a training that is resumed goes on in its run, one of another config begins a new one.

    Example:
        >>> names = dict(study="mine", run="det/coco/seed0", group="det", digest="c0ffee", out=Path("out"))
        >>> with_tracker({"visualizer": {"type": "Visualizer"}}, "tensorboard", **names)["visualizer"]["vis_backends"]
        [{'type': 'LocalVisBackend'}, {'type': 'TensorboardVisBackend'}]
    """
    backend: dict[str, Any] = {"type": BACKENDS[tracker]}
    if tracker == "wandb":
        identity = hashlib.sha256(f"{out.resolve()}/{run}/{digest}".encode()).hexdigest()[:16]
        init = {"project": study, "name": run, "group": group, "id": identity, "resume": "allow"}
        backend["init_kwargs"] = {**init, "allow_val_change": True}
    elif tracker == "mlflow":
        backend |= {**_place(study, out), "run_name": run, "tags": {"task": group}}
        backend["tracked_config_keys"] = {}  # thousands of parameters; config.py is an artifact of the run
    found = copy.deepcopy(dict(config))
    visualizer = dict(found.get("visualizer") or {"type": "Visualizer"})
    given = visualizer.get("vis_backends") or [{"type": "LocalVisBackend"}]
    others = [one for one in given if str(one.get("type")).rpartition(".")[2] != backend["type"]]
    visualizer["vis_backends"] = [*others, backend]
    return found | {"visualizer": visualizer}
