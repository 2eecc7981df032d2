from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.errors.analyse import detection_errors
from mmdetpre.evaluation.errors.class_groups import VOC_GROUPS
from mmdetpre.evaluation.errors.report import ErrorReport, ErrorSettings
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.utils.plain_text import csv_text

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
    assert [run.levels["all"][0].normalized_ap for run in report.runs] == [1.0, pytest.approx(1 / 3 / 2)]


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
    rows = list(csv.DictReader(csv_text(report.rows()).splitlines()))
    missed = {(row["property"], row["level"]): row for row in rows if row["measure"] == "missed"}
    assert missed["all", "all objects"]["flawed"] == "0.75" and missed["occlusion", "high"]["flawed"] == ""
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["runs"]["flawed"]["levels"]["all"][0]["missed_share"] == 0.75
    assert plain["runs"]["flawed"]["types"]["false_positives"]["car"] == [0, 0, 0, 1, 0]
    line = next(line for line in str(report).splitlines() if "all objects" in line)
    assert line.split() == ["all", "objects", "4", "0.0", "75.0", "+75.0"]
    again = ErrorReport.from_dict(plain)
    assert str(again) == str(report) and again.to_dict() == plain
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
    assert detector.levels["all"][0].normalized_ap > shifted.levels["all"][0].normalized_ap
    assert detector.types.false_positives[:, 1].sum() < shifted.types.false_positives[:, 1].sum()
    assert (detector.types.top_detections.sum(axis=1) <= report.objects).all()


def crowded_run() -> Detections:
    """60 images with 57 objects of one class each; 80 % are found, and there are false positives at all scores."""
    random = np.random.default_rng(0)
    images, per_image = 60, 57
    x, y = np.meshgrid(np.arange(8) * 20.0, np.arange(8) * 20.0)
    grid = np.stack([x.ravel(), y.ravel(), x.ravel() + 10, y.ravel() + 10], axis=1)[:per_image]
    objects = np.concatenate([grid] * images)
    owner = np.repeat(np.arange(images), per_image)
    hit = random.random(len(objects)) < 0.8
    false_owner = np.sort(random.integers(0, images, 900))
    false = np.tile([500.0, 500.0, 510.0, 510.0], (900, 1))
    boxes, image = np.concatenate([objects[hit], false]), np.concatenate([owner[hit], false_owner])
    score = np.concatenate([random.normal(0.65, 0.15, hit.sum()), random.normal(0.5, 0.15, 900)]).clip(0.01, 1)
    order = np.argsort(image, kind="stable")
    truth = GroundTruth(owner, objects, np.zeros(len(owner), int), np.zeros(len(owner), bool))
    names, labels = tuple(map(str, range(images))), np.zeros(len(image), int)
    return Detections(("cell",), names, image[order], boxes[order], score[order], labels, truth=truth)


def test_a_good_detector_of_crowded_images_does_not_miss_nearly_all_of_them() -> None:
    run = crowded_run()
    ap = voc_average_precision(run, [0.5], mode="area").mean_ap[0]
    assert 0.7 < ap < 0.8
    old = detection_errors({"run": run}, settings=ErrorSettings(objects_per_image=0.15))
    assert old.runs[0].levels["all"][0].missed_share > 0.8, "what 0.15 objects per image make of it"
    report = detection_errors({"run": run})
    found = run.scores.size - 900
    assert report.runs[0].levels["all"][0].missed == len(run.ground_truth()) - found
    assert report.normal_objects == 3420 and "(as of 3,420 objects)" in str(report)
    assert report.to_dict()["runs"]["run"]["detections_in_use"] == run.scores.size


def test_no_detection_at_the_operating_point_is_told() -> None:
    far = replace(crowded_run(), boxes=np.tile([900.0, 900, 910, 910], (len(crowded_run()), 1)))
    report = detection_errors({"far": far})
    assert report.runs[0].in_use == 0
    assert "far has no detection at the operating point: every object counts as missed." in str(report)


def test_hidden_objects_as_the_software_counts_them(tmp_path) -> None:
    path = tmp_path / "levels.csv"
    lines = [f"{'ab'[i]},{CLASSES[c]},{','.join(map(str, b))},{level}" for i, b, c, level in zip(
        TRUTH.image.tolist(), OBJECTS, TRUTH.labels.tolist(), (0, 1, 2, 0, 3), strict=True)]  # fmt: skip
    path.write_text("\n".join(["image,class,x1,y1,x2,y2,level", *lines]))
    cut = replace(TRUTH, truncated=[0, 0, 0, 1, 1])
    report = detection_errors({"flawed": replace(FLAWED, truth=cut)}, occlusion=str(path))
    assert report.occlusion_kind == "annotated" and level(report, 0, "occlusion", "low") == (1, 1)
    # low: levels 1 and 2 and the truncated cat; medium: level 2 and that cat; the car is difficult
    assert level(report, 0, "occlusion or truncation from", "low") == (3, 3)
    assert level(report, 0, "occlusion or truncation from", "medium") == (2, 2)
    assert "occlusion or truncation from low" in str(report)
    assert "occlusion or truncation from" not in detection_errors({"flawed": FLAWED}).runs[0].levels
