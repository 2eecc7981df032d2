"""Caltech-256, SUN-397 and Flowers in their original layouts: sizes of Table 1, and what is missing."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.registry import DATASETS, init_default_scope

from mmdetpre.datasets.classification.caltech256 import Caltech256
from mmdetpre.datasets.classification.class_split import split_images, write_split
from mmdetpre.datasets.classification.dataset import ClassFolders
from mmdetpre.datasets.classification.flowers102 import Flowers102
from mmdetpre.datasets.classification.sun397 import SUN397

CALTECH256_IMAGES = 30_607


def caltech256_sizes() -> list[int]:
    """257 class sizes as in Caltech-256: 80 at least, 827 (clutter) at the end, 30,607 in all."""
    rest = CALTECH256_IMAGES - 827 - 256 * 80
    sizes = [80 + rest // 256 + (i < rest % 256) for i in range(256)]
    return [*sizes, 827]


def touch(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))  # Path.touch takes twice as long


def make_tree(root: Path, sizes: list[int]) -> Path:
    for number, size in enumerate(sizes, start=1):
        name = "clutter" if number == len(sizes) else f"thing-{number}"
        folder = root / "256_ObjectCategories" / f"{number:03d}.{name}"
        folder.mkdir(parents=True)
        for image in range(1, size + 1):
            touch(folder / f"{number:03d}_{image:04d}.jpg")
    return root


@pytest.fixture(scope="module")
def caltech256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 30,607 empty files, and what else the archive holds."""
    root = make_tree(tmp_path_factory.mktemp("caltech256"), caltech256_sizes())
    (root / "256_ObjectCategories/198.thing-198/RENAME2").touch()
    (root / "256_ObjectCategories/056.thing-56/greg").mkdir()
    (root / "256_ObjectCategories/056.thing-56/greg/056_0999.jpg").touch()
    return root


@pytest.mark.parametrize(("clutter", "sizes"), [(True, (15_420, 15_187)), (False, (15_360, 14_420))])
def test_caltech256_has_the_sizes_of_table_1(caltech256: Path, clutter: bool, sizes: tuple[int, int]) -> None:
    train, test = (Caltech256(str(caltech256), split, include_clutter=clutter) for split in ("train", "test"))
    assert (len(train), len(test)) == sizes
    assert set(Counter(train.get_gt_labels().tolist()).values()) == {60}
    classes = train.metainfo["classes"]
    assert len(classes) == 256 + clutter and classes == test.metainfo["classes"] and classes[0] == "thing-1"
    assert (classes[-1] == "clutter") == clutter
    paths = [{data.get_data_info(i)["img_path"] for i in range(len(data))} for data in (train, test)]
    assert not paths[0] & paths[1] and len(paths[0] | paths[1]) == sum(sizes)
    assert not any("RENAME2" in path or "greg" in path for path in paths[1])
    assert test.test_mode and not train.test_mode


def test_a_split_of_caltech256_can_be_kept_in_a_file(caltech256: Path) -> None:
    drawn = Caltech256(str(caltech256), "train", per_class=2, seed=5)
    write_split(caltech256 / "train.txt", split_images(drawn.list_images(), 2, 5)[0])
    read = Caltech256(str(caltech256), split_file="train.txt")
    assert len(read) == 514
    assert [read.get_data_info(i) for i in range(514)] == [drawn.get_data_info(i) for i in range(514)]


def test_caltech256_from_a_config(tmp_path: Path) -> None:
    make_tree(tmp_path, [3, 4])
    init_default_scope("mmpretrain")
    config = dict(type="mmdetpre.Caltech256", data_root=str(tmp_path), split="test", per_class=2, pipeline=[])
    dataset = DATASETS.build(config)
    assert [dataset[i]["gt_label"] for i in range(len(dataset))] == [0, 1, 1]
    assert "Number of categories: \t2" in repr(dataset)


