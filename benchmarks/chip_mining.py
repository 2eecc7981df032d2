"""How long chip mining takes: one image and scale at a time, and a whole OpenImages.

    python benchmarks/chip_mining.py                    # everything: 1.74M images, under a minute, 2 GiB
    python benchmarks/chip_mining.py --images 100000    # a smaller data set

Beside it: the same greedy cover in NumPy, a matrix of candidate chips by boxes, as one would write it in an afternoon;
both must take as many chips within 2 % (they break ties differently). The times of the original's C++ are stored: it
was measured once on a 2-core cloud machine. For the data set: time and memory by images, threads and processes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from side_by_side import Row, alone, in_turn, memory_of, run

from mmdetpre.chips.mining import mine_chips, mine_image
from mmdetpre.chips.settings import ChipSettings

CALL_SIZE = (1866, 1400)
CHIP, STRIDE = 512, 56
# Boxes -> microseconds: our bound, and what the original's C++ takes.
CALL_BOUNDS = {7: (25, 125), 50: (80, 510), 300: (400, 4500)}
# Everything drives chips at the finest scale, whose factor is 1 here; the coarsest scale selects nothing.
CALL_SETTINGS = ChipSettings(
    [(1400, 2000), (-1, 512)], [(-1, -1), (1e9, -1)], chip_size=CHIP, strides=(STRIDE, STRIDE), rescue_orphans=False
)
OPENIMAGES = ChipSettings([(768, 1024), (480, 512)], [(-1, 300), (240, -1)], range_reference=1024)
OPENIMAGES_IMAGES, OPENIMAGES_SECONDS = 1_740_000, 360
BOXES_PER_IMAGE = 8.4


def random_boxes(rng: np.random.Generator, count: int, width: float, height: float, longest: float) -> np.ndarray:
    """Boxes with log-uniform sides from 8 pixels to ``longest``, anywhere in the image."""
    sides = np.exp(rng.uniform(np.log(8), np.log(longest), size=(count, 2)))
    corner = rng.uniform(size=(count, 2)) * (np.array([width, height]) - sides)
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


def chips_by_numpy(boxes: np.ndarray) -> int:
    """Number of chips of a greedy cover: candidates by boxes in one matrix, the fullest candidate first."""
    starts = [np.append(np.arange(0, side - CHIP, STRIDE), side - CHIP) for side in CALL_SIZE]
    inside = [
        (starts[k][:, None] <= boxes[:, k]) & (boxes[:, k + 2] <= starts[k][:, None] + CHIP) for k in range(2)
    ]  # fmt: skip
    contains = (inside[1][:, None] & inside[0]).reshape(-1, len(boxes))
    chips = 0
    while contains.any():
        best = contains.sum(axis=1).argmax()
        contains = contains[:, ~contains[best]]
        chips += 1
    return chips


def calls(images: int, repeats: int) -> Iterator[Row]:
    """One image and scale: the kernel among many images, and one call from Python."""
    for count, (bound, original) in CALL_BOUNDS.items():
        rng = np.random.default_rng(count)
        drawn = [random_boxes(rng, count, *CALL_SIZE, longest=450) for _ in range(images)]
        sizes = np.tile(np.array(CALL_SIZE, dtype=np.int32), (images, 1))
        offsets = np.arange(images + 1, dtype=np.int64) * count
        ways: dict[str, Callable] = {
            "kernel": partial(mine_chips, sizes, offsets, np.concatenate(drawn), CALL_SETTINGS, threads=1),
            "call": lambda drawn=drawn: [mine_image(CALL_SIZE, b, CALL_SETTINGS, image=i) for i, b in enumerate(drawn)],
            "numpy": lambda drawn=drawn: sum(map(chips_by_numpy, drawn)),
        }
        times = in_turn(ways, repeats)
        chips, expected = len(times["kernel"].result), times["numpy"].result
        if chips != sum(map(len, times["call"].result)) or abs(chips - expected) > 3 + 0.02 * expected:
            raise RuntimeError(f"{count} boxes: {chips} chips in all, the cover in NumPy takes {expected}")
        kernel, call, numpy = (1e6 * times[name].median / images for name in ways)
        what, against = (
            f"mining, 1 image and scale, {count} boxes",
            f"greedy cover in NumPy (original's C++: {original})",
        )
        yield Row(what=what, unit="us", ours=kernel, theirs=numpy, against=against, bound=bound)
        yield Row(what=f"{what}, whole call of 2 scales", unit="us", ours=call)


def openimages_like(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, offsets and boxes with the counts of OpenImagesV4; box sides are a wide mixture, relative to the image."""
    rng = np.random.default_rng(seed)
    shapes = np.array([(1024, 768), (1024, 683), (768, 1024), (683, 1024), (1024, 1024), (1024, 576)], dtype=np.int32)
    sizes = shapes[rng.choice(len(shapes), size=images, p=[0.5, 0.22, 0.14, 0.06, 0.05, 0.03])]
    # Geometric counts: many images with one or two boxes, some with dozens, as in the real set.
    counts = np.minimum(rng.geometric(1 / BOXES_PER_IMAGE, size=images), 300)
    offsets = np.zeros(images + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    boxes = np.empty((offsets[-1], 4), dtype=np.float32)
    for start in range(0, images, 100_000):
        stop = min(start + 100_000, images)
        extent = np.repeat(sizes[start:stop], counts[start:stop], axis=0)
        sides = np.exp(rng.uniform(np.log(0.02), 0, size=extent.shape)) * extent
        corner = rng.uniform(size=extent.shape) * (extent - sides)
        boxes[offsets[start] : offsets[stop]] = np.concatenate([corner, corner + sides], axis=1)
    return sizes, offsets, boxes


def mine_part(images: int, seed: int) -> float:
    """Seconds in which a process mines a data set of its own, without the time to draw it."""
    data = openimages_like(images, seed)
    return mined_seconds(data, 1, 1)


def mined_seconds(data: tuple[np.ndarray, np.ndarray, np.ndarray], threads: int, repeats: int) -> float:
    mine_chips(data[0][:2], data[1][:3], data[2][: data[1][2]], OPENIMAGES, threads=1)
    return in_turn({"": partial(mine_chips, *data, OPENIMAGES, threads=threads)}, repeats, warm_up=False)[""].median


def megabytes(images: int, threads: int) -> tuple[float, float, float]:
    """MB of the chip table, MB that mining adds at the peak, MB of the annotations; in a process of its own."""
    data = openimages_like(images)
    table, _, peak = memory_of(lambda: mine_chips(*data, OPENIMAGES, threads=threads))
    columns = (table.image, table.scale, table.origin, table.size, table.valid_offsets, table.valid)
    return sum(column.nbytes for column in columns) / 2**20, peak, sum(part.nbytes for part in data) / 2**20


def data_set(images: int, cores: int, repeats: int) -> Iterator[Row]:
    name = f"{images:,} images"
    data = openimages_like(images)
    few = max(images // 100, 1)
    part = (data[0][:few], data[1][: few + 1], data[2][: data[1][few]])
    single = mined_seconds(data, 1, repeats)
    small = mined_seconds(part, 1, 5)
    yield Row(
        what=f"mining {name}, {len(data[2]):,} boxes, 1 thread", unit="images/s", ours=images / single,
        theirs=few / small, against=f"{few:,} images: linear if 1",
    )  # fmt: skip
    several = mined_seconds(data, cores, repeats)
    bound = OPENIMAGES_SECONDS * images / OPENIMAGES_IMAGES
    limited = "1 thread / cores"
    yield Row(
        what=f"mining {name}, {cores} threads", unit="s", ours=several, theirs=single, against="1 thread",
        limit=single / cores, limit_is=limited, bound=bound,
    )  # fmt: skip
    with ProcessPoolExecutor(cores) as pool:
        shares = [images // cores] * cores
        list(pool.map(mine_part, [10] * cores, range(cores)))
        side_by_side = max(pool.map(mine_part, shares, range(cores)))
    yield Row(
        what=f"mining {name}, {cores} processes, a part each", unit="s", ours=side_by_side, theirs=several,
        against=f"{cores} threads", limit=single / cores, limit_is=limited,
    )  # fmt: skip
    table, peak, annotations = alone(megabytes, images, cores)
    yield Row(
        what=f"mining {name}: memory added at the peak", unit="MB", ours=peak, limit=table,
        limit_is=f"the chip table ({annotations:.0f} MB of annotations not counted)",
    )  # fmt: skip


def rows(args: argparse.Namespace) -> Iterator[Row]:
    if args.calls:
        yield from calls(args.calls, args.repeats)
    if args.images:
        yield from data_set(args.images, args.cores, args.repeats)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=OPENIMAGES_IMAGES, help="of the generated data set; 0 skips it")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="threads or processes")
    parser.add_argument("--calls", type=int, default=300, help="images per row of single calls; 0 skips them")
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
