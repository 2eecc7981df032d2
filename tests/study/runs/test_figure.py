"""What the figures of a study are drawn with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.study.layout import work_dir
from mmdetpre.study.runs.figure import boxes


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (((0.31, 0.127, 0.02), (0.2, 0.01, 0.01)), "0.02"),  # 4 objects in both: the fourth score
        (((0.9, 0.8, 0.7), (0.9, 0.55, 0.1)), "0.5"),
        (((), ()), "0.5"),
    ],
)
def test_figure_2_shows_boxes_of_detectors_that_are_not_sure(tmp_path: Path, scores: tuple, expected: str) -> None:
    truth = GroundTruth([0, 0, 0], [[0, 0, 9, 9]] * 3, [0, 0, 0], [False, False, True])
    for name, of_run in zip(("a", "b"), scores, strict=True):
        n = len(of_run)
        run = Detections(
            ("cat",), ("1",), [0] * n, np.zeros((n, 4), np.float32) + [0, 0, 9, 9], of_run, [0] * n,
            paths=("1.jpg",), sizes=[[9, 9]], truth=truth,
        )  # fmt: skip
        folder = work_dir(tmp_path, name) / "test"
        folder.mkdir(parents=True)
        run.save(folder / "results.npz")
    job = SimpleNamespace(out=tmp_path, settings={"runs": {"one": "a", "two": "b"}})
    arguments = boxes(job)
    assert arguments[-2:] == ["--score-thr", expected]