def test_caltech256_that_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="256_ObjectCategories"):
        Caltech256(str(tmp_path))
    make_tree(tmp_path, [3, 60, 61])
    with pytest.raises(ValueError, match=r"2 of 3 classes .* 001.thing-1 \(3\), 002.thing-2 \(60\)"):
        Caltech256(str(tmp_path))
    with pytest.raises(ValueError, match="'train', 'test'"):
        Caltech256(str(tmp_path), "val")
    (tmp_path / "256_ObjectCategories/004.empty").mkdir()
    with pytest.raises(ValueError, match=r"1 of the 4 class folders in .* hold no image: 004.empty"):
        Caltech256(str(tmp_path), per_class=2)


def test_a_split_file_that_does_not_fit(tmp_path: Path) -> None:
    make_tree(tmp_path, [3, 3])
    folder = tmp_path / "256_ObjectCategories"
    (tmp_path / "train.txt").write_text("001.thing-1/001_0001.jpg\n001.thing-1/001_0009.jpg\n")
    with pytest.raises(FileNotFoundError, match=r"(?s)1 of the 2 files .*train.txt names are missing.*001_0009.jpg"):
        Caltech256(str(tmp_path), split_file="train.txt")
    with pytest.raises(FileNotFoundError, match=r"test.txt"):
        Caltech256(str(tmp_path), split_file="test.txt")
    (folder / "extra").mkdir()
    (folder / "extra/1.jpg").touch()
    (tmp_path / "train.txt").write_text("extra/1.jpg\n")
    with pytest.raises(ValueError, match="names the folder extra, which is not a class"):
        Caltech256(str(tmp_path), split_file="train.txt")


def test_real_photos_in_folders(shared_data: Path) -> None:
    root = str(shared_data / "caltech101")
    train, test = (
        ClassFolders(root, data_prefix="101_ObjectCategories", split=split, per_class=20) for split in ("train", "test")
    )
    assert (len(train), len(test)) == (240, 120)
    assert train.metainfo["classes"][:2] == ("accordion", "airplanes")
    official = ClassFolders(root, data_prefix="101_ObjectCategories", split_file="train.txt")
    assert len(official) == 240 and set(official.get_gt_labels()) == set(range(12))


def make_sun397(root: Path, images: int, files: bool) -> Path:
    """Lists of the first partition and, if asked for, the images that they name."""
    (root / "Partitions").mkdir(parents=True)
    for part in ("Training", "Testing"):
        lines = []
        for name in SUN397.METAINFO["classes"]:
            folder = f"{name[0]}/{name}"  # where mmpretrain's name has "_", some folders have "/"
            lines += [f"/{folder}/sun_{part.lower()}{i:02d}.jpg" for i in range(images)]
        if files:
            for line in lines:
                (root / "SUN397" / line[1:]).parent.mkdir(parents=True, exist_ok=True)
                touch(root / "SUN397" / line[1:])
        (root / f"Partitions/{part}_01.txt").write_text("\n".join(lines) + "\n")
    return root


def test_sun397_has_the_sizes_of_table_1(tmp_path: Path) -> None:
    make_sun397(tmp_path, images=50, files=False)
    for split in ("train", "test"):
        data = SUN397(str(tmp_path), split, check_files=False)
        assert len(data) == 19_850
        assert set(Counter(data.get_gt_labels().tolist()).values()) == {50}
        assert len(data.metainfo["classes"]) == 397


def test_sun397_whose_images_are_all_there(tmp_path: Path) -> None:
    make_sun397(tmp_path, images=1, files=True)
    assert [len(SUN397(str(tmp_path), split)) for split in ("train", "test")] == [397, 397]
    (tmp_path / "SUN397/a/alley/sun_testing00.jpg").unlink()
    assert len(SUN397(str(tmp_path), "train")) == 397
    with pytest.raises(FileNotFoundError, match=r"(?s)1 of the 397 files .*sun_testing00.jpg"):
        SUN397(str(tmp_path), "test")


