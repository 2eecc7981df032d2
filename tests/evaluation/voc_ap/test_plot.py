from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.evaluation.voc_ap.plot import draw_iou_sweep
from mmdetpre.evaluation.voc_ap.scores import VOCScores


def run(label: str, mean_ap: list[float]) -> VOCScores:
    return VOCScores(label, "area", False, (0.3, 0.5, 0.7), tuple(mean_ap), ())


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_run_has_its_curve_and_its_difference_to_the_first(count):
    runs = [run(f"run {i}", [0.6 - 0.01 * i, 0.5, 0.2 + 0.02 * i]) for i in range(count)]
    figure = draw_iou_sweep(runs)
    figure.canvas.draw()
    curves = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert list(curves) == [f"run {i}" for i in range(count)]
    np.testing.assert_allclose(curves["run 0"].get_ydata(), [60, 50, 20])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list(curves)
    assert len(figure.axes) == (1 if count == 1 else 2)
    if count > 1:
        gains = {line.get_label(): line.get_ydata() for line in figure.axes[1].get_lines()}
        np.testing.assert_allclose(gains["run 1"], [-1, 0, 2], atol=1e-9)
        assert len({line.get_color() for line in list(curves.values())[:5]}) == min(count, 5)
    numbers = [text.get_text() for text in figure.axes[-1].texts]
    assert numbers == (["-1.0", "+0.0", "+2.0"] if count == 2 else [])
    assert "VOC 2010, area" in figure.get_suptitle()


def test_the_title_can_be_given():
    assert draw_iou_sweep([run("a", [0.1, 0, 0])], title="Figure 1").get_suptitle() == "Figure 1"
