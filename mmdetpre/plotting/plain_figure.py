"""A figure of matplotlib in which names are names: a class "US$ or $" is not a formula."""

from __future__ import annotations

from matplotlib.artist import allow_rasterization
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, ScalarFormatter

from mmdetpre.utils.plain_text import printable


class PlainFigure(Figure):
    """A figure that reads no text as a formula (``$...$``), and shows control characters as escapes.

    Numbers that matplotlib writes at its axes by itself stay as they are.

    Example:
        >>> figure = PlainFigure()
        >>> _ = figure.text(0, 0, "costs 5$ to 6$")
        >>> figure.savefig("plain.png")
    """

    @allow_rasterization
    def draw(self, renderer: RendererBase) -> None:
        """Draw all."""
        texts = self.findobj(Text)  # makes ticks that are not there yet
        ticks = [
            tick
            for axes in self.axes
            for axis in (axes.xaxis, axes.yaxis)
            if isinstance(axis.get_major_formatter(), LogFormatter | ScalarFormatter)
            for tick in (*axis.majorTicks, *axis.minorTicks)
        ]
        own = {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
        for text in texts:
            if id(text) not in own:
                text.set_parse_math(False)
                if (shown := printable(text.get_text())) != text.get_text():
                    text.set_text(shown)
        super().draw(renderer)