def test_sun397_folders_of_two_levels_and_other_partitions(tmp_path: Path) -> None:
    (tmp_path / "Partitions").mkdir()
    (tmp_path / "Partitions/Testing_10.txt").write_text("/a/apse/indoor/sun_x.jpg\r\n/j/jail_cell/sun_y.jpg\r\n")
    data = SUN397(str(tmp_path), "test", partition=10, check_files=False)
    names = [data.metainfo["classes"][label] for label in data.get_gt_labels()]
    assert names == ["apse_indoor", "jail_cell"]
    assert data.get_data_info(0)["img_path"] == str(tmp_path / "SUN397/a/apse/indoor/sun_x.jpg")
    with pytest.raises(FileNotFoundError, match=r"(?s)2 of the 2 files that .*Testing_10.txt names.*sun_x.jpg"):
        SUN397(str(tmp_path), "test", partition=10)
    with pytest.raises(FileNotFoundError, match=r"(?s)layout of SUN-397.*Training_01.txt"):
        SUN397(str(tmp_path))
    with pytest.raises(ValueError, match="partition is 11"):
        SUN397(str(tmp_path), partition=11)
    (tmp_path / "Partitions/Training_01.txt").write_text("/c/castel/sun_x.jpg\n")
    with pytest.raises(ValueError, match=r"line 1 names '/c/castel/sun_x.jpg'"):
        SUN397(str(tmp_path))


@pytest.mark.parametrize(("split", "size"), [("train", 1_020), ("val", 1_020), ("trainval", 2_040), ("test", 6_149)])
def test_flowers_have_the_sizes_of_table_1(shared_data: Path, split: str, size: int) -> None:
    data = Flowers102(str(shared_data / "oxford_flowers102_splits"), split, check_files=False)
    labels = data.get_gt_labels()
    assert len(data) == size and set(labels) == set(range(102))
    if split != "test":
        assert set(Counter(labels.tolist()).values()) == {size // 102}
    assert len(data.metainfo["classes"]) == 102 and data.metainfo["classes"][76] == "passion flower"
    assert data.test_mode == (split == "test")


def test_flowers_are_disjoint(shared_data: Path) -> None:
    root = str(shared_data / "oxford_flowers102_splits")
    numbers = []
    for split in ("trainval", "test"):
        data = Flowers102(root, split, check_files=False)
        numbers += [int(Path(data.get_data_info(i)["img_path"]).stem[-5:]) for i in range(len(data))]
    assert sorted(numbers) == list(range(1, 8_190))


def write_flowers(root: Path, images: int, **split: list[int]) -> None:
    from scipy.io import savemat

    savemat(root / "imagelabels.mat", {"labels": np.arange(1, images + 1, dtype=np.uint8)[None]})
    savemat(root / "setid.mat", {name: np.array([numbers], np.uint16) for name, numbers in split.items()})


def test_flowers_that_are_incomplete(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"(?s)layout of Oxford-102 Flowers.*imagelabels.mat"):
        Flowers102(str(tmp_path))
    split: dict[str, Any] = dict(trnid=[1, 2], valid=[3, 4], tstid=[5, 6])
    write_flowers(tmp_path, 6, **split)
    (tmp_path / "jpg").mkdir()
    for number in (1, 2, 3):
        (tmp_path / f"jpg/image_{number:05d}.jpg").touch()
    with pytest.raises(FileNotFoundError, match=r"(?s)1 of the 4 files that .*setid.mat names.*image_00004.jpg"):
        Flowers102(str(tmp_path))
    assert len(Flowers102(str(tmp_path), "train")) == 2
    write_flowers(tmp_path, 5, **split)
    with pytest.raises(ValueError, match="do not fit each other"):
        Flowers102(str(tmp_path), "test")
    write_flowers(tmp_path, 6, trnid=[1, 2])
    with pytest.raises(ValueError, match="setid.mat has no variable 'valid'"):
        Flowers102(str(tmp_path))
    with pytest.raises(ValueError, match="'trainval'"):
        Flowers102(str(tmp_path), "all")
