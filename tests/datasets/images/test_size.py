import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdetpre.datasets.images.decoding import BrokenImageError, decode_image, require_sound
from mmdetpre.datasets.images.size import read_image_size, read_image_sizes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_decoded_image(tmp_path, openimages_files, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(openimages_files.encoded(openimages_files.picture(90, 40), exif=exif))
    assert read_image_size(str(path)) == cv2.imread(str(path)).shape[1::-1]


def test_unreadable_images_count_as_zero_and_are_named(tmp_path, openimages_files, caplog):
    (tmp_path / "good.jpg").write_bytes(openimages_files.encoded(openimages_files.picture(90, 40)))
    (tmp_path / "text.jpg").write_text("no image")
    paths = [str(tmp_path / name) for name in ("good.jpg", "text.jpg", "absent.jpg")]
    np.testing.assert_array_equal(read_image_sizes(paths), [(90, 40), (0, 0), (0, 0)])
    np.testing.assert_array_equal(read_image_sizes(paths, {"backend": "local"}), [(90, 40), (0, 0), (0, 0)])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_header_that_announces_more_than_its_file_can_hold_is_refused_undecoded(mode, tmp_path, monkeypatch):
    def png(width, height):
        head = struct.pack(">IIBBBBB", width, height, 8, 2 if mode == "RGB" else 0, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]
        coded = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(coded)

    (tmp_path / "a.png").write_bytes(png(30_000, 30_000))
    message = "announces 30000 x 30000 pixels in [0-9]+ bytes"
    with pytest.raises(OSError, match=message):
        read_image_size(str(tmp_path / "a.png"))
    for read in (require_sound, lambda data: decode_image(data, (30_000, 30_000))):
        with monkeypatch.context() as patch, pytest.raises(BrokenImageError, match=message):
            patch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
            read(png(30_000, 30_000))
    one_color = io.BytesIO()
    Image.new(mode, (9000, 9000)).save(one_color, "PNG")  # the most that the format packs
    assert read_image_size(io.BytesIO(one_color.getvalue())) == (9000, 9000)
