"""Gains by class and by size, over training from scratch."""

from __future__ import annotations

import pytest

from mmdetpre.study.records import read_outcome
from mmdetpre.study.report.gains import gain_tables


def test_gains_over_scratch(shared_study) -> None:
    sizes, classes = gain_tables(read_outcome(shared_study.out))
    assert (sizes.by, sizes.task, sizes.reference, sizes.inits) == (
        "size", "voc_detection", "scratch", ("imagenet_cls", "coco"),
    )  # fmt: skip
    small, medium, large = sizes.rows
    assert (small.name, small.count, small.base and small.base.mean) == ("small", 20, 10.5)
    gain = small.gains["coco"]
    assert gain is not None and gain.value == 33.5 and gain.images == 0 and gain.low is not None, "of the seeds alone"
    assert large.base is None and large.gains == {"imagenet_cls": None, "coco": None}
    assert sizes.notes[0].startswith("By the area in the original image: small: below 32")
    cat, dog = classes.rows
    assert (cat.name, classes.unit) == ("cat", "objects")
    first, second = cat.gains["coco"], dog.gains["coco"]
    assert first is not None and second is not None and (first.images, second.images) == (0, 100)
    assert first.value == second.value == pytest.approx(33.5)
    assert classes.notes == (
        "Each interval stands alone: of 4 intervals, about 0.2 would leave out zero if nothing differed.",
    )


def test_records_of_before_and_one_initialization_have_no_table(empty_study) -> None:
    empty_study.planned("own_det/coco/seed0", "own_det", "coco", 0)
    empty_study.planned("own_det/scratch/seed0", "own_det", "scratch", 0)
    empty_study.record("own_det/coco/seed0", {("2", "coco", "own_det.ap50"): 50.0})
    part = {"by": "class", "name": "cat", "measure": "AP", "value": 50.0}
    empty_study.record("own_det/scratch/seed0", {("2", "scratch", "own_det.ap50"): 50.0}, parts=[part])
    assert gain_tables(read_outcome(empty_study.out)) == []
    empty_study.record("own_det/coco/seed0", {}, parts=[part | {"value": 60.0}, {**part, "name": "dog", "value": None}])
    (table,) = gain_tables(read_outcome(empty_study.out))
    assert [row.name for row in table.rows] == ["cat", "dog"]
    gains = {row.name: row.gains["coco"] for row in table.rows}
    assert gains["dog"] is None and gains["cat"] is not None
    assert (gains["cat"].value, gains["cat"].low, table.notes) == (10.0, None, ())
