from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.datasets.classification.class_split import read_split, split_images, write_split

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


FILES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=6)
FILES = FILES.filter(lambda name: name.strip() not in ("", ".", ".."))


@given(st.dictionaries(FILES, st.sets(FILES, min_size=3, max_size=5).map(sorted), min_size=1, max_size=4))
def test_split_files_come_back_whatever_the_names(tmp_path_factory: pytest.TempPathFactory, images: dict) -> None:
    file = tmp_path_factory.mktemp("split") / "train.txt"
    train, _ = split_images(images, 2)
    write_split(file, train)
    assert read_split(file, "root", images) == train


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_lists_of_any_system(tmp_path: Path, encoding: str, end: str) -> None:
    images = {"cat": ["1.jpg", "day2/2.jpg"], " dog": ["1.jpg"], "žába": ["1.jpg"]}
    lines = ["  cat/1.jpg ", "cat\\day2\\2.jpg", " dog/1.jpg", "./žába/1.jpg", ""]
    (tmp_path / "train.txt").write_bytes(end.join(lines).encode(encoding))
    read = read_split(tmp_path / "train.txt", tmp_path / "pets", images)
    assert read == ["cat/1.jpg", "cat/day2/2.jpg", " dog/1.jpg", "žába/1.jpg"]


def test_names_that_differ_in_form_only_are_found(tmp_path: Path) -> None:
    images = {"cat": ["Žofie 1.JPG", "2.jpg"], "dog": ["1.jpg", "1.JPEG"]}
    for folder, names in images.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    (tmp_path / "train.txt").write_text("Cat/Z\u030cofie%201.jpg\nC:\\data\\cat\\2.JPEG\n", encoding="utf-8")
    assert read_split(tmp_path / "train.txt", tmp_path, images) == ["cat/Žofie 1.JPG", "cat/2.jpg"]
    (tmp_path / "train.txt").write_text("dog/1.png\n")
    with pytest.raises(FileNotFoundError, match=r"1 of the 1 files"):
        read_split(tmp_path / "train.txt", tmp_path, images)


def test_lines_may_begin_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(f"pets/cat/1.jpg\n{tmp_path}/pets/cat/2.jpg\n")
    images = {"cat": ["1.jpg", "2.jpg"]}
    assert read_split(tmp_path / "train.txt", tmp_path / "pets", images) == ["cat/1.jpg", "cat/2.jpg"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", ValueError, "names no image"),
        ("\na.jpg\n", ValueError, "line 2: 'a.jpg': each names one image as FOLDER/FILE"),
        ("/cat/a.jpg\n", ValueError, "FOLDER/FILE"),
        ("cat/../a.jpg\n", ValueError, "FOLDER/FILE"),
        ("cat/a.jpg\ncat/b.jpg\n\ncat\\a.jpg\n", ValueError, "names cat/a.jpg more than once"),
        ("cow/a.jpg\n", ValueError, "names the folder cow, which is not a class of this data set: .* holds cat"),
        ("cat/A.jpg\n", FileNotFoundError, r"(?s)1 of the 1 files .*cat/A.jpg.*Nearest to the first: cat/a.jpg"),
        ("cat/a.jpg\ncat/\xff.jpg\n", ValueError, "line 2: byte 0xff .* save it as UTF-8"),
        ("cat/a.jpg\ncat/\0.jpg\n", ValueError, "line 2 holds a zero byte"),
    ],
)
def test_bad_split_files(tmp_path: Path, text: str, kind: type[Exception], message: str) -> None:
    (tmp_path / "train.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(kind, match=message):
        read_split(tmp_path / "train.txt", tmp_path, {"cat": ["a.jpg", "b.jpg"]})
