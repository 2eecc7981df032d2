"""Which format a folder has: exports of Roboflow, FiftyOne and COCO, and folders that cannot be told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdetpre.study.custom_data.boxes import read_own_boxes
from mmdetpre.study.custom_data.recognize import recognize

BOX = [10.0, 20.0, 30.0, 40.0]


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path)) * 7).integers(0, 256, (5, 5, 3), np.uint8)
    Image.fromarray(pixels).resize((100, 100)).save(path)


def coco(file: Path, image: str, **extra: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [{"id": 0, "file_name": image, "width": 100, "height": 100}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": BOX, "area": 1200, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "hen"}],
    }
    file.write_text(json.dumps(content | extra))


def xml(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    box = "<xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax>"
    file.write_text(f"<annotation><object><name>hen</name><bndbox>{box}</bndbox></object></annotation>")


def roboflow_coco(root: Path) -> None:
    for part in ("train", "valid", "test"):
        photo(root / part / f"{part}.jpg")
        categories = [{"id": 0, "name": "animals", "supercategory": "none"}, {"id": 1, "name": "hen"}]
        coco(root / part / "_annotations.coco.json", f"{part}.jpg", categories=categories)


def roboflow_voc(root: Path) -> None:
    for part in ("train", "valid", "test"):
        photo(root / part / f"{part}.jpg")
        xml(root / part / f"{part}.xml")


def fiftyone_coco(root: Path) -> None:
    for part in ("train", "test"):
        photo(root / part / "data" / f"{part}.jpg")
        coco(root / part / "labels.json", f"{part}.jpg")


def fiftyone_voc(root: Path) -> None:
    for part in ("train", "test"):
        photo(root / part / "data" / f"{part}.jpg")
        xml(root / part / "labels" / f"{part}.xml")


def coco_root(root: Path) -> None:
    for part in ("train", "test"):
        photo(root / f"{part}2017" / f"{part}.jpg")
        coco(root / "annotations" / f"instances_{part}2017.json", f"{part}.jpg")


FORMS: dict[Callable[[Path], None], str] = {
    roboflow_coco: "COCO JSON",
    roboflow_voc: "VOC XML",
    fiftyone_coco: "COCO JSON",
    fiftyone_voc: "VOC XML",
}
FORMS |= {coco_root: "COCO JSON"}


@pytest.mark.parametrize("write", FORMS)
def test_exports_keep_their_parts(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    train = read_own_boxes(tmp_path)
    test = read_own_boxes(tmp_path, classes=train.classes)
    assert (train.form, train.part, test.part) == (FORMS[write], "train", "test")
    assert train.boxes["box"].tolist() == test.boxes["box"].tolist() == [BOX] and train.classes == ["hen"]
    assert (train.files, test.files) == (["train.jpg"], ["test.jpg"])
    assert train.left_out == ({"classes without boxes": 1} if write is roboflow_coco else {})
    assert len(train.remarks) == (1 if "valid" in {path.name for path in tmp_path.iterdir()} else 0)


def test_one_part_alone_is_the_whole(tmp_path: Path) -> None:
    photo(tmp_path / "data" / "a.jpg")
    coco(tmp_path / "labels.json", "a.jpg")
    data = recognize(tmp_path)
    assert (data.form, list(data.parts), data.test) == ("COCO JSON", [""], None)
    (tmp_path / "labels.json").rename(tmp_path / "own.json")
    assert recognize(tmp_path).form == "COCO JSON"


def test_several_formats_are_not_guessed_between(tmp_path: Path) -> None:
    xml(tmp_path / "a.xml")
    coco(tmp_path / "labels.json", "a.jpg")
    with pytest.raises(ValueError, match=r"holds several formats, labels.json and .*: name the file that counts"):
        recognize(tmp_path)
    assert recognize(tmp_path / "labels.json").form == "COCO JSON"


def test_parts_of_several_formats(tmp_path: Path) -> None:
    roboflow_coco(tmp_path)
    (tmp_path / "valid" / "_annotations.coco.json").unlink()
    xml(tmp_path / "valid" / "valid.xml")
    with pytest.raises(ValueError, match=r"its parts are of several formats, COCO JSON, VOC XML"):
        recognize(tmp_path)


def test_what_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 .5 .5 .1 .1\n")
    with pytest.raises(ValueError, match=r"a.txt looks like YOLO: add a data.yaml or classes.txt"):
        recognize(tmp_path)
    (tmp_path / "own.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"is an archive: unpack it"):
        recognize(tmp_path / "own.zip")
    xml(tmp_path / "a.xml")
    with pytest.raises(ValueError, match=r"is one file of VOC XML, or none of CVAT: give the folder"):
        recognize(tmp_path / "a.xml")
    for name in ("a", "b"):
        coco(tmp_path / "more" / f"{name}.json", "a.jpg")
    with pytest.raises(ValueError, match=r"holds a.json, b.json ...: name the COCO JSON that counts"):
        recognize(tmp_path / "more")
