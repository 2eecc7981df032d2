from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.evaluation.detections.align import align_runs
from mmdetpre.evaluation.detections.detections import Detections, GroundTruth

TRUTH = GroundTruth([0, 1, 1], [[0, 0, 9, 9], [0, 0, 8, 8], [1, 1, 7, 7]], [0, 1, 0], [False, False, True])
RUN = Detections(
    ("cat", "dog"), ("a", "b"), [0, 1], [[0, 0, 9, 9], [0, 0, 8, 8]], [0.5, 0.6], [0, 1],
    paths=("x/a.jpg", "x/b.jpg"), sizes=[[10, 11], [20, 21]], truth=TRUTH,
)  # fmt: skip
TURNED = Detections(
    ("cat", "dog"), ("b", "a"), [0, 1], [[0, 0, 8, 8], [0, 0, 9, 9]], [0.6, 0.5], [1, 0],
    paths=("y/b.jpg", "y/a.jpg"), sizes=[[20, 21], [10, 11]],
    truth=GroundTruth([0, 0, 1], TRUTH.boxes[[1, 2, 0]], [1, 0, 0], [False, True, False]),
)  # fmt: skip


def test_images_in_the_order_of_the_first_run() -> None:
    moved = align_runs({"one": RUN, "two": TURNED})["two"]
    assert moved.names == RUN.names and moved.paths == ("y/a.jpg", "y/b.jpg")
    for name in ("image", "boxes", "scores", "labels", "sizes"):
        assert np.array_equal(getattr(moved, name), getattr(RUN, name)), name
    for name in ("image", "boxes", "labels", "ignore", "occluded"):
        assert np.array_equal(getattr(moved.truth, name), getattr(TRUTH, name)), name


def test_the_convention_of_the_boxes_stays() -> None:
    marked = {"one": replace(RUN, plus_one=True), "two": replace(TURNED, plus_one=True)}
    assert all(run.plus_one for run in align_runs(marked).values())
    half_open = replace(RUN, plus_one=True).half_open()
    mixed = align_runs({"one": half_open, "two": marked["two"]})
    assert not any(run.plus_one for run in mixed.values())
    for name in ("boxes", "truth"):
        one, two = (getattr(run, name) for run in mixed.values())
        assert np.array_equal(getattr(one, "boxes", one), getattr(two, "boxes", two)), name


def test_runs_without_ground_truth_can_be_drawn() -> None:
    moved = align_runs({"one": RUN, "two": replace(TURNED, truth=None)}, need_truth=False)["two"]
    assert moved.truth is None and moved.names == ("a", "b")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(RUN, truth=None), "Run 'two'.*without ground truth"),
        (replace(RUN, classes=("cat", "cow")), "class 1 is 'cow' instead of 'dog'"),
        (replace(RUN, names=("a", "c")), "on other images: 1 and 1 of their 2 and 2.*'c' is in 'two' only"),
        (replace(RUN, truth=replace(TRUTH, labels=[0, 1, 1])), "their ground truth differs"),
        (replace(RUN, truth=replace(TRUTH, boxes=TRUTH.boxes + 1)), "their ground truth differs"),
        (replace(RUN, plus_one=True), "their ground truth differs"),
        (replace(RUN, truth=GroundTruth([0], [[0, 0, 9, 9]], [0], [False])), r"differs \(3 and 1 objects\)"),
    ],
)
def test_runs_that_cannot_be_compared(other: Detections, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        align_runs({"one": RUN, "two": other})


def test_fewer_images() -> None:
    part = Detections(("cat", "dog"), ("a",), [0], [[0, 0, 9, 9]], [0.5], [0], truth=GroundTruth([], [], [], []))
    with pytest.raises(ValueError, match="1 and 0 of their 2 and 1 have no counterpart, e.g. 'b' is in 'one' only"):
        align_runs({"one": RUN, "two": part})
    with pytest.raises(ValueError, match="no run"):
        align_runs({})
