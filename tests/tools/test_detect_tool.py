from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools/visualization/detect.py"


@pytest.fixture(scope="module")
def arguments(repository: Path, tiny_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> list:
    path = repository / "configs/det/sniper_openimages_sample.py"
    init_default_scope("mmdet")
    model = MODELS.build(Config.fromfile(path).model)
    checkpoint = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=list("abcdefgh")))), checkpoint)
    return [path, checkpoint, min((tiny_sample / "OpenImages/validation").glob("*"))]


def test_draws_and_refuses_to_overwrite(
    arguments: list, tmp_path: Path, run_tool: Callable, run_tool_here: Callable
) -> None:
    out, numbers = tmp_path / "new" / "found.png", tmp_path / "new" / "found.json"
    first = run_tool(TOOL, *arguments, "--plot", out, "--out", numbers, "--score-thr", "0.05", "--device", "cpu")
    assert first.returncode == 0, first.stderr
    picture, photo = np.asarray(Image.open(out)), Image.open(arguments[2])
    assert picture.shape[1] >= photo.width and picture.std() > 0
    assert f"detections drawn in {out}" in first.stdout
    found = json.loads(numbers.read_text())
    assert found["classes"] == list("abcdefgh") and f"{len(found['scores'])} detections written to" in first.stdout
    assert len(found["scores"]) == len(found["labels"]) == len(found["bboxes"])
    assert found["scores"] == sorted(found["scores"], reverse=True) and all(len(box) == 4 for box in found["bboxes"])
    before = out.read_bytes()
    second = run_tool_here(TOOL, *arguments, "--plot", out)
    assert second.returncode == 1 and "--force" in second.stderr and out.read_bytes() == before


@pytest.mark.parametrize(
    "changed, options, message",
    [
        ({2: "absent.jpg"}, [], "There is no image absent.jpg"),
        ({1: "absent.pth"}, [], "There is no checkpoint absent.pth"),
        ({}, ["--scales", "192,256", "--test-ranges", "0,90", "75,0"], "1 scales but 2 test_ranges"),
        ({}, ["--cfg-options", "model.roi_head.bbox_head.num_classes=3"], "was trained for 8 classes"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list, tmp_path: Path, run_tool_here: Callable, changed: dict, options: list, message: str
) -> None:
    given = [changed.get(i, argument) for i, argument in enumerate(arguments)]
    result = run_tool_here(TOOL, *given, "--plot", tmp_path / "found.png", *options)
    assert result.returncode == 1 and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())


def test_what_is_written_is_known_before_anything_is_loaded(
    arguments: list, tmp_path: Path, run_tool_here: Callable
) -> None:
    for option, message in (("--plot", "expected one of .png, .jpg"), ("--out", "expected one of .json, .csv")):
        result = run_tool_here(TOOL, *arguments, option, tmp_path / "found.txt")
        assert result.returncode == 1 and message in result.stderr
    result = run_tool_here(TOOL, *arguments)
    assert result.returncode == 1 and "Nothing is to be written: give --plot, --out or both" in result.stderr


def test_rows_and_the_option_of_before(arguments: list, tmp_path: Path, run_tool_here: Callable) -> None:
    result = run_tool_here(TOOL, *arguments, "--out", tmp_path / "found.png", "--device", "cpu")
    assert result.returncode == 0 and "use --plot" in result.stderr and Image.open(tmp_path / "found.png").width > 0
    result = run_tool_here(TOOL, *arguments, "--out", tmp_path / "found.csv", "--device", "cpu")
    head, *rows = (tmp_path / "found.csv").read_text().splitlines()
    assert result.returncode == 0 and head == "class,score,x1,y1,x2,y2"
    assert f"{len(rows)} detections written to" in result.stdout and all(row[0] in "abcdefgh" for row in rows)


def test_a_folder_resumes_and_tells_what_it_could_not_read(
    arguments: list, tmp_path: Path, run_tool_here: Callable
) -> None:
    config, checkpoint, photo = arguments
    photos, out, plot = tmp_path / "photos", tmp_path / "found", tmp_path / "pictures"
    photos.mkdir()
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        shutil.copy(photo, photos / name)
    (photos / "b.jpg").write_text("no image")
    command = [config, checkpoint, photos, "--out", out, "--plot", plot, "--format", "coco", "yolo", "--device", "cpu"]
    first = run_tool_here(TOOL, *command, "--batch-size", "3")
    assert first.returncode == 0, first.stderr
    assert "1 of 4 images could not be read" in first.stderr and "b.jpg cannot be read" in first.stderr
    content = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.jpg", "c.jpg", "d.jpg"]
    assert sorted(path.name for path in plot.iterdir()) == ["a.jpg.jpg", "c.jpg.jpg", "d.jpg.jpg"]
    log = out / "detections.jsonl"
    whole = log.read_text()
    log.write_text("\n".join(whole.splitlines()[:3])[:-9])  # killed while it wrote of b.jpg
    (out / "coco.json").unlink()
    again = run_tool_here(TOOL, *command)
    assert "1 of them were there already" in again.stdout and json.loads((out / "coco.json").read_text()) == content
    other = run_tool_here(TOOL, *command, "--scales", "192,256")
    assert other.returncode == 1 and "is of another scales (None, not" in other.stderr and log.read_text() == whole


def test_a_video_gives_a_video(arguments: list, tmp_path: Path, run_tool_here: Callable) -> None:
    film, drawn = tmp_path / "film.avi", tmp_path / "drawn.mp4"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 5, (128, 96))
    for i in range(2):
        writer.write(np.full((96, 128, 3), 90 * i, np.uint8))
    writer.release()
    found = tmp_path / "found"
    result = run_tool_here(TOOL, *arguments[:2], film, "--out", found, "--plot", drawn, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert cv2.VideoCapture(str(drawn)).get(cv2.CAP_PROP_FRAME_COUNT) == 2
    names = [image["file_name"] for image in json.loads((found / "coco.json").read_text())["images"]]
    assert names == ["000000", "000001"]
    again = run_tool_here(TOOL, *arguments[:2], film, "--out", tmp_path / "new", "--plot", drawn, "--device", "cpu")
    assert again.returncode == 1 and "drawn.mp4 exists" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --out FOLDER"),
        (["--out", "found.json"], "is one file: give a folder"),
        (["--out", "found", "--plot", "found.mp4"], "is for a video"),
        (["--out", "found", "--plot", "found.png"], "is one picture"),
    ],
)
def test_what_several_images_cannot_be_written_to(
    arguments: list,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_tool_here: Callable,
    options: list,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    shutil.copy(arguments[2], tmp_path / "photos")
    result = run_tool_here(TOOL, *arguments[:2], "photos", *options, "--device", "cpu")
    assert result.returncode == 1 and message in result.stderr and not Path("found").exists()
