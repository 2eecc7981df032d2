"""Many images, with a detector that finds one box in each: what is kept, drawn and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdetpre.inference.image_source import open_source
from mmdetpre.visualization.detect_images import detect_images

NAMES = ["b.jpg", "straße/ä b.jpg", "z.jpg"]


class OneBox:
    """Stands in for `MultiScaleDetector`."""

    classes = ("thing",)

    def __init__(self, boxes: int = 1, stop_at: str = "") -> None:
        self.boxes, self.stop_at = boxes, stop_at
        self.seen: list[str] = []

    def detect(self, images: list[Any], *, batch_size: int) -> list[DetDataSample]:
        found = []
        for image in images:
            if self.stop_at and Path(image).name == self.stop_at:
                raise KeyboardInterrupt
            self.seen.append(Path(image).name)
            if (pixels := cv2.imread(str(image))) is None:
                raise ValueError(f"The image {image} cannot be read")
            boxes = torch.tensor([[2.0, 2.0, 20.0, 20.0]]).repeat(self.boxes, 1)
            scores, labels = torch.full((len(boxes),), 0.9), torch.zeros(len(boxes), dtype=torch.long)
            sample = DetDataSample(metainfo=dict(ori_shape=pixels.shape[:2]))
            sample.pred_instances = InstanceData(bboxes=boxes, scores=scores, labels=labels)
            found.append(sample)
        return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((32, 48, 3), 120, np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Callable:
    def detect(detector: OneBox, **options: Any) -> tuple[list, str]:
        given = {"plot": tmp_path / "plot", "formats": ("coco", "voc", "yolo", "csv"), **options}
        return detect_images(detector, open_source(photos), tmp_path / "out", {"checkpoint": "a"}, **given)

    return detect


def drawn(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


def test_a_stopped_run_has_a_picture_of_each_image_that_it_leaves_out_later(run: Callable, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(OneBox(stop_at="z.jpg"))
    assert drawn(tmp_path / "plot") == ["b.jpg.jpg", "straße/ä b.jpg.jpg"]
    rest = OneBox()
    _, told = run(rest)
    assert rest.seen == ["z.jpg"] and "2 of them were there already" in told
    assert drawn(tmp_path / "plot") == [f"{name}.jpg" for name in NAMES]
    assert [image["file_name"] for image in json.loads((tmp_path / "out/coco.json").read_text())["images"]] == NAMES


def test_a_picture_that_cannot_be_written_leaves_its_image_undone(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "plot").write_text("a file")
    with pytest.raises(OSError, match="plot"):
        run(OneBox())
    (tmp_path / "plot").unlink()
    again = OneBox()
    run(again)
    assert len(again.seen) == len(drawn(tmp_path / "plot")) == 3


def test_other_images_in_the_folder_are_not_taken_for_those_of_before(run: Callable, photos: Path) -> None:
    run(OneBox())
    cv2.imwrite(str(photos / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(FileExistsError, match=r"of other images than .* has now \(b.jpg, not a.jpg\)"):
        run(OneBox())
    again = OneBox()
    run(again, overwrite=True)
    assert again.seen[0] == "a.jpg" and len(again.seen) == 4


def test_pictures_of_somebody_stay(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "plot").mkdir()
    (tmp_path / "plot" / "b.jpg.jpg").write_text("mine")
    with pytest.raises(FileExistsError, match="plot has files: give a new folder"):
        run(OneBox())
    assert (tmp_path / "plot" / "b.jpg.jpg").read_text() == "mine"
    run(OneBox(), overwrite=True)
    assert len(drawn(tmp_path / "plot")) == 3


def test_nothing_found_and_nothing_readable(run: Callable, photos: Path, tmp_path: Path) -> None:
    broken, told = run(OneBox(boxes=0))
    assert not broken and told.startswith("0 detections in 3 images")
    assert (tmp_path / "out/yolo/labels/b.txt").read_text() == ""
    for name in NAMES:
        (photos / name).write_text("no image")
    broken, told = run(OneBox(), overwrite=True)
    assert [one.image for one in broken] == NAMES and told.startswith("0 detections in 0 images")
