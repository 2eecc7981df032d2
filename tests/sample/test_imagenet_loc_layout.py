from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from mmdetpre.sample import World, render
from mmdetpre.sample.imagenet_loc_layout import det_classes
from mmdetpre.sample.instances import annotate


def rows(path: Path) -> list[list[str]]:
    return [line.split(maxsplit=1) for line in path.read_text().splitlines()]


def test_a_folder_per_wordnet_id(tiny_imagenet_loc: Path) -> None:
    folders = sorted(path.name for path in (tiny_imagenet_loc / "Annotation").iterdir())
    assert len(folders) == 8 and all(re.fullmatch(r"n\d{8}", name) for name in folders)
    for wnid in folders:
        xml = sorted(path.stem for path in (tiny_imagenet_loc / "Annotation" / wnid).glob("*.xml"))
        assert xml == sorted(path.stem for path in (tiny_imagenet_loc / "images" / wnid).glob("*.JPEG"))
        assert len(xml) == 3
        for name in xml:
            root = ElementTree.parse(tiny_imagenet_loc / "Annotation" / wnid / f"{name}.xml").getroot()
            assert {node.findtext("name") for node in root.iterfind("object")} == {wnid}
            with Image.open(tiny_imagenet_loc / "images" / wnid / f"{name}.JPEG") as image:
                assert image.size == (int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))


def test_one_object_dominates() -> None:
    world = World("source")
    shares = []
    for i in range(40):
        scene = world.portrait("train", i)
        assert scene == world.portrait("train", i) and {o.label for o in scene.objects} == {i % 8}
        [first, *others] = annotate(scene, render(scene))
        x1, y1, x2, y2 = first.box
        shares.append((x2 - x1) * (y2 - y1) / (scene.size[0] * scene.size[1]))
        assert len(others) <= 1
    assert 0.15 < np.median(shares) < 0.5 and min(shares) > 0.04
    assert world.portrait("train", 0).objects != world.scene("train", 0).objects


def test_the_det_part(tiny_imagenet_loc: Path) -> None:
    lines = rows(tiny_imagenet_loc / "ILSVRC/ImageSets/DET/val.txt")
    assert lines == [[f"ILSVRC2012_val_{i:08d}", str(i)] for i in range(1, 7)]
    det = [row[0] for row in rows(tiny_imagenet_loc / "det_classes.txt")]
    mapping = dict(rows(tiny_imagenet_loc / "det_class_map.txt"))
    words = dict(rows(tiny_imagenet_loc / "words.txt"))
    assert len(det) == 6 and set(mapping.values()) == set(det) and not set(mapping) & set(det)
    assert set(words) == {*det, *(path.name for path in (tiny_imagenet_loc / "Annotation").iterdir())}
    assert len(mapping) == 7 and len(set(words.values())) == len(words)
    for name, _ in lines:
        root = ElementTree.parse(tiny_imagenet_loc / "ILSVRC/Annotations/DET/val" / f"{name}.xml").getroot()
        assert {str(node.findtext("name")) for node in root.iterfind("object")} <= set(det)
        assert (tiny_imagenet_loc / "ILSVRC/Data/DET/val" / f"{name}.JPEG").is_file()


def test_classes_that_fall_together_and_one_that_has_none() -> None:
    wnids, names, labels = det_classes(World("target"))
    assert (len(wnids), labels) == (2, [0, 1, 1, None])
    assert names == ["Arrow (DET)", "Hourglass or Arch (DET)"]
