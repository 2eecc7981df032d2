"""Mask-out of a classifier: our batches against one forward per position, in one run.

    python benchmarks/mask_out_batches.py                          # ResNet-50, 224 pixels, mask 60, 25 positions
    python benchmarks/mask_out_batches.py --device cuda:0 --stride 8

Weights are random, for time does not depend on them. The probabilities of all programs are compared to 1e-5.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from mmengine.registry import MODELS, DefaultScope
from side_by_side import Row, in_turn, run
from torch import Tensor, nn

import mmdetpre  # noqa: F401  (registers its types)
from mmdetpre.analysis.mask_out.mask_out import MASK, mask_out, mask_positions
from mmdetpre.inference.classifier import Classifier
from mmdetpre.transfer.preprocessing import IMAGENET

CLASSES = 100


def classifier(depth: int, device: str) -> Classifier:
    torch.manual_seed(0)
    backbone = dict(type="mmdet.ResNet", depth=depth, out_indices=(3,))
    head = dict(type="LinearClsHead", num_classes=CLASSES, in_channels=512 if depth < 50 else 2048)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(
            dict(type="ImageClassifier", backbone=backbone, neck=dict(type="GlobalAveragePooling"), head=head)
        )
    model.train()(torch.randn(4, 3, 96, 96), mode="tensor")  # statistics of the batch norms
    with torch.no_grad():
        model.head.fc.weight.mul_(200)  # probabilities that differ, so that they can be compared
    return Classifier(model.to(device).eval(), tuple(map(str, range(CLASSES))), IMAGENET, torch.device(device))


@torch.no_grad()
def one_by_one(classify: Callable[[Tensor], Tensor], image: Tensor, label: int, stride: int) -> np.ndarray:
    """One forward per position."""
    ys, xs = (mask_positions(length, MASK, stride) for length in image.shape[1:])
    found = np.zeros((len(ys), len(xs)), np.float32)
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            masked = image.clone()
            masked[:, y : y + MASK, x : x + MASK] = 0
            found[i, j] = float(classify(masked[None])[0, label])
    return found


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(args.threads)
    classify = classifier(args.depth, args.device)
    coarse = 2 * torch.randn(1, 3, 7, 7, generator=torch.Generator().manual_seed(0))  # not noise: a mask matters
    image = nn.functional.interpolate(coarse, (args.size, args.size), mode="bilinear")[0].to(args.device)
    with torch.no_grad():
        label = int(classify(image[None]).argmax())
    positions = len(mask_positions(args.size, MASK, args.stride)) ** 2
    what = f"mask-out, ResNet-{args.depth}, {args.size} pixels, {positions} positions, {args.device}"

    def batched(size: int) -> np.ndarray:
        return mask_out(classify, image, label, stride=args.stride, batch_size=size).probability

    ways: dict[str, Callable] = {"naive": partial(one_by_one, classify, image, label, args.stride)}
    ways |= {f"batches of {size}": partial(batched, size) for size in args.batch_sizes}
    times = in_turn(ways, args.repeats)
    naive = times.pop("naive")
    for name, timing in times.items():
        difference = float(np.abs(timing.result - naive.result).max())
        if difference > 1e-5:
            raise RuntimeError(f"The probabilities differ by {difference:g}")
        yield Row(
            what=f"{what}, {name}", unit="positions/s", ours=positions / timing.median,
            theirs=positions / naive.median, against=f"one forward per position (differ by {difference:.0e})",
        )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, default=50, choices=[18, 34, 50, 101, 152])
    parser.add_argument("--size", type=int, default=224, help="side of the image in pixels")
    parser.add_argument("--stride", type=int, default=41)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 25])
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
