"""Masks are cut where the pixels are: exactly without a resize, and as bilinear interpolation says with one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmdetpre.datasets.coco.outlines import outline_mask
from mmdetpre.datasets.transforms.cut_chip import cut_chip
from mmdetpre.datasets.transforms.cut_mask import cut_mask

SIDE = st.integers(1, 60)


@given(SIDE, SIDE, st.data())
def test_outlines_at_the_size_of_the_image_are_those_of_pycocotools(width, height, data):
    points = data.draw(st.lists(st.tuples(st.floats(-5, 65), st.floats(-5, 65)), min_size=3, max_size=7))
    polygon = [float(value) for point in points for value in point]
    runs = coco_mask.frPyObjects([polygon], height, width)[0]
    expected = coco_mask.decode(runs)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    chip = (x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    packed = {"size": [height, width], "counts": runs["counts"].decode()}
    for outline in ([polygon], packed):
        cut = cut_mask(outline_mask(outline, width, height), chip, 1.0)
        assert np.array_equal(cut, expected[y : y + chip[3], x : x + chip[2]])


@given(st.floats(0.51, 3.0), st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_resized_masks_follow_the_pixels_of_the_image(scale, x, y, seed):
    mask = np.kron(np.random.default_rng(seed).integers(0, 2, (6, 7)), np.ones((5, 5))).astype(bool)
    width, height = (max(1, int(side * scale) - start) for side, start in ((35, x), (30, y)))
    image = np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * np.uint8(255)
    pixels = cut_chip(image, (x, y, width, height), scale)[..., 0].astype(int)
    cut = cut_mask(mask, (x, y, width, height), scale)
    clear = abs(pixels - 127.5) > 16  # OpenCV rounds positions to 1/32 of a pixel
    assert cut.shape == (height, width) and np.array_equal(cut[clear], (pixels > 127)[clear])


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.125])
def test_smaller_masks_are_what_is_half_covered(scale):
    step = round(1 / scale)
    mask = np.random.default_rng(0).random((16 * step, 12 * step)) < 0.5
    cover = mask.reshape(16, step, 12, step).mean(axis=(1, 3))
    cut = cut_mask(mask, (3, 2, 8, 12), scale)
    clear = abs(cover - 0.5) > 0.01
    assert np.array_equal(cut[clear[2:14, 3:11]], (cover > 0.5)[2:14, 3:11][clear[2:14, 3:11]])


def test_a_chip_far_into_a_very_wide_image():
    mask = np.zeros((4, 40000), bool)
    mask[:, 39990:] = True
    assert cut_mask(mask, (39980, 0, 20, 4), 1.0).sum(axis=0).tolist() == [0] * 10 + [4] * 10
