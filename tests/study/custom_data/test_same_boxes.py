"""The kangaroos in every format: the boxes of their VOC XML."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.datasets.voc.xml_files import XMLObjects, half_open, read_xml_files
from mmdetpre.study.custom_data.boxes import read_own_boxes

COUNT = 10
Boxes = Sequence[Sequence[float]]


def yolo(root: Path, stem: str, size: Sequence[int], boxes: Boxes) -> None:
    width, height = size
    rows = [((a + c) / 2 / width, (b + d) / 2 / height, (c - a) / width, (d - b) / height) for a, b, c, d in boxes]
    lines = "".join(f"0 {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for x, y, w, h in rows)
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels" / f"{stem}.txt").write_text(lines)
    (root / "data.yaml").write_text("train: images\nnames: [kangaroo]\n")


def labelme(root: Path, stem: str, size: Sequence[int], boxes: Boxes) -> None:
    shapes = [{"label": "kangaroo", "shape_type": "rectangle", "points": [[c, d], [a, b]]} for a, b, c, d in boxes]
    content = {"shapes": shapes, "imagePath": f"{stem}.jpg", "imageWidth": size[0], "imageHeight": size[1]}
    (root / f"{stem}.json").write_text(json.dumps(content))


def cvat(root: Path, stem: str, size: Sequence[int], boxes: Boxes) -> None:
    file = root / "annotations.xml"
    before = file.read_text().removesuffix("</annotations>") if file.exists() else "<annotations>"
    box = '<box label="kangaroo" xtl="{}" ytl="{}" xbr="{}" ybr="{}"/>'
    shapes = "".join(box.format(*one) for one in boxes)
    image = f'<image name="{stem}.jpg" width="{size[0]}" height="{size[1]}">{shapes}</image>'
    file.write_text(f"{before}{image}</annotations>")


def openimages(root: Path, stem: str, size: Sequence[int], boxes: Boxes) -> None:
    for name in ("labels", "metadata"):
        (root / name).mkdir(exist_ok=True)
    (root / "metadata" / "classes.csv").write_text("/m/04c0y,kangaroo\n")
    table = root / "labels" / "detections.csv"
    header = "ImageID,LabelName,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"
    width, height = size
    rows = "".join(f"{stem},/m/04c0y,{a / width},{c / width},{b / height},{d / height},0,0,0\n" for a, b, c, d in boxes)
    table.write_text((table.read_text() if table.exists() else header) + rows)
    if not (root / "data").exists():
        (root / "data").symlink_to(root / "images")


@pytest.fixture(scope="module")
def kangaroos(shared_data: Path) -> tuple[list[str], XMLObjects]:
    files = sorted((shared_data / "kangaroo" / "annots").glob("*.xml"))[:COUNT]
    return [file.stem for file in files], read_xml_files([str(file) for file in files])


@pytest.mark.parametrize("write", [yolo, labelme, cvat, openimages])
def test_the_same_boxes(
    write: Callable[..., None], kangaroos: tuple[list[str], XMLObjects], shared_data: Path, tmp_path: Path
) -> None:
    stems, told = kangaroos
    corners = half_open(told.boxes)
    (tmp_path / "images").mkdir()
    for i, stem in enumerate(stems):
        (tmp_path / "images" / f"{stem}.jpg").symlink_to(shared_data / "kangaroo" / "images" / f"{stem}.jpg")
        write(tmp_path, stem, told.sizes[i].tolist(), corners[told.image == i].tolist())
    own = read_own_boxes(tmp_path)
    order = np.argsort(own.boxes["image"], kind="stable")
    found = own.boxes["box"][order]
    assert [Path(file).stem for file in own.files] == stems and own.classes == ["kangaroo"]
    assert np.allclose(np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1), corners, atol=2e-3)
