from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmdetpre.analysis.activation.plot import colored, draw_activation_maps
from mmdetpre.analysis.activation.report import ActivationReport, ActiveImage


def image(height: int, width: int) -> ActiveImage:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    maps = {name: random.integers(0, 256, (height, width), dtype=np.uint8) for name in ("ImageNet", "OpenImages")}
    return ActiveImage("a.jpg", {}, maps, pixels)


def report(*images: ActiveImage) -> ActivationReport:
    return ActivationReport("conv5", images)


def test_images_and_maps_stand_in_one_row() -> None:
    images = [image(20, 30), image(60, 20)]
    figure = draw_activation_maps(report(*images), overlay=0.25)
    figure.draw_without_rendering()
    shown = [axis for axis in figure.axes if axis.images]
    for row, one in zip((shown[:3], shown[3:]), images, strict=True):
        expected = [one.pixels, *(colored(gray, one.pixels, 0.25) for gray in one.maps.values())]
        for axis, picture in zip(row, expected, strict=True):
            assert np.array_equal(axis.images[0].get_array(), picture)
            box = axis.get_position()
            assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1
            ratio = box.width * figure.get_figwidth() / (box.height * figure.get_figheight())
            assert ratio == pytest.approx(picture.shape[1] / picture.shape[0])
        assert np.ptp([axis.get_position().y0 for axis in row]) < 1e-9
    assert [axis.get_title() for axis in shown] == ["a.jpg", "ImageNet", "OpenImages", "a.jpg", "", ""]


def test_images_of_one_name_show_their_folder() -> None:
    images = [replace(image(20, 30), name=name) for name in ("x/cat/1.jpg", "x/dog/1.jpg", "x/dog/2.jpg")]
    titles = [axis.get_title() for axis in draw_activation_maps(report(*images)).axes if axis.get_title()]
    assert titles == ["cat/1.jpg", "ImageNet", "OpenImages", "dog/1.jpg", "2.jpg"]


def test_overlay_mixes_map_and_image() -> None:
    gray, pixels = np.array([[0, 255]], np.uint8), np.full((1, 2, 3), 100, np.uint8)
    plain = colored(gray, pixels)
    assert plain[0, 0].sum() < 10 and plain[0, 1].sum() > 600
    np.testing.assert_allclose(colored(gray, pixels, 0.5), (plain.astype(float) + 100) / 2, atol=1)


def test_refuses_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="no image to draw"):
        draw_activation_maps(report())
    for overlay in (1, -0.1):
        with pytest.raises(ValueError, match="overlay is"):
            draw_activation_maps(report(image(4, 4)), overlay=overlay)
    with pytest.raises(ValueError, match="not in the file of the numbers"):
        draw_activation_maps(ActivationReport.from_dict(report(image(4, 4)).to_dict()))
