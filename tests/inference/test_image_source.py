"""What a command line may name as images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdetpre.inference.image_source import open_source


def photo(path: Path, grey: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((24, 32, 3), grey, np.uint8))
    return path


def video(path: Path, frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    writer.release()
    return path


def test_a_folder_a_list_and_an_image(tmp_path: Path) -> None:
    for name in ("b.jpg", "inner/a.PNG", "c.png"):
        photo(tmp_path / "photos" / name.lower()).rename(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    assert open_source(tmp_path / "photos").names == ["b.jpg", "c.png", "inner/a.PNG"]
    listed = tmp_path / "list.txt"
    listed.write_text("photos/c.png\n\nphotos/b.jpg\n")
    source = open_source(listed)
    assert source.names == ["photos/c.png", "photos/b.jpg"] and not source.single
    assert list(source.images(1)) == [("photos/b.jpg", tmp_path / "photos" / "b.jpg")]
    assert open_source(tmp_path / "photos" / "b.jpg").single


def test_frames_of_a_video_from_any_one_on(tmp_path: Path) -> None:
    source = open_source(video(tmp_path / "a.avi"))
    assert source.names == [f"{i:06}" for i in range(5)] and source.frames_per_second == 10
    frames = dict(source.images(2))
    assert [round(float(np.mean(frame)) / 40) for frame in frames.values()] == [2, 3, 4]


def test_each_fault_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"no video")
    photo(tmp_path / "a.jpg")
    for text, kind, message in (
        ("a.jpg\nb.jpg\n", FileNotFoundError, r"list.txt, line 2: there is no image .*b.jpg"),
        ("a.jpg\na.jpg\n", ValueError, "names a.jpg twice"),
        ("\n", ValueError, "names no image"),
        ("a.jpg\n./a.jpg\n", ValueError, "names a.jpg and ./a.jpg, whose results would be one file"),
    ):
        (tmp_path / "list.txt").write_text(text)
        with pytest.raises(kind, match=message):
            open_source(tmp_path / "list.txt")
    with pytest.raises(ValueError, match="holds no image"):
        open_source(tmp_path / "empty")
    with pytest.raises(ValueError, match="cannot be read as a video here"):
        open_source(tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError, match="There is no image"):
        open_source(tmp_path / "none.jpg")
