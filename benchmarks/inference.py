"""Multi-scale test of a detector: images per second, and what merging the scales costs, beside mmdet's.

    python benchmarks/inference.py                                       # two minutes on a core
    python benchmarks/inference.py --device cuda --shrink 1 --batch 8    # the scales of COCO, on a GPU

SNIPER with random weights (ResNet-50 with deformable conv5, or ``--depth 101``) on synthetic images of 640 x 480
pixels, from the JPEG file to the merged detections: by ``mmdetpre.MultiScaleTTA``, and by mmdet's ``DetTTAModel``,
which suppresses within every scale, keeps all sizes, and suppresses again. Both have the same weights, the same scales
(those of the config, sides divided by ``--shrink``) and no flips. The class scores of random weights are all alike, so
the last layer is spread until a region has as many classes above the threshold as a trained detector's. What
suppression costs is read again on boxes that crowd around objects, from the class scores of every scale to the
detections: with mmdet's usual hard NMS, and with soft-NMS over all boxes, which is what ours computes. On the CPU times
are of one core.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from arithmetic import clock_of, count_operations, matrix_rate, wait
from detector_batch import CONFIG, build_detector, read_config
from mmdet.models.layers import multiclass_nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from multi_scale_merge import detections
from side_by_side import Row, in_turn, run
from torch import Tensor

SINGLE = (1333, 800)
IMAGE = (480, 640)  # height, width
GPU_PASS = 50.0  # ms, assumed
# Classes of a region above the score threshold; at worst every one.
LIFELIKE, WORST = 6, 80
MMDET_MERGE = dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=200)  # of mmdet's configs, but for 100 boxes


@dataclass(frozen=True)
class Way:
    """A detector under test with its pipeline, from files to detections."""

    model: Any
    pipeline: Any

    def load(self, files: Sequence[Path], batch: int = 1) -> list[dict]:
        """The pipeline's views of the files, so many files at a time."""
        parts = [files[start : start + batch] for start in range(0, len(files), batch)]
        return [pseudo_collate([self.pipeline(dict(img_path=str(path), img_id=0)) for path in part]) for part in parts]

    def test(self, batches: Sequence[dict]) -> list[DetDataSample]:
        """Merged detections of all files of the batches."""
        with torch.inference_mode():
            found = [sample for batch in batches for sample in self.model.test_step(batch)]
        wait(found[-1].pred_instances.scores.device)
        return found

    def detect(self, files: Sequence[Path], batch: int = 1) -> list[DetDataSample]:
        return self.test(self.load(files, batch))


def shrunk(scale: Sequence[int], shrink: float) -> tuple[int, ...]:
    return tuple(round(side / shrink) for side in scale)


def ways(config: Path, depth: int, shrink: float, device: str) -> dict[str, Way]:
    """``ours`` and ``mmdet`` at all scales, and ``single`` at one; all share one set of weights."""
    cfg = read_config(config, {"model.backbone.depth": depth, "model.backbone.init_cfg": None})
    loading, views = cfg.tta_pipeline
    for resize in views.transforms[0]:
        resize.scale = shrunk(resize.scale, shrink)
    detector = build_detector(depth, device, config)
    ours = MODELS.build(ConfigDict(cfg.tta_model, module=cfg.model))
    ours.module.load_state_dict(detector.state_dict(), assign=True)
    theirs = MODELS.build(ConfigDict(type="DetTTAModel", tta_cfg=MMDET_MERGE, module=detector))
    for model in (ours, theirs):
        model.to(device).eval()
    packing = views.transforms[-1][0]
    as_mmdet = ConfigDict(views, transforms=[views.transforms[0], [dict(type="RandomFlip", prob=0.0)], [packing]])
    alone = [loading, dict(type="Resize", scale=shrunk(SINGLE, shrink), keep_ratio=True), packing]
    return dict(
        ours=Way(ours, Compose(cfg.tta_pipeline)),
        mmdet=Way(theirs, Compose([loading, as_mmdet])),
        single=Way(theirs.module, Compose(alone)),
    )


