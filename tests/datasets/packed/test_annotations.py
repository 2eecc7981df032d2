import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations
from mmdetpre.utils.name_column import NameColumn


def table(**changes):
    arguments = {
        "names": ["a", "bü", ""],
        "sizes": [(100, 50), (0, 0), (40, 40)],
        "classes": ["cat", "dog"],
        "image": np.array([2, 0, 1, 0, 0]),
        "boxes": np.array([[1, 2, 30, 99], [0, 0, 10, 10], [0, 0, 5, 5], [-5, -5, 10, 10], [99.5, 0, 120, 50.0]]),
        "labels": np.array([1, 0, 0, 1, 1]),
        "flags": np.array([0, 0, 0, IGNORE, 0]),
    }
    return PackedAnnotations.from_boxes(**arguments | changes)


def test_boxes_are_grouped_clipped_and_counted_when_dropped():
    packed = table()
    assert packed.box_offsets.tolist() == [0, 2, 2, 3]
    assert packed.boxes_of(0).tolist() == [[0, 0, 10, 10], [0, 0, 10, 10]]
    assert packed.boxes_of(2).tolist() == [[1, 2, 30, 40]]
    assert packed.labels.tolist() == [0, 1, 1] and packed.ignore.tolist() == [False, True, False]
    assert packed.notes == {"boxes in unreadable images": 1, "boxes below 1 pixel": 1}
    assert packed.unreadable().tolist() == [1]
    assert packed.labels.dtype == np.int16 and packed.sizes.dtype == np.int32 and packed.boxes.dtype == np.float32


def test_a_saved_table_opens_as_memory_maps_and_pickles_as_its_path(tmp_path):
    table(notes={"unknown class": 7}).save(tmp_path)
    packed = PackedAnnotations.open(tmp_path, prefix="img/", suffix=".jpg")
    assert isinstance(packed.boxes.base, np.memmap) and not packed.boxes.flags.writeable
    assert packed.path(1) == "img/bü.jpg" and packed.notes["unknown class"] == 7
    sent = pickle.dumps(packed)
    assert len(sent) < 500
    again = pickle.loads(sent)
    assert again.path(0) == "img/a.jpg" and np.array_equal(again.boxes, packed.boxes)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(table())).boxes, table().boxes)


def test_a_table_without_boxes_can_be_saved(tmp_path):
    empty = np.zeros(0)
    table(image=empty, boxes=empty, labels=empty, flags=None, names=["", "", ""]).save(tmp_path)
    packed = PackedAnnotations.open(tmp_path)
    assert len(packed) == 3 and len(packed.boxes) == 0 and list(packed.names) == ["", "", ""]


def test_incomplete_and_foreign_tables_are_refused(tmp_path):
    table().save(tmp_path)
    (tmp_path / "boxes.npy").unlink()
    with pytest.raises(ValueError, match="incomplete"):
        PackedAnnotations.open(tmp_path)
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(ValueError, match="another format"):
        PackedAnnotations.open(tmp_path)
    with pytest.raises(ValueError, match="no packed annotations"):
        PackedAnnotations.open(tmp_path / "nothing")


def test_subset_keeps_the_order_asked_for():
    packed = table().subset(np.array([2, 0]))
    assert list(packed.names) == ["", "a"] and packed.box_offsets.tolist() == [0, 1, 3]
    assert packed.boxes_of(0).tolist() == table().boxes_of(2).tolist()
    assert packed.boxes_of(1).tolist() == table().boxes_of(0).tolist()
    assert len(table().subset(np.array([], int))) == 0


@given(st.lists(st.text(max_size=8), max_size=20))
def test_names_come_back(names):
    column = NameColumn.pack(names)
    assert list(column) == names and len(column) == len(names)
    assert column[1:-1] == names[1:-1]
    with pytest.raises(IndexError):
        column[len(names)]


@settings(max_examples=50)
@given(
    boxes=npst.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(-20, 120, width=32)),
    data=st.data(),
)
def test_every_kept_box_lies_in_its_image_and_none_is_lost(boxes, data):
    sizes = [(100, 50), (60, 90), (0, 0)]
    image = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(boxes), max_size=len(boxes))), int)
    before = boxes.copy()
    packed = PackedAnnotations.from_boxes(
        names="abc", sizes=sizes, classes=["x"], image=image, boxes=boxes, labels=np.zeros(len(boxes))
    )
    assert len(packed.boxes) + sum(packed.notes.values()) == len(boxes)
    for i, (width, height) in enumerate(sizes):
        x1, y1, x2, y2 = packed.boxes_of(i).T
        assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= width).all() and (y2 <= height).all()
        assert (x2 - x1 >= 1).all() and (y2 - y1 >= 1).all()
    np.testing.assert_array_equal(boxes, before)
