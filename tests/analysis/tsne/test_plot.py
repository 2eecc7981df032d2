from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from mmdetpre.analysis.tsne.plot import draw_tsne_maps
from mmdetpre.analysis.tsne.table import MOST_CLASSES, TsneMaps, TsneSettings, check_shown
from mmdetpre.analysis.tsne.tsne import TsneMap

CLASSES = [f"class{i}" for i in range(50)]


def result(maps: dict[str, np.ndarray], labels: np.ndarray, classes: list[str], shown: list[int]) -> TsneMaps:
    images = tuple(f"{i}.jpg" for i in range(len(labels)))
    of_names = {name: TsneMap(points, 1.5) for name, points in maps.items()}
    settings = TsneSettings(10.0, 0.5, 50, 0)
    return TsneMaps(settings, images, tuple(labels.tolist()), tuple(classes), tuple(shown), of_names)


def drawn(axis) -> dict[str, set[tuple[float, float]]]:
    """Points of each color."""
    found: dict[str, set[tuple[float, float]]] = {}
    for points in axis.collections:
        colors = points.get_facecolor()
        if len(points.get_offsets()):
            found.setdefault(to_hex(colors[0]), set()).update(map(tuple, points.get_offsets().tolist()))
    return found


def test_an_image_has_the_same_color_in_all_maps_and_none_is_lost() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 4, 300)
    maps = {name: random.normal(size=(300, 2)) for name in ("ImageNet", "OpenImages")}
    figure = draw_tsne_maps(result(maps, labels, CLASSES[:4], [3, 1]))
    left, right = (drawn(axis) for axis in figure.axes)
    assert list(left) == list(right) and len(left) == 3
    others, first, second = left
    for found, points in ((left, maps["ImageNet"]), (right, maps["OpenImages"])):
        for color, label in ((first, 3), (second, 1)):
            assert found[color] == set(map(tuple, points[labels == label].tolist()))
        assert found[others] == set(map(tuple, points[~np.isin(labels, [1, 3])].tolist()))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["class3", "class1", "other images"]
    assert [axis.get_title() for axis in figure.axes] == list(maps)
    figure.draw_without_rendering()


def test_all_classes_that_can_be_distinguished_differ_in_color_or_shape() -> None:
    points = np.arange(2.0 * MOST_CLASSES).reshape(-1, 2)
    figure = draw_tsne_maps(
        result({"a": points}, np.arange(MOST_CLASSES), CLASSES, list(range(MOST_CLASSES))), title="many"
    )
    handles = figure.legends[0].legend_handles
    assert len({(to_hex(handle.get_color()), handle.get_marker()) for handle in handles}) == MOST_CLASSES
    assert "other images" not in [text.get_text() for text in figure.legends[0].get_texts()]
    with pytest.raises(ValueError, match="46 classes are to be colored, and 45 can be distinguished"):
        check_shown(46)
