from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import UNKNOWN, Detections, GroundTruth

CLASSES = ("cat", "dog")


def columns(**changed) -> dict:
    return {
        "classes": CLASSES,
        "names": ("a", "b", "c"),
        "image": [0, 0, 2],
        "boxes": [[0, 0, 9, 9], [1, 2, 3, 4], [5, 5, 7.5, 8]],
        "scores": [0.5, 0.25, 1],
        "labels": [0, 1, 1],
    } | changed


def truth(**changed) -> GroundTruth:
    box = {"image": [1], "boxes": [[0, 0, 5, 5]], "labels": [1], "ignore": [True], "occluded": [1]}
    return GroundTruth(**box | changed)


@pytest.fixture
def run() -> Detections:
    sizes = [(10, 20), (30, 40), (50, 60)]
    return Detections(**columns(paths=("x/a.jpg", "x/ü.jpg", ""), sizes=sizes, truth=truth(), plus_one=True))


def assert_same(a, b) -> None:
    assert type(a) is type(b)
    for name in type(a).__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, strict=True)
        elif isinstance(left, GroundTruth):
            assert_same(left, right)
        else:
            assert left == right


def test_what_is_saved_is_loaded(run: Detections, tmp_path: Path) -> None:
    run.save(tmp_path / "new" / "run.npz")
    assert_same(Detections.load(tmp_path / "new" / "run.npz"), run)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.npz"]


def test_without_truth_and_without_detections(tmp_path: Path) -> None:
    empty = Detections(**columns(image=[], boxes=[], scores=[], labels=[]))
    empty.save(tmp_path / "run.npz")
    loaded = Detections.load(tmp_path / "run.npz")
    assert_same(loaded, empty)
    assert loaded.boxes.shape == (0, 4) and loaded.rows(1) == slice(0, 0)
    with pytest.raises(ValueError, match="come without ground truth.*LoadAnnotations in the test pipeline"):
        loaded.ground_truth()


def test_rows_of_an_image(run: Detections) -> None:
    assert [run.rows(i) for i in range(3)] == [slice(0, 2), slice(2, 2), slice(2, 3)]
    assert [run.truth_rows(i) for i in range(3)] == [slice(0, 0), slice(0, 1), slice(1, 1)]


def test_flags_that_nobody_knows_are_unknown() -> None:
    found = truth()
    assert found.occluded.tolist() == [1] and found.truncated.tolist() == found.difficult.tolist() == [UNKNOWN]


def test_nothing_is_overwritten_unless_told(run: Detections, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="run.npz exists and is left as it is"):
        run.save(path)
    assert path.read_text() == "precious"
    run.save(path, overwrite=True)
    assert_same(Detections.load(path), run)
    with pytest.raises(ValueError, match="ends in .npz"):
        run.save(tmp_path / "run.pkl")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": [0, 1, 2]}, "labels of the detections is 2, but there are 2 classes"),
        ({"labels": [0, -1, 1]}, "labels of the detections is -1, but there are 2 classes"),
        ({"image": [0, 0, 3]}, "images of the detections is 3, but there are 3 images"),
        ({"image": [2, 0, 0]}, "'image' of the detections falls: sort"),
        ({"scores": [0.5, float("nan"), 1]}, "score of detection 1 is nan"),
        ({"scores": [0.5, 1]}, r"'scores' of the detections has shape \(2,\): 3 boxes need \(3,\)"),
        ({"boxes": np.zeros((3, 5))}, r"boxes of the detections have shape \(3, 5\): expected \(n, 4\)"),
        ({"boxes": np.full((3, 4), np.inf)}, "Box 0 of the detections is .*finite"),
        ({"names": ("a", "b", "a")}, "image id 'a' occurs 2 times"),
        ({"paths": ("x",)}, "1 paths and 3 sizes for 3 images"),
        ({"truth": truth(labels=[5])}, "labels of the ground truth is 5"),
        ({"truth": truth(image=[7])}, "images of the ground truth is 7"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(**columns(**changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"ignore": [True, False]}, r"'ignore' of the ground truth has shape \(2,\)"), ({"occluded": [2]}, "1, 0 and -1")],
)
def test_ground_truth_that_does_not_fit_is_refused(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        truth(**changed)


def test_other_files_are_refused(run: Detections, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of detections"):
        Detections.load(tmp_path / "none.npz")
    text = tmp_path / "text.npz"
    text.write_text("{}")
    other = tmp_path / "other.npz"
    np.savez(other, weight=np.zeros(3))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, format=np.array([{}], dtype=object))
    run.save(tmp_path / "run.npz")
    cut = tmp_path / "cut.npz"
    cut.write_bytes((tmp_path / "run.npz").read_bytes()[:-300])
    for path, message in ((text, "no .npz archive"), (other, "no mark"), (pickled, "holds objects"), (cut, "cut off")):
        with pytest.raises(ValueError, match=f"{path.name} is not a file of detections.*{message}.*DumpDetections"):
            Detections.load(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": np.array(9)}, "has version 9 of the format, this program reads 1"),
        ({"version": None}, "bad.npz is damaged: it does not say which version.*DumpDetections"),
        ({"version": np.zeros(2)}, "has version .* of the format"),
        ({"plus_one": np.zeros(2)}, "bad.npz is damaged"),
        ({"scores": None}, "damaged: it has no column 'scores'"),
        ({"scores": np.zeros(2)}, "damaged: The column 'scores'"),
    ],
)
def test_damaged_files_are_refused(run: Detections, tmp_path: Path, changed: dict, message: str) -> None:
    run.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as archive:
        arrays = {name: archive[name] for name in archive.files} | changed
    np.savez(tmp_path / "bad.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=message):
        Detections.load(tmp_path / "bad.npz")


def test_a_file_without_the_mark_has_half_open_boxes(run: Detections, tmp_path: Path) -> None:
    run.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as archive:
        arrays = {name: archive[name] for name in archive.files if name != "plus_one"}
    np.savez(tmp_path / "old.npz", **arrays)
    assert Detections.load(tmp_path / "run.npz").plus_one is True
    assert Detections.load(tmp_path / "old.npz").plus_one is False


def test_half_open_boxes_end_after_the_last_pixel(run: Detections) -> None:
    moved = run.half_open()
    assert moved.boxes[0].tolist() == [0, 0, 10, 10] and moved.ground_truth().boxes.tolist() == [[0, 0, 6, 6]]
    assert not moved.plus_one and moved.half_open() is moved
    assert replace(run, truth=None).half_open().truth is None


def test_detections_of_other_classes_are_refused(run: Detections) -> None:
    run.require_classes(CLASSES)
    with pytest.raises(ValueError, match="not those of VOC: 2 instead of 3"):
        run.require_classes((*CLASSES, "cow"), "VOC")
    with pytest.raises(ValueError, match="not those of the data set: class 0 is 'cat' instead of 'dog'"):
        run.require_classes(("dog", "cat"))
