"""What a training step of each model of `mmdetpre study init` costs: processor time and memory.

    python benchmarks/study_models.py                          # 5 minutes of one core
    python benchmarks/study_models.py --models sample resnet18 --out my_costs.csv

For each model `init` writes a study of noise, and its two configs are built: detector and classifier, as they are
trained from weights, with the optimizer's state. One step is measured on noise in a process of its own, on one thread:
processor time, so that other work on the machine does not count, and the memory that it adds to the libraries. Large
models take a step of one chip or a few images; for a whole batch its forward and backward pass, and what it keeps for
that, count as many times as there are chips, weights and update once.

Writes the table that `study init` reads, mmdetpre/study/custom_data/step_costs.csv, and the same with machine and
versions into results/.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backbone_steps import chips
from bench import machine
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS as REGISTRY
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from PIL import Image
from side_by_side import status_megabytes

from mmdetpre.study.custom_data.detection_data import DetectionData
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.custom_data.models import MODELS, Amount
from mmdetpre.study.custom_data.step_costs import COLUMNS, TABLE
from mmdetpre.utils.tables import markdown_table
from mmdetpre.utils.whole_file import write_text

RESULTS = Path(__file__).with_name("results")
TASKS = {"detection": "own_det", "classification": "own_cls"}
MOST = 512**2
"""Pixels of a step that is measured."""


def draw(folder: Path) -> tuple[Path, Path]:
    """Photos of noise: boxes of two classes in a COCO JSON, and two class folders."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), np.uint8)
    for number, one in enumerate(pixels):
        for path in (folder / "images", folder / "classes" / "ab"[number % 2]):
            path.mkdir(parents=True, exist_ok=True)
            Image.fromarray(one).save(path / f"{number}.png")
    images = [{"id": i, "file_name": f"{i}.png", "width": 320, "height": 240} for i in range(20)]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1 + i % 2, "bbox": [20, 10, 160, 150], "iscrowd": 0, "area": 24000}
        for i in range(20)
    ]
    classes = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    found = folder / "noise.json"
    found.write_text(json.dumps({"images": images, "annotations": boxes, "categories": classes}))
    return found, folder / "classes"


def batch(task: str, count: int, side: int) -> dict[str, Any]:
    """Noise, as the loader collates it."""
    if task == "detection":
        return chips(count, side)
    pixels = [torch.randint(0, 255, (3, side, side), dtype=torch.uint8) for _ in range(count)]
    samples = [DataSample(metainfo={"img_shape": (side, side)}).set_gt_label(i % 2) for i in range(count)]
    return {"inputs": pixels, "data_samples": samples}


@dataclass(frozen=True)
class Step:
    """What one step took.

    Attributes:
        passes, update: Processor seconds of forward and backward pass, and of the optimizer.
        kept, more: GiB of weights, gradients and the optimizer's state, and what the step took at its peak.
    """

    passes: float
    update: float
    kept: float
    more: float

    def of(self, times: float) -> tuple[float, float]:
        """Processor seconds and GiB of a step of so many times as many images."""
        return times * self.passes + self.update, self.kept + times * self.more


def one_step(config: str, task: str, side: int, count: int) -> Step:
    """Measure a step; called in a process of its own."""
    torch.manual_seed(0)
    cfg, before = Config.fromfile(config), status_megabytes("VmRSS")
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = REGISTRY.build(cfg.model).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def step(images: int, pixels: int) -> tuple[float, float]:
        began = time.process_time()
        data = model.data_preprocessor(batch(task, images, pixels), True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        loss.backward()
        middle = time.process_time()
        wrapper.step()  # gradients stay, as in the middle of a training
        return middle - began, time.process_time() - middle

    augments = model.data_preprocessor.batch_augments
    model.data_preprocessor.batch_augments = None  # which would pad a small chip
    step(2, min(side, 64))  # the optimizer then has its state, and torch its kernels
    model.data_preprocessor.batch_augments = augments
    gc.collect()
    kept = status_megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted afresh
    passes, update = step(count, side)
    more = status_megabytes("VmHWM") - kept
    return Step(passes, update, (kept - before) / 1024, more / 1024)


def cost(amount: Amount, config: str, task: str, side: int) -> tuple[float, float]:
    """Processor seconds and GiB of a step of the study's batch."""
    count = min(amount.batch, max(1, MOST // side**2))
    with ProcessPoolExecutor(1, get_context("fork")) as pool:  # the libraries are imported once
        return pool.submit(one_step, config, task, side, count).result().of(amount.batch / count)


def measure(names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        boxes, classes = draw(folder)
        for name in names:
            choice, out = MODELS[name], folder / name
            with contextlib.redirect_stdout(sys.stderr):
                init_study(Settings(out, det=[DetectionData(boxes)], cls=classes, model=name, epochs=1))
            for task, config in TASKS.items():
                file = str(out / "configs" / f"{config}.py")
                side = choice.chip_size if task == "detection" else crop_side(file)
                amount = choice.detection_amount if task == "detection" else choice.classification_amount
                seconds, memory = cost(amount, file, task, side)
                rows.append((name, task, amount.batch, side, f"{seconds:.3g}", f"{memory:.2g}"))
                print(*rows[-1], file=sys.stderr, flush=True)
    return rows


def crop_side(config: str) -> int:
    """Side in pixels of a classifier's crops."""
    steps = Config.fromfile(config).train_dataloader.dataset.pipeline
    return next(step["scale"] for step in steps if step["type"] == "RandomResizedCrop")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="which (all)")
    parser.add_argument("--out", type=Path, default=TABLE, help="table to write (that of study init)")
    args = parser.parse_args()
    facts = machine()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    measured = measure(args.models)
    known = []
    if args.out.exists():  # of the models that are not measured now
        with args.out.open(encoding="utf-8", newline="") as file:
            known = [row for row in list(csv.reader(file))[1:] if row[0] in MODELS and row[0] not in args.models]
    order = list(MODELS)
    rows = sorted([*known, *measured], key=lambda row: order.index(row[0]))
    lines = [",".join(map(str, row)) for row in (COLUMNS, *rows)]
    write_text(args.out, "\n".join([*lines, ""]))
    if args.out == TABLE:
        table = markdown_table(COLUMNS, [list(map(str, row)) for row in rows], right={2, 3, 4, 5})
        listed = "\n".join(f"* {name}: {value}" for name, value in facts.items())
        title = f"# {date.today()}: a training step of each model of study init"
        note = "One thread; steps of more than 512 x 512 pixels follow from one of so many."
        note += f" Measured in this run: {', '.join(args.models)}; the rest is that of the table before."
        stem = f"{date.today()}-study-models"
        path = next(
            path for i in range(1, 100) if not (path := RESULTS / f"{stem}{f'-{i}' if i > 1 else ''}.md").exists()
        )
        text = f"{title}\n\n{listed}\n\n`python benchmarks/study_models.py`. {note}\n\n{table}\n"
        write_text(path, text)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
