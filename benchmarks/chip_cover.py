"""Chip cover: how many chips an epoch has, beside the fewest that could be, and which pixels that makes.

    python benchmarks/chip_cover.py                                     # drawn annotations
    python benchmarks/chip_cover.py --annotations JSON [JSON ...]       # COCO's, or parts of it

Ours is ``cover="fewest"``, the alternative the greedy cover of the original, both with the config's chips. The limit is
an integer program (HiGHS, by SciPy) over the same candidates, and over chips that may stand at any pixel.

SNIPER's 1.3 is a mean over COCO: "30 % more pixels than one pass at 800 x 1333". The boxes of an image decide how many
chips it needs, so beside the images as they are stands their mean with weights exp(-k * boxes), k such that they have
as many boxes as COCO's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from coco_like import BOXES_PER_IMAGE, coco_like
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from scipy.optimize import Bounds, LinearConstraint, brentq, milp
from side_by_side import Row, in_turn, run

from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.scale import scale_factors, scaled_sizes
from mmdetpre.chips.selection import select_boxes
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.datasets.packed.annotations import PackedAnnotations
from mmdetpre.datasets.packed.packing import pack_dataset

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "_base_" / "datasets" / "coco_chips.py"
PASS, MOST_PASSES = (800, 1333), 1.3
ANYWHERE = 1  # stride


def starts(side: int, chip: int, stride: int, edges: np.ndarray) -> np.ndarray:
    """Candidate positions along a side; of those at any pixel, the ones that begin with a box."""
    last = max(side - chip, 0)
    if stride == ANYWHERE:
        return np.unique(np.append(np.minimum(np.floor(edges), last), last))
    return np.append(np.arange(0, last, stride), last)


def contains(boxes: np.ndarray, size: np.ndarray, chip: int, stride: int) -> np.ndarray:
    """(candidates, boxes) which boxes a candidate contains; the last one reaches the uncut border."""
    axes = []
    for k in range(2):
        at = starts(int(size[k]), chip, stride, boxes[:, k])[:, None]
        axes.append((at <= boxes[:, k]) & ((np.ceil(boxes[:, k + 2]) <= at + chip) | (at == max(size[k] - chip, 0))))
    return (axes[1][:, None] & axes[0][None]).reshape(-1, len(boxes))


def least(inside: np.ndarray) -> int:
    """The fewest candidates that contain all boxes."""
    sets = np.unique(inside[inside.any(axis=1)], axis=0)
    if sets.all(axis=1).any():
        return 1
    covered = LinearConstraint(sets.T.astype(float), 1, np.inf)
    found = milp(np.ones(len(sets)), constraints=covered, integrality=1, bounds=Bounds(0, 1))
    if not found.success:
        raise RuntimeError(f"The integer program was not solved: {found.message}")
    return round(found.fun)


def fewest(packed: PackedAnnotations, settings: ChipSettings, stride: int) -> int:
    """Chips of all images by the integer program; boxes are those of the settings' stride."""
    chosen = select_boxes(packed.sizes, packed.box_offsets, packed.boxes, settings, ignore=packed.ignore)
    drives = chosen.selected.copy()
    drives[:, -1] |= chosen.orphan
    factors = scale_factors(packed.sizes, settings.scales)
    scaled, total = scaled_sizes(packed.sizes, factors), 0
    for n, (width, height) in enumerate(packed.sizes.tolist()):
        here = packed.slice_of(n)
        clipped = np.clip(packed.boxes[here].astype(np.float64), 0, [width, height] * 2)
        for i in range(len(settings.scales)):
            boxes = clipped[drives[here, i]] * factors[n, i]
            total += least(contains(boxes, scaled[n, i], settings.chip_size, stride)) if len(boxes) else 0
    return total


def chips_of(packed: PackedAnnotations, settings: ChipSettings) -> np.ndarray:
    """(images,) chips of each image, the mean over the strides."""
    low, high = settings.strides
    found = []
    for stride in range(low, high + 1):
        one = replace(settings, strides=(stride, stride))
        table = mine_chips(packed.sizes, packed.box_offsets, packed.boxes, one, ignore=packed.ignore)
        found.append(np.bincount(table.image, minlength=len(packed)))
    return np.mean(found, axis=0)


