from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.evaluation.class_groups import VOC_GROUPS
from mmdetpre.evaluation.detection_errors import detection_errors
from mmdetpre.evaluation.detections_file import Detections, GroundTruth
from mmdetpre.evaluation.error_report import ErrorReport, ErrorSettings
from mmdetpre.evaluation.voc_ap import voc_average_precision

CLASSES = ("cat", "dog", "car")
GROUPS = {"animal": ("cat", "dog")}
OBJECTS = [[0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 10], [6, 0, 16, 10], [50, 50, 60, 60]]
TRUTH = GroundTruth([0, 0, 1, 1, 1], OBJECTS, [0, 1, 0, 0, 2], [False] * 5, difficult=[0, 0, 0, 0, 1])


def run_of(detections: list[tuple], truth: GroundTruth | None = TRUTH) -> Detections:
    image, boxes, scores, labels = zip(*detections, strict=True)
    return Detections(CLASSES, ("a", "b"), image, boxes, scores, labels, truth=truth)


PERFECT = run_of([(i, b, 0.9, c) for i, b, c in zip(TRUTH.image.tolist(), OBJECTS, TRUTH.labels.tolist(), strict=True)])
FLAWED = run_of(
    [
        (0, OBJECTS[0], 0.9, 0),  # correct
        (0, OBJECTS[1], 0.8, 0),  # a dog called a cat: similar
        (1, OBJECTS[2], 0.7, 2),  # a cat called a car: other
        (1, [6, 0, 16, 4], 0.6, 0),  # localisation
        (1, OBJECTS[4], 0.5, 2),  # on a difficult object: does not count
        (1, [90, 90, 99, 99], 0.4, 1),  # background
    ]
)


def level(report: ErrorReport, run: int, prop: str, name: str) -> tuple[int, int]:
    (found,) = [level for level in report.runs[run].levels[prop] if level.level == name]
    return found.objects, found.missed


def test_two_runs_by_hand() -> None:
    report = detection_errors({"perfect": PERFECT, "flawed": FLAWED}, groups=GROUPS)
    assert report.objects.tolist() == [3, 1, 0]
    assert level(report, 0, "all", "all objects") == (4, 0) and level(report, 1, "all", "all objects") == (4, 3)
    # 40 % of each of the two cats in image b are covered by the other
    assert level(report, 1, "occlusion", "none") == (2, 1) and level(report, 1, "occlusion", "medium") == (2, 2)
    flawed = report.runs[1].types
    assert flawed.false_positives.tolist() == [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]]
    assert flawed.top_detections.tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    assert report.runs[0].types.false_positives.sum() == 0
    assert [run.levels["all"][0].normalised_ap for run in report.runs] == [1.0, pytest.approx(1 / 3 / 2)]


def test_flags_of_the_annotations_are_preferred() -> None:
    flagged = replace(PERFECT, truth=replace(TRUTH, occluded=[0, 1, 1, -1, 1]))
    report = detection_errors({"run": flagged})
    assert level(report, 0, "occlusion", "not occluded") == (1, 0)
    assert level(report, 0, "occlusion", "occluded") == (2, 0)  # unknown and difficult objects take no part
    with pytest.raises(ValueError, match="No object is flagged as occluded.*--occlusion covered"):
        detection_errors({"run": PERFECT}, occlusion="flags")


def test_score_threshold_is_an_operating_point() -> None:
    report = detection_errors({"flawed": FLAWED}, settings=ErrorSettings(score_thr=0.95))
    assert level(report, 0, "all", "all objects") == (4, 4)
    assert "score >= 0.95" in str(report)


def test_table_csv_and_json_say_the_same() -> None:
    report = detection_errors({"perfect": PERFECT, "flawed": FLAWED}, groups=GROUPS)
    rows = list(csv.DictReader(report.to_csv().splitlines()))
    missed = {(row["property"], row["level"]): row for row in rows if row["measure"] == "missed"}
    assert missed["all", "all objects"]["flawed"] == "0.750000" and missed["occlusion", "high"]["flawed"] == ""
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["runs"]["flawed"]["levels"]["all"][0]["missed_share"] == 0.75
    assert plain["runs"]["flawed"]["types"]["false_positives"]["car"] == [0, 0, 0, 1, 0]
    line = next(line for line in str(report).splitlines() if "all objects" in line)
    assert [cell.strip() for cell in line.split("|")[1:-1]] == ["all objects", "4", "0.0", "75.0", "+75.0"]
    one = detection_errors({"perfect": PERFECT})
    assert "no groups" in str(one) and "+" not in str(one).split("\n\n")[0]


