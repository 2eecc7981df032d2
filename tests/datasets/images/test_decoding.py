import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmdetpre.datasets.images.decoding import BrokenImageError, decode_image, jpeg_reduction


@given(st.floats(1e-3, 10))
def test_a_reduced_image_is_never_enlarged(s):
    r = jpeg_reduction(s)
    assert r in (1, 2, 4, 8) and (r == 1 or s * r <= 1)
    assert r == 8 or s * r > 0.5


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_every_color_mode_gives_bgr(openimages_files, mode, reduction):
    original = openimages_files.picture(161, 83)
    image, used = decode_image(openimages_files.encoded(original.convert(mode), quality=95), (161, 83), reduction)
    assert used == reduction and image.dtype == np.uint8
    assert image.shape == (-(-83 // reduction), -(-161 // reduction), 3)
    expected = np.asarray(original.convert(mode).convert("RGB"))[..., ::-1]
    if reduction == 1:
        assert np.abs(image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_formats_are_decoded_in_full(openimages_files, mode):
    data = openimages_files.encoded(openimages_files.picture(40, 30).convert(mode), "PNG")
    image, used = decode_image(data, (40, 30), 4)
    assert used == 1 and image.shape == (30, 40, 3)


@pytest.mark.parametrize("reduction", [1, 2])
def test_orientation_follows_the_annotated_size(openimages_files, reduction):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = openimages_files.encoded(openimages_files.picture(90, 40), exif=exif)
    upright, _ = decode_image(data, (40, 90), reduction)
    stored, _ = decode_image(data, (90, 40), reduction)
    np.testing.assert_array_equal(upright, cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE))


@pytest.mark.parametrize("keep", [0.95, 0.5, 0.02])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_truncated_file_is_broken(openimages_files, format, keep):
    data = openimages_files.encoded(openimages_files.picture(200, 100), format)
    with pytest.raises(BrokenImageError):
        decode_image(data[: int(len(data) * keep)], (200, 100))


def test_a_jpeg_followed_by_other_data_is_fine(openimages_files):
    data = openimages_files.encoded(openimages_files.picture(200, 100))
    plain, _ = decode_image(data, (200, 100))
    appended, _ = decode_image(data + b"camera maker's notes", (200, 100))
    np.testing.assert_array_equal(plain, appended)


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"<html>", "cannot decode")])
def test_what_is_no_image_is_broken(data, reason):
    with pytest.raises(BrokenImageError, match=reason):
        decode_image(data, (10, 10))


def test_an_unexpected_size_is_broken(openimages_files):
    with pytest.raises(BrokenImageError, match="200 x 100 pixels but is annotated as 100 x 100"):
        decode_image(openimages_files.encoded(openimages_files.picture(200, 100)), (100, 100))
