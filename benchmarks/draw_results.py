"""Draw a stored result: how many times better than the alternatives, and how close to the physical limits.

    python benchmarks/draw_results.py benchmarks/results/2026-11-25-cpu.json docs/images

Writes benchmark_ratios.png and benchmark_limits.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from side_by_side import Row, number

from mmdetpre.plotting.palette import RUN_COLORS, unit

GOOD, MISSED = unit(RUN_COLORS[0]), unit(RUN_COLORS[1])
INK, GRAY = "#20242a", "#6a7079"


def draw_ratios(result: dict[str, Any], rows: Sequence[Row]) -> Figure:
    """A bar per row from 1 to its ratio, on a logarithmic axis; a tick at the ratio that is asked for."""
    rows = [row for row in rows if row.ratio]
    ratios = [row.ratio or 1.0 for row in rows]
    figure, axis = _page(result, [f"{row.what} [{row.unit}]   vs {row.against.split(' (')[0]}" for row in rows])
    axis.set_xscale("log")
    _bars(axis, rows, ratios, 1.0, [f"{number(ratio)} x" for ratio in ratios])
    for i, row in enumerate(rows):
        if row.gain:
            axis.plot([row.gain], [i], "|", color=INK, ms=9, mew=2)
    axis.set_xticks([1, 10, 100, 1000], ["1 x", "10 x", "100 x", "1,000 x"])
    axis.set_xlim(right=2 * max(ratios, default=1.0))
    figure.suptitle(
        "Times better than the alternative (tick: target; orange: a target of the row is missed)", fontsize=10
    )
    return figure


def draw_limits(result: dict[str, Any], rows: Sequence[Row]) -> Figure:
    """A bar per row: which part of its physical limit it reaches."""
    rows = list({(row.what, row.limit_is): row for row in rows if row.of_limit}.values())
    shares = [100 * (row.of_limit or 0) for row in rows]
    figure, axis = _page(result, [f"{row.what}   of {row.limit_is}" for row in rows])
    _bars(axis, rows, shares, 0.0, [f"{share:.0f} %" for share in shares])
    axis.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
    axis.axvline(100, color=INK, lw=1)
    figure.suptitle("Part of the physical limit", fontsize=10)
    return figure


def _page(result: dict[str, Any], names: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(12, 1.1 + 0.19 * len(names)), dpi=110, facecolor="white", layout="constrained")
    axis = figure.subplots()
    axis.set_yticks(range(len(names)), names, fontsize=7.5, color=INK)
    machine = result["machine"]
    axis.set_xlabel(f"{machine['date']}, {machine['processor']}, GPU: {machine['GPU']}", color=GRAY, fontsize=8)
    return figure, axis


def _bars(axis: Axes, rows: Sequence[Row], values: Sequence[float], base: float, labels: Sequence[str]) -> None:
    colors = [MISSED if row.met is False else GOOD for row in rows]
    axis.barh(range(len(rows)), [value - base for value in values], left=base, color=colors, height=0.62)
    axis.axvline(base, color=INK, lw=1)
    for place, (value, label) in enumerate(zip(values, labels, strict=True)):
        end = (max(value, base), place)
        axis.annotate(label, end, (7, 0), textcoords="offset points", va="center", fontsize=7.5, color=GRAY)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.margins(x=0.12)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", colors=GRAY, labelsize=8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="JSON file of benchmarks/results")
    parser.add_argument("folder", type=Path, help="where to write the pictures")
    args = parser.parse_args()
    result = json.loads(args.result.read_text())
    rows = [Row(**row) for topic in result["topics"] for row in topic["rows"]]
    draw_ratios(result, rows).savefig(args.folder / "benchmark_ratios.png")
    draw_limits(result, rows).savefig(args.folder / "benchmark_limits.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
