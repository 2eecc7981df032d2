"""Experiment trackers that the trainings of a study report to, by mmengine's visualizer backends."""

from __future__ import annotations

import copy
import hashlib
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


def with_tracker(
    config: Mapping[str, Any], tracker: str, *, study: str, out: Path, run: str, group: str, digest: str
) -> dict[str, Any]:
    """A config whose training also reports to a tracker. Backends that it has stay.

    Args:
        config: Values of the config.
        tracker: One of `BACKENDS`.
        study: Name of the study: project of Weights & Biases, experiment of MLflow.
        out: Folder of the study. MLflow writes to ``mlruns`` there, unless MLFLOW_TRACKING_URI says otherwise.
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
        address = os.environ.get("MLFLOW_TRACKING_URI") or (out.resolve() / "mlruns").as_uri()
        backend |= {"exp_name": study, "run_name": run, "tracking_uri": address, "tags": {"task": group}}
        backend["tracked_config_keys"] = {}  # thousands of parameters; config.py is an artifact of the run
    found = copy.deepcopy(dict(config))
    visualizer = dict(found.get("visualizer") or {"type": "Visualizer"})
    given = visualizer.get("vis_backends") or [{"type": "LocalVisBackend"}]
    others = [one for one in given if str(one.get("type")).rpartition(".")[2] != backend["type"]]
    visualizer["vis_backends"] = [*others, backend]
    return found | {"visualizer": visualizer}
