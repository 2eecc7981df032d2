"""What ``study init`` says of time, and how a budget changes what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmdetpre.study.custom_data import study_time
from mmdetpre.study.custom_data.detection_data import DetectionData
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.spec import read_study
from mmdetpre.study.step_times import StepTimes


def noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)).save(path)


def boxes(folder: Path) -> Path:
    """A COCO file of ten photos with a cat each."""
    for number in range(10):
        noise(folder / "images" / f"{number}.jpg", 100 + number)
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 64, "height": 48} for i in range(10)]
    cats = [{"id": i, "image_id": i, "category_id": 1, "bbox": [8, 8, 30, 30], "iscrowd": 0} for i in range(10)]
    file = folder / "cats.json"
    file.write_text(json.dumps({"images": images, "annotations": cats, "categories": [{"id": 1, "name": "cat"}]}))
    return file


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Function that writes a study of both kinds of data whose steps take a second each, on one core."""
    monkeypatch.setattr(study_time, "at_a_time", lambda study, cores: 1)
    problems: dict[str, str] = {}

    def time_runs(runs: dict[str, Any], threads: int, most: float) -> tuple[dict[str, StepTimes], dict[str, str]]:
        (next(tmp_path.glob(".study.*/study/data")) / ".mmdetpre").mkdir()  # as data sets do that are timed
        steps = {name: run.config["train_cfg"]["max_epochs"] for name, run in runs.items()}
        return {n: StepTimes(1.0, 1.0, s, 0.1, 10, 10) for n, s in steps.items() if n not in problems}, problems

    monkeypatch.setattr(study_time, "time_runs", time_runs)
    data = {"det": [DetectionData(boxes(tmp_path))], "cls": tmp_path / "pets"}
    for number in range(12):
        noise(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)

    def init(**settings: Any) -> str:
        problems.update(settings.pop("problems", {}))
        return init_study(Settings(tmp_path / "study", **{**data, "model": "sample", "timing": True, **settings}))

    return init


def epochs_of(folder: Path) -> dict[str, int]:
    return {name: Config.fromfile(folder / f"study/configs/{name}.py").max_epochs for name in ("own_det", "own_cls")}


def test_the_time_is_said_before_anything_starts(timed: Any, tmp_path: Path) -> None:
    text = timed()
    epochs = epochs_of(tmp_path)
    seconds = {name: 2 + steps + 1 for name, steps in epochs.items()}
    assert f"Time: about {(3 * sum(seconds.values())) // 60}:" in text and " for 6 of " in text
    assert f"  own_det: 1 s a step, {epochs['own_det']} steps; 0.1 s a test image, 10 images" in text
    assert "(a few steps of each training were timed now)" in text and "not timed: figures/" in text
    assert not (tmp_path / "study/data/.mmdetpre").exists(), "tables that name the folder that was timed in"


def test_a_budget_is_kept_and_said(timed: Any, tmp_path: Path) -> None:
    text = timed(budget="2m")
    assert "Budget 2m: own_det " in text and "epochs instead of " in text
    epochs, study = epochs_of(tmp_path), read_study(tmp_path / "study/study.yaml")
    assert len(study.seeds) * sum(3 + one for one in epochs.values()) <= 0.85 * 120
    assert study.tasks["own_det"].options["train_cfg.val_begin"] == epochs["own_det"] + 1


def test_a_budget_too_small_for_anything_writes_nothing(timed: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"--budget is 10 s, and the least takes about .* Give --budget \d+m, or leave out data"
    ):
        timed(budget="10s")
    with pytest.raises(ValueError, match=r"own_cls was not timed: it broke\. Leave --budget out"):
        timed(budget="1h", problems={"own_cls": "it broke"})
    with pytest.raises(ValueError, match="--budget is 'soon': give a time such as 45m"):
        timed(budget="soon")
    assert not (tmp_path / "study").exists() and not list(tmp_path.glob(".study*"))


def test_a_model_for_gpus_is_not_timed_on_a_cpu(timed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    text = timed(model="paper", seeds=1, timing=False)
    assert text.count(" h a run, 1 run") == 2 and "s a test image" not in text and "hours" not in text
    assert "(by steps measured on one core of another machine, without tests)" in text and " h for 2 of " in text
    with pytest.raises(ValueError, match="the least takes about"):
        monkeypatch.setattr(study_time, "FEWEST", 0.5)
        init_study(Settings(tmp_path / "other", cls=tmp_path / "pets", model="paper", budget="1h"))
