"""What is timed for a study, and what follows for its runs."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from mmdetpre.study import expected_time, step_times
from mmdetpre.study.expected_time import at_a_time, expect
from mmdetpre.study.plan import PlannedRun, make_plan, write_plan
from mmdetpre.study.records import read_outcome
from mmdetpre.study.spec import Study, read_study
from mmdetpre.study.step_times import NOT_BUILT, StepTimes, expected_seconds, groups, time_runs

CLASSES = "configs/cls/caltech256_sample.py"
TIMES = StepTimes(begin=2.0, step=0.5, steps=100, image=0.1, images=20, train_images=80)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A classifier on all and a tenth of the labels, frozen and not, its probe, and a detector as pre-training."""
    task = {"kind": "classification", "config": CLASSES, "scratch_config": CLASSES}
    content = {
        "name": "timed",
        "out": str(tmp_path / "out"),
        "seeds": [0, 1],
        "inits": {
            "scratch": None,
            "own": {"checkpoint": "a.pth"},
            "coco": {"toolbox": "mmdet", "config": "configs/det/sniper_coco_sample.py"},
        },
        "tasks": {
            "cls": task | {"fractions": [0.1, 1.0], "trainable_stages": ["all", 0]},
            "cls_linear": {"kind": "linear", "data_config": CLASSES},
        },
        "figures": [],
    }
    (tmp_path / "study.yaml").write_text(json.dumps(content))
    return read_study(tmp_path / "study.yaml")


def test_one_run_is_timed_for_all_that_differ_in_weights_labels_or_what_is_trained(study: Study) -> None:
    plan = make_plan(study)
    wanted = groups(study, plan)
    assert {name: run.id for name, run in wanted.items()} == {
        "pretraining/coco": "pretraining/coco",
        "cls": "cls/own/seed0",
    }
    seconds = expected_seconds(study, plan, {"cls": TIMES})
    assert seconds["cls/scratch/seed1"] == seconds["cls_frozen/own/seed0"] == 2 * 2 + 50 + 2
    assert seconds["cls_10pct/own/seed0"] == pytest.approx(2 * 2 + 5 + 2)
    assert seconds["cls_linear/own"] == 2 + 100 * 0.1
    assert "pretraining/coco" not in seconds and "pretraining_test/coco" not in seconds
    seconds = expected_seconds(study, plan, {"pretraining/coco": TIMES})
    assert seconds == {"pretraining/coco": 2 + 50, "pretraining_test/coco": 2 + 2}
    assert str(TIMES) == "0.5 s a step, 100 steps; 0.1 s a test image, 20 images: 56 s a run"


def test_a_study_says_its_time_and_notes_it(study: Study, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked: list[list[str]] = []

    def time_runs(runs: dict[str, PlannedRun], threads: int) -> tuple[dict[str, StepTimes], dict[str, str]]:
        asked.append(list(runs))
        return {"cls": TIMES}, {"pretraining/coco": "no data"}

    monkeypatch.setattr(expected_time, "time_runs", time_runs)
    monkeypatch.setattr(expected_time, "at_a_time", lambda study, cores: 2)
    plan = make_plan(study)
    write_plan(study, plan)
    said = expect(study, plan, 2)
    assert asked == [["pretraining/coco", "cls"]]
    assert said.startswith("more than ") and said.endswith("(2 runs are of kinds that were not timed yet)")
    printed = capsys.readouterr().out
    assert "study: cls: 0.5 s a step, 100 steps" in printed and "pretraining/coco: not timed: no data" in printed
    assert read_outcome(study.out).seconds["cls/own/seed0"] == 56
    expect(study, plan, 2)
    assert asked[1:] == [["pretraining/coco"]], "what was timed is known, until its config changes"
    plan["cls/own/seed0"].settings["config_digest"] = "another"
    expect(study, plan, 2)
    assert asked[2:] == [["pretraining/coco", "cls"]]
    expect(study, plan, 2, timing=False)
    assert len(asked) == 3
    (study.out / "times.json").write_text("{")
    assert any("times.json is damaged" in problem for problem in read_outcome(study.out).problems)
    expect(study, plan, 2)
    assert not read_outcome(study.out).problems or "times.json" not in str(read_outcome(study.out).problems)


@pytest.mark.parametrize("code", [1, NOT_BUILT])
def test_why_a_training_is_not_timed(study: Study, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fails(words: list[str], *, log: int, **_: Any) -> int:
        os.write(log, b"other lines\ntime_steps: KeyError: 'depth'\n")
        return code

    monkeypatch.setattr(step_times, "run_command", fails)
    monkeypatch.setattr(step_times, "warm_start", nullcontext)
    runs = {"cls": make_plan(study)["cls/own/seed0"]}
    if code != NOT_BUILT:
        assert time_runs(runs, 1) == ({}, {"cls": "KeyError: 'depth'"})
        return
    with pytest.raises(ValueError, match="cls: configs/cls/caltech256_sample.py: KeyError: 'depth'"):
        time_runs(runs, 1)


def test_as_many_runs_as_there_are_cores_for(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert (at_a_time(study, 4), at_a_time(study, 0)) == (4, 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert at_a_time(study, 4) == 1
