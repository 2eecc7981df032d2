"""LabelMe's JSON: every shape gives its box, every fault is one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdetpre.study.custom_data.boxes import read_own_boxes

RECTANGLE: dict[str, Any] = {
    "label": "hen",
    "shape_type": "rectangle",
    "points": [[50, 60], [10, 20.0]],
    "group_id": None,
    "flags": {},
}


@pytest.fixture
def root(tmp_path: Path, save_photos: Callable[..., object]) -> Path:
    save_photos(tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "c.jpg")
    return tmp_path


def write(root: Path, *shapes: Any, **changes: Any) -> Path:
    for name, found in (("a", shapes or (RECTANGLE,)), ("b", ())):
        content = {"version": "5.0", "flags": {}, "shapes": list(found), "imagePath": f"..\\\\x\\\\{name}.jpg"}
        content |= {"imageData": None, "imageHeight": 100, "imageWidth": 200} | changes
        (root / f"{name}.json").write_text(json.dumps(content))
    return root


def shape(kind: str, *points: list[float], **changes: Any) -> dict[str, Any]:
    return RECTANGLE | {"shape_type": kind, "points": list(points)} | changes


SHAPES: list[tuple[dict[str, Any], list[float]]] = [
    (RECTANGLE, [10, 20, 40, 40]),
    (shape("polygon", [10, 20], [50, 20], [30, 60]), [10, 20, 40, 40]),
    (shape("circle", [50, 50], [80, 90]), [0, 0, 100, 100]),
    (shape("mask", [10, 20], [50, 60], mask="iVBOR"), [10, 20, 40, 40]),
    (shape("rotation", [30, 20], [50, 40], [30, 60], [10, 40]), [10, 20, 40, 40]),
]


@pytest.mark.parametrize("found,box", SHAPES)
def test_shapes(root: Path, found: dict[str, Any], box: list[float]) -> None:
    own = read_own_boxes(write(root, found, shape("line", [1, 2], [3, 4])))
    assert own.form == "LabelMe" and own.files == ["a.jpg", "b.jpg"] and own.classes == ["hen"]
    assert np.allclose(own.boxes["box"], [box])
    assert own.left_out == {"objects without a box (line)": 1, "photos without a file of LabelMe": 1}
    assert ("read as the boxes around them" in str(own.remarks)) == (found is not RECTANGLE)


def test_shapes_of_one_group_are_one_object(root: Path) -> None:
    parts = [shape("rectangle", [x, 10], [x + 20, 30], group_id=7) for x in (10, 60)]
    own = read_own_boxes(write(root, *parts, shape("rectangle", [1, 1], [9, 9], group_id=7, label="egg"), RECTANGLE))
    assert sorted(own.boxes["box"].tolist()) == [[1, 1, 8, 8], [10, 10, 70, 20], [10, 20, 40, 40]]


def test_flags_and_sizes_that_are_not_told(root: Path) -> None:
    marked = [shape("rectangle", [1, 1], [30, 30], difficult=True), RECTANGLE | {"flags": {"occluded": True}}]
    own = read_own_boxes(write(root, *marked, imageHeight=None, imageWidth=None))
    assert own.boxes["crowd"].tolist() == [True, False] and own.known_flags == ("difficult", "occluded")
    assert own.sizes.tolist() == [[200, 100]] * 2


def test_folders_of_parts(root: Path, save_photos: Callable[..., object]) -> None:
    for part in ("train", "val"):
        save_photos(root / part / f"a{part}.jpg")
        write(root)
        (root / "a.json").rename(root / part / f"a{part}.json")
        (root / "b.json").unlink()
    train = read_own_boxes(root)
    assert (train.files, train.own_test) == (["atrain.jpg"], "val")
    assert read_own_boxes(root, classes=["hen"]).files == ["aval.jpg"]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no label": (RECTANGLE | {"label": 7}, "a.json: shapes[0] is {'label': 7"),
    "a point of three": (shape("rectangle", [1, 2, 3], [4, 5]), "expected a label, a shape_type such as rectangle"),
    "one point": (shape("rectangle", [1, 2]), "and its points, pairs of numbers"),
    "a text for a number": (shape("rectangle", ["1", 2], [4, 5]), "pairs of numbers"),  # type: ignore[list-item]
    "NaN": (shape("rectangle", [float("nan"), 2], [4, 5]), "pairs of numbers"),
    "an unknown shape": (shape("blob", [1, 2], [4, 5]), "a.json: shapes[0] is"),
    "no shape": ([], "a.json: shapes[0] is []"),  # type: ignore[dict-item]
    "no flag": (RECTANGLE | {"flags": {"difficult": "maybe"}}, "shapes[0] has difficult 'maybe'"),
    "no area": (shape("rectangle", [1, 2], [1, 9]), "1 boxes are empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(root: Path, fault: str) -> None:
    found, message = FAULTS[fault]
    with pytest.raises(ValueError) as error:
        read_own_boxes(write(root, found))
    assert message in str(error.value)


def test_files_of_another_kind(root: Path) -> None:
    write(root)
    (root / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b.json is not of LabelMe, as others in its folder are"):
        read_own_boxes(root)
    write(root, imageWidth="200")
    with pytest.raises(ValueError, match=r"imageWidth and imageHeight must be whole pixels"):
        read_own_boxes(root)
    with pytest.raises(ValueError, match=r"one file of LabelMe: give the folder"):
        read_own_boxes(root / "a.json")
    for name in "abc":
        (root / f"{name}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"none of 2 files of LabelMe has a photo"):
        read_own_boxes(write(root))
