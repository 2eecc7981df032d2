"""CVAT's XML: every shape gives its box, subsets are parts, every fault is one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.study.custom_data.boxes import read_own_boxes

BOX = '<box label="hen" xtl="10" ytl="20" xbr="50" ybr="60" occluded="0"/>'
META = "<meta><task><labels><label><name>egg</name></label><label><name>hen</name></label></labels></task></meta>"


@pytest.fixture
def root(tmp_path: Path, save_photos: Callable[..., object]) -> Path:
    save_photos(tmp_path / "images" / "a.jpg", tmp_path / "images" / "b.jpg")
    return tmp_path


def write(root: Path, first: str = BOX, second: str = "", meta: str = META, **options: str) -> Path:
    subsets = [f'subset="{options[key]}"' if key in options else "" for key in ("a", "b")]
    text = f"<annotations><version>1.1</version>{meta}"
    for i, (name, shapes) in enumerate((("a", first), ("b", second))):
        size = options.get("size", 'width="200" height="100"')
        text += f'<image id="{i}" name="{name}.jpg" {size} {subsets[i]}>{shapes}</image>'
    (root / "annotations.xml").write_text(f"{text}</annotations>")
    return root


SHAPES = {
    BOX: [10, 20, 40, 40],
    '<box label="hen" xtl="20" ytl="30" xbr="60" ybr="50" rotation="90"/>': [30, 20, 20, 40],
    '<ellipse label="hen" cx="50" cy="40" rx="30" ry="10" rotation="90"/>': [40, 10, 20, 60],
    '<polygon label="hen" points="10.0,20.0;50,20;30,60"/>': [10, 20, 40, 40],
    '<mask label="hen" rle="1, 2" left="10" top="20" width="40" height="30"/>': [10, 20, 40, 30],
}


@pytest.mark.parametrize("shape,box", SHAPES.items())
def test_shapes(root: Path, shape: str, box: list[float]) -> None:
    own = read_own_boxes(write(root, shape, '<polyline label="hen" points="1,2;3,4"/><tag label="egg"/>'))
    assert own.form == "CVAT (annotations.xml)" and own.files == ["a.jpg", "b.jpg"] and own.classes == ["hen"]
    assert np.allclose(own.boxes["box"], [box]) and own.sizes.tolist() == [[200, 100]] * 2
    assert own.left_out.pop("classes without boxes") == 1
    assert own.left_out == {"objects without a box (polyline)": 1, "objects without a box (tag)": 1}
    assert ("read as the upright boxes around them" in str(own.remarks)) == (shape != BOX)


def test_subsets_are_parts(root: Path) -> None:
    train = read_own_boxes(write(root, BOX, BOX, a="Train", b="Validation"))
    test = read_own_boxes(root, classes=train.classes)
    assert (train.files, train.part, test.files, test.part) == (["a.jpg"], "train", ["b.jpg"], "val")
    whole = read_own_boxes(write(root, BOX, BOX, a="default"))
    assert len(whole.files) == 2 and whole.own_test is None


def test_flags(root: Path) -> None:
    inner = BOX.replace('"0"/>', '"1"><attribute name="difficult">false</attribute></box>')
    own = read_own_boxes(write(root, inner))
    assert own.known_flags == ("occluded",) and not own.boxes["crowd"].any()


def test_the_file_itself_and_photos_elsewhere(root: Path) -> None:
    write(root)
    (root / "images").rename(root / "other")
    assert read_own_boxes(root / "annotations.xml", root / "other").found == (2, 1)


FAULTS = {
    "no number": (dict(first=BOX.replace('"10"', '"ten"')), "image 'a.jpg' has <box label='hen' xtl='ten'"),
    "NaN": (dict(first=BOX.replace('"10"', '"nan"')), "expected a label, and the numbers of a box"),
    "no label": (dict(first=BOX.replace('"hen"', '""')), "expected a label, and the numbers of a box"),
    "an unknown label": (dict(first=BOX.replace("hen", "cock")), "an object 'cock', which is not one of its labels"),
    "an unknown shape": (dict(first='<blob label="hen"/>'), "has <blob label='hen'>"),
    "a polygon of two points": (dict(first='<polygon label="hen" points="1,2;3,4"/>'), "has <polygon label='hen'"),
    "no flag": (dict(first=BOX.replace('"0"', '"maybe"')), "has occluded 'maybe'"),
    "no size": (dict(size='width="x" height="1"'), "expected a name, and whole pixels"),
    "a video": (dict(meta='<track id="0"/>'), 'Export it from CVAT as "CVAT for images 1.1"'),
    "corners in the wrong order": (dict(first=BOX.replace('"10"', '"90"')), "1 boxes are empty"),
    "laughs": (dict(meta='<!DOCTYPE a [<!ENTITY b "c">]>'), "has a document type"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(root: Path, fault: str) -> None:
    changes, message = FAULTS[fault]
    with pytest.raises(ValueError) as error:
        read_own_boxes(write(root, **changes))
    assert message in str(error.value) and str(root) in str(error.value)


def test_files_that_are_not_whole(root: Path) -> None:
    write(root)
    text = (root / "annotations.xml").read_text()
    for content, message in (
        (text[:-30], "is not valid XML"),
        ("<annotations/>", "has no <image>"),
        (text.replace("b.jpg", "a.jpg"), "two images are called 'a.jpg'"),
    ):
        (root / "annotations.xml").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_own_boxes(root)
