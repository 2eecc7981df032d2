"""What is read of a study's folder, and what is named where it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdetpre.study import records
from mmdetpre.study.records import read_outcome


def test_a_whole_study(fake_study) -> None:
    outcome = read_outcome(fake_study.out)
    assert list(outcome.inits) == ["scratch", "imagenet_cls", "coco", "openimages"]
    assert outcome.reference == "imagenet_cls" and outcome.title_of_init("coco") == "COCO"
    assert [run.id for run in outcome.in_state("failed")] == [
        "pretraining/openimages",
        "voc_detection/scratch/seed2",
        "figures/5",
    ]
    run = outcome.runs["voc_detection/coco/seed1"]
    assert (run.state, run.task, run.init, run.seed, run.needs) == (
        "done",
        "voc_detection",
        "coco",
        1,
        ("pretraining/coco",),
    )
    assert [(cell.table, cell.row, cell.column, cell.value) for cell in run.cells][:2] == [
        ("2", "coco", "ap50", 64.0),
        ("2", "coco", "ap70", 49.0),
    ]
    assert outcome.runs["voc_detection/openimages/seed0"].state == "not run"
    assert outcome.problems == []


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no .*study.json: give the folder of a study"):
        read_outcome(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "its format is 'list', expected 'mmdetpre.study/1'"),
        ('{"format": "mmdetpre.study/2"}', "its format is 'mmdetpre.study/2'"),
        ('{"format": "mmdetpre.study/1", "starts": {}, "tasks": {}}', "there is no 'runs'"),
        (
            '{"format": "mmdetpre.study/1", "starts": [], "tasks": {}, "runs": {}}',
            "starts is [], expected keys with values",
        ),
        ('{"format": "mmdetpre.study/1", "starts": {}, "tasks": {}, "runs": {"a": {}}}', "there is no 'task'"),
    ],
)
def test_a_damaged_plan_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(ValueError, match="is not the plan of a study .*: start the study again") as raised:
        read_outcome(tmp_path)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"format": "mmdetpre.study.run/1", "run"', "Expecting"),
        ("[1]", "its format is 'list'"),
        ('{"format": "mmdetpre.study.failure/1"}', "expected 'mmdetpre.study.run/1'"),
        ('{"format": "mmdetpre.study.run/1", "run": "other"}', "it is of the run 'other'"),
        ('{"format": "mmdetpre.study.run/1", "run": "RUN", "cells": [{"table": "2"}]}', "there is no 'row'"),
        ('{"format": "mmdetpre.study.run/1", "run": "RUN", "cells": [1]}', "cells[0] is 1, expected keys with values"),
        (
            '{"format": "mmdetpre.study.run/1", "run": "RUN", "cells": [{"table": "2", "row": "a", "column": "b",'
            ' "value": "39"}]}',
            "cells[0].value is '39', expected a number",
        ),
        ('{"format": "mmdetpre.study.run/1", "run": "RUN", "figure": {"title": "no number"}}', "there is no 'number'"),
        ("\udcff", "utf-8"),
    ],
)
def test_a_damaged_record_is_named_and_the_others_are_read(text: str, why: str, fake_study) -> None:
    name = "voc_detection/coco/seed0"
    path = fake_study.out / "records" / f"{name}.json"
    path.write_text(text.replace("RUN", name), encoding="utf-8", errors="surrogateescape")
    outcome = read_outcome(fake_study.out)
    (problem,) = outcome.problems
    assert problem.startswith(f"records/{name}.json is damaged (") and why in problem
    assert problem.endswith("remove it and run the study again.")
    assert outcome.runs[name].state == "record damaged" and outcome.runs[name].cells == ()
    assert outcome.runs["voc_detection/coco/seed1"].state == "done"


def test_runs_that_are_not_in_the_plan(fake_study) -> None:
    fake_study.record("voc_detection/coco/seed9", {("2", "coco", "ap50"): 99.0})
    fake_study.failure("voc_detection/gone/seed0")
    outcome = read_outcome(fake_study.out)
    assert outcome.problems == [
        "failed/voc_detection/gone/seed0.json is of a run that is not in the plan: it is not counted.",
        "records/voc_detection/coco/seed9.json is of a run that is not in the plan: it is not counted.",
    ]
    assert "voc_detection/coco/seed9" not in outcome.runs


def test_a_record_beside_a_failure(fake_study) -> None:
    fake_study.failure("voc_detection/coco/seed0")
    outcome = read_outcome(fake_study.out)
    assert outcome.runs["voc_detection/coco/seed0"].state == "done"
    assert outcome.problems == ["voc_detection/coco/seed0 has a record and a failure: the record is shown."]


def test_numbers_that_are_none(fake_study) -> None:
    name = "voc_detection/coco/seed0"
    fake_study.record(name, {("2", "coco", "ap50"): float("nan"), ("2", "coco", "ap70"): None})
    assert [cell.value for cell in read_outcome(fake_study.out).runs[name].cells] == [None, None]


def test_half_an_interval_is_none(fake_study) -> None:
    name = "linear/caltech256/coco"
    fake_study.record(name, {("6", "coco", "caltech256"): (53.0, 47.0, None)})
    (cell,) = read_outcome(fake_study.out).runs[name].cells
    assert (cell.value, cell.low, cell.high) == (53.0, None, None)


def test_seeds_from_other_weights_are_named(fake_study) -> None:
    name = "voc_detection/coco/seed1"
    load = {"verdict": "complete", "digest": "0123456789abcdef", "source": "b.pth"}
    fake_study.record(name, {("2", "coco", "ap50"): 64.0}, load=load)
    assert read_outcome(fake_study.out).problems == [
        "The runs of voc_detection from coco did not start from the same backbone (voc_detection/coco/seed0,"
        " voc_detection/coco/seed2: coco-digest; voc_detection/coco/seed1: 0123456789ab)."
    ]


@pytest.mark.parametrize("content", [None, "{", {"format": "mmdetpre.study.data/1", "data": [{"key": "voc"}]}])
def test_missing_and_damaged_data(content: object, fake_study) -> None:
    path = fake_study.out / "data.json"
    path.unlink()
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    outcome = read_outcome(fake_study.out)
    assert outcome.data == [] and len(outcome.problems) == 1 and "Table 1" in outcome.problems[0]


def test_a_record_is_read_once_while_its_file_stays(fake_study, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = records.read_form
    monkeypatch.setattr(records, "read_form", lambda path, *given: (read.append(path.name), real(path, *given))[1])
    first = read_outcome(fake_study.out)
    many = len(read)
    second = read_outcome(fake_study.out)
    assert len(read) == many + 2 and set(read[many:]) == {"study.json", "data.json"}
    assert first.runs["voc_detection/coco/seed1"].cells is second.runs["voc_detection/coco/seed1"].cells
    fake_study.record("voc_detection/coco/seed1", {("2", "coco", "ap50"): 99.25})
    third = read_outcome(fake_study.out)
    assert third.runs["voc_detection/coco/seed1"].cells[0].value == 99.25
    assert read[many + 2 :].count("seed1.json") == 1
