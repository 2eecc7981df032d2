from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.evaluation.trimap.plot import draw_trimap_curves
from mmdetpre.evaluation.trimap.scores import BandScores, TrimapScores, WholeScores


def run(label: str, inside: list, outside: list, whole: float | None = 0.5) -> TrimapScores:
    bands = [
        BandScores((0,) * 3, (None,) * 3, tuple(values), ((),) * 3, ((),) * 3, ((),) * 3)
        for values in (inside, outside)
    ]
    return TrimapScores(label, "label", (1, 5, 20), (), 1, 0, WholeScores(0, None, whole, (), (), ()), *bands)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_run_has_a_curve_in_both_panels_and_a_line_for_whole_images(count):
    runs = [run(f"run {i}", [0.2, 0.3, 0.4 + i / 100], [0.6, 0.7, None], 0.45) for i in range(count)]
    figure = draw_trimap_curves(runs)
    figure.canvas.draw()
    labels = [f"run {i}" for i in range(count)]
    left, right = ({line.get_label(): line for line in axis.get_lines()} for axis in figure.axes)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [*labels, "whole image"]
    np.testing.assert_allclose(left[labels[-1]].get_ydata(), [20, 30, 40 + count - 1])
    np.testing.assert_allclose(right["run 0"].get_ydata(), [60, 70, np.nan])
    assert left["run 0"].get_xdata().tolist() == [1, 5, 20]
    assert len({left[label].get_color() for label in labels[:5]}) == min(count, 5)
    assert sum(list(line.get_ydata()) == [45, 45] for line in right.values()) == count
    assert "borders between labels" in figure.get_suptitle()


def test_bands_without_pixels_and_a_title():
    figure = draw_trimap_curves([run("a", [None] * 3, [0.1] * 3, None)], title="Figure 4")
    figure.canvas.draw()
    assert figure.get_suptitle() == "Figure 4"
