from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.class_groups import similar_classes
from mmdetpre.evaluation.errors.false_positives import TYPE_NAMES, ErrorType, count_types, error_types
from mmdetpre.evaluation.errors.matching import match_detections
from mmdetpre.evaluation.errors.pairs import overlapping_pairs

IGNORED, CORRECT, LOCALIZATION, SIMILAR, OTHER, BACKGROUND = ErrorType

CLASSES = ["cat", "dog", "car"]
CAT, DOG, CAR = range(3)
SIMILAR_CLASSES = similar_classes({"animal": ["cat", "dog"]}, CLASSES)


def types_of(boxes, labels, scores, objects, object_labels, ignored=None) -> list[int]:
    pairs = overlapping_pairs([0] * len(boxes), boxes, [0] * len(objects), objects)
    ignored = [False] * len(objects) if ignored is None else ignored
    found = match_detections(pairs, labels, scores, object_labels, ignored)
    return error_types(pairs, found.outcome, labels, object_labels, SIMILAR_CLASSES).tolist()


@pytest.mark.parametrize(
    ("box", "label", "expected"),
    [
        ([0, 0, 10, 10], CAT, CORRECT),
        ([0, 0, 10, 5], CAT, CORRECT),
        ([0, 0, 10, 4.9], CAT, LOCALIZATION),
        ([0, 0, 10, 1], CAT, LOCALIZATION),
        ([0, 0, 10, 0.9], CAT, BACKGROUND),
        ([0, 0, 10, 10], DOG, SIMILAR),
        ([0, 0, 10, 1], DOG, SIMILAR),
        ([0, 0, 10, 0.9], DOG, BACKGROUND),
        ([0, 0, 10, 10], CAR, OTHER),
        ([0, 0, 10, 1], CAR, OTHER),
        ([50, 50, 60, 60], CAR, BACKGROUND),
    ],
)
def test_each_type(box: list[float], label: int, expected: int) -> None:
    assert types_of([box], [label], [0.5], [[0, 0, 10, 10]], [CAT]) == [expected]


def test_a_duplicate_is_a_localization_error() -> None:
    assert types_of([[0, 0, 10, 10]] * 2, [CAT] * 2, [0.4, 0.5], [[0, 0, 10, 10]], [CAT]) == [LOCALIZATION, CORRECT]


def test_own_class_before_similar_before_other() -> None:
    objects, box = [[0, 0, 10, 4], [0, 0, 10, 10], [0, 0, 10, 10]], [[0, 0, 10, 10]]
    assert types_of(box, [CAT], [1], objects, [CAT, DOG, CAR]) == [LOCALIZATION]
    assert types_of(box, [CAT], [1], objects[1:], [DOG, CAR]) == [SIMILAR]
    assert types_of(box, [CAT], [1], objects[2:], [CAR]) == [OTHER]


def test_on_an_ignored_object_there_is_no_type() -> None:
    assert types_of([[0, 0, 10, 10]], [CAT], [1], [[0, 0, 10, 10]], [CAT], [True]) == [IGNORED]


def test_as_many_of_each_class_as_it_has_objects() -> None:
    types = [CORRECT, IGNORED, BACKGROUND, OTHER, LOCALIZATION, CORRECT, SIMILAR]
    scores = [0.9, 0.85, 0.8, 0.7, 0.6, 0.99, 0.5]
    labels = [CAT, CAT, CAT, CAT, CAT, DOG, DOG]
    counts = count_types(types, labels, scores, [2, 3, 0])
    assert counts.top_detections.tolist() == [[1, 0, 0, 0, 1], [1, 0, 1, 0, 0], [0] * 5]
    assert counts.top_false_positives.tolist() == [[0, 0, 0, 1, 1], [0, 0, 1, 0, 0], [0] * 5]
    assert counts.false_positives.tolist() == [[0, 1, 0, 1, 1], [0, 0, 1, 0, 0], [0] * 5]


@given(st.integers(0, 2**31))
def test_types_divide_the_detections(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = random.integers(1, 25), random.integers(0, 8)
    low = random.integers(0, 20, (n + m, 2))
    boxes = np.hstack([low, low + random.integers(2, 14, low.shape)])
    labels, ignored, scores = random.integers(0, 3, n + m), random.random(m) < 0.3, random.random(n)
    pairs = overlapping_pairs([0] * n, boxes[:n], [0] * m, boxes[n:])
    found = match_detections(pairs, labels[:n], scores, labels[n:], ignored)
    types = error_types(pairs, found.outcome, labels[:n], labels[n:], SIMILAR_CLASSES)
    assert ((types == CORRECT) == (found.outcome == 1)).all() and ((types == IGNORED) == (found.outcome == 0)).all()
    false = np.isin(types, (LOCALIZATION, SIMILAR, OTHER, BACKGROUND))
    assert (false == (found.outcome == -1)).all()
    objects = np.bincount(labels[n:][~ignored], minlength=3)
    counts = count_types(types, labels[:n], scores, objects)
    assert counts.false_positives.sum() == false.sum() and counts.false_positives.shape == (3, len(TYPE_NAMES))
    assert (counts.top_detections.sum(axis=1) <= objects).all()
    assert (counts.top_false_positives <= counts.false_positives).all()
    # groups only move errors between similar and other
    plain = error_types(pairs, found.outcome, labels[:n], labels[n:], np.zeros((3, 3), bool))
    assert (np.where(types == SIMILAR, OTHER, types) == plain).all()
