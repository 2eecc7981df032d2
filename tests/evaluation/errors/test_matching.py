from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.evaluation.errors.matching import Match, Matches, match_detections
from mmdetpre.evaluation.errors.pairs import overlapping_pairs

FALSE, IGNORED, CORRECT = Match


def find(boxes, labels, scores, objects, object_labels, ignored=None, iou_thr=0.5, region=None) -> Matches:
    pairs = overlapping_pairs([0] * len(boxes), boxes, [0] * len(objects), objects, object_region=region)
    ignored = [False] * len(objects) if ignored is None else ignored
    return match_detections(pairs, labels, scores, object_labels, ignored, object_region=region, iou_thr=iou_thr)


def test_the_highest_scoring_finds_the_object_and_the_other_is_a_duplicate() -> None:
    found = find([[0, 0, 10, 9], [0, 0, 10, 10]], [0, 0], [0.9, 0.8], [[0, 0, 10, 10]], [0])
    assert found.object.tolist() == [0, -1] and found.outcome.tolist() == [CORRECT, FALSE]


def test_a_taken_object_leaves_the_next_best_one() -> None:
    objects = [[0, 0, 10, 10], [2, 0, 12, 10]]
    found = find([[0, 0, 10, 10], [0, 0, 10, 10]], [0, 0], [0.9, 0.8], objects, [0, 0])
    assert found.object.tolist() == [0, 1]


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    objects = [[0, 0, 10, 10]]
    assert find([[0, 0, 10, 5]], [0], [1], objects, [0]).outcome.tolist() == [CORRECT]
    assert find([[0, 0, 10, 4.9]], [0], [1], objects, [0]).outcome.tolist() == [FALSE]
    assert find([[0, 0, 10, 5]], [0], [1], objects, [0], iou_thr=0.7).outcome.tolist() == [FALSE]


def test_another_class_finds_nothing() -> None:
    assert find([[0, 0, 10, 10]], [1], [1], [[0, 0, 10, 10]], [0]).outcome.tolist() == [FALSE]


def test_detections_on_ignored_objects_do_not_count_but_others_win() -> None:
    objects = [[0, 0, 10, 10], [0, 0, 10, 9]]
    found = find([[0, 0, 10, 10]] * 3, [0] * 3, [0.9, 0.8, 0.7], objects, [0, 0], ignored=[True, False])
    assert found.object.tolist() == [1, -1, -1]
    assert found.outcome.tolist() == [CORRECT, IGNORED, IGNORED]


PERSONS = [[10, 10, 20, 40], [30, 10, 40, 40], [50, 10, 60, 40]]
CROWD = [[0, 0, 100, 50]]


def test_any_number_of_detections_in_a_crowd_count_neither_way() -> None:
    found = find(PERSONS, [0] * 3, [0.9, 0.8, 0.7], CROWD, [0], [True], region=[True])
    assert found.object.tolist() == [-1] * 3 and found.outcome.tolist() == [IGNORED] * 3
    # a difficult object of that size excuses none of them, and a crowd none of another class
    assert find(PERSONS, [0] * 3, [0.9, 0.8, 0.7], CROWD, [0], [True]).outcome.tolist() == [FALSE] * 3
    assert find(PERSONS, [1] * 3, [0.9, 0.8, 0.7], CROWD, [0], [True], region=[True]).outcome.tolist() == [FALSE] * 3


def test_half_of_the_detection_lies_in_the_crowd_whatever_the_iou_asked_for() -> None:
    boxes = [[95, 0, 105, 10], [95.1, 0, 105.1, 10]]
    for iou_thr in (0.3, 0.5, 0.9):
        found = find(boxes, [0] * 2, [0.9, 0.8], CROWD, [0], [True], iou_thr, region=[True])
        assert found.outcome.tolist() == [IGNORED, FALSE]


def test_an_annotated_person_in_front_of_a_crowd_is_found() -> None:
    boxes = [PERSONS[0], PERSONS[0], PERSONS[1]]
    found = find(boxes, [0] * 3, [0.8, 0.9, 0.7], [*CROWD, PERSONS[0]], [0, 0], [True, False], region=[True, False])
    assert found.object.tolist() == [-1, 1, -1] and found.outcome.tolist() == [IGNORED, CORRECT, IGNORED]


@given(st.integers(0, 2**31))
def test_one_to_one_and_independent_of_the_order_of_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = random.integers(1, 15), random.integers(1, 8)
    low = random.integers(0, 12, (n + m, 2))
    boxes = np.hstack([low, low + random.integers(4, 14, low.shape)])
    labels, ignored = random.integers(0, 2, n + m), random.random(m) < 0.3
    scores = random.permutation(n)
    found = find(boxes[:n], labels[:n], scores, boxes[n:], labels[n:], ignored, 0.3)
    taken = found.object[found.object >= 0]
    assert len(set(taken.tolist())) == len(taken) and not ignored[taken].any()
    assert ((found.object >= 0) == (found.outcome == CORRECT)).all()
    order = random.permutation(n)
    again = find(boxes[:n][order], labels[:n][order], scores[order], boxes[n:], labels[n:], ignored, 0.3)
    assert (again.object == found.object[order]).all() and (again.outcome == found.outcome[order]).all()
