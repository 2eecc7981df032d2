"""What loading a backbone with a report, a verdict and a digest costs beside mmengine's load_checkpoint.

    python benchmarks/backbone_loading.py

The same file is loaded in turn in one process. It is in the system's cache: on a cold disk all take longer by the same
time. The limit is reading and copying the weights, which is what mmengine does.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from mmdet.models.backbones import ResNet
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import load_checkpoint
from side_by_side import Row, in_turn, run

from mmdetpre.transfer import load_backbone, loaded_digest, weights_digest, write_backbone


def rows(args: argparse.Namespace) -> Iterator[Row]:
    MMLogger.get_instance("benchmark", log_level="ERROR")
    module = ResNet(args.depth)
    for name, tensor in module.state_dict().items():
        if "running_" in name:
            tensor.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        exported, plain = Path(folder) / "backbone.pth", Path(folder) / "plain.pth"
        write_backbone(exported, module.state_dict())
        torch.save({"state_dict": module.state_dict()}, plain)
        report = load_backbone(module, exported)
        if report.verdict != "complete":
            raise RuntimeError(f"The backbone is not loaded whole: {report.verdict}")
        ways: dict[str, Callable] = {
            "mmengine": partial(load_checkpoint, module, str(exported), map_location="cpu", logger="current"),
            "exported file": partial(load_backbone, module, exported),
            "other file": partial(load_backbone, module, plain),
            "digest": lambda: weights_digest(module.state_dict()),
            "check": lambda: loaded_digest(module, report),
        }
        times = {name: timing.median for name, timing in in_turn(ways, args.repeats).items()}
    for name in ("exported file", "other file"):
        yield Row(
            what=f"load ResNet-{args.depth} with report and verdict, {name}", unit="s", ours=times[name],
            theirs=times["mmengine"], against="mmengine's load_checkpoint, without either",
        )  # fmt: skip
    for name, what in (("digest", "digest of its weights"), ("check", "check of the digest at the first iteration")):
        yield Row(what=f"ResNet-{args.depth}: {what}", unit="s", ours=times[name])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, default=101, help="depth of the ResNet (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="loads of each kind (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
