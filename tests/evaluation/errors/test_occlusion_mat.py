"""Levels from the MATLAB file of the software of Hoiem et al., written here as theirs is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.evaluation.errors.occlusion_file import read_occlusion_levels
from mmdetpre.evaluation.errors.occlusion_mat import read_annotated_mat

NAMES, CLASSES = ("000002", "000001"), ("cat", "dog")
TRUTH = GroundTruth(
    [0, 0, 1, 1], [[0, 0, 10, 10], [0, 0, 30, 20], [5, 5, 25, 45], [50, 5, 60, 45]], [0, 1, 0, 0], [False] * 4
)


def item(label: str, box: list[int], level: Any = None) -> dict[str, Any]:
    details: Any = [] if level is None else {"occ_level": level, "bbox_area": 100, "side_visible": {"front": 1}}
    return {
        "class": label, "bbox": np.array(box, float), "difficult": 0, "truncated": 1,
        "details": details, "detailedannotation": int(level is not None),
    }  # fmt: skip


def structs(rows: list[dict[str, Any]]) -> np.ndarray:
    """A struct array, as MATLAB has it."""
    array = np.empty(len(rows), dtype=[(key, object) for key in rows[0]])
    for i, row in enumerate(rows):
        array[i] = tuple(row.values())
    return array


def write(path: Path, images: list[tuple[str, list[dict[str, Any]]]], name: str = "ann") -> Path:
    records = structs([{"filename": file, "objects": structs(items)} for file, items in images])
    savemat(path, {"ann": {"rec": records, "gt": structs([{"N": 3}])}} if name == "ann" else {name: records})
    return path


IMAGES = [
    ("000001.jpg", [item("cat", [6, 6, 25, 45], 3), item("cat", [51, 6, 60, 45])]),  # two objects, one with details
    ("000002.jpg", [item("cat", [1, 1, 10, 10], 1)]),  # one: scipy does not see an array
    ("000009.jpg", [item("horse", [1, 1, 10, 10], 4)]),
]


@pytest.mark.parametrize("name", ["ann", "rec"])
def test_levels_of_the_objects_of_the_run(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "VOC2007_annotations_test.mat", IMAGES, name)
    assert [(o.image, o.label, o.box.tolist(), o.level) for o in read_annotated_mat(path)] == [
        ("000001.jpg", "cat", [6, 6, 25, 45], 2),
        ("000002.jpg", "cat", [1, 1, 10, 10], 0),
        ("000009.jpg", "horse", [1, 1, 10, 10], 3),
    ]
    assert read_occlusion_levels(path, NAMES, CLASSES, TRUTH).tolist() == [0, -1, 2, -1]


def test_one_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", IMAGES[1:2])
    assert read_occlusion_levels(path, NAMES, CLASSES, TRUTH).tolist() == [0, -1, -1, -1]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[2:], "annotates none of the 4 objects: its images .000002 is one of the run"),
        ([("000001.jpg", [item("cat", [7, 6, 90, 45], 3)])], r"rec\(1\).objects\(1\): image 000001 has no cat at"),
        ([("000001.jpg", [item("cat", [6, 6, 25, 45], 5)])], r"occ_level is 5, expected 1 to 4"),
        ([("", [item("cat", [6, 6, 25, 45], 1)])], "has no filename or no bbox"),
        ([("000001.jpg", [item("cat", [6, 6, 25], 1)])], "has no filename or no bbox"),
    ],
)
def test_files_of_other_images_and_other_content(images: list, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", images)
    with pytest.raises(ValueError, match=message):
        read_occlusion_levels(path, NAMES, CLASSES, TRUTH)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"boxes": np.zeros(3)})
    with pytest.raises(ValueError, match="holds neither ann.rec nor rec"):
        read_annotated_mat(path)
    good = write(path, IMAGES).read_bytes()
    for content in (b"", b"no mat", good[: len(good) // 2], good[:130] + b"\xff" * 40 + good[170:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a MATLAB file, or damaged|holds neither"):
            read_annotated_mat(path)
    path.write_bytes(b"\x89HDF\r\n")
    with pytest.raises(ValueError, match="format 7.3: load it there and save it with -v7"):
        read_annotated_mat(path)
    with pytest.raises(FileNotFoundError, match="no occlusion file"):
        read_occlusion_levels(tmp_path / "gone.mat", NAMES, CLASSES, TRUTH)
