"""Loading a ResNet-101: mmengine's load_checkpoint, which checks little, against load_backbone with report and digest.

    python benchmarks/backbone_loading.py

Prints the median of several loads of the same file in turn, in one process, and what the report costs on top. The file
is in the system's cache: on a cold disk both take longer by the same time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmdet.models.backbones import ResNet
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import load_checkpoint

from mmdetpre.transfer import load_backbone, loaded_digest, weights_digest, write_backbone


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=101, help="depth of the ResNet (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="loads of each kind (%(default)s)")
    args = parser.parse_args()
    MMLogger.get_instance("benchmark", log_level="ERROR")
    module = ResNet(args.depth)
    for name, tensor in module.state_dict().items():
        if "running_" in name:
            tensor.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backbone.pth"
        write_backbone(path, module.state_dict())
        torch.save({"state_dict": module.state_dict()}, Path(folder) / "plain.pth")
        report = load_backbone(module, path)
        kinds: dict[str, Callable[[], object]] = {
            "mmengine load_checkpoint": lambda: load_checkpoint(
                module, str(path), map_location="cpu", logger="current"
            ),
            "load_backbone, exported file": lambda: load_backbone(module, path),
            "load_backbone, other file": lambda: load_backbone(module, Path(folder) / "plain.pth"),
            "  of it: one digest": lambda: weights_digest(module.state_dict()),
            "check at the first iteration": lambda: loaded_digest(module, report),
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(args.repeats):
            for kind, function in kinds.items():
                times[kind].append(timed(function))
    base = statistics.median(times["mmengine load_checkpoint"])
    print(f"ResNet-{args.depth}, {report.verdict}, {torch.get_num_threads()} threads, median of {args.repeats}")
    print("what".ljust(32) + "seconds".rjust(9) + "over mmengine".rjust(16))
    for kind, values in times.items():
        middle = statistics.median(values)
        over = f"{middle - base:+.3f}" if kind.startswith("load_") else ""
        print(kind.ljust(32) + f"{middle:.3f}".rjust(9) + over.rjust(16))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
