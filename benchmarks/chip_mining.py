"""How long chip mining takes: one image and scale at a time, and a whole OpenImages.

    python benchmarks/chip_mining.py                    # everything: 1.74M images, under a minute, 2 GiB
    python benchmarks/chip_mining.py --images 100000    # a smaller data set

Prints the time per call and scale; for the data set the chips, the time and the peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mmdetpre.chips.mining import mine_chips, mine_image
from mmdetpre.chips.settings import ChipSettings

CALL_SIZE = (1866, 1400)
# Boxes -> microseconds: our target, and what the original's C++ takes on a 2-core cloud machine.
CALL_TARGETS = {7: (25, 125), 50: (80, 510), 300: (400, 4500)}
# Everything drives chips at the finest scale, whose factor is 1 here; the coarsest scale selects nothing.
CALL_SETTINGS = ChipSettings([(1400, 2000), (-1, 512)], [(-1, -1), (1e9, -1)], strides=(56, 56), rescue_orphans=False)
OPENIMAGES = ChipSettings([(768, 1024), (480, 512)], [(-1, 300), (240, -1)], range_reference=1024)
OPENIMAGES_TARGET_SECONDS = 360
BOXES_PER_IMAGE = 8.4


def random_boxes(rng: np.random.Generator, count: int, width: float, height: float, longest: float) -> np.ndarray:
    """Boxes with log-uniform sides from 8 pixels to ``longest``, anywhere in the image."""
    sides = np.exp(rng.uniform(np.log(8), np.log(longest), size=(count, 2)))
    corner = rng.uniform(size=(count, 2)) * (np.array([width, height]) - sides)
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


def measure_calls(repeats: int) -> None:
    print("One image of {}x{}, one scale, 512-pixel chips, stride 56; microseconds on one core".format(*CALL_SIZE))
    print(f"{'boxes':>6} {'chips':>6} {'kernel':>9} {'mine_image':>11} {'target':>7} {'C++ of 2018':>12}")
    for count, (target, original) in CALL_TARGETS.items():
        rng = np.random.default_rng(count)
        images = [random_boxes(rng, count, *CALL_SIZE, longest=450) for _ in range(repeats)]
        mine_image(CALL_SIZE, images[0], CALL_SETTINGS)
        calls, chips = [], []
        for boxes in images:
            start = time.perf_counter()
            table = mine_image(CALL_SIZE, boxes, CALL_SETTINGS)
            calls.append(1e6 * (time.perf_counter() - start))
            chips.append(len(table))
        sizes = np.tile(np.array(CALL_SIZE, dtype=np.int32), (repeats, 1))
        offsets = np.arange(repeats + 1, dtype=np.int64) * count
        boxes = np.concatenate(images)
        bulk = []
        for _ in range(5):
            start = time.perf_counter()
            mine_chips(sizes, offsets, boxes, CALL_SETTINGS, threads=1)
            bulk.append(1e6 * (time.perf_counter() - start) / repeats)
        print(
            f"{count:6d} {statistics.median(chips):6.0f} {statistics.median(bulk):9.1f}"
            f" {statistics.median(calls):11.1f} {target:7d} {original:12d}"
        )
    print("kernel: mine_chips over many such images, per image, everything included (reading, selection, assignment)\n")


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


def measure_data_set(images: int, threads: int) -> None:
    print(f"OpenImages-like set: drawing {images:,} images ...", flush=True)
    sizes, offsets, boxes = openimages_like(images)
    mine_image((1024, 768), boxes[: offsets[1]], OPENIMAGES)
    before = _peak_megabytes()
    start = time.perf_counter()
    table = mine_chips(sizes, offsets, boxes, OPENIMAGES, threads=threads, progress=sys.stderr.isatty())
    seconds = time.perf_counter() - start
    target = OPENIMAGES_TARGET_SECONDS * images / 1_740_000
    columns = (table.image, table.scale, table.origin, table.size, table.valid_offsets, table.valid)
    rows = {
        "images": f"{images:,}",
        "boxes": f"{len(boxes):,}",
        "threads": f"{threads}",
        "chips": f"{len(table):,} ({len(table) / images:.2f} per image)",
        "seconds": f"{seconds:.1f} (target {target:.0f})",
        "images per second": f"{images / seconds:,.0f}",
        "size of the chip table": f"{sum(column.nbytes for column in columns) / 2**20:.0f} MiB",
        "peak memory": f"{_peak_megabytes():.0f} MiB (before mining, boxes loaded: {before:.0f} MiB)",
    }
    for name, value in rows.items():
        print(f"{name:>24}  {value}")


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_740_000, help="images of the generated data set; 0 skips it")
    parser.add_argument("--threads", type=int, default=2, help="threads for the data set")
    parser.add_argument("--repeats", type=int, default=1000, help="images per line of the table per call; 0 skips it")
    args = parser.parse_args()
    if args.repeats:
        measure_calls(args.repeats)
    if args.images:
        measure_data_set(args.images, args.threads)


if __name__ == "__main__":
    main()
