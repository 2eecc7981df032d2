"""Accuracy by number and covered area of the objects: by hand, and against a slow count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.object_accuracy.accuracy import (
    COVERED,
    NUMBERS,
    ObjectAccuracy,
    accuracy_by_group,
    image_objects,
    object_accuracy,
)
from mmdetpre.analysis.object_accuracy.plot import draw_object_accuracy
from mmdetpre.analysis.probes.scores import wilson_interval
from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.utils.results import read_results, write_results


def test_class_number_and_covered_part_of_images() -> None:
    truth = GroundTruth(
        image=[0, 0, 1, 1, 2, 4, 5],
        boxes=[[0, 0, 5, 10], [2, 0, 8, 10], [0, 0, 1, 1], [2, 2, 3, 3], [-5, -5, 5, 5], [0, 0, 9, 9], [0, 0, 5, 5]],
        labels=[3, 3, 0, 1, 2, 1, 1],
        ignore=[False] * 5 + [True, False],
        difficult=[0] * 7,
    )
    found = image_objects(truth, np.array([[10, 10]] * 5 + [[0, 0]]))
    assert found.label.tolist() == [3, -1, 2, -1, -1, 1], "two classes, none, and a region have no single class"
    assert found.number.tolist() == [2, 2, 1, 0, 1, 1]
    assert found.covered[:4].tolist() == [0.8, 0.02, 0.25, 0.0] and np.isnan(found.covered[5])


def test_the_class_that_covers_most() -> None:
    truth = GroundTruth(
        image=[0, 0, 0, 1, 1, 2],
        boxes=[[0, 0, 5, 5], [0, 0, 5, 5], [5, 5, 9, 9], [0, 0, 2, 2], [4, 4, 6, 6], [0, 0, 9, 9]],
        labels=[7, 7, 2, 3, 1, 0],
        ignore=[False] * 5 + [True],
        difficult=[0] * 6,
    )
    found = image_objects(truth, np.array([[10, 10]] * 3), "largest")
    assert found.label.tolist() == [7, 1, -1], "two boxes on one place cover it once; of equals the first class"
    assert found.number.tolist() == [3, 2, 1] and found.covered.tolist() == [0.25, 0.04, 0.81]
    with pytest.raises(ValueError, match="The rule is 'all': choose one of only, largest"):
        image_objects(truth, np.array([[10, 10]] * 3), "all")


def test_groups_by_hand() -> None:
    right = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    numbers = accuracy_by_group(np.array([1, 1, 1, 2, 3, 4, 7]), right, NUMBERS)
    assert [(g.name, g.images, g.right) for g in numbers] == [
        ("1", 3, 2),
        ("2", 1, 1),
        ("3-4", 2, 0),
        ("5 or more", 1, 1),
    ]
    covered = accuracy_by_group(np.array([0.0, 0.05, 0.1499, 0.15, 0.99, 1.0, np.nan]), right, COVERED, percent=True)
    assert [(g.name, g.images, g.right) for g in covered] == [
        ("0-5 %", 1, 1), ("5-15 %", 2, 1), ("15-35 %", 1, 1), ("35-60 %", 0, 0), ("60-100 %", 2, 0),
    ]  # fmt: skip
    assert covered[3].accuracy is None and covered[3].interval is None
    assert numbers[0].interval == wilson_interval(2, 3)


@given(st.integers(0, 2**31))
def test_groups_divide_the_images(seed: int) -> None:
    random = np.random.default_rng(seed)
    values, right = random.integers(1, 12, 40), random.random(40) < 0.5
    groups = accuracy_by_group(values, right, NUMBERS)
    assert sum(g.images for g in groups) == 40 and sum(g.right for g in groups) == right.sum()
    limits = [*NUMBERS, 10**9]
    for group, low, high in zip(groups, limits, limits[1:], strict=False):
        assert group.images == sum(low <= value < high for value in values)


def several() -> tuple:
    truth = GroundTruth([0, 1, 1, 2], [[0, 0, 5, 10], [0, 0, 1, 1], [3, 3, 5, 5], [0, 0, 9, 9]], [0] * 4, [False] * 4)
    objects = image_objects(truth, np.array([[10, 10]] * 3))
    return objects, {"cls": np.array([True, False, True]), "det": np.array([False, False, True])}


def test_table_numbers_and_picture_of_two_networks(tmp_path: Path) -> None:
    objects, right = several()
    found = object_accuracy(objects, right)
    lines = str(found).splitlines()
    assert lines[0].split() == ["accuracy", "(%)", "images", "cls", "det", "to", "cls"]
    one = next(line for line in lines if line.startswith("objects: 1"))
    assert "2  100.0" in " ".join(one.split("  ")) or "100.0 [" in one
    assert one.rstrip().endswith("-50.0")
    assert next(line for line in lines if line.startswith("objects: 3-4")).split()[-3:] == ["-", "-", "-"]
    assert lines[-1].startswith("all images") and "66.7 [" in lines[-1] and lines[-1].endswith("-33.3")
    plain = found.to_dict()["accuracy"]
    assert plain["det"]["objects"][0] == {
        "group": "1", "images": 2, "right": 1, "accuracy": 0.5, "interval": [*wilson_interval(1, 2)],
    }  # fmt: skip
    found = replace(found, data="a.py", models={"cls": {"config": "a.py", "checkpoint": "a.pth"}})
    write_results(tmp_path / "a.json", [found])
    assert read_results(tmp_path / "a.json", ObjectAccuracy, "object_accuracy.py") == [found]
    assert found.rows()[1][:4] == ["cls", "objects: 1", 2, 2]
    figure = draw_object_accuracy(found)
    assert len(figure.axes) == 2 and [text.get_text() for text in figure.axes[0].get_legend().texts] == ["cls", "det"]
    assert figure.axes[0].get_xticklabels()[0].get_text() == "1\n2 images"


def test_other_images_are_refused() -> None:
    objects, right = several()
    with pytest.raises(ValueError, match="cls classifies 2 images, 3 are annotated"):
        object_accuracy(objects, {"cls": right["cls"][:2]})
