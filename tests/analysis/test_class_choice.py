from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.analysis.class_choice import choose_classes, class_index

CLASSES = ["cat", "dog", "1", "cow"]
LABELS = np.array([0, 2, 2, 3, -1])


def test_a_name_goes_before_a_number() -> None:
    assert [class_index(wanted, CLASSES) for wanted in ("dog", "1", "0", 3)] == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("4", "no class number 4: give a number from 0 to 3, or a name: cat, dog, 1, cow."),
        ("-1", "no class number -1: give a number from 0 to 3"),
        ("doge", "no class 'doge': give a number from 0 to 3, or a name: dog, ..."),
    ],
)
def test_lists_the_classes_where_one_is_unknown(wanted: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_index(wanted, CLASSES)
    with pytest.raises(ValueError, match="classes are not known"):
        class_index("cat", [])


def test_draws_classes_that_have_images() -> None:
    assert choose_classes(LABELS, CLASSES, 3) == [0, 2, 3]
    labels = np.arange(100)
    drawn = choose_classes(labels, [], 10, seed=1)
    assert drawn == sorted(drawn) and len(set(drawn)) == 10
    assert choose_classes(labels, [], 10, seed=1) == drawn != choose_classes(labels, [], 10, seed=2)
    assert choose_classes(labels, [], ["7", "3"]) == [7, 3]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (4, "4 classes are asked for, the images have 3"),
        (0, "0 classes are asked for"),
        (["dog"], "No image is of class 'dog'"),
        (["cat", "0"], "'cat' is named twice"),
    ],
)
def test_says_which_classes_cannot_be_had(wanted: int | list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_classes(LABELS, CLASSES, wanted)
    with pytest.raises(ValueError, match="No image has a class"):
        choose_classes(np.array([-1, -1]), (), 1)
