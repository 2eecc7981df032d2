"""What the figures of a study are drawn with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.study.layout import work_dir
from mmdetpre.study.runs.figure import boxes, draw_figure, gained_boxes
from mmdetpre.study.runs.run_folder import Job


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
    assert boxes(job)[-4:] == ["--score-thr", expected, "--largest-difference", "6"]
    assert gained_boxes(job)[-4:] == ["--score-thr", expected, "--gains-and-losses", "3"]


def test_images_of_an_initialization_have_a_file_and_a_title_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"number": "images", "kind": "segmentation", "task": "seg", "init": "coco", "title": "VOC"}
    settings["runs"] = {"from scratch": "seg/scratch/seed0", "COCO": "seg/coco/seed0"}
    content = {"id": "figures/images/seg/coco", "kind": "figure", "settings": settings}
    job = Job(tmp_path, tmp_path / "out", content, tmp_path / "log", 0)
    monkeypatch.setattr(Job, "command", lambda job, *words: Path(words[words.index("--out") + 1]).write_bytes(b"jpg"))
    figure = draw_figure(job).figure
    assert figure is not None and figure.image == "figures/images.seg.coco.jpg"
    assert (tmp_path / "out" / figure.image).read_bytes() == b"jpg"
    assert (figure.number, figure.title) == ("images", "Where COCO segments better than from scratch, and worse")
    assert figure.caption.startswith("VOC: first those of its greatest gains")
