"""AutoFocus: pixels, time and AP of a test from coarse to fine, beside the whole pyramid.

    python benchmarks/autofocus.py --train-images 1200 --epochs 6 --plot curve.png     # trains for 15 minutes
    python benchmarks/autofocus.py --checkpoint work_dirs/sniper_coco_autofocus_sample/epoch_2.pth

One detector, tested on the validation images of its config: by ``mmdetpre.MultiScaleTTA``, which sees whole images at
all scales, and by ``mmdetpre.FocusTTA`` with several thresholds; ranges and suppression are the same. Without a
checkpoint the config is trained first; without ``--data`` on the synthetic sample in COCO's layout, which is drawn with
more images to test. AP is COCO's, in points. The rows name the fewest pixels within a loss of AP; which threshold gives
them is chosen on the images that are tested, as no others are there.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from arithmetic import clock_of, wait
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from side_by_side import Row, in_turn, run

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.compat.toolbox_commands import training_command
from mmdetpre.config_files import find_config
from mmdetpre.inference.load_weights import load_weights
from mmdetpre.sample import make_sample
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.utils.read_config import move_data
from mmdetpre.utils.whole_file import write_figure

CONFIG = find_config("sniper_coco_autofocus_sample")
THRESHOLDS = [(fine, coarse) for coarse in (0.01, 0.02, 0.05, 0.1) for fine in (0.1, 0.2, 0.4, 0.6, 0.8)]
"""Of the finest scale, and of the one between."""
LOSSES = ((0.3, 2.5), (1.0, 4.0))
"""Points of AP that may be lost, and how many times fewer pixels the original has at that loss."""


@dataclass(frozen=True)
class Point:
    """A test: thresholds, finest scale first; percent of the pyramid's pixels; points of AP; seconds per image."""

    thresholds: tuple[float, ...]
    pixels: float
    average_precision: float
    seconds: float


def trained(config: Path, data: Path, epochs: int, folder: Path) -> Path:
    """Checkpoint of a training."""
    length = [f"train_cfg.max_epochs={epochs}", f"train_cfg.val_interval={epochs}", f"param_scheduler.1.end={epochs}"]
    command = training_command(
        "mmdet", config, "--work-dir", folder, "--cfg-options", f"data_root={data}/", *length, "randomness.seed=0"
    )
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / f"epoch_{epochs}.pth"


class Tests:
    """One detector, its images at all scales, and what a test of it gives."""

    def __init__(self, cfg: Config, checkpoint: Path | None, device: str) -> None:
        self.cfg, self.device = cfg, device
        self.detector = MODELS.build(cfg.model)
        if checkpoint is None:
            self.detector.init_weights()
        else:
            load_weights(self.detector, read_checkpoint(checkpoint).tensors, str(checkpoint))
        data = ConfigDict(cfg.test_dataloader.dataset, pipeline=cfg.tta_pipeline)
        self.dataset = DATASETS.build(data)
        self.batches = [pseudo_collate([one]) for one in self.dataset]

    def whole(self) -> Any:
        """The test by whole images."""
        options = {name: value for name, value in self.cfg.tta_model.items() if name not in FOCUS_ONLY}
        return self._ready(dict(options, type="mmdetpre.MultiScaleTTA"))

    def focused(self, thresholds: Sequence[float]) -> Any:
        """The test from coarse to fine."""
        settings = [dict(one, threshold=t) for one, t in zip(self.cfg.tta_model.focus, thresholds, strict=True)]
        return self._ready(dict(self.cfg.tta_model, focus=settings))

    def _ready(self, options: dict) -> Any:
        return MODELS.build(dict(options, module=self.detector)).to(self.device).eval()

    def detect(self, model: Any) -> list:
        """Detections in all images."""
        with torch.inference_mode():
            found = [model.test_step(batch)[0] for batch in self.batches]
        wait(self.device)
        return found

    def average_precision(self, found: list) -> float:
        """COCO's AP in points."""
        evaluator = Evaluator([self.cfg.test_evaluator])
        evaluator.dataset_meta = self.dataset.metainfo
        for batch, sample in zip(self.batches, found, strict=True):
            evaluator.process([sample], batch)
        return 100 * float(evaluator.evaluate(len(self.batches))["coco/bbox_mAP"])


FOCUS_ONLY = ("focus", "edge_margin", "edge_pixels")


def curve(tests: Tests, thresholds: Sequence[tuple[float, ...]], repeats: int) -> tuple[Point, list[Point]]:
    """The whole pyramid, and a test for each threshold."""
    own = tuple(one.threshold for one in tests.cfg.tta_model.focus)
    settings: dict[str, tuple[float, ...]] = {"whole": ()}
    settings |= {_text(one): one for one in [*thresholds, own]}
    models = {name: tests.focused(one) if one else tests.whole() for name, one in settings.items()}
    work = {name: partial(tests.detect, model) for name, model in models.items()}
    times = in_turn(work, repeats, clock=clock_of(tests.device), warm_up=False)
    points = []
    for name, timing in times.items():
        model, seconds = models[name], timing.median / len(tests.batches)
        pixels = 100 * model.seen_pixels / model.all_pixels if settings[name] else 100.0
        points.append(Point(settings[name], pixels, tests.average_precision(timing.result), seconds))
    return points[0], points[1:]


