from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmdetpre.analysis.clusters.agreement import compare_clusters
from mmdetpre.analysis.clusters.plot import draw_cluster_agreement


@pytest.mark.parametrize("ks", [[2, 30, 60], [7]])
def test_both_directions_with_band_exact_and_chance_values(ks):
    random = np.random.default_rng(0)
    a, b = ({k: np.arange(60) if k == 60 else random.integers(k, size=60) for k in ks} for _ in range(2))
    result = compare_clusters(["ImageNet", "COCO"], a, b, samples=1000)
    figure = draw_cluster_agreement(result)
    FigureCanvasAgg(figure).draw()
    (axis,) = figure.axes
    lines = axis.get_lines()
    for way, sampled, exact, chance in zip(result.directions, lines[:6:3], lines[1:6:3], lines[2:6:3], strict=True):
        for line, key in ((sampled, "sampled"), (exact, "exact"), (chance, "chance")):
            np.testing.assert_allclose(line.get_ydata(), 100 * np.array(getattr(way, key), float))
            assert list(line.get_xdata()) == ks
        assert sampled.get_color() == exact.get_color() == chance.get_color()
    assert len({line.get_color() for line in lines[:6]}) == 2 and len(axis.collections) == 2
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert texts[:2] == ["together in ImageNet: also in COCO", "together in COCO: also in ImageNet"]
    assert "1,000 sampled pairs, 95 % band" in texts and "chance" in texts
    assert axis.get_xscale() == "log" and draw_cluster_agreement(result, title="T").axes[0].get_title() == "T"
