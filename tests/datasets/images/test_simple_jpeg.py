"""An optional decoder of JPEGs: OpenCV's pixels, and OpenCV where it has none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdetpre.datasets.images import decoding, simple_jpeg
from mmdetpre.datasets.images.decoding import _REDUCED, decode_image
from mmdetpre.datasets.images.simple_jpeg import decode_plain_jpeg, jpeg_decoder

simplejpeg = pytest.importorskip("simplejpeg", reason="the optional package simplejpeg is not installed")
SAMPLINGS = {name: getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}") for name in ("411", "420", "422", "440", "444")}


def encoded(openimages_files, size, sampling="420", quality=90, gray=False):
    picture = np.ascontiguousarray(np.asarray(openimages_files.picture(*size))[..., : 1 if gray else 3])
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def by_opencv(data, reduction):
    return cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduction])


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(640, 480), (333, 501), (17, 9), (16, 1), (3, 200)])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [20, 95])
def test_pixels_are_those_of_opencv(openimages_files, sampling, size, reduction, quality):
    data = encoded(openimages_files, size, sampling, quality)
    pixels = decode_plain_jpeg(data, size, reduction)
    np.testing.assert_array_equal(pixels, by_opencv(data, reduction))
    np.testing.assert_array_equal(pixels, decode_image(data, size, reduction)[0])


@pytest.mark.parametrize("reduction", [1, 8])
def test_gray_progressive_and_restarted_ones_too(openimages_files, reduction):
    picture = np.asarray(openimages_files.picture(100, 75))
    for options in ([cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]):
        data = cv2.imencode(".jpg", picture, options)[1].tobytes()
        np.testing.assert_array_equal(decode_plain_jpeg(data, (100, 75), reduction), by_opencv(data, reduction))
    data = encoded(openimages_files, (100, 75), gray=True)
    np.testing.assert_array_equal(decode_plain_jpeg(data, (100, 75), reduction), by_opencv(data, reduction))


def test_it_is_used(openimages_files, monkeypatch):
    data = encoded(openimages_files, (64, 48))
    monkeypatch.setattr(decoding, "_decode", lambda *_: pytest.fail("OpenCV was asked"))
    assert decode_image(data, (64, 48), 2)[0].shape == (24, 32, 3)
    assert jpeg_decoder().startswith("simplejpeg ")


@pytest.mark.parametrize("size", [(15, 15), (1, 1)])
def test_tiny_images_are_left_to_opencv(openimages_files, size):
    data = encoded(openimages_files, size)
    assert decode_plain_jpeg(data, size, 2) is None
    np.testing.assert_array_equal(decode_image(data, size, 2)[0], by_opencv(data, 2))


def test_damage_is_left_to_opencv(openimages_files, monkeypatch):
    data = encoded(openimages_files, (64, 48))
    middle = len(data) // 2
    data = data[:middle] + b"\xff\xd0" * 4 + data[middle:]  # restart marks where none belong
    assert decode_plain_jpeg(data, (64, 48), 1) is None
    asked = []
    monkeypatch.setattr(decoding, "_decode", lambda *_: asked.append(1) or np.zeros((48, 64, 3), np.uint8))
    decode_image(data, (64, 48))
    assert asked == [1]


def test_without_the_package_opencv_decodes(openimages_files, monkeypatch):
    data = encoded(openimages_files, (64, 48))
    monkeypatch.setattr(simple_jpeg, "_simplejpeg", lambda: None)
    np.testing.assert_array_equal(decode_image(data, (64, 48), 4)[0], by_opencv(data, 4))
    assert jpeg_decoder() == f"OpenCV {cv2.__version__}"
