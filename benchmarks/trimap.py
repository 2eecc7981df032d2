"""Trimap scores at twenty widths: one pass of ours against one of mmseg's IoUMetric and twenty masked ones, in one run.

    python benchmarks/trimap.py                                    # 20 drawn label maps of VOC's size
    python benchmarks/trimap.py --voc ../shared/data/voc2012       # real label maps

Every program counts the same maps; the masked passes dilate the void pixels to each width and count inside and outside
the band. Confusions and mmseg's areas are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from PIL import Image
from side_by_side import Row, in_turn, run

from mmdetpre.evaluation.trimap.counts import WIDTHS, TrimapConfusion, count_image

CLASSES, VOID = 21, 255
_Maps = list[tuple[np.ndarray, np.ndarray]]


def drawn(images: int) -> _Maps:
    """Label maps of 375x500 pixels with a few discs, each with a border of void."""
    random = np.random.default_rng(0)
    maps = []
    for _ in range(images):
        truth = np.zeros((375, 500), np.uint8)
        for _ in range(random.integers(1, 5)):
            center, radius = random.integers(0, 375, 2).tolist(), int(random.integers(20, 120))
            cv2.circle(truth, center, radius, int(random.integers(1, CLASSES)), -1)
            cv2.circle(truth, center, radius, VOID, 5)
        maps.append((truth, predicted(truth)))
    return maps


def real(root: Path) -> _Maps:
    """The label maps of VOC 2012."""
    files = sorted((root / "VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))
    if not files:
        raise FileNotFoundError(
            f"No label map in {root}/VOCdevkit/VOC2012/SegmentationClass: --voc names another folder"
        )
    return [(truth, predicted(truth)) for truth in (np.array(Image.open(path)) for path in files)]


def predicted(truth: np.ndarray) -> np.ndarray:
    """The map, moved by a few pixels."""
    moved = np.roll(truth, (2, 3), (0, 1))
    return np.where(moved == VOID, 0, moved)


def one_pass(maps: _Maps, boundary: str) -> TrimapConfusion:
    parts = [count_image(*both, classes=CLASSES, widths=WIDTHS, boundary=boundary) for both in maps]
    return sum(parts[1:], start=parts[0])


def masked_passes(maps: _Maps) -> np.ndarray:
    """Confusion inside the band and outside for each width, void dilated each time: ``(2, widths, c, c)``."""
    result = np.zeros((2, len(WIDTHS), CLASSES * CLASSES), np.int64)
    for i, width in enumerate(WIDTHS):
        square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
        for truth, prediction in maps:
            void = truth == VOID
            band = cv2.dilate(void.view(np.uint8), square).astype(bool)
            for k, mask in enumerate((band & ~void, ~band)):
                pairs = truth[mask] * CLASSES + prediction[mask]
                result[k, i] += np.bincount(pairs, minlength=CLASSES * CLASSES)
    return result.reshape(2, len(WIDTHS), CLASSES, CLASSES)


def mmseg_pass(maps: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    areas = [IoUMetric.intersect_and_union(prediction, truth, CLASSES, VOID) for truth, prediction in maps]
    return [sum(part) for part in zip(*areas, strict=True)]


def mmseg_masked_passes(maps: list[tuple[torch.Tensor, torch.Tensor]], voids: list[np.ndarray]) -> None:
    """IoUMetric as it can be used for trimaps: once per width and region, with all else made void."""
    for width in WIDTHS:
        square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
        bands = [torch.from_numpy(cv2.dilate(void, square)).bool() for void in voids]
        for inside in (True, False):
            mmseg_pass(
                [
                    (truth.masked_fill(band != inside, VOID), found)
                    for (truth, found), band in zip(maps, bands, strict=True)
                ]
            )


def label_maps(args: argparse.Namespace) -> _Maps:
    """Drawn or real ones, of 64 bits, as mmseg hands both to its metrics."""
    maps = real(args.voc) if args.voc else drawn(args.images)
    return [(truth.astype(np.int64), prediction.astype(np.int64)) for truth, prediction in maps]


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    maps = label_maps(args)
    tensors = [(torch.from_numpy(truth), torch.from_numpy(prediction)) for truth, prediction in maps]
    voids = [(truth == VOID).view(np.uint8) for truth, _ in maps]
    times = in_turn(
        {
            "void": partial(one_pass, maps, "void"),
            "label": partial(one_pass, maps, "label"),
            "mmseg": partial(mmseg_pass, tensors),
            "masked": partial(masked_passes, maps),
        },
        args.repeats,
    )
    times |= in_turn({"mmseg masked": partial(mmseg_masked_passes, tensors, voids)}, 1, warm_up=False)
    counts, areas = times["void"].result, times["mmseg"].result
    if not np.array_equal(np.stack([counts.inside(), counts.outside()]), times["masked"].result):
        raise RuntimeError("The confusions of the bands differ from those of the masked passes")
    whole = counts.whole()
    exact = (whole.diagonal(), None, whole.sum(axis=0), whole.sum(axis=1))
    if not all(np.array_equal(a, b.numpy()) for a, b in zip(exact, areas, strict=True) if a is not None):
        raise RuntimeError("The areas of whole images differ from mmseg's")
    ms = {name: 1e3 * timing.median / len(maps) for name, timing in times.items()}
    size = f"mIoU in {len(WIDTHS)} trimaps, label maps of {maps[0][0].shape[1]}x{maps[0][0].shape[0]}"
    for boundary, other, against in (
        ("void", "mmseg masked", f"mmseg's IoUMetric, {2 * len(WIDTHS)} masked passes, one run"),
        ("void", "masked", f"NumPy, {2 * len(WIDTHS)} masked passes (equal counts)"),
        ("void", "mmseg", "mmseg's IoUMetric, one pass over whole images"),
        ("label", "mmseg", "mmseg's IoUMetric, one pass over whole images"),
    ):
        what = f"{size}, boundary='{boundary}'"
        yield Row(what=what, unit="ms", ours=ms[boundary], theirs=ms[other], against=against)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--voc", type=Path, help="folder of VOC 2012")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
