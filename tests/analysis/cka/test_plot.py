from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmdetpre.analysis.cka.cka import LayerSimilarity, NetworkLayers
from mmdetpre.analysis.cka.plot import draw_layer_similarity


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (40, 3)])
def test_map_with_numbers_and_names(rows: int, columns: int):
    cka = np.linspace(-0.001, 1, rows * columns).reshape(rows, columns)
    layers = [[f"a_layer{i}" for i in range(rows)], [f"b_layer{i}" for i in range(columns)]]
    runs = NetworkLayers("ImageNet", tuple(layers[0])), NetworkLayers("COCO", tuple(layers[1]))
    result = LayerSimilarity(runs, cka, 4, 1, 1, 0)
    figure = draw_layer_similarity(result)
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.get_images()[0].get_array(), cka)
    assert [text.get_text() for text in axis.get_yticklabels()] == layers[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == layers[1]
    assert (axis.get_ylabel(), axis.get_xlabel(), axis.get_title()) == ("ImageNet", "COCO", "Similarity of layers")
    numbers = [text.get_text() for text in axis.texts]
    assert numbers == ([f"{abs(value):.2f}" for value in cka.ravel()] if rows < 40 else [])
    page = figure.get_window_extent()
    for text in [*axis.get_xticklabels(), *axis.get_yticklabels(), axis.title]:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 <= box.y0 and box.y1 <= page.y1 + 1
    assert draw_layer_similarity(result, title="T").axes[0].get_title() == "T"
