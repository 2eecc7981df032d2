from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.analysis.features.select_classes import choose_classes, class_index, classes_apart

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


def test_classes_that_lie_apart_in_all_spaces() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 10)
    places = np.array([[0, 0], [0.1, 0], [9, 0], [0, 9], [9, 9], [9.1, 9]])
    first = places[labels] + 0.3 * random.normal(size=(60, 2))
    chosen = classes_apart([first, first[:, ::-1]], labels, 4)
    assert len({(c > 0) + (c > 3) * 9 if c in (0, 1, 4, 5) else c for c in chosen}) == 4, "one of each pair of twins"
    assert {2, 3} <= set(chosen)
    other = places[labels][:, :1] + 0.3 * random.normal(size=(60, 1))  # here 0, 1 and 3 are one, and 2, 4 and 5
    assert classes_apart([other], labels, 1) and len(classes_apart([other], labels, 6)) == 6
    few = np.append(labels, [6, 6])
    with_few = np.append(first, [[100, 100], [100, 100]], axis=0)
    assert 6 not in classes_apart([with_few], few, 4), "two images are no class to look at"
    assert 6 in classes_apart([with_few], few, 7)
    with pytest.raises(ValueError, match="8 classes are asked for, the images have 7"):
        classes_apart([with_few], few, 8)
