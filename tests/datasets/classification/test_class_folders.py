from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image

from mmdetpre.datasets.classification.class_folders import read_class_folders
from mmdetpre.datasets.classification.dataset import ClassFolders


def tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def test_what_counts_as_class_and_image(tmp_path: Path) -> None:
    tree(tmp_path, "b/2.JPG", "b/1.png", "b/notes.txt", "a/x.jpeg", "a/deeper/y.jpg", ".cache/z.jpg", "list.jpg")
    found = read_class_folders(tmp_path)
    assert found.images == {"a": ["deeper/y.jpg", "x.jpeg"], "b": ["1.png", "2.JPG"]}
    assert found.nested == ["a/deeper/y.jpg"] and found.root == tmp_path
    assert found.passed_over == {"files whose names are not those of images, such as b/notes.txt": 1}
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match="1 of the 3 class folders in .* hold no image: c"):
        read_class_folders(tmp_path)
    assert read_class_folders(tmp_path, leave_out_empty=True).empty == ["c"]
    assert read_class_folders(tmp_path, re.compile("[ab]"), re.compile(r"a/.*|b/1\..*")).images == {
        "a": ["deeper/y.jpg", "x.jpeg"],
        "b": ["1.png"],
    }


def test_what_operating_systems_leave_behind_is_no_data(tmp_path: Path) -> None:
    clutter = ("cat/._1.jpg", "cat/.DS_Store", "cat/Thumbs.db", "dog/@eaDir/1.jpg", "__MACOSX/cat/._1.jpg")
    found = read_class_folders(tree(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/.thumbs/1.jpg", *clutter))
    assert found.images == {"cat": ["1.jpg"], "dog": ["1.jpg"]}
    assert found.passed_over == {"hidden files, such as cat/._1.jpg": 1}


@pytest.mark.parametrize("above", ["101_ObjectCategories", "data/images"])
def test_a_root_one_level_up_is_accepted(tmp_path: Path, above: str) -> None:
    tree(tmp_path, f"{above}/cat/1.jpg", f"{above}/dog/1.jpg", "Annotations/cat/1.mat", "train.txt")
    found = read_class_folders(tmp_path)
    assert found.root == tmp_path / above and list(found.images) == ["cat", "dog"]


def test_the_data_set_finds_its_images_one_level_up(tmp_path: Path) -> None:
    for i, folder in enumerate((" cat", "dog/day2")):
        for k in range(3):
            path = tmp_path / "images" / folder / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (i, k, 0)).save(path)
    data = [ClassFolders(str(tmp_path), split, per_class=2) for split in ("train", "test")]
    assert [len(part) for part in data] == [4, 2] and data[0].metainfo["classes"] == ("cat", "dog")
    paths = [part.get_data_info(i)["img_path"] for part in data for i in range(len(part))]
    assert len(set(paths)) == 6 and all(map(os.path.isfile, paths))


def test_links_are_followed_once(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.jpg", "store/2.jpg")
    (tmp_path / "cat" / "more").symlink_to(tmp_path / "store")
    (tmp_path / "cat" / "round").symlink_to(tmp_path / "cat")
    assert read_class_folders(tmp_path).images["cat"] == ["1.jpg", "more/2.jpg"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train/cat/1.jpg", "val/cat/1.jpg"], "holds train, val, which are parts"),
        (["train/cat/1.jpg", "cat/1.jpg"], "holds train, which are parts"),
        (["train/1.jpg", "test/1.jpg"], "holds test, train, which are parts"),
        (["cat/1.jpg", " cat/2.jpg"], "' cat' and 'cat', which are one class"),
        (["cafe\u0301/1.jpg", "caf\xe9/2.jpg"], "which are one class by their names"),
        (["cat/1\n.jpg"], r"1 names .*'1\\n.jpg', for example, holds the character '\\n'"),
        (["cat/\udcff.jpg"], r"udcff.*is not valid Unicode"),
    ],
)
def test_what_cannot_be_class_folders(tmp_path: Path, files: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_class_folders(tree(tmp_path, *files))


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert list(read_class_folders(tree(tmp_path, "train/1.jpg", "car/1.jpg")).images) == ["car", "train"]


def test_no_folder_no_class(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere"):
        read_class_folders(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no class folder"):
        read_class_folders(tmp_path)
