import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetpre.chips.scale import scaled_size
from mmdetpre.datasets.image_decoding import BrokenImageError
from mmdetpre.datasets.packed_annotations import IGNORE
from mmdetpre.datasets.transforms import LoadChip
from mmdetpre.datasets.transforms.load_chip import cut_chip


def smooth(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def resized(image, s, size):
    """The whole image at scale s by bilinear interpolation, in double precision."""
    width, height = size
    x = ((np.arange(width) + 0.5) / s - 0.5).clip(0, image.shape[1] - 1)
    y = ((np.arange(height) + 0.5) / s - 0.5).clip(0, image.shape[0] - 1)
    left, top = np.minimum(x.astype(int), image.shape[1] - 2), np.minimum(y.astype(int), image.shape[0] - 2)
    fx, fy = (x - left)[None, :, None], (y - top)[:, None, None]
    pixels = image.astype(float)
    upper = pixels[top][:, left] * (1 - fx) + pixels[top][:, left + 1] * fx
    lower = pixels[top + 1][:, left] * (1 - fx) + pixels[top + 1][:, left + 1] * fx
    return upper * (1 - fy) + lower * fy


@settings(max_examples=40, deadline=None)
@given(width=st.integers(20, 150), height=st.integers(20, 150), s=st.floats(0.3, 3), data=st.data())
def test_a_chip_is_a_crop_of_the_resized_image(width, height, s, data):
    size = scaled_size(width, height, s)
    x, y = (data.draw(st.integers(0, side - 1)) for side in size)
    w, h = data.draw(st.integers(1, size[0] - x)), data.draw(st.integers(1, size[1] - y))
    image = smooth(width, height)
    chip = cut_chip(image, (x, y, w, h), s)
    assert chip.shape == (h, w, 3) and chip.dtype == np.uint8 and chip.flags.c_contiguous
    assert np.abs(chip - resized(image, s, size)[y : y + h, x : x + w]).max() < 2.5  # fixed-point weights


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


@pytest.fixture
def results(tmp_path, helpers):
    path = tmp_path / "a.jpg"
    path.write_bytes(helpers.encoded(helpers.picture(200, 100), quality=95))
    return {
        "img_path": str(path),
        "width": 200,
        "height": 100,
        "chip": (40, 10, 120, 80),
        "chip_scale": 0.9,
        "valid": np.array([0, 3], np.int32),
        "boxes": np.array(
            [[50, 20, 90, 60], [0, 0, 60, 30], [0, 0, 45.5, 100], [150, 50, 200, 100], [60, 30, 80, 50]], np.float32
        ),
        "labels": np.array([3, 1, 2, 0, 5], np.int16),
        "flags": np.array([0, 0, 0, 0, IGNORE], np.uint8),
    }


def test_boxes_are_carried_into_the_chip(results):
    out = LoadChip().transform(results)
    expected = np.array([[5, 8, 41, 44], [0, 0, 14, 17], [95, 35, 120, 80], [14, 17, 32, 35]])
    np.testing.assert_allclose(out["gt_bboxes"].tensor.numpy(), expected, atol=1e-3)  # the third shows 0.95 pixels
    assert out["gt_bboxes_labels"].tolist() == [3, 1, 0, 5] and out["gt_bboxes_labels"].dtype == np.int64
    assert out["gt_ignore_flags"].tolist() == [False, True, False, True]
    assert out["gt_group_flags"].tolist() == [False, False, False, True]
    assert out["img"].shape == (80, 120, 3) and out["img_shape"] == (80, 120) and out["ori_shape"] == (100, 200)
    assert out["scale_factor"] == (0.9, 0.9)


def test_a_group_box_is_never_valid(results):
    results["valid"] = np.arange(5, dtype=np.int32)
    assert LoadChip().transform(results)["gt_ignore_flags"].tolist() == [False, False, False, True]


def test_a_chip_without_boxes(results):
    results |= {"boxes": np.zeros((0, 4), np.float32), "valid": np.zeros(0, np.int32)}
    results |= {"labels": np.zeros(0, np.int16), "flags": np.zeros(0, np.uint8)}
    out = LoadChip().transform(results)
    assert len(out["gt_bboxes"]) == 0 and out["gt_ignore_flags"].shape == (0,)


@pytest.mark.parametrize("s", [0.5, 0.4, 0.25, 0.2, 0.1])
def test_small_decoding_gives_nearly_the_same_pixels(results, s):
    width, height = scaled_size(200, 100, s)
    results |= {"chip": (0, 0, width, height), "chip_scale": s}
    small = LoadChip().transform(results)["img"]
    full = cv2.resize(cv2.imread(results["img_path"]), (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - full).mean() < 6


def test_a_missing_file_is_a_broken_image(results, tmp_path):
    results["img_path"] = str(tmp_path / "absent.jpg")
    with pytest.raises(BrokenImageError, match="missing"):
        LoadChip().transform(results)
    results["img_path"] = str(tmp_path)
    with pytest.raises(BrokenImageError, match="cannot be read"):
        LoadChip().transform(results)
