from __future__ import annotations

from matplotlib.colors import to_hex

from mmdetpre.plotting.style import GRAY, INK, new_figure, shorten, style_axes


def test_axes_are_those_of_all_plots() -> None:
    figure = new_figure(4, 3)
    axis = figure.subplots()
    axis.set_title("costs 5$ to 6$")
    style_axes(axis, "x", "y")
    figure.draw_without_rendering()
    shown = [side for side, spine in axis.spines.items() if spine.get_visible()]
    assert sorted(shown) == ["bottom", "left"] and axis.get_axisbelow() is True
    assert to_hex(axis.spines["left"].get_edgecolor()) == GRAY and axis.xaxis.label.get_color() == INK
    assert (axis.get_xlabel(), axis.get_ylabel(), tuple(figure.get_size_inches())) == ("x", "y", (4, 3))


def test_long_names_lose_their_middle() -> None:
    assert shorten("short.jpg", 9) == "short.jpg"
    assert shorten("x" * 40 + "/12345678.jpg", 34, 9) == "x" * 22 + "...45678.jpg"