def _thresholds(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split("/")))


def _text(thresholds: Sequence[float]) -> str:
    return "/".join(f"{t:g}" for t in thresholds)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    cfg = Config.fromfile(args.config)
    with tempfile.TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope("mmdet"):
        drawn = dict(layout="coco", train=args.train_images, validation=args.test_images, progress=False)
        data = args.data or make_sample(Path(folder) / "sample", **drawn)
        cfg.merge_from_dict(dict(args.cfg_options or {}, data_root=f"{data}/"))
        cfg = with_chosen_backbone(cfg)
        move_data(cfg)
        checkpoint = args.checkpoint
        if checkpoint is None and args.epochs:
            checkpoint = trained(args.config, data, args.epochs, Path(folder) / "run")
        tests = Tests(cfg, checkpoint, args.device)
        whole, points = curve(tests, args.thresholds, args.repeats)
    name, count = args.config.stem, len(tests.batches)
    for point in sorted(points, key=lambda one: -one.pixels):
        settings = _text(point.thresholds)
        yield Row(
            what=f"{name}, thresholds {settings}: {point.average_precision - whole.average_precision:+.1f} AP",
            unit="% of the pixels",
            ours=point.pixels,
            theirs=whole.pixels,
            against=f"whole images, {whole.average_precision:.1f} AP on {count} images",
        )
    for loss, gain in LOSSES:
        good = [one for one in points if one.average_precision >= whole.average_precision - loss]
        best = min(good, key=lambda one: one.pixels, default=whole)
        settings = _text(best.thresholds) or "none"
        lost = f"{best.average_precision - whole.average_precision:+.1f} AP"
        yield Row(
            what=f"{name}: pixels at most {loss:g} AP lost (thresholds {settings}: {lost})",
            unit="% of the pixels",
            ours=best.pixels,
            theirs=whole.pixels,
            against="whole images",
            gain=gain,
            reason=args.reason,
        )
        yield Row(
            what=f"{name}: the same, time of an image",
            unit="ms",
            ours=1e3 * best.seconds,
            theirs=1e3 * whole.seconds,
            against="whole images",
        )
    if args.plot:
        write_figure(args.plot, draw(whole, points))


def _better(one: Point, other: Point) -> bool:
    """Fewer pixels at no loss, or more AP for no more pixels."""
    gain = (other.pixels - one.pixels, one.average_precision - other.average_precision)
    return min(gain) >= 0 and max(gain) > 0


def draw(whole: Point, points: Sequence[Point]) -> Any:
    """AP over pixels: all tests, and a line through those that no other beats in both."""
    from mmdetpre.plotting.palette import run_color, unit
    from mmdetpre.plotting.style import GRAY, INK, new_figure, style_axes

    figure = new_figure(6.4, 4.0)
    axis = figure.subplots()
    best = [one for one in points if not any(_better(other, one) for other in points)]
    best.sort(key=lambda one: one.pixels)
    color = unit(run_color(0))
    axis.plot([one.pixels for one in points], [one.average_precision for one in points], "o", color=GRAY, ms=4)
    axis.plot([one.pixels for one in best], [one.average_precision for one in best], "o-", color=color, lw=1.8)
    for one in best:
        text = _text(one.thresholds)
        place = (one.pixels, one.average_precision)
        axis.annotate(text, place, (-8, -3), textcoords="offset points", ha="right", fontsize=7.5, color=INK)
    axis.plot(whole.pixels, whole.average_precision, "s", color=unit(run_color(1)), ms=8)
    axis.annotate("whole images", (whole.pixels, whole.average_precision), (-8, 8), textcoords="offset points",
                  ha="right", fontsize=9, color=INK)  # fmt: skip
    axis.set_xlim(0, 105)
    style_axes(axis, "pixels that pass the detector, % of whole images at all scales", "AP")
    return figure


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG, help="of a detector with a focus branch (%(default)s)")
    parser.add_argument("--checkpoint", type=Path, help="its checkpoint; without it the config is trained")
    parser.add_argument("--epochs", type=int, default=14, help="of the training; 0: random weights (%(default)s)")
    parser.add_argument(
        "--thresholds", type=_thresholds, nargs="+", default=THRESHOLDS, help="such as 0.2/0.02, finest scale first"
    )
    parser.add_argument("--data", type=Path, help="folder in COCO's layout; without it the sample is drawn")
    parser.add_argument("--train-images", type=int, help="of the sample (those of the layout)")
    parser.add_argument("--test-images", type=int, default=300, help="of the sample (%(default)s)")
    parser.add_argument("--repeats", type=int, default=1, help="rounds (%(default)s)")
    parser.add_argument("--device", default="cpu", help="such as cuda (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch, on the CPU (%(default)s)")
    parser.add_argument("--plot", type=Path, help="picture of AP over pixels to write")
    parser.add_argument("--reason", default="", help="why a target is missed, for the table")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values: key=value ...")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
