"""What loading a backbone with a report, a verdict and a digest costs beside torch's own two lines.

    python benchmarks/backbone_loading.py
    python benchmarks/backbone_loading.py --families Swin ViT --repeats 3

For each family a backbone of usual size, with random weights: ours, and `module.load_state_dict(torch.load(file))`, in
turn in one process, in processor time. The files are in the system's cache. What ours takes longer has a bound of half
a second. The first `torch.load` of a process, of whichever way, takes 0.3 s more.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from side_by_side import Row, in_turn, run

from mmdetpre.transfer import load_backbone, loaded_digest, weights_digest, write_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox

STAGES = dict(out_indices=(0, 1, 2, 3))
FAMILIES = {
    "ResNet": ("ResNet-101", dict(type="mmdet.ResNet", depth=101)),
    "ConvNeXt": ("ConvNeXt-T", dict(type="mmpretrain.ConvNeXt", arch="tiny", gap_before_final_norm=False, **STAGES)),
    "Swin": ("Swin-T", dict(type="mmdet.SwinTransformer")),
    "ViT": ("ViT-B/16", dict(type="mmpretrain.VisionTransformer", arch="base", img_size=224, patch_size=16)),
    "EfficientNet": ("EfficientNet-B4", dict(type="mmpretrain.EfficientNet", arch="b4")),
    "EfficientNet-Lite": ("EfficientNet-Lite0", dict(type="mmpretrain.TIMMBackbone", features_only=True,
                                                     model_name="tf_efficientnet_lite0")),
    "MobileNetV2": ("MobileNetV2", dict(type="mmpretrain.MobileNetV2")),
    "RegNet": ("RegNetX-3.2GF", dict(type="mmdet.RegNet", arch="regnetx_3.2gf")),
}  # fmt: skip
"""Name and config of the backbone of each family."""
MOST = 0.5
"""Seconds that a report may take."""


def rows(args: argparse.Namespace) -> Iterator[Row]:
    MMLogger.get_instance("benchmark", log_level="ERROR")
    for family in args.families:
        yield from _family(*FAMILIES[family], args.repeats)


def _family(name: str, config: dict, repeats: int) -> Iterator[Row]:
    module = build_in_toolbox("mmengine", config)
    for key, tensor in module.state_dict().items():
        if "running_" in key:
            tensor.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        exported, plain = Path(folder) / "backbone.pth", Path(folder) / "plain.pth"
        write_backbone(exported, module.state_dict())
        torch.save(module.state_dict(), plain)
        report = load_backbone(module, exported)
        if report.verdict != "complete":
            raise RuntimeError(f"{name} is not loaded whole: {report.verdict}")
        ways: dict[str, Callable] = {
            "torch": lambda: module.load_state_dict(torch.load(plain, weights_only=True)),
            "exported file": partial(load_backbone, module, exported),
            "other file": partial(load_backbone, module, plain),
            "digest": lambda: weights_digest(module.state_dict()),
            "check": lambda: loaded_digest(module, report),
        }
        times = {way: timing.median for way, timing in in_turn(ways, repeats, clock="cpu").items()}
    size = sum(tensor.nbytes for tensor in module.state_dict().values()) / 2**20
    for way in ("exported file", "other file"):
        yield Row(
            what=f"load {name} ({size:.0f} MiB) with report and verdict, {way}", unit="CPU s", ours=times[way],
            theirs=times["torch"], against="torch.load and load_state_dict, without either",
            bound=times["torch"] + MOST,
        )  # fmt: skip
    for way, what in (("digest", "digest of its weights"), ("check", "check of the digest at the first iteration")):
        yield Row(what=f"{name}: {what}", unit="CPU s", ours=times[way])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="which (all)")
    parser.add_argument("--repeats", type=int, default=5, help="loads of each kind (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
