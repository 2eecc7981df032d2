"""The training step of SNIPER: chips per second, where the time goes, and how many pixels an epoch has.

    python benchmarks/training_step.py                                   # CPU, R-50 and R-101: about 4 minutes
    python benchmarks/training_step.py --device cuda --chips 16 --images 2 --rounds 20
    python benchmarks/training_step.py --annotations data/coco/annotations/instances_train2017.json

* Whole steps (preprocessing, losses, gradients, new weights) of configs/det/sniper_coco.py with ResNet-50 and -101,
  random weights, on mined chips of drawn annotations with COCO's statistics. The alternative is mmdet's nearest
  detector, Faster R-CNN with a dilated C5 on images of 800 x 1333 pixels, with the same depth; an image stands against
  the chips that it is cut into. In turn, on the same threads. mmdet's has a frozen batch normalisation and no
  deformable convolution; ours has three.
* Shares of a step, of the medians; the backward pass is divided at the outputs of the neck and of the region proposal
  network. "Targets" and "proposals" are code of this project: neither should take more than 10%.
* The same code alone on a batch of 16 chips, against mmdet's: assigners, samplers and proposals image by image. Fast
  GPUs wait for the host here, so the operations are counted too: each starts at least one kernel, of about 10 us.
  Our RPN targets are more arithmetic: 21 anchors a place instead of 15, ignored boxes too, all chips with as many
  places for boxes as the fullest one.
* Pixels per image, chips counted as 512 x 512 also where they are smaller: the batch pads them. The original says that
  its chips are 30% more pixels than one pass over images of 800 x 1333 (here of COCO's shapes at that scale).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import mmdet
import torch
from arithmetic import clock_of, count_operations, matrix_rate, wait
from chip_loader import chip_dataset as photo_chips
from chip_loader import load
from coco_like import coco_like
from detector_batch import (
    CONFIG,
    build_detector,
    build_optim_wrapper,
    chip_batch,
    image_batch,
    read_config,
    training_step,
)
from loader_photos import LOOKS, generated, write_data
from mmdet.datasets import CocoDataset
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from side_by_side import Row, in_turn, run
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.scale import scale_factors, scaled_sizes
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.datasets import ChipMiningSampler
from mmdetpre.datasets.packed.annotations import PackedAnnotations
from mmdetpre.datasets.packed.packing import pack_dataset
from mmdetpre.models import chip_roi_head, chip_rpn_head

THEIRS = Path(mmdet.__file__).parent / ".mim/configs/faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco.py"
PASS = (800, 1333)
MOST_PIXELS = 1.3
MOST_SHARE = 10.0
PARTS = ("backbone", "RPN", "RoI head", "targets", "proposals", "NMS", "preprocessing", "optimizer")
CUSTOM = ("targets", "proposals")
VIEWS = {"alias", "as_strided", "detach", "expand", "lift_fresh", "permute", "select", "slice", "split", "squeeze", "t"}
VIEWS |= {"split_with_sizes", "transpose", "unbind", "unsqueeze", "view", "_unsafe_view"}


class StepParts:
    """Seconds of the parts of a step, without those of the parts inside.

    Of the processor on a CPU; on a GPU between events that it passes by itself, so that the host need not wait.
    """

    def __init__(self, model: BaseModel, optim_wrapper: OptimWrapper) -> None:
        self.model, self.optim_wrapper = model, optim_wrapper
        self.cuda = next(model.parameters()).is_cuda
        self.spans: list[tuple[str, Any, Any, int | None]] = []
        self.open: list[int] = []
        self.marks: list[tuple[str, Any]] = []

    def now(self) -> Any:
        if not self.cuda:
            return time.process_time()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def timed(self, part: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        position = len(self.spans)
        parent = self.open[-1] if self.open else None
        self.open.append(position)
        self.spans.append((part, began := self.now(), None, parent))
        result = work(*args, **kwargs)
        self.open.pop()
        self.spans[position] = (part, began, self.now(), parent)
        return result

    def marked(self, part: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The result of ``work``, whose gradient is the end of a part of the backward pass."""
        result = work(*args, **kwargs)
        first = result[0][0] if isinstance(result[0], Sequence) else result[0]
        first.register_hook(lambda gradient: self.marks.append((part, self.now())))
        return result

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Takes the times of all steps inside."""
        model, wrapper = self.model, self.optim_wrapper
        rpn, roi = model.rpn_head, model.roi_head
        parts = [
            ("preprocessing", model.data_preprocessor, "forward"),
            ("backbone", model.backbone, "forward"),
            ("RPN", rpn, "forward"),
            ("RPN", rpn, "loss_by_feat"),
            ("targets", rpn, "anchor_labels"),
            ("targets", chip_rpn_head, "sample_anchors"),
            ("proposals", rpn, "predict_by_feat"),
            ("NMS", chip_rpn_head, "nms"),
            ("RoI head", roi, "loss"),
            ("targets", chip_roi_head, "batch_targets"),
            ("backward", wrapper, "backward"),
            ("optimizer", wrapper, "step"),
            ("optimizer", wrapper, "zero_grad"),
        ]
        with ExitStack() as stack:
            for part, owner, name in parts:
                replaced = partial(self.timed, part, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, replaced))
            for part, owner in (("RPN", model.neck), ("RoI head", rpn)):
                replaced = partial(self.marked, part, owner.forward)
                stack.enter_context(patch.object(owner, "forward", replaced))
            yield

    def seconds(self) -> dict[str, float]:
        """Seconds of each part since the last call; the pass back belongs to the part that it goes through."""
        wait(next(self.model.parameters()).device)
        spent: defaultdict[str, float] = defaultdict(float)
        for part, began, ended, parent in self.spans:
            took = self._between(began, ended)
            if part == "backward":
                for name, mark in [*self.marks, ("backbone", ended)]:
                    spent[name] += self._between(began, mark)
                    began = mark
            else:
                spent[part] += took
            if parent is not None:
                spent[self.spans[parent][0]] -= took
        self.spans, self.marks = [], []
        return dict(spent)

    def _between(self, began: Any, ended: Any) -> float:
        return began.elapsed_time(ended) / 1000 if self.cuda else ended - began


def whole_step(model: BaseModel, batch: dict, wrapper: OptimWrapper) -> None:
    """A step, until the device has done it."""
    training_step(model, batch, wrapper)
    wait(next(model.parameters()).device)


def watched(parts: StepParts, shares: list[dict[str, float]], work: Callable[[], None]) -> None:
    with parts.watching():
        work()
    shares.append(parts.seconds())


def loading_seconds(config: Path, photos: int = 16) -> float:
    """CPU seconds to load a chip on one core, from a generated photo of COCO's size."""
    with TemporaryDirectory() as folder:
        write_data(Path(folder), generated(LOOKS["COCO"], photos, seed=0), seed=0)
        dataset = photo_chips(read_config(config), Path(folder))
        records = list(ChipMiningSampler(dataset, seed=0))
        return in_turn({"load": partial(load, dataset, records)}, 3, clock="cpu")["load"].median / len(records)


