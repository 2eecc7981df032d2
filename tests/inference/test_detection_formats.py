"""What other programs read: each format comes back as it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmdetpre.datasets.voc.xml_files import half_open, read_xml_files
from mmdetpre.inference.detection_formats import FORMATS, to_supervision
from mmdetpre.inference.detection_log import ImageDetections

CLASSES = ["cat", "dog & <bone>"]
FOUND = [
    ImageDetections("day/a.jpg", 64, 48, [[1.5, 2.0, 30.0, 44.5], [0, 0, 64, 48]], [0.75, 0.5], [1, 0]),
    ImageDetections("b.png", 10, 20),
]


def test_coco_is_read_by_pycocotools(tmp_path: Path) -> None:
    data = COCO(str(FORMATS["coco"](tmp_path, FOUND, CLASSES)))
    assert [image["file_name"] for image in data.loadImgs([1, 2])] == ["day/a.jpg", "b.png"]
    assert [(a["bbox"], a["category_id"], a["score"]) for a in data.loadAnns(data.getAnnIds(1))] == [
        ([1.5, 2.0, 28.5, 42.5], 2, 0.75),
        ([0, 0, 64, 48], 1, 0.5),
    ]
    assert not data.getAnnIds(2)


def test_voc_is_read_by_the_package(tmp_path: Path) -> None:
    folder = FORMATS["voc"](tmp_path, FOUND, CLASSES)
    objects = read_xml_files([str(folder / "day" / "a.xml"), str(folder / "b.xml")])
    assert np.allclose(half_open(objects.boxes), np.round(FOUND[0].boxes))
    assert objects.names == ["dog & <bone>", "cat"] and objects.sizes.tolist() == [[64, 48], [10, 20]]


def test_voc_has_a_pixel_of_a_thin_box(tmp_path: Path) -> None:
    folder = FORMATS["voc"](tmp_path, [ImageDetections("a.jpg", 9, 9, [[3.6, 2.0, 4.4, 5.0]], [0.5], [0])], CLASSES)
    objects = read_xml_files([str(folder / "a.xml")])
    assert half_open(objects.boxes).tolist() == [[4, 2, 5, 5]]


def test_yolo_has_parts_of_the_image(tmp_path: Path) -> None:
    folder = FORMATS["yolo"](tmp_path, FOUND, CLASSES)
    rows = np.loadtxt(folder / "labels" / "day" / "a.txt")
    assert rows[:, 0].tolist() == [1, 0] and rows[:, 5].tolist() == [0.75, 0.5]
    center, size = rows[:, 1:3] * [64, 48], rows[:, 3:5] * [64, 48]
    assert np.allclose(np.concatenate([center - size / 2, center + size / 2], axis=1), FOUND[0].boxes, atol=1e-4)
    assert (folder / "labels" / "b.txt").read_text() == ""
    assert (folder / "classes.txt").read_text().splitlines() == CLASSES


def test_csv(tmp_path: Path) -> None:
    lines = FORMATS["csv"](tmp_path, FOUND, CLASSES).read_text().splitlines()
    assert lines[1] == "day/a.jpg,dog & <bone>,0.75,1.5,2.0,30.0,44.5" and len(lines) == 3


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_files_lie_inside_of_the_folder_and_none_takes_the_place_of_another(tmp_path: Path, name: str) -> None:
    names = ["../../up.jpg", "/above/abs.jpg", "a.jpg", "a.png", "x/../../../y.jpg", "../a.jpg", "1:a.jpg", "2:a.jpg"]
    FORMATS[name](tmp_path / "out", [ImageDetections(one, 4, 4) for one in names], CLASSES)
    files = [path for path in tmp_path.rglob("*.*") if path.is_file() and path.name != "classes.txt"]
    assert len(files) == len(names) and all(path.is_relative_to(tmp_path / "out" / name) for path in files)


def test_numbers_are_plain_json(tmp_path: Path) -> None:
    text = FORMATS["coco"](tmp_path, FOUND, CLASSES).read_text()
    assert json.loads(text)["annotations"][0]["area"] == 28.5 * 42.5


def detected(count: int) -> DetDataSample:
    boxes = torch.tensor([[1.5, 2.0, 30.0, 44.5], [0, 0, 64, 48]])[:count]
    masks = torch.zeros(count, 48, 64, dtype=torch.bool)
    masks[:, :, 2:30] = True
    instances = InstanceData(
        bboxes=boxes, scores=torch.tensor([0.75, 0.5])[:count], labels=torch.tensor([1, 0])[:count]
    )
    instances.masks = masks
    return DetDataSample(pred_instances=instances)


@pytest.mark.parametrize("count", [2, 0])
def test_supervision_draws_and_filters(count: int) -> None:
    supervision = pytest.importorskip("supervision", reason="needs pip install 'mmdetpre[supervision]'")
    found = to_supervision(detected(count), CLASSES)
    assert found.xyxy.tolist() == [[1.5, 2.0, 30.0, 44.5], [0, 0, 64, 48]][:count]
    assert found.confidence.tolist() == [0.75, 0.5][:count] and found.class_id.tolist() == [1, 0][:count]
    assert found.mask.sum((1, 2)).tolist() == [48 * 28] * count
    assert found[found.confidence > 0.6].data["class_name"].tolist() == [CLASSES[1]][:count]
    drawn = supervision.BoxAnnotator(thickness=1).annotate(np.zeros((48, 64, 3), np.uint8), found)
    drawn = supervision.LabelAnnotator().annotate(drawn, found)  # writes class_name
    assert bool(drawn.any()) == bool(count)


def test_without_supervision_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ValueError, match=r"needs the package supervision, .*: pip install 'mmdetpre\[supervision\]'"):
        to_supervision(detected(2), CLASSES)