def draw_images(folder: Path, count: int) -> list[Path]:
    """JPEG files of soft colour noise."""
    rng = np.random.default_rng(0)
    files = [folder / f"{i}.jpg" for i in range(count)]
    for path in files:
        coarse = rng.integers(0, 256, (IMAGE[0] // 8, IMAGE[1] // 8, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, IMAGE[::-1], interpolation=cv2.INTER_CUBIC))
    return files


def spread_scores(way: Way, files: Sequence[Path], per_region: float, min_score: float) -> None:
    """Sets the last layer so that a region has ``per_region`` classes above ``min_score`` on average.

    Logits get mean 0 and deviation 3 over the regions of the files; the background's is raised until that holds.
    """
    layer = way.model.module.roi_head.bbox_head.fc_cls
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    way.detect(files)
    hook.remove()
    features = torch.cat(seen)
    with torch.no_grad():
        logits = features @ layer.weight.T
        layer.weight.mul_((3 / logits.std(dim=0))[:, None])
        layer.bias.copy_(-(features @ layer.weight.T).mean(dim=0))
        logits = layer(features)
        low, high = 0.0, 50.0
        for _ in range(30):
            background = (low + high) / 2
            logits[:, -1] += background
            above = (logits.softmax(dim=1)[:, :-1] > min_score).sum(dim=1).float().mean()
            logits[:, -1] -= background
            low, high = (background, high) if above > per_region else (low, background)
        layer.bias[-1] += low


def crowded_views(per_region: int, images: int, scales: int, device: str) -> list[list[tuple[Tensor, Tensor]]]:
    """Per image and scale boxes (300, 4) in original pixels and class scores (300, 81), background last."""
    regions = 300 * scales
    rng = np.random.default_rng(per_region)
    result = []
    for _ in range(images):
        boxes, scores, labels = detections(rng, 80, per_region, regions)
        matrix = np.zeros((regions, 81), dtype=np.float32)
        matrix[np.repeat(np.arange(regions), per_region), labels] = scores
        pairs = zip(boxes[::per_region].reshape(-1, 300, 4), matrix.reshape(-1, 300, 81), strict=True)
        result.append([(torch.from_numpy(b).to(device), torch.from_numpy(s).to(device)) for b, s in pairs])
    return result


def suppression(model: Any, test_cfg: ConfigDict) -> Callable[[list[list[tuple[Tensor, Tensor]]]], Any]:
    """From the class scores of all scales to the detections of every image, one after the other."""

    def of_scale(boxes: Tensor, scores: Tensor) -> DetDataSample:
        rows, labels = multiclass_nms(boxes, scores, test_cfg.score_thr, test_cfg.nms, test_cfg.max_per_img)
        sample = DetDataSample(metainfo=dict(ori_shape=(800, 1333), flip=False, flip_direction=None))
        sample.pred_instances = InstanceData(bboxes=rows[:, :4], scores=rows[:, 4], labels=labels)
        return sample

    def work(images: list[list[tuple[Tensor, Tensor]]]) -> list[DetDataSample]:
        found = [model.merge_preds([[of_scale(*view) for view in views]])[0] for views in images]
        wait(images[0][0][0].device)
        return found

    return work


def merge_rows(found: dict[str, Way], device: str, repeats: int) -> Iterator[Row]:
    ours, theirs = found["ours"].model, found["mmdet"].model
    scales = len(ours.test_ranges)
    soft = copy.copy(theirs)
    soft.tta_cfg = ConfigDict(nms=dict(ours.merge, method="gaussian"), max_per_img=200)
    to_all, usual = ours.module.test_cfg.rcnn, theirs.module.test_cfg.rcnn
    for per_region in (LIFELIKE, WORST):
        images = crowded_views(per_region, 2, scales, device)
        candidates = {
            "ours": suppression(ours, to_all),
            "DetTTAModel, hard NMS per scale and over all": suppression(theirs, usual),
        }
        if per_region == LIFELIKE:  # at worst mmcv's soft-NMS takes seconds per image
            candidates["DetTTAModel with mmcv's soft-NMS over all boxes"] = suppression(soft, to_all)
        work = {way: partial(suppress, images) for way, suppress in candidates.items()}
        times = in_turn(work, repeats, clock=clock_of(device))
        mine = 1e3 * times.pop("ours").median / len(images)
        share = f"{100 * mine / GPU_PASS:.1f} % of a {GPU_PASS:g} ms pass"
        for against, timing in times.items():
            yield Row(
                what=f"scores to detections, {scales} scales x 300 regions, {per_region} of 80 classes each ({share})",
                unit="ms",
                ours=mine,
                theirs=1e3 * timing.median / len(images),
                against=against,
            )


def part_of_merge(way: Way, files: Sequence[Path], device: str) -> float:
    """Percent of the time of the whole that :meth:`merge_preds` takes."""
    merge, spent = way.model.merge_preds, []

    def timed(samples: Any) -> Any:
        wait(samples[0][0].pred_instances.scores.device)
        timing = in_turn(dict(merge=lambda: merge(samples)), 1, clock=clock_of(device), warm_up=False)["merge"]
        spent.append(timing.median)
        return timing.result

    way.model.merge_preds = timed
    try:
        whole = in_turn(dict(whole=lambda: way.detect(files)), 1, clock=clock_of(device), warm_up=False)["whole"]
    finally:
        del way.model.merge_preds
    return 100 * sum(spent) / whole.median


def rows(args: argparse.Namespace) -> Iterator[Row]:
    torch.set_num_threads(args.threads)
    name = f"{args.config.stem} R-{args.depth}" + (f", sides / {args.shrink:g}" if args.shrink != 1 else "")
    with tempfile.TemporaryDirectory() as folder:
        files = draw_images(Path(folder), args.batch)
        found = ways(args.config, args.depth, args.shrink, args.device)
        spread_scores(found["ours"], files[:1], LIFELIKE, found["ours"].model.merge["min_score"])
        work: dict[str, Callable] = {
            "ours": lambda: found["ours"].detect(files[:1]),
            "mmdet": lambda: found["mmdet"].detect(files[:1]),
            "single": lambda: found["single"].detect(files[:1]),
            "batch": lambda: found["ours"].detect(files, args.batch),
        }
        if args.device != "cpu":  # there it is a thousandth
            for way, of, count in (("ours", "ours", 1), ("mmdet", "mmdet", 1), ("batch", "ours", args.batch)):
                work[f"{way}, loaded"] = partial(found[of].test, found[of].load(files[:count], count))
        times = in_turn(work, args.repeats, clock=clock_of(args.device), warm_up=args.device != "cpu")
        _require_alike(times["ours"].result[0], times["batch"].result[0])
        rates = {way: (len(files) if way.startswith("batch") else 1) / timing.median for way, timing in times.items()}
        rate = matrix_rate(args.device)
        scales = f"{len(found['ours'].model.test_ranges)} scales"
        yield Row(
            what=f"{name}: {scales}, one image at a time",
            unit="images/s",
            ours=rates["ours"],
            theirs=rates["mmdet"],
            against="DetTTAModel, same scales and weights",
            limit=rate / count_operations(lambda: found["ours"].detect(files[:1]), found["ours"].model),
            limit_is=f"matrix products alone, {rate / 1e12:.3g} TFLOP/s",
        )
        yield Row(
            what=f"{name}: {scales}, one image at a time",
            unit="images/s",
            ours=rates["ours"],
            theirs=rates["single"],
            against=f"one scale of {SINGLE[0]} x {SINGLE[1]}",
        )
        yield Row(
            what=f"{name}: {scales}, {args.batch} images of a scale at once",
            unit="images/s",
            ours=rates["batch"],
            theirs=rates["ours"],
            against="ours, one image at a time",
        )
        for way, count in (("ours", 1), ("batch", args.batch)):
            if f"{way}, loaded" in rates:
                yield Row(
                    what=f"{name}: {scales}, {count} at once, images read and resized before",
                    unit="images/s",
                    ours=rates[f"{way}, loaded"],
                    theirs=rates["mmdet, loaded"],
                    against="DetTTAModel, one image at a time",
                )
        yield Row(
            what=f"{name}: merge, part of the time at {scales}",
            unit="%",
            ours=part_of_merge(found["ours"], files[:1], args.device),
            theirs=part_of_merge(found["mmdet"], files[:1], args.device),
            against="DetTTAModel, without its suppression per scale",
        )
        yield from merge_rows(found, args.device, args.repeats)


def _require_alike(one: DetDataSample, other: DetDataSample) -> None:
    """The same image alone and in a batch; the last digits may decide which of two equal regions stays."""
    first, second = (float(sample.pred_instances.scores[:100].mean()) for sample in (one, other))
    if abs(first - second) > 0.02 * first:
        raise RuntimeError(f"An image alone has best scores of {first:.4f} on average, in a batch {second:.4f}.")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG, help="with tta_model and tta_pipeline (%(default)s)")
    parser.add_argument("--depth", type=int, choices=(18, 50, 101), default=50, help="of the ResNet (%(default)s)")
    parser.add_argument("--shrink", type=float, default=4, help="divides the sides of all scales (%(default)s)")
    parser.add_argument("--batch", type=int, default=2, help="images of a scale at once (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--device", default="cpu", help="such as cuda (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch, on the CPU (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
