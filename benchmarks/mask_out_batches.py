"""Mask-out of a classifier: our batches against one forward per position, in one run.

    python benchmarks/mask_out_batches.py                          # ResNet-50, 224 pixels, mask 60, 36 positions
    python benchmarks/mask_out_batches.py --device cuda:0 --stride 8

Weights are random, for time does not depend on them. The probabilities of all programs are compared to 1e-5, and the
median of --repeats runs is printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

import mmdetpre  # noqa: F401  (registers its types)
from mmdetpre.analysis.mask_out import MASK, mask_out, mask_positions
from mmdetpre.models.classifier import Classifier
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


def median(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Median seconds, and the last result."""
    seconds, result = [], np.zeros(0)
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=50, choices=[18, 34, 50, 101, 152])
    parser.add_argument("--size", type=int, default=224, help="side of the image in pixels")
    parser.add_argument("--stride", type=int, default=33)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    classify = classifier(args.depth, args.device)
    coarse = 2 * torch.randn(
        1, 3, 7, 7, generator=torch.Generator().manual_seed(0)
    )  # patches, not noise: a mask matters
    image = nn.functional.interpolate(coarse, (args.size, args.size), mode="bilinear")[0].to(args.device)
    with torch.no_grad():
        label = int(classify(image[None]).argmax())
    positions = len(mask_positions(args.size, MASK, args.stride)) ** 2
    where = f"{args.device}, {torch.get_num_threads()} threads"
    print(f"ResNet-{args.depth}, {args.size}x{args.size} pixels, mask {MASK}: {positions} positions, {where}")
    one_by_one(classify, image[:, :MASK, :MASK], label, MASK)  # allocate
    naive, expected = median(lambda: one_by_one(classify, image, label, args.stride), args.repeats)
    print(f"{'one forward per position':28} {1000 * naive / positions:8.2f} ms/position")
    print(f"probabilities from {expected.min():.3f} to {expected.max():.3f}")
    for batch_size in args.batch_sizes:

        def batched(batch_size: int = batch_size) -> np.ndarray:
            return mask_out(classify, image, label, stride=args.stride, batch_size=batch_size).probability

        seconds, found = median(batched, args.repeats)
        difference = float(np.abs(found - expected).max())
        if difference > 1e-5:
            raise RuntimeError(f"The probabilities differ by {difference:g}")
        what, ratio = f"ours, batches of {batch_size}", naive / seconds
        print(
            f"{what:28} {1000 * seconds / positions:8.2f} ms/position   {ratio:5.2f} times as fast"
            f"   greatest difference {difference:.1e}"
        )


if __name__ == "__main__":
    main()
