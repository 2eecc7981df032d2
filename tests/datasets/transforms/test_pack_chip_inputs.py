import numpy as np
import pytest
import torch
from mmcv import imflip
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes

from mmdetpre.datasets.transforms import PackChipInputs


def results(**changes):
    return {
        "img": np.zeros((40, 60, 3), np.uint8),
        "img_shape": (40, 60),
        "valid_range": (0.0, 30.0),
        "chip": (5, 6, 60, 40),
        "gt_bboxes": HorizontalBoxes(np.arange(12, dtype=np.float32).reshape(3, 4)),
        "gt_bboxes_labels": np.array([4, 5, 6]),
        "gt_ignore_flags": np.array([True, False, True]),
        "gt_group_flags": np.array([False, False, True]),
    } | changes


def test_boxes_are_split_and_groups_marked():
    packed = PackChipInputs().transform(results())
    sample = packed["data_samples"]
    assert packed["inputs"].shape == (3, 40, 60)
    assert sample.gt_instances.labels.tolist() == [5] and sample.ignored_instances.labels.tolist() == [4, 6]
    group_of = sample.ignored_instances.group_of
    assert group_of.dtype == torch.bool and group_of.tolist() == [False, True]
    assert sample.valid_range == (0.0, 30.0) and sample.chip == (5, 6, 60, 40)


def test_no_ignored_box():
    packed = PackChipInputs().transform(results(gt_ignore_flags=np.zeros(3, bool), gt_group_flags=np.zeros(3, bool)))
    assert packed["data_samples"].ignored_instances.group_of.shape == (0,)


def test_a_transform_that_drops_boxes_is_named():
    with pytest.raises(ValueError, match="dropped boxes without their flags"):
        PackChipInputs().transform(results(gt_group_flags=np.zeros(5, bool)))


@pytest.mark.parametrize("direction", [None, "horizontal", "vertical", "diagonal"])
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.float32, 3), (np.uint8, 1), (np.float64, 4)])
def test_pixels_are_those_of_mmdet(direction, dtype, channels):
    image = np.random.default_rng(0).integers(0, 256, (31, 45, channels)).astype(dtype)
    flipped = image if direction is None else imflip(image, direction)
    packed = PackChipInputs().transform(results(img=flipped))["inputs"]
    expected = PackDetInputs().transform({"img": flipped})["inputs"].clone()
    assert packed.is_contiguous() and packed.dtype == expected.dtype and torch.equal(packed, expected)
    image[:] = 0
    assert torch.equal(packed, expected)  # memory of its own


@pytest.mark.parametrize("flags", [[True, False, True], [False] * 3, [True] * 3])
def test_samples_are_those_of_mmdet(flags):
    options = {"flip": True, "flip_direction": "horizontal", "ori_shape": (50, 70), "scale_factor": (0.5, 0.5)}
    made = results(gt_ignore_flags=np.array(flags), gt_group_flags=np.zeros(3, bool), **options)
    ours = PackChipInputs().transform(made)["data_samples"]
    theirs = PackDetInputs(PackChipInputs().meta_keys).transform(made)["data_samples"]
    assert ours.metainfo == theirs.metainfo and set(ours.keys()) == set(theirs.keys())
    for name in ("gt_instances", "ignored_instances"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert set(one.keys()) - {"group_of"} == set(other.keys())
        assert type(one.bboxes) is type(other.bboxes) and torch.equal(one.bboxes.tensor, other.bboxes.tensor)
        assert one.labels.dtype == other.labels.dtype and torch.equal(one.labels, other.labels)


def test_what_transforms_add_is_packed_as_mmdet_does():
    packed = PackChipInputs().transform(results(gt_seg_map=np.ones((40, 60), np.uint8)))["data_samples"]
    assert packed.gt_sem_seg.sem_seg.shape == (1, 40, 60) and packed.gt_instances.labels.tolist() == [5]
