"""Label maps of a data set are looked at before anything is trained on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmdetpre.datasets.label_maps.check import check_scan, scan_label_maps
from mmdetpre.datasets.voc.segmentation import VOCSegmentationDataset


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes photos and label maps of objects and border in given values, in VOC's layout."""

    def make(background: int, thing: int, border: int, kind: type = np.uint8, count: int = 3) -> Path:
        for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        names = [f"{i}" for i in range(count)]
        for name in names:
            labels = np.full((40, 60), background, kind)
            labels[9:31, 9:31], labels[10:30, 10:30] = border, thing
            Image.fromarray(labels).save(tmp_path / "SegmentationClass" / f"{name}.png")
            Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        (tmp_path / "ImageSets/Segmentation/train.txt").write_text("\n".join(names))
        return tmp_path

    return make


def open_data(root: Path, **options) -> VOCSegmentationDataset:
    sets = [("train", "SegmentationClass")]
    return VOCSegmentationDataset(str(root), sets, classes=["background", "thing"], pipeline=[], **options)


def test_labels_of_16_bits_are_refused_with_their_pixels(data: Callable[..., Path]) -> None:
    root = data(0, 256, 255, np.uint16)
    with pytest.raises(ValueError, match=r"3 of 3 hold 256 \(1,200 pixels\), the first is .*0\.png.*Expected 0 to 1"):
        open_data(root)
    assert len(open_data(root, check_maps=False)) == 3


def test_training_refuses_them_too(data: Callable[..., Path], repository: Path, tmp_path: Path) -> None:
    root = data(0, 256, 255, np.uint16)
    cfg = Config.fromfile(repository / "configs/seg/deeplab_voc_sample.py")
    dataset = {"data_root": f"{root}/", "sets": [("train", "SegmentationClass")], "classes": ["background", "thing"]}
    for part in ("train", "val", "test"):
        cfg[f"{part}_dataloader"]["dataset"].update(dataset)
        cfg[f"{part}_dataloader"].update(num_workers=0, persistent_workers=False)
    cfg.work_dir = str(tmp_path / "work")
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=r"The label maps of train.txt do not fit 2 classes: 3 of 3 hold 256"):
        runner.train()


@pytest.mark.parametrize(("thing", "found"), [(255, r"255 \(1,452 pixels\).* 255 is void, which"), (0, r"0 \(\d")])
def test_maps_without_any_class_are_warned_of(data: Callable[..., Path], thing: int, found: str) -> None:
    root = data(0, thing, thing)
    scan = scan_label_maps(sorted((root / "SegmentationClass").iterdir()))
    (warning,) = check_scan(scan, 2, source="train.txt")
    assert re.search(f"No label map of train.txt holds a class but 0: found .*{found}", warning), warning
    assert len(open_data(root)) == 3
    sound = data(0, 1, 255)
    assert check_scan(scan_label_maps(sorted((sound / "SegmentationClass").iterdir())), 2, source="") == []


def test_damaged_maps_are_listed(data: Callable[..., Path]) -> None:
    root = data(0, 1, 255)
    (root / "SegmentationClass/1.png").write_bytes(b"no picture")
    Image.new("RGB", (60, 40)).save(root / "SegmentationClass/2.png")
    with pytest.raises(
        ValueError, match=r"(?s)2 of 3 label maps .*1.png: the file cannot be read.*2.png: it is in col"
    ):
        open_data(root)


def test_the_zero_label_and_chosen_classes(data: Callable[..., Path]) -> None:
    root = data(1, 2, 255)
    with pytest.raises(ValueError, match="3 of 3 hold 2 "):
        open_data(root)
    assert len(open_data(root, reduce_zero_label=True)) == 3


def test_files_say_what_they_hold_however_often(data: Callable[..., Path]) -> None:
    root = data(0, 1, 255)
    first, second = (scan_label_maps(sorted((root / "SegmentationClass").iterdir())) for _ in range(2))
    assert first == second and first.pixels == {0: 3 * (2400 - 484), 1: 1200, 255: 252}
