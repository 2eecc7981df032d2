import numpy as np
import pytest
from mmdet.datasets.transforms import RandomFlip
from mmdet.structures.bbox import HorizontalBoxes

from mmdetpre.datasets.transforms import FlipChip


def results():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 20, (5, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 20, (5, 2))], axis=1).astype(np.float32)
    return {"img": rng.integers(0, 256, (40, 45, 3)).astype(np.uint8), "gt_bboxes": HorizontalBoxes(boxes)}


@pytest.mark.parametrize("prob", [0.0, 0.3, 0.5, 1.0])
def test_it_flips_when_and_as_mmdet_does(prob):
    flipped = set()
    for seed in range(20):
        np.random.seed(seed)
        ours = FlipChip(prob)(results())
        following = np.random.random_sample()
        np.random.seed(seed)
        theirs = RandomFlip(prob=prob)(results())
        assert following == np.random.random_sample()
        assert (ours["flip"], ours["flip_direction"]) == (theirs["flip"], theirs["flip_direction"])
        assert np.array_equal(ours["img"], theirs["img"])
        assert np.array_equal(ours["gt_bboxes"].tensor, theirs["gt_bboxes"].tensor)
        flipped.add(ours["flip"])
    assert flipped == {prob > 0, prob == 1} or prob not in (0.0, 1.0)


def test_a_chip_without_boxes():
    out = FlipChip(1.0)(results() | {"gt_bboxes": HorizontalBoxes(np.zeros((0, 4), np.float32))})
    assert out["flip"] and out["gt_bboxes"].tensor.shape == (0, 4)


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="prob=2"):
        FlipChip(2)
