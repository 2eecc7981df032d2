from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.errors.analyse import detection_errors
from mmdetpre.evaluation.errors.plot import draw_errors
from mmdetpre.plotting.palette import ERROR_COLORS, RUN_COLORS, run_color

BOXES = np.array([[0, 0, 10, 10], [20, 0, 40, 10], [0, 30, 20, 40], [50, 50, 60, 90]], np.float32)
TRUTH = GroundTruth([0, 0, 1, 1], BOXES, [0, 1, 0, 1], [False] * 4)
RUN = Detections(("cat", "dog"), ("a", "b"), [0, 0, 1, 1], BOXES, [0.9, 0.8, 0.7, 0.6], [0, 1, 1, 1], truth=TRUTH)


def test_every_run_and_every_type_is_in_the_picture(tmp_path: Path) -> None:
    count = 4
    figure = draw_errors(detection_errors({f"run {i}": RUN for i in range(count)}))
    path = tmp_path / "errors.png"
    figure.savefig(path)
    picture = cv2.imread(str(path))[..., ::-1]
    for i in range(count):
        assert (picture == run_color(i)).all(axis=-1).sum() > 100
    correct, background = ERROR_COLORS[0], ERROR_COLORS[3]
    assert (picture == correct).all(axis=-1).sum() > 100 and (picture == background).all(axis=-1).sum() > 100


def test_bars_are_the_shares_of_the_report() -> None:
    report = detection_errors({"all": RUN, "half": replace(RUN, scores=[0.9, 0.8, 0.1, 0.0])})
    missed = draw_errors(report).axes[0]
    heights = [bar.get_height() for bar in missed.patches]
    expected = [100 * (level.missed_share or 0) for run in report.runs for level in run.levels["occlusion"]]
    assert heights == pytest.approx(expected)


def test_one_run_that_detects_nothing() -> None:
    figure = draw_errors(detection_errors({"nothing": replace(RUN, image=[], boxes=[], scores=[], labels=[])}))
    missed, types = figure.axes[0], figure.axes[-1]
    assert [bar.get_height() for bar in missed.patches] == pytest.approx([100, 0, 0, 0])
    assert [bar.get_width() for bar in types.patches] == [0] * 5


def test_colors_of_runs_begin_again() -> None:
    assert len(set(RUN_COLORS)) == len(RUN_COLORS) and run_color(len(RUN_COLORS)) == run_color(0)
