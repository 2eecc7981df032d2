"""Names of photos as they are written elsewhere, and the photos that they mean."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.datasets.images.photo_names import PhotoFolder


def photos(root: Path, *names: str) -> PhotoFolder:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return PhotoFolder(root)


MEANT = {
    "as it is": ("a.jpg", "a.jpg"),
    "backslashes": (r"images\a.jpg", "images/a.jpg"),
    "case": ("A.JPG", "a.jpg"),
    "case on the disk": ("img_1.jpg", "IMG_1.JPG"),
    "NFD for NFC": (unicodedata.normalize("NFD", "käfer.jpg"), unicodedata.normalize("NFC", "käfer.jpg")),
    "NFC for NFD": (unicodedata.normalize("NFC", "käfer.jpg"), unicodedata.normalize("NFD", "käfer.jpg")),
    "%20": ("my%20cat.jpg", "my cat.jpg"),
    "%20 on the disk": ("my cat.jpg", "my%20cat.jpg"),
    "drive": (r"C:\Users\me\images\a.jpg", "images/a.jpg"),
    "drive and slash": ("D:/photos/a.jpg", "a.jpg"),
    "path of another machine": ("/disk/me/data/train/a.jpg", "train/a.jpg"),
    "address": ("https://host.org/x/y/a.jpg?width=3#top", "y/a.jpg"),
    "file address": ("file:///C:/x/a%20b.jpg", "a b.jpg"),
    "blank behind": ("a.jpg ", "a.jpg"),
    "blank in front": ("\ta.jpg", "a.jpg"),
    "blank on the disk": ("a.jpg", "a.jpg "),
    "jpeg": ("a.jpeg", "a.JPG"),
    "folder below": ("a.jpg", "day1/a.jpg"),
    "folder above": ("train2017/a.jpg", "a.jpg"),
    "beside": ("../train2017/a.jpg", "a.jpg"),
    "dot": ("./Images//a.jpg", "images/a.jpg"),
    "no suffix": ("a", "a.png"),
    "dots and no suffix": ("cam.1.2", "cam.1.2.png"),
}


@pytest.mark.parametrize("written,there", MEANT.values(), ids=MEANT)
def test_the_one_photo_that_is_meant_is_found(tmp_path: Path, written: str, there: str) -> None:
    folder = photos(tmp_path, there, "other/b.jpg", ".hidden/a.jpg", "._a.jpg")
    found = folder.find([written, "other/b.jpg"])
    assert (found.names, found.missing) == ([there, "other/b.jpg"], []) and written in folder
    assert found.other_form == ({} if there.startswith(written) else {0: written})


NOT_MEANT = {
    "another folder": ("cam1/a.jpg", ["cam2/a.jpg"], "cam1/a.jpg (the nearest name there is cam2/a.jpg)"),
    "another number": ("IMG_0012.jpg", ["IMG_012.jpg"], "IMG_0012.jpg (the nearest name there is IMG_012.jpg)"),
    "a mask": ("a.jpg", ["a.png"], "a.jpg (the nearest name there is a.png)"),
    "two folders": ("a.jpg", ["x/a.jpg", "y/a.jpg"], "a.jpg (may be x/a.jpg or y/a.jpg)"),
    "two cases": ("A.jpg", ["a.jpg", "a.JPG"], "A.jpg (may be a.JPG or a.jpg)"),
    "nothing like it": ("a.jpg", ["zebra-77.png"], "a.jpg"),
    "no photos": ("a.jpg", ["readme.txt"], "a.jpg"),
    "no name": ("  ", ["a.jpg"], "  "),
}


@pytest.mark.parametrize("written,there,message", NOT_MEANT.values(), ids=NOT_MEANT)
def test_what_is_not_sure_is_missing_and_shown(tmp_path: Path, written: str, there: list[str], message: str) -> None:
    folder = photos(tmp_path, *there)
    found = folder.find([written])
    assert found.names == [written] and found.missing == [0] and written not in folder
    assert folder.describe_missing(found) == message


def test_folders_decide_between_photos_of_one_name(tmp_path: Path) -> None:
    folder = photos(tmp_path, "a.jpg", "train/a.jpg", "val/a.jpg")
    assert folder.find([r"C:\x\train\a.jpg", "y/val/a.JPG"]).names == ["train/a.jpg", "val/a.jpg"]
    assert folder.find(["A.jpg"]).names == ["a.jpg"]


def test_no_photo_is_taken_twice(tmp_path: Path) -> None:
    folder = photos(tmp_path, "a.jpg")
    assert folder.find(["cam1/a.jpg", "cam2/a.jpg"]).missing == [0, 1]
    found = folder.find(["a.jpg", "A.jpg"])
    assert found.missing == [1] and folder.describe_missing(found) == "A.jpg (may be a.jpg)"


def test_folders_are_read_once_and_links_may_go_round(tmp_path: Path) -> None:
    folder = photos(tmp_path, "day1/a.jpg")
    os.symlink(tmp_path, tmp_path / "day1" / "round")
    assert folder.find(["A.JPG"]).names == ["day1/a.jpg"]
    assert PhotoFolder(tmp_path, deep=False).find(["A.JPG"]).missing == [0]
    assert PhotoFolder(tmp_path / "none").find(["a.jpg"]).missing == [0]


def test_photos_of_annotation_files(tmp_path: Path) -> None:
    folder = photos(tmp_path, "1.jpg", "1.png", "2.JPG", "day/3.jpg", "renamed.jpg", "masks/2.png", "4.jpg", "m/4.png")
    stems = ["1", "2", "day/3", "x", "4", "none"]
    found = folder.find_stems(stems, ["1.jpg", "", "", r"C:\renamed.JPG", "", "y.jpg"])
    assert found.names == ["1.jpg", "2.JPG", "day/3.jpg", "renamed.jpg", "4.jpg", "none"]
    assert found.missing == [5] and found.other_form == {3: "x"}
    assert folder.find_stems(["1"], ["elsewhere.jpg"]).names == ["1.jpg"]  # its suffix decides
    for told in ("", "x", "1.bmp"):
        assert folder.find_stems(["1"], [told]).several == {0: ["1.jpg", "1.png"]}
    assert folder.find_stems(["1", "2"], ["", ""], ".jpg").names == ["1.jpg", "2.JPG"]


@given(st.text(max_size=40), st.lists(st.sampled_from("ab.jpg/\\ %20:é"), max_size=12).map("".join))
def test_any_name_ends_with_an_answer(text: str, name: str) -> None:
    folder = PhotoFolder(os.path.dirname(__file__))
    for written in (text, name):
        found = folder.find([written])
        assert found.missing == [0] and folder.describe_missing(found).startswith(written)
        folder.find_stems([written], [text])