def step_rows(args: argparse.Namespace, chips_per_image: float) -> Iterator[Row]:
    """Speed of whole steps, and their shares."""
    gpu = args.device != "cpu"
    clock = clock_of(args.device)
    loading = loading_seconds(args.config) if args.depths else 0.0
    for depth in args.depths:
        where = f"R-{depth}, {args.device}"
        shares: list[dict[str, float]] = []
        ours = build_detector(depth, args.device, args.config)
        wrapper = build_optim_wrapper(ours, args.config)
        step = partial(whole_step, ours, chip_batch(args.chips, config=args.config), wrapper)
        operations = count_operations(step, ours)  # this step is the warm-up, too
        limit = args.chips * matrix_rate(args.device) / operations
        step = partial(watched, StepParts(ours, wrapper), shares, step)
        seconds = in_turn({"ours": step}, args.rounds, clock=clock, warm_up=False)["ours"].median
        del ours, wrapper, step
        rate = args.chips / seconds
        yield Row(
            what=f"training step on {args.chips} chip{'s' * (args.chips > 1)} of 512 x 512, {where}",
            unit="chips/s",
            ours=rate,
            limit=limit,
            limit_is="its products of convolutions and layers, as one square product",
        )

        theirs = build_detector(depth, args.device, THEIRS)
        wrapper = build_optim_wrapper(theirs, THEIRS)
        step = partial(whole_step, theirs, image_batch(args.images, scale=PASS), wrapper)
        their_seconds = in_turn({"theirs": step}, args.their_rounds, clock=clock, warm_up=gpu)["theirs"].median
        del theirs, wrapper, step
        yield Row(
            what=f"training on images, each cut into {chips_per_image:.2f} chips, {where}",
            unit="images/s",
            ours=rate / chips_per_image,
            theirs=args.images / their_seconds,
            against=f"mmdet's Faster R-CNN R-{depth} DC5 on 1067 x 800, {args.images} a step",
        )

        spent = {part: statistics.median(share[part] for share in shares) for part in shares[0]}
        for part in PARTS:
            share = 100 * spent[part] / sum(spent.values())
            bound = MOST_SHARE if part in CUSTOM else None
            yield Row(what=f"share of a step: {part}, {where}", unit="% of step", ours=share, bound=bound)
        what = f"loading a chip on one core, which workers do meanwhile, {where}"
        yield Row(what=what, unit="% of step", ours=100 * loading / (seconds / args.chips))


