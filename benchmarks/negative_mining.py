"""How long negative chip mining takes, on a generated data set like COCO.

    python benchmarks/negative_mining.py                    # 10,000 images x 900 proposals, under a minute, 1 GiB
    python benchmarks/negative_mining.py --images 118000    # all of COCO: 1.7 GB of proposals in a temporary folder

Proposals are memory-mapped, as in training. Beside it, in NumPy and image by image, the first step alone: which
proposals lie in no positive chip.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from coco_like import coco_like
from side_by_side import Row, alone, in_turn, memory_of, run

from mmdetpre.chips.mining import ChipTable, mine_chips
from mmdetpre.chips.negative_mining import NegativeChips, mine_negatives
from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.chips.scale import scale_factors
from mmdetpre.chips.settings import ChipSettings

SETTINGS = ChipSettings([(1400, 2000), (800, 1280), (-1, 512)], [(-1, 80), (32, 150), (120, -1)])


class Data:
    """Sizes, offsets and boxes of a data set, its proposals in the file ``path``, and its positive chips."""

    def __init__(self, images: int, path: Path) -> None:
        annotations = coco_like(images)
        self.sizes, self.offsets, self.boxes = annotations.sizes, annotations.box_offsets, annotations.boxes
        self.proposals = np.load(path, mmap_mode="r")
        per_image = len(self.proposals) // images
        starts = np.arange(images) * per_image
        self.rows = np.stack([starts, starts + per_image], axis=1)
        self.chips = mine_chips(self.sizes, self.offsets, self.boxes, SETTINGS)

    def negatives(self, threads: int, exclude: bool = False) -> NegativeChips:
        return mine_negatives(
            self.sizes, self.offsets, self.boxes, self.chips, self.rows, self.proposals, SETTINGS,
            NegativeSettings(neg_exclude_gt=exclude), threads=threads,
        )  # fmt: skip

    def uncovered_by_numpy(self) -> int:
        """Number of proposals and scales at which a proposal lies in no positive chip."""
        factors = scale_factors(self.sizes, SETTINGS.scales)
        bounds = np.searchsorted(self.chips.image, np.arange(len(self.sizes) + 1))
        found = 0
        for i, (start, stop) in enumerate(self.rows):
            boxes = np.asarray(self.proposals[start:stop])
            own = slice(bounds[i], bounds[i + 1])
            low, scale = self.chips.origin[own], self.chips.scale[own]
            high = low + self.chips.size[own]
            for s, factor in enumerate(factors[i]):
                at = scale == s
                scaled = boxes[:, None] * factor
                inside = (scaled[..., :2] >= low[at]).all(axis=-1) & (scaled[..., 2:] <= high[at]).all(axis=-1)
                found += int(np.count_nonzero(~inside.any(axis=1)))
        return found


def random_boxes(rng: np.random.Generator, sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Boxes with log-uniform sides, from 2% of the image to all of it, anywhere in it."""
    extent = np.repeat(sizes, counts, axis=0).astype(np.float32)
    sides = np.exp(rng.uniform(np.log(0.02), 0, size=extent.shape)).astype(np.float32) * extent
    corner = rng.random(size=extent.shape, dtype=np.float32) * (extent - sides)
    return np.concatenate([corner, corner + sides], axis=1)


def write_proposals(path: Path, images: int, per_image: int) -> None:
    sizes, rng = coco_like(images).sizes, np.random.default_rng(1)
    proposals = np.lib.format.open_memmap(path, "w+", np.float32, (images * per_image, 4))
    for start in range(0, images, 2000):
        stop = min(start + 2000, images)
        drawn = random_boxes(rng, sizes[start:stop], np.full(stop - start, per_image))
        proposals[start * per_image : stop * per_image] = drawn
    proposals.flush()


def added_megabytes(images: int, path: Path, threads: int) -> tuple[float, float]:
    """MB at the peak that mining adds, mapped pages of the proposals included; MB of the proposals."""
    data = Data(images, path)
    return memory_of(partial(data.negatives, threads))[2], data.proposals.nbytes / 2**20


def rows(args: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposals.npy"
        write_proposals(path, args.images, args.proposals)
        data = Data(args.images, path)

        def positives() -> ChipTable:
            return mine_chips(data.sizes, data.offsets, data.boxes, SETTINGS, threads=1)

        ways: dict[str, Callable] = {
            "one": partial(data.negatives, 1),
            "all": partial(data.negatives, args.cores),
            "clear": partial(data.negatives, 1, exclude=True),
            "positives": positives,
        }
        seconds = {name: timing.median for name, timing in in_turn(ways, args.repeats).items()}
        plain = in_turn({"numpy": data.uncovered_by_numpy}, 1, warm_up=False)["numpy"].median
        name = f"negative chips of {args.images:,} images x {args.proposals} proposals"
        yield Row(
            what=f"{name}, 1 thread", unit="s", ours=seconds["one"], theirs=plain,
            against="NumPy, the first step only",
        )  # fmt: skip
        yield Row(
            what=f"{name}, {args.cores} threads", unit="s", ours=seconds["all"], theirs=seconds["one"],
            against="1 thread", limit=seconds["one"] / args.cores, limit_is="1 thread / cores",
        )  # fmt: skip
        yield Row(
            what=f"{name}, clear of ground truth, 1 thread", unit="s", ours=seconds["clear"], theirs=seconds["one"],
            against="neg_exclude_gt=False",
        )  # fmt: skip
        yield Row(
            what=f"positive chips of the same {args.images:,} images, 1 thread", unit="s", ours=seconds["positives"]
        )
        added, mapped = alone(added_megabytes, args.images, path, args.cores)
        yield Row(
            what=f"{name}: memory added at the peak", unit="MB", ours=added, limit=mapped,
            limit_is="pages of the proposals, which the system can take back",
        )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=10_000, help="images of the generated data set")
    parser.add_argument("--proposals", type=int, default=900, help="proposals of each image")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="threads")
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
