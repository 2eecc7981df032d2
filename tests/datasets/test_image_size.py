import cv2
import numpy as np
import pytest
from PIL import Image

from mmdetpre.datasets.image_size import read_image_size, read_image_sizes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_decoded_image(tmp_path, helpers, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(helpers.encoded(helpers.picture(90, 40), exif=exif))
    assert read_image_size(str(path)) == cv2.imread(str(path)).shape[1::-1]


def test_unreadable_images_count_as_zero_and_are_named(tmp_path, helpers, caplog):
    (tmp_path / "good.jpg").write_bytes(helpers.encoded(helpers.picture(90, 40)))
    (tmp_path / "text.jpg").write_text("no image")
    paths = [str(tmp_path / name) for name in ("good.jpg", "text.jpg", "absent.jpg")]
    np.testing.assert_array_equal(read_image_sizes(paths), [(90, 40), (0, 0), (0, 0)])
    np.testing.assert_array_equal(read_image_sizes(paths, {"backend": "local"}), [(90, 40), (0, 0), (0, 0)])
