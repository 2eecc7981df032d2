"""Draw docs/images/valid_ranges.png: the object sizes of a config's data, and what each scale of its chips learns.

Example: python docs/images/draw_valid_ranges.py configs/det/sniper_coco_sample.py docs/images/valid_ranges.png
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

from mmdetpre.chips.annotation_arrays import check_annotations
from mmdetpre.chips.box_size import box_sizes
from mmdetpre.datasets.chips.from_config import load_chip_dataset
from mmdetpre.plotting.palette import scale_color, unit


def draw(sizes: np.ndarray, scales: list[tuple[int, int]], ranges: list[tuple[float, float]]) -> Figure:
    """Histogram of sizes in pixels, and one line per scale over its valid range; negative ends are open."""
    end = float(np.ceil(sizes.max() / 10) * 10)
    figure = Figure(figsize=(8, 3.8), dpi=110, layout="constrained")
    axis, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.6))
    axis.hist(sizes, bins=np.arange(0, end + 5, 5), color="#c3cad2", edgecolor="white", linewidth=0.5)
    axis.set_ylabel("objects")
    for k, ((m, big), (lo, hi)) in enumerate(zip(scales, ranges, strict=True)):
        colour = unit(scale_color(k))
        left, right = max(lo, 0.0), end if hi < 0 else hi
        below.plot([left, right], [-k, -k], color=colour, lw=7, solid_capstyle="butt")
        if hi < 0:
            below.plot([end], [-k], marker=">", ms=13, color=colour, clip_on=False)
        for edge in (lo, hi):
            if edge > 0:
                axis.axvline(edge, color=colour, lw=1, ls=(0, (4, 2)))
                below.axvline(edge, color=colour, lw=1, ls=(0, (4, 2)))
        resized = f"long side {big}" if m <= 0 else f"short side {m}"
        below.text(-0.01, -k, f"scale {k + 1}\n{resized}", transform=below.get_yaxis_transform(), color=colour,
                   ha="right", va="center", fontsize=8.5)  # fmt: skip
    below.set_ylim(-len(scales) + 0.4, 0.6)
    below.set_yticks([])
    below.set_xlim(0, end)
    below.set_xlabel("size of an object: root of width x height, original pixels")
    for one in (axis, below):
        one.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    config, out = sys.argv[1:]
    dataset = load_chip_dataset(config)
    packed, settings = dataset.packed, dataset.chip_settings
    sizes = box_sizes(check_annotations(packed.sizes, packed.box_offsets, packed.boxes, packed.ignore))
    draw(sizes[sizes > 0], settings.scales, settings.valid_ranges).savefig(out)