class Operations(TorchDispatchMode):
    """Counts the operations that launch a kernel on a GPU."""

    count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += operation._schema.name.removeprefix("aten::") not in VIEWS
        return operation(*args, **(kwargs or {}))


def custom_code(config: Path, device: str, chips: int) -> dict[str, Callable[[], Any]]:
    """Targets and losses of both stages, and proposals, of a detector without its convolutions, on random maps."""
    model = build_detector(50, device, config=config, options={"model.roi_head.bbox_head.fc_out_channels": 8})
    data = model.data_preprocessor(chip_batch(chips), True)
    samples, rpn, roi = data["data_samples"], model.rpn_head, model.roi_head
    random = torch.Generator(device).manual_seed(0)
    sizes = (rpn.rpn_cls.out_channels, rpn.rpn_reg.out_channels)
    scores, deltas = (torch.randn(chips, size, 32, 32, device=device, generator=random) for size in sizes)
    deltas *= 0.3
    metas = [sample.metainfo for sample in samples]
    gt, ignored = [s.gt_instances for s in samples], [s.ignored_instances for s in samples]

    def rpn_loss() -> Any:
        return rpn.loss_by_feat([scores], [deltas], gt, metas, ignored)

    def proposals() -> Any:
        return rpn.predict_by_feat([scores], [deltas], batch_img_metas=metas, cfg=model.train_cfg.rpn_proposal)

    def forward(x: Any, rois: Tensor) -> dict[str, Tensor]:
        deltas = roi.bbox_head.fc_reg.out_features
        return dict(
            cls_score=rois.new_zeros(len(rois), roi.bbox_head.fc_cls.out_features),
            bbox_pred=rois.new_zeros(len(rois), deltas),
            bbox_feats=rois.new_zeros(len(rois), 1),
        )

    roi._bbox_forward = forward
    found = proposals()
    # mmdet's head takes the labels off its proposals, so every call gets its own.
    return {
        "RPN targets and loss": rpn_loss,
        "proposals with NMS": proposals,
        "RoI targets and loss": lambda: roi.loss([scores], [p.clone() for p in found], samples),
    }


