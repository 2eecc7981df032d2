from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from mmdetpre.analysis.closest_pairs.plot import draw_pairs, find_photos, read_photos
from mmdetpre.analysis.closest_pairs.report import ClosestPairs, ImagePair, PairList
from mmdetpre.analysis.features.spaces import SpaceInfo


def made(classes: tuple[str, str] | None = ("cat", "a very long class name, it is")) -> ClosestPairs:
    pair = ImagePair(
        (0, 1), ("x/0.jpg", "x/1.jpg"), classes, {"ImageNet": 0.75, "COCO": 0.5}, {"ImageNet": 1, "COCO": 12345}
    )
    lists = (
        PairList("closest in ImageNet", "ImageNet", (pair,)),
        PairList("close in COCO, distant in ImageNet", "COCO", ()),
    )
    spaces = tuple(SpaceInfo(name, "fc", 3, "") for name in ("ImageNet", "COCO"))
    return ClosestPairs(spaces, 1000, 499500, "correlation", "all", None, False, lists)


@pytest.fixture
def report() -> ClosestPairs:
    return made()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    Image.fromarray(np.full((600, 400, 3), 200, np.uint8)).save(tmp_path / "x/0.jpg", exif=exif)
    Image.fromarray(np.full((30, 60), 90, np.uint8)).save(tmp_path / "x/1.jpg")
    return tmp_path


def test_draws_every_pair_with_its_numbers(report, folder):
    photos = read_photos(report, folder)
    assert photos["x/0.jpg"].shape[:2] == (173, 260) and photos["x/1.jpg"].shape == (30, 60, 3)
    figure = draw_pairs(report, photos)
    FigureCanvasAgg(figure).draw()
    texts = [text.get_text() for text in figure.texts]
    assert "Most similar of 499,500 pairs (correlation, rank)" in texts
    assert {"cat", "a very long class ...", "ImageNet: 0.750 (rank 1)", "COCO: 0.500 (rank 12,345)"} <= set(texts)
    assert "close in COCO,\ndistant in ImageNet" in texts and "no such pair" in texts
    assert len(figure.axes) == 2
    for axis, aspect in zip(figure.axes, (260 / 173, 2), strict=True):
        box = axis.get_window_extent()
        assert box.width / box.height == pytest.approx(aspect, rel=0.01)
    page = figure.get_window_extent()
    for text in figure.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1


def test_without_class_names_and_with_a_title(folder):
    report = made(classes=None)
    texts = [text.get_text() for text in draw_pairs(report, read_photos(report, folder), title="Figure 5").texts]
    assert texts[0] == "Figure 5" and "cat" not in texts


def test_photos_that_are_missing_or_broken(report, folder):
    with pytest.raises(FileNotFoundError, match="2 of 2 photos are not there, e.g. .*0.jpg: say where they are"):
        find_photos(["x/0.jpg", "x/1.jpg"], folder / "elsewhere")
    (folder / "x/1.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="1.jpg cannot be read as an image"):
        read_photos(report, folder)