def weights_for(boxes: np.ndarray, mean: float) -> np.ndarray:
    """Weights of images, of sum 1, with which they have so many boxes on average."""

    def weights(k: float) -> np.ndarray:
        falling = np.exp(-k * (boxes - boxes.mean()))
        return falling / falling.sum()

    return weights(brentq(lambda k: weights(k) @ boxes - mean, -1, 1))


def cover_rows(source: str, packed: PackedAnnotations, settings: ChipSettings, few: int) -> Iterator[Row]:
    """Chips per image, as they are and at best."""
    part = packed if len(packed) <= few else packed.subset(np.arange(few))
    low, high = settings.strides
    for stride in (low // 4, low, high):
        one = replace(settings, strides=(stride, stride))
        ours, theirs = (float(chips_of(part, replace(one, cover=cover)).mean()) for cover in ("fewest", "greedy"))
        yield Row(
            what=f"{source}, {len(part)} images, stride {stride}", unit="chips/image", ours=ours, theirs=theirs,
            against="greedy cover", limit=fewest(part, one, stride) / len(part), limit_is="integer program",
        )  # fmt: skip
        if stride == low:
            anywhere = fewest(part, one, ANYWHERE) / len(part)
            yield Row(
                what=f"{source}, {len(part)} images, chips at any pixel", unit="chips/image", ours=ours, theirs=theirs,
                against=f"greedy cover, stride {stride}", limit=anywhere, limit_is="integer program",
            )  # fmt: skip


def pixel_rows(source: str, packed: PackedAnnotations, settings: ChipSettings) -> Iterator[Row]:
    """Pixels of an epoch, in passes over all images."""
    one = scaled_sizes(packed.sizes, scale_factors(packed.sizes, [PASS])).prod(axis=2)[:, 0].astype(float)
    boxes = np.diff(packed.box_offsets)
    chips = [chips_of(packed, replace(settings, cover=cover)) for cover in ("fewest", "greedy")]
    even = np.full(len(packed), 1 / len(packed))
    cases = {f"{boxes.mean():.1f} boxes an image": even}
    if abs(boxes.mean() - BOXES_PER_IMAGE) > 0.5:
        cases[f"weighted to COCO's {BOXES_PER_IMAGE} boxes an image"] = weights_for(boxes, BOXES_PER_IMAGE)
    for name, weights in cases.items():
        ours, theirs = (float(weights @ count) * settings.chip_size**2 / float(weights @ one) for count in chips)
        yield Row(
            what=f"{source}, {len(packed):,} images, {name}", unit="passes", ours=ours, theirs=theirs,
            against="greedy cover", bound=MOST_PASSES,
            reason="boxes: these images have more than COCO's, which is where 1.3 holds; weighted, they meet it."
            " The best cover saves 2 to 3 %, chips at any pixel as much again.",
        )  # fmt: skip


def time_row(source: str, packed: PackedAnnotations, settings: ChipSettings, repeats: int) -> Row:
    data = (packed.sizes, packed.box_offsets, packed.boxes)
    ways = {
        cover: partial(mine_chips, *data, replace(settings, cover=cover), ignore=packed.ignore, threads=1)
        for cover in ("fewest", "greedy")
    }
    times = in_turn(ways, repeats, clock="cpu")
    ours, theirs = (1e6 * times[cover].median / len(packed) for cover in ways)
    return Row(what=f"{source}, mining", unit="us/image", ours=ours, theirs=theirs, against="greedy cover")


def rows(args: argparse.Namespace) -> Iterator[Row]:
    settings = ChipSettings(**Config.fromfile(CONFIG).train_dataloader.dataset.chips)
    sources = {"drawn": coco_like(args.drawn_images, args.seed)} if not args.annotations else {}
    for path in args.annotations:
        found = CocoDataset(ann_file=str(path), data_prefix=dict(img=""), test_mode=True)
        sources[f"{path.parent.parent.name}/{path.stem}"] = pack_dataset(found)
    for source, packed in sources.items():
        yield from cover_rows(source, packed, settings, args.few)
        yield from pixel_rows(source, packed, settings)
        yield time_row(source, packed, settings, args.repeats)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotations", nargs="*", type=Path, default=[], metavar="JSON", help="of COCO; else drawn")
    parser.add_argument("--drawn-images", type=int, default=20_000, help="images of the drawn annotations")
    parser.add_argument("--few", type=int, default=300, help="images that the integer program covers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
