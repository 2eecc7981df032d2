from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.datasets.class_folders import list_class_folders, read_split, split_images, write_split

NAMES = st.text("abcdefgh0123456789_", min_size=1, max_size=6)
TREES = st.dictionaries(NAMES, st.sets(NAMES, min_size=4, max_size=12).map(sorted), min_size=1, max_size=5)


@given(TREES, st.integers(1, 3), st.integers(-3, 10**9))
def test_a_split_takes_each_image_once(images: dict[str, list[str]], per_class: int, seed: int) -> None:
    train, test = split_images(images, per_class, seed)
    everything = [f"{folder}/{file}" for folder, files in images.items() for file in files]
    assert sorted(train + test) == sorted(everything)
    for folder in images:
        assert sum(path.startswith(f"{folder}/") for path in train) == per_class


@given(TREES, st.integers(0, 99), st.randoms())
def test_a_split_depends_on_names_and_seed_alone(images: dict[str, list[str]], seed: int, random) -> None:
    train, _ = split_images(images, 2, seed)
    shuffled = {folder: random.sample(files, len(files)) for folder, files in images.items()}
    assert split_images(shuffled, 2, seed)[0] == train
    first = next(iter(images))
    alone, _ = split_images({first: images[first]}, 2, seed)
    assert alone == [path for path in train if path.startswith(f"{first}/")]
    assert set(split_images(images, 1, seed)[0]) <= set(train) <= set(split_images(images, 3, seed)[0])


def test_the_split_of_a_seed_never_changes() -> None:
    images = {"001.ak47": [f"001_{i:04d}.jpg" for i in range(1, 11)]}
    train, _ = split_images(images, 3)
    assert train == ["001.ak47/001_0002.jpg", "001.ak47/001_0003.jpg", "001.ak47/001_0005.jpg"]
    drawn = [tuple(split_images(images, 3, seed)[0]) for seed in range(30)]
    assert len(set(drawn)) > 20
    often = [sum(path in split for split in drawn) for path in sorted({path for split in drawn for path in split})]
    assert len(often) == 10 and max(often) < 20


def test_classes_that_are_too_small_are_named() -> None:
    images = {"cat": ["1", "2"], "dog": ["1", "2", "3"], "owl": ["1"]}
    with pytest.raises(ValueError, match=r"2 of 3 classes have fewer than 3 images.*cat \(2\), owl \(1\)"):
        split_images(images, 2)
    with pytest.raises(ValueError, match="at least 1 training image"):
        split_images(images, 0)


def test_what_counts_as_class_and_image(tmp_path: Path) -> None:
    for file in ("b/2.JPG", "b/1.png", "b/notes.txt", "a/x.jpeg", "a/deeper/y.jpg", ".cache/z.jpg", "list.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert list_class_folders(tmp_path) == {"a": ["x.jpeg"], "b": ["1.png", "2.JPG"]}
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match="1 of the 3 class folders in .* hold no image: c"):
        list_class_folders(tmp_path)
    assert list_class_folders(tmp_path, re.compile("[ab]"), re.compile(r"a/.*|b/1\..*")) == {
        "a": ["deeper", "x.jpeg"],
        "b": ["1.png"],
    }


def test_no_folder_no_class(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere"):
        list_class_folders(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no class folder"):
        list_class_folders(tmp_path)


@given(TREES)
def test_split_files_come_back(tmp_path_factory: pytest.TempPathFactory, images: dict[str, list[str]]) -> None:
    file = tmp_path_factory.mktemp("split") / "train.txt"
    train, _ = split_images(images, 2)
    write_split(file, train)
    assert read_split(file) == train


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no image"),
        ("a.jpg\n", "'a.jpg': each names one image as FOLDER/FILE"),
        ("/cat/a.jpg\n", "FOLDER/FILE"),
        ("cat/a.jpg\ncat/b.jpg\n\ncat/a.jpg\n", "names cat/a.jpg more than once"),
    ],
)
def test_bad_split_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_split(tmp_path / "train.txt")
