"""Experiment trackers that the trainings of a study report to."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from mmengine.registry import VISBACKENDS

from mmdetpre.study.tracker import BACKENDS, open_experiment, require_tracker, with_tracker
from mmdetpre.study.workflow import run_study


def tracked(tracker: str, config: dict[str, Any] = {}, **names: Any) -> dict[str, Any]:  # noqa: B006
    known: dict[str, Any] = dict(study="mine", out=Path("out"), run="det/coco/seed0", group="det", digest="c0ffee")
    found = with_tracker(config, tracker, **known | names)
    backend: dict[str, Any] = found["visualizer"]["vis_backends"][-1]
    return backend


def test_backends_of_the_config_stay_and_none_is_there_twice() -> None:
    given = {"type": "DetLocalVisualizer", "name": "visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}
    config = {"visualizer": given, "model": {"type": "A"}}
    once = with_tracker(config, "tensorboard", study="", out=Path(), run="", group="", digest="")
    assert once["visualizer"]["type"] == "DetLocalVisualizer" and once["model"] == {"type": "A"}
    assert with_tracker(once, "tensorboard", study="", out=Path(), run="", group="", digest="") == once
    assert given["vis_backends"] == [{"type": "LocalVisBackend"}], "what was given is left as it is"
    assert once["visualizer"]["vis_backends"] == [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}]


@pytest.mark.parametrize("tracker", BACKENDS)
def test_mmengine_builds_the_backend(tracker: str, tmp_path: Path) -> None:
    assert type(VISBACKENDS.build({**tracked(tracker), "save_dir": str(tmp_path)})).__name__ == BACKENDS[tracker]


def test_runs_can_be_told_apart_and_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, other = (tracked("wandb", run=f"det/{init}/seed0")["init_kwargs"] for init in ("coco", "mine"))
    assert (one["project"], one["group"], one["name"], other["name"]) == (
        "mine", "det", "det/coco/seed0", "det/mine/seed0",
    )  # fmt: skip
    assert one["id"] == tracked("wandb")["init_kwargs"]["id"] != other["id"] and one["resume"] == "allow"
    assert one["id"] != tracked("wandb", digest="other")["init_kwargs"]["id"], "another config is another run"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = tracked("mlflow", out=tmp_path)
    assert (found["exp_name"], found["run_name"], found["tags"]) == ("mine", "det/coco/seed0", {"task": "det"})
    assert found["tracking_uri"] == f"sqlite:///{tmp_path}/mlflow.db", "MLflow 3 refuses folders"
    assert found["artifact_location"] == (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    found = tracked("mlflow")
    assert found["tracking_uri"] == "http://localhost:5000" and "artifact_location" not in found


class FakeMLflow(ModuleType):
    """Knows one experiment, and no server."""

    class exceptions:
        MlflowException = RuntimeError

    made: ClassVar[list[tuple[str, str, str]]] = []

    class MlflowClient:
        def __init__(self, tracking_uri: str) -> None:
            self.address = tracking_uri

        def get_experiment_by_name(self, name: str) -> str | None:
            if self.address == "http://down":
                raise RuntimeError("no answer")
            return "known" if name == "known" else None

        def create_experiment(self, name: str, artifact_location: str) -> None:
            FakeMLflow.made.append((name, self.address, artifact_location))


def test_the_experiment_of_mlflow_is_made_once_before_all_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", FakeMLflow("mlflow"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("known", "mine"):
        open_experiment("mlflow", name, tmp_path)
    open_experiment("wandb", "other", tmp_path)
    place = tracked("mlflow", out=tmp_path)
    assert FakeMLflow.made == [("mine", place["tracking_uri"], place["artifact_location"])]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://down")
    with pytest.raises(ValueError, match=r"MLflow at http://down cannot be used .no answer.: set MLFLOW_TRACK"):
        open_experiment("mlflow", "mine", tmp_path)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake 9 needs Python 3.11")
def test_a_missing_package_is_one_message(
    write_classifiers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require_tracker(None)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name != "wandb" and found(name, *more) or None)
    study = write_classifiers(tmp_path, tmp_path / "none", {"cls": {}}, tracker="wandb")
    with pytest.raises(ValueError, match="tracker: wandb, whose package is not installed: pip install wandb, or"):
        run_study(study, cores=1)
    assert not (tmp_path / "out").exists()
