"""What each backbone costs in each detector: parameters, what a training step keeps for its backward pass, its time.

One step of the full-size model, forward and backward, on chips of noise; on one thread, in seconds of processor time,
so that other work on the machine does not count. Prints the table of docs/my_backbone.md.

Example: python benchmarks/backbone_steps.py --chips 2 --size 256
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

from mmdetpre.backbones import backbone_names, named_backbone, on_backbone
from mmdetpre.config_files import find_config
from mmdetpre.utils.tables import markdown_table

DETECTORS = {
    "SNIPER": "sniper_coco",
    "RetinaNet": "retinanet_chips_coco",
    "Faster R-CNN": "faster_rcnn_r50_fpn_chips_coco",
}


def chips(count: int, size: int) -> dict[str, list]:
    """Chips of noise with two objects each, as the loader collates them."""
    samples = []
    for _ in range(count):
        meta = {"img_shape": (size, size), "ori_shape": (size, size), "valid_range": (0.0, float(size)), "img_id": 0}
        sample = DetDataSample(metainfo=meta)
        boxes = torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.8]]) * size
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1]))
        empty = torch.zeros(0)
        sample.ignored_instances = InstanceData(bboxes=boxes[:0], labels=empty.long(), group_of=empty.bool())
        samples.append(sample)
    pixels = [torch.randint(0, 255, (3, size, size), dtype=torch.uint8) for _ in range(count)]
    return {"inputs": pixels, "data_samples": samples}


def step(model: Any, batch: dict[str, list]) -> tuple[float, float]:
    """Processor seconds of a training step, and MiB of the tensors that it keeps for its backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    began = time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        data = model.data_preprocessor(batch, True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    seconds = time.process_time() - began
    weights = {value.untyped_storage().data_ptr() for value in model.parameters()}
    return seconds, sum(size for place, size in kept.items() if place not in weights) / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=int, default=2, help="chips a step (2)")
    parser.add_argument("--size", type=int, default=256, help="side of a chip in pixels (256)")
    parser.add_argument(
        "--backbones", nargs="+", choices=backbone_names(), default=backbone_names(), help="which (all)"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    rows = []
    for detector, config in DETECTORS.items():
        for name in args.backbones:
            cfg = on_backbone(Config.fromfile(find_config(config)), named_backbone(name))
            cfg.model.data_preprocessor.batch_augments = None
            torch.manual_seed(0)
            with DefaultScope.overwrite_default_scope("mmdet"):
                model = MODELS.build(cfg.model).train()
                seconds, mebibytes = step(model, chips(args.chips, args.size))
            counts = [sum(value.numel() for value in part.parameters()) / 1e6 for part in (model.backbone, model)]
            rows.append([name, detector, f"{counts[0]:.1f}", f"{counts[1]:.1f}", f"{mebibytes:.0f}", f"{seconds:.1f}"])
            print(" | ".join(rows[-1]), flush=True)
    head = ["backbone", "detector", "parameters, 10^6", "with heads, 10^6", "kept for backward, MiB", "step, CPU s"]
    print(markdown_table(head, rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
