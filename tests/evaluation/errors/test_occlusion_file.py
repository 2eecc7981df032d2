from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.evaluation.errors.occlusion_file import read_occlusion_levels

NAMES, CLASSES = ("000002", "000001"), ("cat", "dog")
TRUTH = GroundTruth(
    image=[0, 0, 1, 1],
    boxes=[[0, 0, 10, 10], [0, 0, 30, 20], [5, 5, 25, 45], [5, 5, 26, 45]],
    labels=[0, 1, 0, 0],
    ignore=[False, False, False, True],
    difficult=[0, 0, 0, 1],
)
HEADER = "image,class,x1,y1,x2,y2,level\n"


def read(path: Path) -> list[int]:
    return read_occlusion_levels(path, NAMES, CLASSES, TRUTH).tolist()


def test_csv_with_words_numbers_folders_and_pixels_counted_from_one(tmp_path: Path) -> None:
    path = tmp_path / "levels.csv"
    lines = ["000002,cat,1,1,10,10,High", "JPEGImages/000001.jpg,cat,5,5,25,45,1", "000009,cat,0,0,9,9,none"]
    path.write_text(HEADER + "\n".join([*lines, "000002,horse,0,0,9,9,none"]) + "\n")
    assert read(path) == [3, -1, 1, -1]


def write_folder(folder: Path, cats: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    head = "det\tconf\tocc\tp1 p2 v1 size\tratio(w/h)\n"
    (folder / "gt_fel_cat.txt").write_text(head + "\n".join(cats) + "\n")
    return folder


def test_published_folder_goes_by_image_id_without_difficult_objects(tmp_path: Path) -> None:
    # image 000001 comes first; its area is given with the last pixel in, the other's without
    folder = write_folder(tmp_path / "annotations", ["0\t0\t2\t1 1 1\t861\t0.5", "1\t0.3\t0\t1 1 1\t100\t1.0"])
    assert read(folder) == [0, -1, 2, -1]
    # neither does it matter whether the boxes of the run name the last pixel inside
    moved = replace(TRUTH, boxes=TRUTH.boxes + [0, 0, 1, 1])
    assert read_occlusion_levels(folder, NAMES, CLASSES, moved).tolist() == [0, -1, 2, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,class,x1,y1,x2,y2\n000002,cat,0,0,10,10\n", "has no column 'level'"),
        (HEADER + "000002,cat,0,0,10,10,most\n", "line 2: the level is 'most'"),
        (HEADER + "000002,cat,0,0,ten,10,low\n", "line 2: expected numbers"),
        (HEADER + "000002,cat,0,0,nan,10,low\n", "line 2: expected numbers"),
        (HEADER + "000002,cat,0,0,10\n", "line 2: the level is ''"),
        (HEADER + "000002,cat,0,0,14,10,low\n", "line 2: image 000002 has no cat at"),
        (HEADER + "000002,cat,0,0,30,20,low\n", "line 2: image 000002 has no cat at"),
        (HEADER + "000007,cat,0,0,10,10,low\n", "annotates none of the 4 objects"),
        ("", "has no column 'image'"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "levels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no occlusion file"):
        read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no gt_fel_<class>.txt"):
        read(tmp_path)
    with pytest.raises(ValueError, match="has 1 objects, the run 2 of class cat"):
        read(write_folder(tmp_path, ["0\t0\t2\t1 1 1\t800\t0.5"]))
    with pytest.raises(ValueError, match="line 3: an object of 90 pixels, but the run has one of 10 x 10"):
        read(write_folder(tmp_path, ["0\t0\t2\t1 1 1\t800\t0.5", "0\t0\t2\t1 1 1\t90\t0.5"]))
    with pytest.raises(ValueError, match="line 2 has 3 columns"):
        read(write_folder(tmp_path, ["0\t0\t2", "0\t0\t2\t1 1 1\t90\t0.5"]))


def test_a_box_is_found_among_those_of_its_image_alone(tmp_path: Path) -> None:
    path = tmp_path / "levels.csv"
    path.write_text(HEADER + "000001,cat,0,0,10,10,low\n")  # such a box is in 000002
    with pytest.raises(ValueError, match="image 000001 has no cat"):
        read(path)


def test_the_folder_may_have_the_other_name_of_its_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, ["0\t0\t2\t1 1 1\t861\t0.5", "1\t0.3\t0\t1 1 1\t100\t1.0"])
    (folder / "gt_fel_cat.txt").rename(folder / "gt_ved_cat.txt")
    assert read(folder) == [0, -1, 2, -1]
