from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdetpre.visualization.chips import ChipView, draw_chips


def view(scale: int, flipped: bool = False) -> ChipView:
    boxes, labels = np.array([[4.0, 4, 30, 30], [20, 20, 60, 60]]), np.array([0, 1])
    pixels = np.full((64, 64, 3), 90, np.uint8)
    return ChipView(scale, (0, 0, 64, 64), pixels, boxes, labels, np.array([False, True]), flipped)


@pytest.mark.parametrize("counts", [(1, 1), (0, 2), (13, 1, 4)], ids=str)
def test_every_chip_up_to_the_limit_gets_its_axis(counts: tuple[int, ...]) -> None:
    chips = [view(scale) for scale, n in enumerate(counts) for _ in range(n)]
    titles = [f"scale {i}" for i in range(len(counts))]
    image = np.zeros((96, 128, 3), np.uint8)
    figure = draw_chips(image, np.zeros((0, 4)), chips, titles, ["cat", "dog"], max_per_scale=8)
    axes = figure.axes[1:]
    assert len(axes) == sum(min(n, 8) for n in counts)
    for axis in axes:
        place = axis.get_position()
        assert place.x0 >= 0 and place.y0 > 0 and place.x1 <= 1 and place.y1 <= 1
    places = [axis.get_position().bounds for axis in axes]
    assert len(set(places)) == len(places)
    texts = " ".join(text.get_text() for text in figure.texts)
    assert all(title in texts for title in titles)
    assert ("5 more on the left" in texts) == (13 in counts)


def test_valid_boxes_are_solid_and_ignored_ones_dashed() -> None:
    figure = draw_chips(np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4)), [view(0)], ["scale"], ["cat", "dog"])
    styles = {patch.get_xy(): patch.get_linestyle() for patch in figure.axes[1].patches}
    assert styles[(4.0, 4.0)] in ("-", "solid")
    assert styles[(20.0, 20.0)] not in ("-", "solid")


def test_pictures_can_be_written(tmp_path) -> None:
    original = np.full((64, 64, 3), (200, 30, 60), np.uint8)
    figure = draw_chips(original, np.ones((1, 4)), [view(0, True)], ["scale"], ["cat", "dog"])
    figure.savefig(tmp_path / "chips.png", dpi=100)
    with Image.open(tmp_path / "chips.png") as file:
        pixels = np.asarray(file.convert("RGB"))
    assert pixels.shape[1::-1] == tuple((figure.get_size_inches() * 100).round().astype(int))
    left, right = pixels[:, : int(0.45 * pixels.shape[1])], pixels[:, -int(0.45 * pixels.shape[1]) :]
    for part, other, color in ((left, right, (200, 30, 60)), (right, left, (90, 90, 90))):
        shares = [(half == color).all(axis=2).mean() for half in (part, other)]
        assert shares[0] > 0.1 and shares[1] < 0.001  # but for the edges of letters
