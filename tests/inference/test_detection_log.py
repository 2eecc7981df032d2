"""Detections that come image by image."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.inference.detection_log import FILE, DetectionLog, ImageDetections

ONE = ImageDetections("a.jpg", 64, 48, [[1.0, 2.0, 3.0, 4.5]], [0.5], [1])
OTHER = ImageDetections("b.jpg", fault="The image b.jpg cannot be read")
MADE_BY = {"checkpoint": "a.pth", "source": "photos"}


def test_a_run_that_was_killed_in_a_line_resumes_before_it(tmp_path: Path) -> None:
    log = DetectionLog(tmp_path, MADE_BY)
    log.add(ONE)
    log.add(OTHER)
    whole = log.path.read_bytes()
    for end in range(len(whole) + 1):
        log.path.write_bytes(whole[:end])
        done = DetectionLog(tmp_path, MADE_BY).done
        assert done == [ONE, OTHER][: max(0, whole[:end].count(b"\n") - 1)]
    again = DetectionLog(tmp_path, MADE_BY)
    again.add(ONE)
    assert DetectionLog(tmp_path, MADE_BY).done == [ONE, OTHER, ONE]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"made_by": {"checkpoint": "b.pth", "source": "photos"}}\n', r"another checkpoint \(b.pth, not a.pth\)"),
        (b"notes\n", "another program"),
        (b"[1]\n", "another program"),
    ],
)
def test_detections_of_something_else_are_left_alone(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(FileExistsError, match=message):
        DetectionLog(tmp_path, MADE_BY)
    assert (tmp_path / FILE).read_bytes() == content
    assert not DetectionLog(tmp_path, MADE_BY, overwrite=True).done


def test_a_folder_of_other_files_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text("annotations")
    with pytest.raises(FileExistsError, match=r"has files, and none is detections.jsonl: give a new folder"):
        DetectionLog(tmp_path, MADE_BY)
    assert not DetectionLog(tmp_path, MADE_BY, overwrite=True).done


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    log = DetectionLog(tmp_path, MADE_BY)
    for line in ('{"picture": 1}\n', "1\n", "{\n"):
        log.path.write_text(log.path.read_text().splitlines()[0] + "\n" + line)
        with pytest.raises(ValueError, match="line 2"):
            DetectionLog(tmp_path, MADE_BY)
