"""YOLO folders as people have them: every layout gives the same boxes, every fault one message or a counted repair."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdetpre.study.custom_data.boxes import OwnBoxes, read_own_boxes

SIZE = (200, 100)
LINE = "1 0.5 0.4 0.2 0.6\n"
BOX = [80.0, 10.0, 40.0, 60.0]
YAML = "train: images/train\nval: images/val\nnames: [hen, egg]\n"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (5, 10, 3), np.uint8)
        Image.fromarray(pixels).resize(SIZE).save(folder / f"{i}.jpg")
    return sorted(folder.iterdir())


@pytest.fixture
def root(tmp_path: Path, photos: list[Path]) -> Path:
    """Two photos to train on and two to test on; the second of each has no label file."""
    for i, photo in enumerate(photos):
        part = "train" if i < 2 else "val"
        put(photo, tmp_path / "images" / part / photo.name)
        write(tmp_path / "labels" / part / f"{i}.txt", LINE if i % 2 == 0 else None)
    write(tmp_path / "data.yaml", YAML)
    return tmp_path


def put(photo: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(photo, path)


def write(path: Path, text: str | bytes | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)


def parts(source: Path, **options: Any) -> tuple[OwnBoxes, OwnBoxes]:
    train = read_own_boxes(source, **options)
    return train, read_own_boxes(source, classes=train.classes, **options)


def refusal(source: Path, kind: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        read_own_boxes(source, **options)
    return str(error.value)


def test_both_parts_and_photos_without_objects(root: Path) -> None:
    train, test = parts(root)
    assert (train.part, test.part, train.own_test, train.form) == ("train", "val", "val", "YOLO (data.yaml)")
    assert (train.files, test.files) == (
        ["images/train/0.jpg", "images/train/1.jpg"],
        ["images/val/2.jpg", "images/val/3.jpg"],
    )
    for part in (train, test):
        assert np.allclose(part.boxes["box"], [BOX]) and np.allclose(part.boxes["area"], 2400)
        assert part.sizes.tolist() == [[*SIZE]] * 2 and part.classes == ["egg"] and part.found == (2, 1)
    assert train.left_out == {"classes without boxes": 1} and not train.remarks


def roboflow(root: Path) -> Path:
    for part, theirs in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            (root / theirs).mkdir(exist_ok=True)
            (root / kind / part).rename(root / theirs / kind)
    write(
        root / "data.yaml",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['hen', 'egg']\n",
    )
    return root


def lists(root: Path) -> Path:
    write(root / "lists" / "a.txt", f"/content/data/images/train/0.jpg\n{root}/images/train/1.jpg\r\n")
    write(root / "lists" / "b.txt", "./../images/val/2.jpg\nimages\\val\\3.jpg\nimages/val/3.jpg\n".encode("utf-16"))
    write(root / "data.yaml", "train: lists/a.txt\nval: [lists/b.txt]\nnames:\n  0: hen\n  1: egg\n")
    return root


def elsewhere(root: Path) -> Path:
    write(root / "configs" / "own.yaml", f"path: {root}\n{YAML}")
    return root / "configs" / "own.yaml"


def other_machine(root: Path) -> Path:
    places = "path: C:\\data\\set\ntrain: /content/set/images/train\nval: D:\\set\\images\\val\n"
    write(root / "data.yaml", places + "names: {'0': hen, '1': egg}\n")
    return root


def class_list(root: Path) -> Path:
    (root / "data.yaml").unlink()
    write(root / "labels" / "classes.txt", "hen\negg\n")
    return root


def beside(root: Path) -> Path:
    for part in ("train", "val"):
        (root / "images" / part).rename(root / part)
        for file in (root / "labels" / part).iterdir():
            shutil.move(file, root / part / file.name)
    write(root / "data.yaml", "train: train\nval: val\nnames: [hen, egg]\n")
    write(root / "train" / "README.txt", "photos of hens")
    return root


@pytest.mark.parametrize("layout", [roboflow, lists, elsewhere, other_machine, class_list, beside])
def test_every_layout_has_the_same_boxes(root: Path, layout: Callable[[Path], Path]) -> None:
    train, test = parts(layout(root))
    for part, name in ((train, "0.jpg"), (test, "2.jpg")):
        assert len(part.files) == 2 and np.allclose(part.boxes["box"], [BOX]) and part.classes == ["egg"]
        assert part.files[part.boxes["image"][0]].endswith(name) and all(path.is_file() for path in part.paths())
    assert ("is not there" in str(train.remarks)) == (layout is roboflow)


def test_test_is_what_is_tested_on_and_val_is_left_aside(root: Path) -> None:
    write(root / "data.yaml", YAML.replace("val:", "test:") + "val: images/val\n")
    train, test = parts(root)
    assert (train.part, test.part) == ("train", "test") and train.remarks == [f"the part val of {root} is not used"]


def test_labels_in_a_folder_and_photos_in_another(root: Path) -> None:
    (root / "data.yaml").unlink()
    write(root / "labels" / "classes.txt", "hen\negg\n")
    (root / "images").rename(root / "photos")
    train, test = parts(root / "labels" / "classes.txt", images_dir=root / "photos")
    assert train.files == ["train/0.jpg", "train/1.jpg"] and np.allclose(test.boxes["box"], [BOX])


def test_without_parts_all_photos_are_one(root: Path) -> None:
    write(root / "data.yaml", "train: images\nval: images\nnames: [hen, egg]\n")
    own = read_own_boxes(root)
    assert len(own.files) == 4 and len(own.boxes) == 2 and own.own_test is None
    assert own.remarks == ["val in data.yaml has the photos of train"]


@pytest.mark.parametrize(
    "line,box",
    [
        ("1 0.4 0.1 0.6 0.1 0.6 0.7 0.4 0.7", BOX),  # corners of a polygon
        ("1.0 +.5 4e-1 0.2 0.6", BOX),
        ("\ufeff1\t0.5 0.4 0.2 0.6\r\r1 0.5 0.4 0.2 0.6", BOX),  # a mark, tabs, old line ends; the same box twice
        ("1 0.95 0.4 0.2 0.6", [170, 10, 40, 60]),  # beyond the edge: said
    ],
)
def test_lines(root: Path, line: str, box: list[float]) -> None:
    write(root / "labels" / "train" / "0.txt", line)
    own = read_own_boxes(root)
    assert np.allclose(own.boxes["box"], [box])
    assert ("1 polygons of 1 boxes" in str(own.remarks)) == (len(line.split()) == 9)
    assert ("1 box reaches beyond the image, by up to 10 pixels" in str(own.remarks)) == (box != BOX)
    assert own.left_out.get("boxes that their label file has twice", 0) == line.count("\r\r")


def test_keypoints_are_no_polygon(root: Path) -> None:
    write(root / "data.yaml", YAML + "kpt_shape: [2, 2]\n")
    write(root / "labels" / "train" / "0.txt", LINE.strip() + " 0.1 0.1 0.9 0.9")
    assert np.allclose(read_own_boxes(root).boxes["box"], [BOX])
    write(root / "labels" / "train" / "0.txt", LINE.strip() + " 0.1 0.1 0.9 0.9 0.5 0.5")
    assert "0.txt, line 1 has 11 numbers" in refusal(root)


def test_boxes_of_photos_turned_by_their_orientation(root: Path, photos: list[Path]) -> None:
    for i in (0, 1):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.open(photos[i]).save(root / "images" / "train" / f"{i}.jpg", exif=exif)
    own = read_own_boxes(root)
    assert own.upright and own.sizes.tolist() == [[100, 200]] * 2 and np.allclose(own.boxes["box"], [40, 20, 20, 120])


BAD_LINES = {
    "2 .5 .5 .2 .2": "0.txt, line 1: class 2, but data.yaml names 2, 0 to 1. Name all",
    "-1 .5 .5 .2 .2": "'-1 .5 .5 .2 .2' is not a label",
    "egg .5 .5 .2 .2": "is not a label: expected class, center x",
    "1,.5,.5,.2,.2": "is not a label",
    "1 nan .5 .2 .2": "is not a label",
    "1 1e999 .5 .2 .2": "is not a label",
    "1 0x1 .5 .2 .2": "is not a label",
    "1 .5 .5 .2": "line 1 has 4 numbers: expected class, center x, center y, width, height, or class and",
    "1 .5 .5 .2 .2 .9": "the corners of a polygon. The last number may be a score: remove it",
    "1 100 40 40 60": "1 of 1 boxes have numbers beyond 1, the first in",
    "1 .5 .5 0 .2": "1 boxes are empty",
    "1 .5 .5 -.2 .2": "1 boxes are empty",
}


@pytest.mark.parametrize("line,message", BAD_LINES.items())
def test_bad_lines(root: Path, line: str, message: str) -> None:
    write(root / "labels" / "train" / "0.txt", line)
    write(root / "labels" / "train" / "1.txt", "")
    told = refusal(root)
    assert message in told and "0." in told


def test_a_file_in_another_encoding_or_of_another_kind(root: Path) -> None:
    write(root / "labels" / "train" / "0.txt", "1 .5 .5 .2 .2 ей".encode("cp1251"))
    assert "save it as UTF-8" in refusal(root)
    write(root / "labels" / "train" / "0.txt", b"\x89PNG\r\n\x00\x00")
    assert "0.txt, line 1" in refusal(root)
    with (root / "labels" / "train" / "0.txt").open("wb") as file:
        file.truncate(1 << 40)
    assert "it is another file" in refusal(root)


def test_numbers_of_another_form(root: Path) -> None:
    write(root / "labels" / "train" / "0.txt", "".join(f"1 0.6 0.{i} 0.9 0.9\n" for i in range(10, 40)))
    told = refusal(root)
    assert "looks like x1 y1 x2 y2" in told
    assert "Expected center form (center x, center y, width, height) in fractions of the image's sides" in told


def test_labels_without_photo_are_refused_or_counted(root: Path) -> None:
    write(root / "labels" / "train" / "7.txt", LINE)
    write(root / "labels" / "train" / "notes.txt", "hens, in May")
    told = refusal(root, FileNotFoundError)
    assert "1 of 3 images are missing" in told and "the photo of labels/train/7.txt. Add them, or add" in told
    own = read_own_boxes(root, leave_out_bad=True)
    assert len(own.files) == 2 and own.left_out[f"of 3 images are missing in {root}"] == 1


def test_a_listed_photo_that_is_not_there(root: Path) -> None:
    write(root / "a.txt", "images/train/0.jpg\nimages/train/9.jpg\n")
    write(root / "data.yaml", "train: a.txt\nnames: [hen, egg]\n")
    assert "1 of 2 images are missing" in refusal(root, FileNotFoundError)


def test_two_photos_of_one_name(root: Path) -> None:
    Image.new("RGB", SIZE).save(root / "images" / "train" / "0.png")
    assert "images/train/0.jpg and images/train/0.png share the labels" in refusal(root)


def test_no_photo_has_labels(root: Path) -> None:
    (root / "labels").rename(root / "label")
    assert "none of 2 photos of train has a label file, such as" in refusal(root, FileNotFoundError)


BAD_YAML = {
    "names: [hen, egg]\n": "names no photos: it needs train: FOLDER",
    "val: images/val\nnames: [hen, egg]\n": "names no training photos",
    "train: images/train\n": "has no names",
    "train: images/train\nnames: []\n": "has no names",
    "train: images/train\nnames: hen\n": "has no names",
    "train: images/train\nnames: [hen, hen]\n": "names 'hen' more than once",
    "train: images/train\nnames: [hen, no]\n": "names[1] is False, expected a name: write it in quotes",
    "train: images/train\nnames: {1: hen, 2: egg}\n": "the keys of names must be 0 to 1",
    "train: images/train\nnc: 3\nnames: [hen, egg]\n": "nc is 3, and names has 2 classes",
    "train: 7\nnames: [hen, egg]\n": "train has 7, expected a folder",
    "path: [a]\ntrain: images/train\nnames: [hen, egg]\n": "path is ['a'], expected a folder",
    "train: data.yaml\nnames: [hen, egg]\n": "is neither a folder nor a list of photos",
    "train: images/train\nkpt_shape: 17\nnames: [hen, egg]\n": "kpt_shape is 17",
    "names: !!python/object/apply:os.system ['true']\ntrain: images/train\n": "is not valid YAML",
    "a: &a [x, x]\nb: &b [*a, *a]\nnames: [": "is not valid YAML",
    "- train\n": "is not the data.yaml of a YOLO folder",
}


@pytest.mark.parametrize("text,message", BAD_YAML.items())
def test_bad_yaml(root: Path, text: str, message: str) -> None:
    write(root / "data.yaml", text)
    assert message in refusal(root) and "data.yaml" in refusal(root)


@pytest.mark.parametrize("place", ["images/none", "../{outside}", "{absolute}"])
def test_nothing_is_read_outside_of_the_folder(root: Path, place: str, photos: list[Path]) -> None:
    put(photos[0], root.parent / f"{root.name}_outside" / "0.jpg")
    write(root.parent / f"{root.name}_outside" / "0.txt", LINE)
    place = place.format(outside=f"{root.name}_outside", absolute=root.parent / f"{root.name}_outside")
    write(root / "data.yaml", f"train: {place}\nnames: [hen, egg]\n")
    told = refusal(root, FileNotFoundError)
    assert f"train names {place}, which is not in {root}. Correct it, or path." in told


def test_links_are_followed_once(root: Path) -> None:
    os.symlink(root / "images" / "train", root / "images" / "train" / "again")
    os.symlink(root / "none.jpg", root / "images" / "train" / "5.jpg")
    assert "1 of 3 images are missing" in refusal(root, FileNotFoundError)
    assert len(read_own_boxes(root, leave_out_bad=True).files) == 2


def test_labels_that_cannot_be_read_are_not_taken_for_none(root: Path) -> None:
    os.mkfifo(root / "labels" / "train" / "1.txt")
    assert "1.txt is a device or a pipe" in refusal(root)
    (root / "labels" / "train" / "1.txt").unlink()
    os.symlink(root / "none.txt", root / "labels" / "train" / "1.txt")
    assert "labels/train/1.txt" in refusal(root, FileNotFoundError)


def test_folder_of_images_beside_a_yaml(root: Path) -> None:
    assert "leave --det-images out" in refusal(root, images_dir=root / "images")


def test_classes_that_only_the_test_part_has(root: Path) -> None:
    write(root / "labels" / "val" / "3.txt", "0 .5 .5 .2 .2\n")
    with pytest.raises(ValueError, match=r"\(val\) has boxes of hen, which nothing is trained on"):
        parts(root)
    _, test = parts(root, leave_out_bad=True)
    assert test.left_out["boxes of classes without training boxes (hen)"] == 1 and np.allclose(test.boxes["box"], [BOX])
