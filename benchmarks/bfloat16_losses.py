"""The loss of a training in bfloat16 beside one in float32, and beside a second one in float32 with other draws.

    python benchmarks/bfloat16_losses.py                                    # 200 steps of the sample's detector
    python benchmarks/bfloat16_losses.py --device cuda --data data/sample   # the same on a GPU
    python benchmarks/bfloat16_losses.py --config configs/det/sniper_openimages.py --data data/OpenImages --device cuda

All three trainings start from the same weights and see the same chips in the same order, as the config's loader gives
them; the third one draws other anchors. So the difference between the two in float32 is what chance does, and that of
bfloat16 is to be no larger. Losses are means over a tenth of the steps: those of single steps say little. On a CPU
mixed precision is torch's autocast, as on a GPU, but not faster.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from detector_batch import build_detector, build_optim_wrapper, read_config, training_step
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from side_by_side import Row, run

from mmdetpre.compat.gpu_settings import MIXED
from mmdetpre.sample import make_sample
from mmdetpre.utils.read_config import move_data

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "det" / "sniper_openimages_sample.py"
WAYS = {"float32": ({}, 0), "bfloat16": (MIXED, 0), "float32, other draws": ({}, 10_000)}
PARTS = 10


def losses_of(args: argparse.Namespace, data: Path, changes: dict, seed: int) -> list[float]:
    """The loss of every step of a training."""
    options = {"data_root": str(data), "train_dataloader.num_workers": 0, "train_dataloader.persistent_workers": False}
    options |= {"train_dataloader.batch_size": args.batch} if args.batch else {}
    config = read_config(args.config, options)
    move_data(config)
    model = build_detector(None, args.device, args.config)
    wrapper = build_optim_wrapper(model, args.config, **changes)
    with DefaultScope.overwrite_default_scope("mmdet"):
        loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    found: list[torch.Tensor] = []
    while len(found) < args.steps:
        loader.batch_sampler.sampler.set_epoch(len(found))
        for batch in loader:
            for group in wrapper.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * schedule(len(found), args.steps)
            torch.manual_seed(seed + len(found))
            found.append(training_step(model, batch, wrapper)["loss"].detach())
            if len(found) == args.steps:
                break
    return torch.stack(found).tolist()


def schedule(step: int, steps: int) -> float:
    """Warm-up over a twentieth of the steps, then half a cosine."""
    return min(1.0, (step + 1) / max(steps / 20, 1)) * (1 + math.cos(math.pi * step / steps)) / 2


def means(losses: list[float]) -> list[float]:
    """Over each tenth of the steps."""
    ends = [round(i * len(losses) / PARTS) for i in range(PARTS + 1)]
    return [sum(losses[a:b]) / (b - a) for a, b in zip(ends, ends[1:], strict=False)]


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(args.threads)
    if args.steps < PARTS:
        raise SystemExit(f"--steps {args.steps} is less than one for each of {PARTS} means.")
    with TemporaryDirectory() as folder, patch("mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available"):
        data = args.data or make_sample(Path(folder) / "sample", train=args.images, validation=1, progress=False)
        full, mixed, other = (means(losses_of(args, data, *way)) for way in WAYS.values())
    last = range(PARTS // 2, PARTS)
    chance, found = (sum(abs(way[i] / full[i] - 1) for i in last) / len(last) for way in (other, mixed))
    for i, (one, two, three) in enumerate(zip(full, mixed, other, strict=True)):
        steps = f"steps {round(i * args.steps / PARTS) + 1} to {round((i + 1) * args.steps / PARTS)}"
        against = f"float32; with other draws {three:.4f}"
        yield Row(what=f"{args.config.stem}: loss in bfloat16, {steps}", unit="loss", ours=two, theirs=one,
                  against=against)  # fmt: skip
    yield Row(
        what="mean difference from float32 over the second half",
        unit="% of the loss",
        ours=100 * found,
        theirs=100 * chance,
        against="float32 with other draws",
        bound=max(200 * chance, 1.0),
        reason="bfloat16 changes the loss by more than twice what chance does",
    )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG, help="of a detector (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="its data_root; by default a synthetic sample")
    parser.add_argument("--images", type=int, default=200, help="of the synthetic sample (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="of each training (%(default)s)")
    parser.add_argument("--batch", type=int, metavar="N", help="chips of a step; by default as the config says")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
