"""What merging the scales costs per image: our suppression beside mmcv's and torchvision's.

    python benchmarks/multi_scale_merge.py
    python benchmarks/multi_scale_merge.py --worst --classes 20 80

Boxes are those of 3 scales x 300 regions around a few dozen objects; a region has a score above 0.001 for its object's
class and for some others, as many as a trained detector's has, or at --worst for every class. Each way keeps the best
200; their scores are compared. Times are of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
import torchvision
from mmcv.ops import batched_nms
from side_by_side import Row, in_turn, run

from mmdetpre.models.nms import hard_nms, soft_nms

MIN_SCORE, LIMIT = 1e-3, 200
# Classes -> classes of a region above the score threshold, of a trained detector.
CASES = {20: 4, 80: 6, 500: 10}
SOFT = dict(type="soft_nms", sigma=0.55, min_score=MIN_SCORE, method="gaussian")
HARD = dict(type="nms", iou_threshold=0.45)


def detections(
    rng: np.random.Generator, classes: int, per_region: int, regions: int = 900, objects: int = 40
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), scores (N,), labels (N,) of one image of 1333 x 800 pixels at all scales."""
    size = np.array([1333.0, 800.0])
    sides = np.exp(rng.uniform(np.log(16), np.log(500), (objects, 2)))
    centers = rng.uniform(0.1, 0.9, (objects, 2)) * size
    of = rng.integers(0, objects, regions)
    noise = rng.normal(0, 0.15, (2, regions, 2))
    half = sides[of] * np.exp(noise[0]) / 2
    middle = centers[of] + noise[1] * sides[of]
    boxes = np.concatenate([np.clip(middle - half, 0, size), np.clip(middle + half, 0, size)], axis=1)
    order = np.argsort(rng.random((regions, classes)), axis=1)[:, :per_region]
    order[:, 0] = (of * 7) % classes  # the class of the object
    scores = rng.uniform(MIN_SCORE, 0.05, order.shape)
    scores[:, 0] = rng.uniform(0.05, 1, regions)
    # A region that drew its object's class twice has two rows of it; that is harmless here.
    return (
        np.repeat(boxes, per_region, axis=0).astype(np.float32),
        scores.reshape(-1).astype(np.float32),
        order.reshape(-1),
    )


def by_mmcv(settings: dict) -> Callable:
    def merge(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        tensors = (torch.from_numpy(values) for values in (boxes, scores, labels))
        return batched_nms(*tensors, settings)[0][:LIMIT, 4].numpy()

    return merge


def by_torchvision(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    tensors = [torch.from_numpy(values) for values in (boxes, scores, labels)]
    return scores[torchvision.ops.batched_nms(*tensors, 0.45)[:LIMIT].numpy()]


WAYS: dict[str, dict[str, Callable]] = {
    "soft-NMS": {
        "ours": lambda b, s, c: soft_nms(b, s, c, min_score=MIN_SCORE, max_per_img=LIMIT)[1],
        "mmcv": by_mmcv(SOFT),
    },
    "NMS": {
        "ours": lambda b, s, c: hard_nms(b, s, c, max_per_img=LIMIT)[1],
        "mmcv": by_mmcv(HARD),
        "torchvision": by_torchvision,
    },
}


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference between the k-th best scores. mmcv and torchvision shift the boxes of each class apart, which
    costs the coordinates of late classes their last digits."""
    if len(expected) != len(found) or abs(expected - found).max() > 0.1:
        raise RuntimeError("The ways keep other detections: the comparison would mean nothing.")
    return float(abs(expected - found).max())


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(1)
    for classes in args.classes:
        for per_region in (CASES[classes], classes)[: 1 + args.worst]:
            image = detections(np.random.default_rng(classes + per_region), classes, per_region)
            for kind, ways in WAYS.items():
                times = in_turn(
                    {name: partial(way, *image) for name, way in ways.items()}, args.repeats, clock="cpu"
                )  # fmt: skip
                what = f"merge 3 scales x 300 regions, {classes} classes, {len(image[0]):,} boxes, {kind}"
                ours = times.pop("ours")
                for name, timing in times.items():
                    off = difference(timing.result[:LIMIT], ours.result[:LIMIT])
                    against = f"{name} (scores differ by {off:.1g})" if off else name
                    yield Row(
                        what=what, unit="ms", ours=1e3 * ours.median, theirs=1e3 * timing.median, against=against
                    )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--classes", type=int, nargs="+", choices=list(CASES), default=list(CASES), metavar="N")
    parser.add_argument("--worst", action="store_true", help="also with scores above the threshold for every class")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
