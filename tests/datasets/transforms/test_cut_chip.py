import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetpre.chips.scale import scaled_size
from mmdetpre.datasets.transforms.cut_chip import cut_chip


def smooth(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def resized(image, s, size):
    """The whole image at scale s by bilinear interpolation, in double precision."""
    width, height = size
    x = ((np.arange(width) + 0.5) / s - 0.5).clip(0, image.shape[1] - 1)
    y = ((np.arange(height) + 0.5) / s - 0.5).clip(0, image.shape[0] - 1)
    left, top = (np.minimum(p.astype(int), max(n - 2, 0)) for p, n in ((x, image.shape[1]), (y, image.shape[0])))
    fx, fy = (x - left)[None, :, None], (y - top)[:, None, None]
    pixels = image.astype(float)
    right, bottom = np.minimum(left + 1, image.shape[1] - 1), np.minimum(top + 1, image.shape[0] - 1)
    upper = pixels[top][:, left] * (1 - fx) + pixels[top][:, right] * fx
    lower = pixels[bottom][:, left] * (1 - fx) + pixels[bottom][:, right] * fx
    return upper * (1 - fy) + lower * fy


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 150), height=st.integers(1, 150), s=st.floats(0.3, 3), data=st.data())
def test_a_chip_is_a_crop_of_the_resized_image(width, height, s, data):
    size = scaled_size(width, height, s)
    x, y = (data.draw(st.integers(0, side - 1)) for side in size)
    w, h = data.draw(st.integers(1, size[0] - x)), data.draw(st.integers(1, size[1] - y))
    image = smooth(width, height)
    chip = cut_chip(image, (x, y, w, h), s)
    assert chip.shape == (h, w, 3) and chip.dtype == np.uint8 and chip.flags.c_contiguous
    assert np.abs(chip - resized(image, s, size)[y : y + h, x : x + w]).max() < 1  # rounded; OpenCV's weights too


@settings(max_examples=25, deadline=None)
@given(width=st.integers(40, 200), height=st.integers(40, 200), s=st.floats(0.13, 1), r=st.sampled_from([2, 4, 8]))
def test_reduced_decoding_does_not_shift_the_image(width, height, s, r):
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    ramp = np.stack([x, y, x + y], axis=-1) * 0.5
    padded = np.pad(ramp, ((0, -height % r), (0, -width % r), (0, 0)), mode="edge")
    reduced = padded.reshape(padded.shape[0] // r, r, padded.shape[1] // r, r, 3).mean(axis=(1, 3))
    w, h = scaled_size(width, height, s)
    chip = cut_chip(np.rint(reduced).astype(np.uint8), (0, 0, w, h), s, r)
    u, v = np.meshgrid((np.arange(w) + 0.5) / s, (np.arange(h) + 0.5) / s)
    inner = (u > r) & (u < width - 2 * r) & (v > r) & (v < height - 2 * r)
    expected = np.stack([u, v, u + v], axis=-1) * 0.5
    assert np.abs(chip - expected)[inner].max(initial=0) < 1.2


@settings(max_examples=25, deadline=None)
@given(width=st.integers(2, 150), height=st.integers(2, 150), s=st.floats(0.3, 3), data=st.data())
def test_what_lies_beyond_the_border_repeats_the_edge(width, height, s, data):
    x, y = data.draw(st.integers(0, int(width * s))), data.draw(st.integers(0, int(height * s)))
    image = smooth(width, height)
    w, h = (int(side * s) - start + 9 for side, start in ((width, x), (height, y)))
    chip = cut_chip(image, (x, y, w, h), s)
    assert np.abs(chip - resized(image, s, (x + w, y + h))[y:, x:]).max() < 1


@pytest.mark.parametrize("s", [0.4, 0.8, 1.0, 1.7, 3.1])
def test_chips_of_one_image_fit_together(s):
    image = smooth(150, 110)
    w, h = scaled_size(150, 110, s)
    whole = cut_chip(image, (0, 0, w, h), s)  # by another way than those that do not begin at the origin
    x, y = w // 3, h // 2
    quarters = [[(0, 0, x, y), (x, 0, w - x, y)], [(0, y, x, h - y), (x, y, w - x, h - y)]]
    joined = np.vstack([np.hstack([cut_chip(image, chip, s) for chip in row]) for row in quarters])
    assert cv2.absdiff(whole, joined).max() <= 1


def test_an_image_turned_by_its_exif_orientation_is_no_special_case():
    image = smooth(90, 60)
    turned = np.rot90(image)
    np.testing.assert_array_equal(
        cut_chip(turned, (7, 9, 40, 50), 1.3), cut_chip(turned.copy(), (7, 9, 40, 50), 1.3)
    )  # pixels in another order in memory
