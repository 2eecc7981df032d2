"""Super-classes from lists, mappings and files, and what is wrong with others."""

import json

import pytest

from mmdetpre.models.super_classes import read_super_classes

CLASSES = ["n01", "n02", "n03"]
CLUSTERS = dict(n03=0, n01=1, n02=0)


def test_one_super_class_is_the_default():
    assert read_super_classes(None, 3).tolist() == [0, 0, 0]


def test_sources_agree(tmp_path):
    plain, tool, listed = (tmp_path / name for name in ("plain.json", "tool.json", "list.json"))
    plain.write_text(json.dumps(CLUSTERS))
    tool.write_text(json.dumps(dict(clusters=CLUSTERS, settings={})))
    listed.write_text(json.dumps([1, 0, 0]))
    names = tmp_path / "classes.txt"
    names.write_text("n01 cat\nn02 dog\n\nn03 car\n")
    for source in ([1, 0, 0], CLUSTERS, plain, str(tool), listed):
        for classes in (CLASSES, names, str(names)):
            assert read_super_classes(source, 3, classes).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("clusters", "classes", "message"),
    [
        ([0, 1], None, "2 entries, but the model has num_classes=3"),
        ([0, 2, 2], None, "must number its clusters 0 to K - 1"),
        ([0, 0, -1], None, "must number its clusters 0 to K - 1"),
        ([0.0, 0.5, 1.0], None, "must number its clusters 0 to K - 1"),
        (CLUSTERS, None, "set roi_head.classes"),
        ({**CLUSTERS, "n04": 1}, CLASSES, r"1 of its 4 are not in roi_head.classes \(n04\), 0 of these 3"),
        (dict(n01=0, n02=1), CLASSES, r"0 of its 2 .*1 of these 3 are not in it \(n03\)"),
        (CLUSTERS, CLASSES[:2], r"\(n03\)"),
    ],
)
def test_clusterings_that_do_not_fit(clusters, classes, message):
    with pytest.raises(ValueError, match=message):
        read_super_classes(clusters, 3, classes)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="cluster_classes.py"):
        read_super_classes(tmp_path / "nothing.json", 3, CLASSES)
    with pytest.raises(
        FileNotFoundError, match="nothing.txt is not there: give a text file with one class id per line"
    ):
        read_super_classes(CLUSTERS, 3, tmp_path / "nothing.txt")
    (tmp_path / "twice.txt").write_text("n01\nn02\nn03\nn02\n")
    with pytest.raises(ValueError, match=r"twice.txt names n02 more than once"):
        read_super_classes(CLUSTERS, 3, tmp_path / "twice.txt")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        read_super_classes(tmp_path / "bad.json", 3, CLASSES)
    (tmp_path / "bad.json").write_text("3")
    with pytest.raises(ValueError, match="neither clusters"):
        read_super_classes(tmp_path / "bad.json", 3, CLASSES)
