"""Folders of Open Images as FiftyOne writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.study.custom_data.boxes import read_own_boxes

HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)


def row(image: str, label: str = "/m/01", box: str = "0.1,0.5,0.2,0.8", group: int = 0) -> str:
    return f"{image},xclick,{label},1,{box},0,0,{group},0,0\n"


@pytest.fixture
def part(tmp_path: Path, save_photos: Callable[..., object]) -> Path:
    """Three photos of the training part; the table has one of them, one with a group, and one that is not there."""
    for name in ("train", "validation"):
        save_photos(*(tmp_path / name / "data" / f"{name}{i}.jpg" for i in range(3)))
        (tmp_path / name / "labels").mkdir()
        (tmp_path / name / "metadata").mkdir()
        (tmp_path / name / "metadata" / "classes.csv").write_text("/m/00,Egg\n/m/01,Hen\n")
        rows = [row(f"{name}0"), row(f"{name}1", group=1), row("elsewhere"), row(f"{name}0", "/m/77")]
        (tmp_path / name / "labels" / "detections.csv").write_text(HEADER + "".join(rows))
    return tmp_path / "train"


def test_photos_with_boxes_and_parts(part: Path) -> None:
    train = read_own_boxes(part.parent)
    assert (train.form, train.part, train.own_test) == ("Open Images", "train", "val")
    assert train.files == ["train0.jpg", "train1.jpg"] and train.classes == ["Hen"]
    assert np.allclose(train.boxes["box"], [[20, 20, 80, 60]] * 2) and train.boxes["crowd"].tolist() == [False, True]
    assert train.left_out == {
        "rows of detections.csv (unknown class)": 1,
        "photos without boxes in the table": 1,
        "classes without boxes": 1,
    }
    assert read_own_boxes(part.parent, classes=["Hen"]).files == ["validation0.jpg", "validation1.jpg"]
    assert len(read_own_boxes(part).files) == 2


def test_faults(part: Path) -> None:
    table = part / "labels" / "detections.csv"
    for text, message in (
        (row("train0", box="20,100,20,80"), "box outside of the image: expected fractions"),
        (row("train0", box="0.1,x,0.2,0.8"), "line 2"),
    ):
        table.write_text(HEADER + text)
        with pytest.raises(ValueError, match=message):
            read_own_boxes(part)
    table.write_text(HEADER + row("elsewhere"))
    with pytest.raises(FileNotFoundError, match=r"holds 3 photos, and none of them has boxes in .*elsewhere.jpg"):
        read_own_boxes(part)
    (part / "metadata" / "classes.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"classes.csv"):
        read_own_boxes(part)
    with pytest.raises(ValueError, match=r"is a table: of Open Images, give the folder"):
        read_own_boxes(table)
