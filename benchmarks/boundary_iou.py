"""Boundary IoU of label maps: one dilation and erosion per map against erosions of one mask after the other.

    python benchmarks/boundary_iou.py                                    # 20 drawn label maps of VOC's size
    python benchmarks/boundary_iou.py --voc ../shared/data/voc2012       # real label maps

Erosion of each mask with OpenCV is how the code of the paper finds its boundary region; here for the classes that occur
in an image, and for all 21. Pixel counts are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import cv2
import numpy as np
from side_by_side import Row, in_turn, run
from trimap import CLASSES, VOID, arguments, label_maps

from mmdetpre.evaluation.boundary_iou.counts import boundary_width, measure_image

_SQUARE = np.ones((3, 3), np.uint8)


def region(mask: np.ndarray, width: int) -> np.ndarray:
    """A mask without its erosion."""
    padded = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return mask & ~cv2.erode(padded, _SQUARE, iterations=width)[1:-1, 1:-1].astype(bool)


def eroded_masks(truth: np.ndarray, prediction: np.ndarray, labels: Iterable[int]) -> np.ndarray:
    """``(3, classes)`` pixels of the boundary regions: shared, true, predicted."""
    areas = np.zeros((3, CLASSES), np.int64)
    scored, width = truth != VOID, boundary_width(truth.shape)
    for label in labels:
        near = [region((one == label) & scored, width) for one in (truth, prediction)]
        areas[:, label] = (near[0] & near[1]).sum(), near[0].sum(), near[1].sum()
    return areas


def eroded_maps(maps: list[tuple[np.ndarray, np.ndarray]], labels: Sequence[Iterable[int]]) -> np.ndarray:
    return sum((eroded_masks(*both, k) for both, k in zip(maps, labels, strict=True)), np.zeros((3, CLASSES), np.int64))


def rows(args: argparse.Namespace) -> Iterator[Row]:
    cv2.setNumThreads(1)
    maps = label_maps(args)
    present = [np.setdiff1d(np.union1d(truth, found), [VOID]).tolist() for truth, found in maps]

    def ours() -> np.ndarray:
        return sum((measure_image(*both, classes=CLASSES).boundary for both in maps), np.zeros((3, CLASSES), np.int64))

    every = [range(CLASSES)] * len(maps)
    times = in_turn(
        {"ours": ours, "present": partial(eroded_maps, maps, present), "every": partial(eroded_maps, maps, every)},
        args.repeats,
    )
    if not all(np.array_equal(times["ours"].result, times[name].result) for name in ("present", "every")):
        raise RuntimeError("The boundary regions differ from eroded masks")
    ms = {name: 1e3 * timing.median / len(maps) for name, timing in times.items()}
    what = f"Boundary IoU, label maps of {maps[0][0].shape[1]}x{maps[0][0].shape[0]}"
    for name, against in (("present", "the classes of an image"), ("every", f"all {CLASSES} classes")):
        against = f"OpenCV, one mask after the other, {against} (equal counts)"
        yield Row(what=what, unit="ms", ours=ms["ours"], theirs=ms[name], against=against)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
