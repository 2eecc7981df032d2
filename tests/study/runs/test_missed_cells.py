"""Cells of Table 3: the paper's columns for levels that people annotated, groups of their own for all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.study.plan import make_plan
from mmdetpre.study.runs.cells import missed_objects
from mmdetpre.study.spec import read_study

GOOD: dict[str, Any] = {
    "name": "mine",
    "out": "work_dirs/mine",
    "seeds": [0],
    "inits": {"coco": {"toolbox": "mmdet", "config": "configs/det/sniper_coco_sample.py"}},
    "tasks": {"voc_detection": {"kind": "detection", "config": "configs/det/sniper_voc_sample.py"}},
}
BOXES = [[0, 0, 10, 10], [40, 0, 50, 10], [0, 0, 10, 10], [6, 0, 16, 10]]


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def detections(path: Path, hits: list[int], **flags: list[int]) -> Path:
    truth = GroundTruth([0, 0, 1, 1], BOXES, [0] * 4, [False] * 4, **flags)
    boxes = [BOXES[i] if i in hits else [900, 900, 910, 910] for i in range(4)]
    Detections(("cat",), ("a", "b"), [0, 0, 1, 1], boxes, [0.9] * 4, [0] * 4, truth=truth).save(path)
    return path


def test_annotated_levels_fill_the_papers_columns(tmp_path: Path) -> None:
    levels = tmp_path / "levels.csv"
    lines = [f"{'aabb'[i]},cat,{','.join(map(str, BOXES[i]))},{level}" for i, level in enumerate((0, 1, 1, 2))]
    levels.write_text("\n".join(["image,class,x1,y1,x2,y2,level", *lines]))
    group, shares, notes = missed_objects(detections(tmp_path / "a.npz", [0, 1, 3]), "coco", str(levels))
    assert (group, shares) == ("", {"low": pytest.approx(100 / 3), "medium": 0.0})
    assert notes == [
        "Table 3: Occlusion: levels.csv (4 objects annotated). Low and medium: hidden by that much or more, or"
        " truncated, as the software of Hoiem et al. counts.",
        "Table 3: Missed by the detections up to normalized precision 0.05 of their class (as of 4 objects).",
    ]


def test_flags_and_boxes_go_to_groups_of_their_own(tmp_path: Path) -> None:
    group, shares, notes = missed_objects(detections(tmp_path / "a.npz", [0, 1], occluded=[0, 1, 0, 1]), "coco", None)
    assert (group, shares, notes[0]) == (
        "flags",
        {"visible": 50.0, "occluded": 50.0},
        "Table 3: Occlusion: flag of the annotations.",
    )
    group, shares, notes = missed_objects(detections(tmp_path / "b.npz", [0, 1]), "coco", None)
    assert (group, shares) == ("covered", {"visible": 0.0, "occluded": 100.0})
    assert "other boxes cover" in notes[0]


def test_where_the_point_keeps_nothing_there_is_no_number(tmp_path: Path) -> None:
    group, shares, notes = missed_objects(detections(tmp_path / "a.npz", []), "coco", None)
    assert (group, shares) == ("covered", {"visible": None, "occluded": None})
    assert notes[1].startswith("Table 3: coco: there are no detections up to normalized precision 0.05")
    assert notes[1].endswith("so nothing is said of missed objects.")


def test_a_file_of_other_images_is_one_message(tmp_path: Path) -> None:
    levels = tmp_path / "levels.csv"
    levels.write_text("image,class,x1,y1,x2,y2,level\n000001,cat,0,0,10,10,1\n")
    with pytest.raises(ValueError, match="annotates none of the 4 objects: its images .a is one of the run"):
        missed_objects(detections(tmp_path / "a.npz", [0]), "coco", str(levels))


def test_the_file_of_the_study_names_the_levels(tmp_path: Path) -> None:
    task = GOOD["tasks"]["voc_detection"] | {"occlusion": "hoiem/annotations"}
    content = GOOD | {"tasks": {"voc_detection": task}}
    with pytest.raises(FileNotFoundError, match="occlusion names hoiem/annotations, which is not there"):
        read_study(write(tmp_path / "study.yaml", content))
    (tmp_path / "hoiem" / "annotations").mkdir(parents=True)
    study = read_study(write(tmp_path / "study.yaml", content))
    plan = make_plan(study)
    run = "voc_detection/coco/seed0"
    assert plan[run].settings["occlusion"] == str((tmp_path / "hoiem" / "annotations").resolve())
    assert "occlusion" not in make_plan(read_study(write(tmp_path / "b.yaml", GOOD)))[run].settings
    task |= {"kind": "classification"}
    with pytest.raises(ValueError, match="occlusion is for tasks of kind detection"):
        read_study(write(tmp_path / "study.yaml", content | {"tasks": {"voc_detection": task}}))