def custom_rows(args: argparse.Namespace) -> Iterator[Row]:
    """The code between the convolutions against mmdet's."""
    ours, theirs = (custom_code(config, args.device, args.batch) for config in (args.config, THEIRS))
    for name in ours:
        ways: Mapping[str, Callable[[], Any]] = {"ours": ours[name], "theirs": theirs[name]}
        times = in_turn(ways, args.repeats, clock=clock_of(args.device))
        operations = {}
        for way, work in ways.items():
            with Operations() as counted:
                work()
            operations[way] = counted.count
        what, against = f"{name}, {args.batch} chips", "mmdet's of Faster R-CNN DC5"
        seconds, counts = [times[way].median for way in ways], [operations[way] for way in ways]
        for unit, (our, their) in ((f"ms on {args.device}", [1000 * s for s in seconds]), ("operations", counts)):
            yield Row(what=what, unit=unit, ours=our, theirs=their, against=against)


def read_annotations(args: argparse.Namespace) -> PackedAnnotations:
    if args.annotations is None:
        return coco_like(args.drawn_images)
    return pack_dataset(CocoDataset(ann_file=str(args.annotations), data_prefix=dict(img=""), test_mode=True))


def pixel_rows(packed: PackedAnnotations, settings: ChipSettings, source: str) -> tuple[float, list[Row]]:
    """Chips per image, and the pixels of an epoch per image."""
    chips = mine_chips(packed.sizes, packed.box_offsets, packed.boxes, settings, ignore=packed.ignore)
    per_image = len(chips) / len(packed)
    side = settings.chip_size

    def whole(scales: Sequence[tuple[int, int]]) -> float:
        sizes = scaled_sizes(packed.sizes, scale_factors(packed.sizes, scales))
        return float(sizes.prod(axis=2).sum(axis=1).mean())

    one, three = whole([PASS]), whole(settings.scales)
    rows = [
        Row(
            what=f"chips per image, {source}",
            unit="chips",
            ours=per_image,
        ),
        Row(
            what="pixels per image: chips of three scales, times those of one pass",
            unit="passes",
            ours=per_image * side**2 / one,
            theirs=three / one,
            against="whole images at the same three scales",
            bound=MOST_PIXELS,
            reason="an image has more chips than in COCO, or smaller sides",
        ),
        Row(
            what="the same with 2 negative chips per image, the most",
            unit="passes",
            ours=(per_image + 2) * side**2 / one,
            theirs=three / one,
            against="whole images at the same three scales",
        ),
    ]
    return per_image, rows


def rows(args: argparse.Namespace) -> Iterator[Row]:
    settings = ChipSettings(**read_config(args.config).train_dataloader.dataset.chips)
    packed = read_annotations(args)
    source = f"{len(packed):,} {'drawn' if args.annotations is None else 'annotated'} images"
    chips_per_image, pixels = pixel_rows(packed, settings, source)
    yield from pixels
    yield from custom_rows(args)
    yield from step_rows(args, chips_per_image)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--config", type=Path, default=CONFIG, help="training config with a SNIPER model")
    parser.add_argument("--depths", type=int, nargs="*", default=[50, 101], help="of the ResNet; none: no whole steps")
    parser.add_argument("--chips", type=int, default=1, help="chips of a step")
    parser.add_argument("--images", type=int, default=1, help="images of a step of the alternative")
    parser.add_argument("--rounds", type=int, default=2, help="steps of each depth, after an untimed one")
    parser.add_argument("--their-rounds", type=int, default=1, help="steps of the alternative; on a GPU, one more")
    parser.add_argument("--batch", type=int, default=16, help="chips for the code between the convolutions")
    parser.add_argument("--repeats", type=int, default=5, help="runs of the code between the convolutions")
    parser.add_argument("--drawn-images", type=int, default=20_000, help="images of the drawn annotations")
    parser.add_argument("--annotations", type=Path, metavar="JSON", help="annotations of COCO instead of drawn ones")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
