"""Boundary IoU of label maps: one dilation and erosion per map against erosions of one mask after the other.

    python benchmarks/boundary_iou.py                                    # 40 drawn label maps of VOC's size
    python benchmarks/boundary_iou.py --voc ../shared/data/voc2012       # real label maps

Erosion of each mask with OpenCV is how the code of the paper finds its boundary region; here for the classes that occur
in an image, and for all 21. Pixel counts are compared, and the median of --repeats runs is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from trimap import CLASSES, VOID, drawn, median, real

from mmdetpre.evaluation.boundary_iou import boundary_width, measure_image

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--voc", type=Path, help="folder of VOC 2012")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    maps = [(a.astype(np.int64), b.astype(np.int64)) for a, b in (real(args.voc) if args.voc else drawn(args.images))]
    present = [np.setdiff1d(np.union1d(truth, found), [VOID]).tolist() for truth, found in maps]
    print(f"{len(maps)} label maps, {sum(map(len, present)) / len(maps):.1f} of {CLASSES} classes in each")
    measure_image(*maps[0], classes=CLASSES)  # compile
    ours, counts = median(lambda: sum(measure_image(*both, classes=CLASSES).boundary for both in maps), args.repeats)
    rows = [("ours", ours)]
    for what, labels in (("those that occur", present), ("all", [range(CLASSES)] * len(maps))):
        work = partial(eroded_maps, maps, labels)
        seconds, areas = median(work, args.repeats)
        if not np.array_equal(counts, areas):
            raise RuntimeError("The boundary regions differ from eroded masks")
        rows.append((f"masks eroded one by one, {what}", seconds))
    for what, seconds in rows:
        print(f"{what:44} {1000 * seconds / len(maps):8.2f} ms/image   {seconds / ours:6.2f} times ours")
    print("counts equal")


if __name__ == "__main__":
    main()
