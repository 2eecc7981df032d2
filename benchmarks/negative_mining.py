"""How long negative chip mining takes, on a generated data set like COCO.

    python benchmarks/negative_mining.py                    # 10,000 images x 900 proposals, under a minute, 1 GiB
    python benchmarks/negative_mining.py --images 118000    # all of COCO: 1.7 GB of proposals in a temporary folder

Proposals are memory-mapped, as in training. Prints seconds per 10,000 images and the peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.negative_mining import mine_negatives
from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.chips.settings import ChipSettings

SETTINGS = ChipSettings([(1400, 2000), (800, 1280), (-1, 512)], [(-1, 80), (32, 150), (120, -1)])
BOXES_PER_IMAGE = 7.3


def random_boxes(rng: np.random.Generator, sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Boxes with log-uniform sides, from 2% of the image to all of it, anywhere in it."""
    extent = np.repeat(sizes, counts, axis=0).astype(np.float32)
    sides = np.exp(rng.uniform(np.log(0.02), 0, size=extent.shape)).astype(np.float32) * extent
    corner = rng.random(size=extent.shape, dtype=np.float32) * (extent - sides)
    return np.concatenate([corner, corner + sides], axis=1)


def generate(images: int, per_image: int, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, offsets and boxes; the proposals go to ``path``, a block of images at a time."""
    rng = np.random.default_rng(0)
    shapes = np.array([(640, 480), (480, 640), (640, 427), (500, 375)], dtype=np.int32)
    sizes = shapes[rng.choice(len(shapes), size=images, p=[0.5, 0.2, 0.2, 0.1])]
    counts = np.minimum(rng.geometric(1 / BOXES_PER_IMAGE, size=images), 90)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    proposals = np.lib.format.open_memmap(path, "w+", np.float32, (images * per_image, 4))
    for start in range(0, images, 2000):
        stop = min(start + 2000, images)
        drawn = random_boxes(rng, sizes[start:stop], np.full(stop - start, per_image))
        proposals[start * per_image : stop * per_image] = drawn
    proposals.flush()
    return sizes, offsets, random_boxes(rng, sizes, counts), np.load(path, mmap_mode="r")


def measure(images: int, per_image: int, threads: int, exclude: bool, path: Path) -> None:
    print(f"COCO-like set: drawing {images:,} images with {per_image} proposals each ...", flush=True)
    sizes, offsets, boxes, proposals = generate(images, per_image, path)
    rows = np.arange(images + 1)[:, None] * per_image
    rows = np.concatenate([rows[:-1], rows[1:]], axis=1)
    negatives = NegativeSettings(neg_exclude_gt=exclude)
    few = slice(0, 2)
    warm = mine_chips(sizes[few], offsets[:3], boxes[: offsets[2]], SETTINGS)
    mine_negatives(sizes[few], offsets[:3], boxes[: offsets[2]], warm, rows[few], proposals, SETTINGS, negatives)
    start = time.perf_counter()
    chips = mine_chips(sizes, offsets, boxes, SETTINGS, threads=threads)
    positive_seconds = time.perf_counter() - start
    before = _peak_megabytes()
    start = time.perf_counter()
    found = mine_negatives(
        sizes, offsets, boxes, chips, rows, proposals, SETTINGS, negatives, threads=threads,
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    lines = {
        "images": f"{images:,}",
        "proposals": f"{len(proposals):,} ({proposals.nbytes / 2**20:.0f} MiB, memory-mapped)",
        "threads": f"{threads}",
        "positive chips": f"{len(chips):,} ({len(chips) / images:.2f} per image), {positive_seconds:.1f} s",
        "negative chips": f"{len(found.chips):,} ({len(found.chips) / images:.2f} per image)",
        "seconds": f"{seconds:.1f}",
        "seconds per 10,000 images": f"{seconds / images * 10_000:.2f}",
        "peak memory": f"{_peak_megabytes():.0f} MiB with mapped pages (before mining: {before:.0f} MiB)",
    }
    for name, value in lines.items():
        print(f"{name:>26}  {value}")


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="images of the generated data set")
    parser.add_argument("--proposals", type=int, default=900, help="proposals of each image")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--neg-exclude-gt", action="store_true", help="keep ground truth out of negative chips")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(args.images, args.proposals, args.threads, args.neg_exclude_gt, Path(folder) / "proposals.npy")


if __name__ == "__main__":
    main()
