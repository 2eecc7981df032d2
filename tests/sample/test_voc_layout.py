from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mmdetpre.plotting.palette import voc_palette
from mmdetpre.sample import World, render
from mmdetpre.sample.instances import annotate
from mmdetpre.sample.voc_layout import VOID, is_difficult, label_map


@pytest.fixture(scope="module")
def voc(tiny_voc: Path) -> Path:
    return tiny_voc / "VOCdevkit" / "VOC2012"


def names(voc: Path, task: str, split: str) -> list[str]:
    return (voc / "ImageSets" / task / f"{split}.txt").read_text().split()


def test_lists_name_the_files(voc: Path) -> None:
    for task in ("Main", "Segmentation"):
        lists = [names(voc, task, split) for split in ("train", "val", "trainval")]
        assert [len(part) for part in lists] == [24, 6, 30] and lists[2] == lists[0] + lists[1]
    for folder in ("Annotations", "JPEGImages", "SegmentationClass"):
        assert sorted(path.stem for path in (voc / folder).iterdir()) == names(voc, "Main", "trainval")


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("validation", "val")])
def test_xml_is_what_was_drawn(voc: Path, split: str, part: str) -> None:
    world = World("target")
    difficult = 0
    for i, name in enumerate(names(voc, "Main", part)):
        scene = world.scene(split, i)
        root = ElementTree.parse(voc / "Annotations" / f"{name}.xml").getroot()
        assert root.findtext("filename") == f"{name}.jpg" and root.findtext("folder") == "VOC2012"
        size = (int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))
        with Image.open(voc / "JPEGImages" / f"{name}.jpg") as image:
            assert image.size == size == scene.size
        drawn = annotate(scene, render(scene), merge_groups=False)
        for node, instance in zip(root.iterfind("object"), drawn, strict=True):
            x1, y1, x2, y2 = instance.box
            corners = [int(node.findtext(f"bndbox/{tag}") or 0) for tag in ("xmin", "ymin", "xmax", "ymax")]
            assert corners == [x1 + 1, y1 + 1, x2, y2]  # counted from 1, both corners inside
            flags = [node.findtext(tag) == "1" for tag in ("truncated", "occluded", "difficult")]
            assert flags == [instance.truncated, instance.occluded, is_difficult(instance)]
            assert node.findtext("name") == world.classes[instance.label].name
            difficult += flags[2]
    assert difficult


def test_lists_of_one_class(voc: Path) -> None:
    values = set()
    for item in World("target").classes:
        lines = (voc / "ImageSets/Main" / f"{item.name}_train.txt").read_text().splitlines()
        assert [line.split()[0] for line in lines] == names(voc, "Main", "train")
        for line in lines:
            name, value = line.split()
            values.add(value)
            root = ElementTree.parse(voc / "Annotations" / f"{name}.xml").getroot()
            found = [o.findtext("difficult") for o in root.iterfind("object") if o.findtext("name") == item.name]
            assert value == ("-1" if not found else "1" if "0" in found else "0")
    assert {"1", "-1"} <= values


def test_segmentation_maps_lie_on_the_boxes(voc: Path) -> None:
    classes = [c.name for c in World("target").classes]
    borders = 0
    for name in names(voc, "Segmentation", "trainval"):
        with Image.open(voc / "SegmentationClass" / f"{name}.png") as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.reshape(image.getpalette(), (-1, 3)), voc_palette())
            labels = np.asarray(image)
        assert set(np.unique(labels)) <= {0, 1, 2, 3, 4, VOID}
        borders += int((labels == VOID).sum())
        root = ElementTree.parse(voc / "Annotations" / f"{name}.xml").getroot()
        covered = np.zeros(labels.shape, bool)
        for node in root.iterfind("object"):
            x1, y1, x2, y2 = (int(node.findtext(f"bndbox/{tag}") or 0) for tag in ("xmin", "ymin", "xmax", "ymax"))
            inside = labels[y1 - 1 : y2, x1 - 1 : x2]
            covered[y1 - 1 : y2, x1 - 1 : x2] = True
            if is_big(x1, y1, x2, y2):
                assert (inside == classes.index(str(node.findtext("name"))) + 1).any()
        assert not ((labels > 0) & (labels < VOID) & ~covered).any()
    assert borders


def is_big(x1: int, y1: int, x2: int, y2: int) -> bool:
    return (x2 - x1) * (y2 - y1) > 900


def test_borders_and_colors() -> None:
    owner = np.full((5, 7), -1)
    owner[1:4, 2:5] = 1
    expected = np.full((5, 7), 0)
    expected[:, 1:6] = VOID
    expected[2, 3] = 3
    np.testing.assert_array_equal(label_map(owner, np.array([0, 2])), expected)
    assert label_map(np.zeros((3, 3), int), np.array([0])).tolist() == [[1] * 3] * 3
    # background, aeroplane, bicycle, tvmonitor and the border, as in VOC's development kit
    assert voc_palette()[[0, 1, 2, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [0, 64, 128],
        [224, 224, 192],
    ]


def test_real_maps_have_the_same_palette(shared_data: Path) -> None:
    path = next((shared_data / "voc2012/VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))
    with Image.open(path) as image:
        found = np.reshape(image.getpalette(), (-1, 3))
    used = [0, 1, 15, 20, 255]
    np.testing.assert_array_equal(voc_palette()[used], found[used])
