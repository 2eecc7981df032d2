from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import pytest

from mmdetpre.sample import World, object_classes, render
from mmdetpre.sample.instances import annotate
from mmdetpre.sample.layout import image_id

OFFICIAL_HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)


def boxes(root: Path, split: str) -> list[dict[str, str]]:
    with (root / "annotations" / f"{split}-annotations-bbox.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_box_file_has_the_official_columns(openimages_sample: Path, split: str) -> None:
    lines = (openimages_sample / "annotations" / f"{split}-annotations-bbox.csv").read_text().splitlines()
    assert lines[0] == OFFICIAL_HEADER
    assert all(line.count(",") == 12 for line in lines)
    rows = boxes(openimages_sample, split)
    assert [r["ImageID"] for r in rows] == sorted(r["ImageID"] for r in rows)
    for row in rows:
        assert 0 <= float(row["XMin"]) < float(row["XMax"]) <= 1
        assert 0 <= float(row["YMin"]) < float(row["YMax"]) <= 1
        assert len(row["ImageID"]) == 16 and int(row["ImageID"], 16) >= 0
    assert any(r["IsGroupOf"] == "1" for r in rows)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_images_and_annotations_name_each_other(openimages_sample: Path, split: str) -> None:
    files = {path.stem for path in (openimages_sample / "OpenImages" / split).glob("*.jpg")}
    assert files == {row["ImageID"] for row in boxes(openimages_sample, split)}
    assert len(files) == {"train": 60, "validation": 15}[split]


def test_splits_are_disjoint(openimages_sample: Path) -> None:
    folder = openimages_sample / "OpenImages"
    train, validation = (list((folder / split).glob("*.jpg")) for split in ("train", "validation"))
    assert not {path.name for path in train} & {path.name for path in validation}
    assert not {path.read_bytes() for path in train} & {path.read_bytes() for path in validation}


def test_every_class_is_described_and_present(openimages_sample: Path) -> None:
    with (openimages_sample / "annotations/class-descriptions-boxable.csv").open(newline="") as file:
        described = [tuple(row) for row in csv.reader(file)]
    classes = [(c.mid, c.name) for c in object_classes("source")]
    assert described[: len(classes)] == classes
    for split in ("train", "validation"):
        assert {row["LabelName"] for row in boxes(openimages_sample, split)} == {mid for mid, _ in classes}


def test_hierarchy_reaches_every_described_class(openimages_sample: Path) -> None:
    tree = json.loads((openimages_sample / "annotations/bbox_labels_600_hierarchy.json").read_text())
    assert tree["LabelName"] == "/m/0bl9f"

    def below(node: dict) -> list[str]:
        children = node.get("Subcategory", [])
        return [c["LabelName"] for c in children] + [mid for c in children for mid in below(c)]

    with (openimages_sample / "annotations/class-descriptions-boxable.csv").open(newline="") as file:
        assert sorted(below(tree)) == sorted(row[0] for row in csv.reader(file))
    assert all("Subcategory" in parent for parent in tree["Subcategory"]), "no intermediate node"


def test_image_labels_agree_with_the_boxes(openimages_sample: Path) -> None:
    with (openimages_sample / "annotations/validation-annotations-human-imagelabels-boxable.csv").open() as file:
        labels = {(row["ImageID"], row["LabelName"]): row["Confidence"] for row in csv.DictReader(file)}
    present = {(row["ImageID"], row["LabelName"]) for row in boxes(openimages_sample, "validation")}
    leaves = {c.mid for c in object_classes("source")}
    assert {key for key, confidence in labels.items() if confidence == "1" and key[1] in leaves} == present
    assert len(labels) == 15 * 10


def test_rows_are_the_instances_of_the_scene(openimages_sample: Path) -> None:
    world = World("source", seed=0)
    scene = world.scene("train", 11)
    name = image_id(world, scene)
    image = cv2.imread(str(openimages_sample / "OpenImages/train" / f"{name}.jpg"))
    assert image.shape[:2] == scene.size[::-1]
    rows = [row for row in boxes(openimages_sample, "train") if row["ImageID"] == name]
    width, height = scene.size
    read = {
        (
            row["LabelName"],
            *(round(float(row[c]) * side, 2) for c, side in zip(("XMin", "XMax"), (width, width), strict=True)),
            *(round(float(row[c]) * side, 2) for c, side in zip(("YMin", "YMax"), (height, height), strict=True)),
        )
        for row in rows
    }
    expected = {
        (world.classes[i.label].mid, i.box[0], i.box[2], i.box[1], i.box[3]) for i in annotate(scene, render(scene))
    }
    assert read == expected
