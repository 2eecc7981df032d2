"""Labels of FocusPixels: worked examples of the original by the clean rule, and a slow version of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips.focus_pixels import focus_labels


def labels_of(*boxes, **options):
    return focus_labels(torch.tensor([boxes], dtype=torch.float32), (32, 32), **options)[0]


def test_example_4_a_small_box_is_focus():
    labels = labels_of((10, 10, 50, 50))
    assert (labels[:4, :4] == 1).all() and labels.sum() == 16 and (labels >= 0).all()


def test_example_5_sizes_and_who_wins():
    assert labels_of((100, 100, 170, 170)).unique().tolist() == [-1, 0]
    assert labels_of((100, 100, 104, 104)).unique().tolist() == [-1, 0]
    assert not labels_of((100, 100, 220, 220)).any()
    for order in ((0, 1), (1, 0)):
        boxes = [(100, 100, 170, 170), (110, 110, 150, 150)]
        labels = labels_of(*(boxes[i] for i in order))
        assert (labels[6:10, 6:10] == 1).all() and labels[10, 10] == -1 and labels.sum() == 16 - (25 - 16)


def test_crowds_stay_unlabeled_unless_an_object_is_there():
    boxes = ((0, 0, 300, 300), (40, 40, 60, 60))
    labels = labels_of(*boxes, unsure=torch.tensor([[True, False]]))
    assert (labels[2:4, 2:4] == 1).all() and (labels[:19, :19] == -1).sum() == 19**2 - 4 and not labels[19:].any()


@hypothesis_settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16]))
def test_a_batch_equals_the_rule_box_by_box(seed, stride):
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(2, 9, size=2))
    sizes = (2.0, 20.0, 30.0)
    extent = np.array([width, height]) * stride
    corner = rng.uniform(0, 1, size=(3, 5, 2)) * extent
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(0, 50, corner.shape), extent)], axis=2)
    boxes = np.round(boxes).astype(np.float32) if rng.random() < 0.5 else boxes.astype(np.float32)
    boxes[0, 3:] = 0  # padding
    unsure = rng.uniform(size=boxes.shape[:2]) < 0.2
    unsure[0, 3:] = False
    expected = np.zeros((3, height, width), int)
    for wanted in (-1, 1):
        for image, box in np.argwhere(np.ones(boxes.shape[:2])):
            x1, y1, x2, y2 = boxes[image, box].tolist()
            size = math.sqrt(float(np.float32(x2 - x1) * np.float32(y2 - y1)))
            focus = sizes[0] < size < sizes[1] and not unsure[image, box]
            unlabeled = unsure[image, box] or (0 < size < sizes[2] and not focus)
            if (focus, unlabeled)[wanted == -1]:
                rows = slice(math.floor(y1 / stride), math.ceil(y2 / stride))
                columns = slice(math.floor(x1 / stride), math.ceil(x2 / stride))
                expected[image, rows, columns] = wanted
    # Degenerate boxes have no area to share.
    found = focus_labels(torch.from_numpy(boxes), (height, width), stride, sizes, torch.from_numpy(unsure))
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("sizes", [(5, 64), (64, 5, 90), (-1, 64, 90), (5, 64, 63)])
def test_sizes_that_do_not_ascend_are_refused(sizes):
    with pytest.raises(ValueError, match="three ascending"):
        labels_of((10, 10, 50, 50), sizes=sizes)