@pytest.mark.parametrize(
    ("difficult", "background"), [(None, 1), ([0, 0], 1), ([0, 1], 3)], ids=["unknown", "crowd", "difficult"]
)
def test_persons_in_a_crowd_are_no_errors(difficult: list[int] | None, background: int) -> None:
    """One cat found, and three more boxes: two inside a box for many cats, one outside."""
    truth = GroundTruth(
        [0, 0], [[0, 0, 10, 10], [20, 0, 120, 50]], [0, 0], [False, True],
        difficult=difficult,
    )  # fmt: skip
    boxes = [[0, 0, 10, 10], [30, 5, 40, 20], [50, 5, 60, 20], [115, 0, 127, 9]]
    run = run_of([(0, box, score, 0) for box, score in zip(boxes, (0.9, 0.8, 0.7, 0.6), strict=True)], truth)
    (errors,) = detection_errors({"run": run}).runs
    assert errors.types.false_positives.sum(axis=0).tolist() == [0, 0, 0, 0, background]
    assert errors.types.top_detections[0].tolist() == [1, 0, 0, 0, 0]
    assert errors.levels["all"][0].objects == 1 and errors.levels["all"][0].missed == 0


@pytest.mark.parametrize("plus_one", [False, True])
def test_small_boxes_are_measured_as_ap_measures_them(plus_one: bool) -> None:
    """A box of 10 x 10 pixels and 10 x 5 of them, by the last pixel inside; half-open it is 9 x 9 and 9 x 4."""
    truth = GroundTruth([0], [[0, 0, 9, 9]], [0], [False])
    run = replace(run_of([(0, [0, 0, 9, 4], 0.9, 0)], truth), plus_one=plus_one)
    (errors,) = detection_errors({"run": run}).runs
    assert errors.levels["all"][0].missed == 1 - voc_average_precision(run, [0.5]).ap[0, 0] == 1 - plus_one
    assert errors.types.false_positives[0].tolist() == [0, 1 - plus_one, 0, 0, 0]


def test_nothing_detected() -> None:
    nothing = replace(PERFECT, image=[], boxes=[], scores=[], labels=[])
    report = detection_errors({"nothing": nothing})
    assert level(report, 0, "all", "all objects") == (4, 4)
    assert "correct" in str(report)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (replace(PERFECT, truth=None), "Run 'x': .*without ground truth"),
        (replace(PERFECT, truth=replace(TRUTH, ignore=[True] * 5)), "None of the 5 annotated objects counts"),
        (replace(PERFECT, truth=GroundTruth([], [], [], [])), "None of the 0 annotated objects counts"),
    ],
)
def test_nothing_to_miss(run: Detections, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detection_errors({"x": run})


@pytest.mark.parametrize(
    "wrong", [{"iou_thr": 0.05}, {"min_iou": 0}, {"iou_thr": 1.2}, {"min_precision": 0}, {"objects_per_image": 0}]
)
def test_impossible_settings(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        ErrorSettings(**wrong)


def test_a_real_detector_on_voc(voc_run: Detections) -> None:
    jumbled = replace(voc_run, boxes=voc_run.boxes + np.float32([9, 0, 9, 0]))
    report = detection_errors({"detector": voc_run, "shifted": jumbled}, groups=VOC_GROUPS)
    assert report.objects.sum() == 181 - 30
    detector, shifted = report.runs
    for run in report.runs:
        for levels in run.levels.values():
            assert sum(part.objects for part in levels) == 151
            assert sum(part.missed for part in levels) == run.levels["all"][0].missed
    assert 0 < detector.levels["all"][0].missed < shifted.levels["all"][0].missed
    assert detector.levels["all"][0].normalised_ap > shifted.levels["all"][0].normalised_ap
    assert detector.types.false_positives[:, 1].sum() < shifted.types.false_positives[:, 1].sum()
    assert (detector.types.top_detections.sum(axis=1) <= report.objects).all()
