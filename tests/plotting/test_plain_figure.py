"""Names in pictures are names."""

from __future__ import annotations

import io

import numpy as np

from mmdetpre.plotting.plain_figure import PlainFigure


def drawn(*names: str) -> np.ndarray:
    figure = PlainFigure(figsize=(4, 3), dpi=50, layout="constrained")
    axis = figure.subplots()
    axis.set_title(names[0])
    axis.set_xticks([0, 1], labels=[names[1], "b"])
    axis.plot([0, 1], [1, 1000], label=names[2])
    axis.set_yscale("log")
    axis.legend()
    figure.text(0.1, 0.1, names[3])
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    assert axis.yaxis.get_ticklabels()[0].get_text().startswith("$\\mathdefault")  # matplotlib's own: 10 with a power
    assert all(label.get_parse_math() for label in axis.yaxis.get_ticklabels())
    return np.frombuffer(file.getvalue(), np.uint8)


def test_a_name_is_no_formula_and_no_control_character() -> None:
    hostile = "$\\frac{$ 5$", "a$^{$b", "$x$", "\x00\x1b\n$\\input{a}$"
    assert len(drawn(*hostile)) > 1000
    assert not np.array_equal(drawn(*["x"] * 4), drawn(*["$x$"] * 4))
