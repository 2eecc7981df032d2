from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.evaluation.errors.class_groups import HOIEM_GROUPS, VOC_GROUPS, class_groups, similar_classes

VOC = sorted(name for group in VOC_GROUPS.values() for name in group)


def test_voc_groups_hold_each_of_the_20_classes_once() -> None:
    assert len(VOC) == len(set(VOC)) == 20
    assert class_groups("auto", VOC) == class_groups("voc", VOC) == VOC_GROUPS
    assert class_groups("hoiem", VOC) == HOIEM_GROUPS
    assert class_groups("none", VOC) == class_groups("auto", VOC[1:]) == {}


def test_similar_is_symmetric_and_never_the_class_itself() -> None:
    similar = similar_classes(HOIEM_GROUPS, VOC)
    assert (similar == similar.T).all() and not similar.diagonal().any()
    assert similar[VOC.index("bird"), VOC.index("aeroplane")] and not similar[VOC.index("cat"), VOC.index("car")]


def test_groups_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text('{"pets": ["cat", "dog"]}')
    assert class_groups(str(path), ["dog", "cat", "car"]) == {"pets": ["cat", "dog"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"pets": ["cat", "kettle"]}', "'kettle'"),
        ('{"pets": "cat"}', "no groups of class names"),
        ('["cat"]', "no groups of class names"),
        ("{", "is not valid JSON"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "groups.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        class_groups(str(path), ["dog", "cat"])


def test_no_such_file_and_groups_of_other_classes() -> None:
    with pytest.raises(FileNotFoundError, match="Give auto, none, voc, hoiem"):
        class_groups("super.json", ["cat"])
    with pytest.raises(ValueError, match="does not have, e.g. 'aeroplane'"):
        class_groups("voc", ["cat"])
