from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.analysis.features.pixels import as_rgb, read_photo


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_whole_image_keeps_its_aspect_and_a_crop_is_its_center(photo: Path) -> None:
    same = read_photo(photo, 40)
    assert np.array_equal(as_rgb(same), np.array(Image.open(photo)))
    assert read_photo(photo, 20).shape == (3, 20, 30)
    crop = read_photo(photo, 40, 20)
    assert np.array_equal(crop.numpy(), same[:, 10:30, 20:40].numpy())


def test_pixels_are_those_of_the_feature_extraction(photo: Path) -> None:
    from mmdetpre.analysis.features.batches import WholeImages
    from mmdetpre.analysis.features.image_set import ImageSet

    images = ImageSet("", (str(photo),), np.array([-1]), (), {})
    assert np.array_equal(read_photo(photo, 33, 25).numpy(), WholeImages(images, 33, 25)[0].numpy())


def test_says_what_is_wrong(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no image .*nowhere.jpg"):
        read_photo(tmp_path / "nowhere.jpg", 40)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match="broken.jpg cannot be read: damaged, cut off, or no image"):
        read_photo(broken, 40)
    for edge, crop in ((0, None), (40, 41), (40, 0)):
        with pytest.raises(ValueError, match=f"short side is to have {edge} pixels"):
            read_photo(photo, edge, crop)
