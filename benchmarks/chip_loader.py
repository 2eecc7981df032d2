"""Chip loader: from the JPEG to the packed sample, on one core, against mmdet's standard pipeline at the same scales.

    python benchmarks/chip_loader.py                                  # generated photos
    python benchmarks/chip_loader.py --photos DIR --images 80         # real ones: every *.jpg below DIR

Ours is ``mmdetpre.ChipDataset`` with the chips and training pipeline of ``configs/_base_/datasets``; the alternative
is ``mmdet.CocoDataset`` with LoadImageFromFile, LoadAnnotations, Resize to the scale (the whole image, as multi-scale
training does), RandomFlip and PackDetInputs. Both read the same files, through their data sets, with one thread.

A sample is a chip for us and a whole image for mmdet, each loaded from its file anew; the images of the chips are those
that mmdet loads. An image gives several chips at a fine scale, so the rows "epoch" count images instead: all chips that
the sampler mined, each image decoded once, against the image at every scale. Those "through workers" count the
processor time of all processes, from the file to the batch in the main process; beside mmdet also against chips that
are shuffled over the epoch, decoded one by one and sent tensor by tensor. The limit is OpenCV decoding the same bytes,
from memory, as small as the scale allows. Pixels of both are compared.

Generated photos are opaque ellipses under 1/f noise (the spectrum of natural images), with the JPEG settings and about
the bits per pixel of the data set they stand for; boxes are drawn at random, about COCO's number and sizes.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import logging
import pstats
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2  # after side_by_side, which sets the number of threads
import numpy as np
import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from side_by_side import Row, in_turn, run
from torch.utils.data import ConcatDataset, DataLoader

import mmdetpre  # noqa: F401  (registers its types)
from mmdetpre.chips.scale import scale_factor
from mmdetpre.datasets import ChipBatchSampler, ChipDataset, ChipMiningSampler, ChipRecord, parcel_collate
from mmdetpre.datasets.images.decoding import jpeg_reduction

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "_base_" / "datasets"
FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
BOXES = 7  # per image: COCO's mean
BATCH = 16
EPOCH_REASON = (
    "Ours is one decode of an image, the rest of its samples, and their way through worker and main process; mmdet's is"
    " a decode, a resize and the same way at each scale. Processes that are started count on all sides (--images)."
)
FINEST, COARSEST = 2.0, 3.0  # times as fast as mmdet


@dataclass(frozen=True)
class Look:
    """What the photos of a data set are like: size, JPEG quality and chroma sampling, strength of the noise."""

    config: str
    width: int
    height: int
    quality: int
    sampling: int
    contrast: float
    gains: tuple[float, float]
    """Least number of times that an epoch through workers is cheaper than mmdet's, than chips without sharing."""


LOOKS = {
    "COCO": Look("coco_chips.py", 640, 480, 96, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 11, (2.3, 2.2)),
    "OpenImages": Look("openimages_chips.py", 1024, 768, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, 20, (1.8, 2.0)),
}


def photo(width: int, height: int, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) uint8 BGR: opaque ellipses of all sizes under 1/f noise of this standard deviation."""
    leaves = np.full((height, width, 3), (110, 128, 128), np.uint8)  # Y, Cr, Cb
    for _ in range(80):
        radius = min(height / 2, 8 / rng.random() ** 0.7)
        color = rng.normal((110, 128, 128), (40, 10, 10)).clip(0, 255).tolist()
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(radius), int(radius * rng.uniform(0.3, 1)))
        cv2.ellipse(leaves, center, axes, rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    fall = np.stack([frequency, frequency**1.5, frequency**1.5])
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((3, height, width))) / fall, (height, width))
    noise *= (np.array([1, 0.25, 0.25]) * contrast / noise.std(axis=(1, 2)))[:, None, None]
    return cv2.cvtColor((leaves + noise.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR)


def write_data(root: Path, photos: Mapping[str, bytes], seed: int) -> None:
    """The photos with random boxes, in the layout of COCO."""
    rng = np.random.default_rng(seed)
    classes = CocoDataset.METAINFO["classes"]
    images: list[dict] = []
    annotations: list[dict] = []
    (root / "train2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    for i, (name, data) in enumerate(photos.items()):
        (root / "train2017" / name).write_bytes(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"Photo {i} cannot be decoded: name another folder with --photos.")
        height, width = image.shape[:2]
        images.append({"id": i, "file_name": name, "width": width, "height": height})
        for _ in range(max(1, rng.poisson(BOXES))):
            size = np.exp(rng.uniform(np.log(8), np.log(0.9 * min(width, height))))  # log-uniform, as COCO's nearly is
            w, h = size * np.sqrt(np.exp(rng.normal(0, 0.4)) ** np.array([1, -1]))
            w, h = min(w, width - 1), min(h, height - 1)
            box = [float(rng.uniform(0, width - w)), float(rng.uniform(0, height - h)), float(w), float(h)]
            category = int(rng.integers(len(classes)))
            annotations.append(
                {"id": len(annotations), "image_id": i, "category_id": category, "bbox": box, "area": w * h}
                | {"iscrowd": 0, "segmentation": []}
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(classes)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(document))


def generated(look: Look, count: int, seed: int) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    options = [cv2.IMWRITE_JPEG_QUALITY, look.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, look.sampling]
    pictures = (photo(look.width, look.height, look.contrast, rng) for _ in range(count))
    return {f"{i:06d}.jpg": cv2.imencode(".jpg", picture, options)[1].tobytes() for i, picture in enumerate(pictures)}


def real(folder: Path, count: int, seed: int) -> dict[str, bytes]:
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"There is no *.jpg below {folder}: name a folder of photos with --photos.")
    chosen = random.Random(seed).sample(paths, min(count, len(paths)))
    return {f"{i:06d}.jpg": path.read_bytes() for i, path in enumerate(chosen)}


def chip_dataset(config: Config, root: Path) -> ChipDataset:
    """Ours, as the config has it, on these photos."""
    inner = dict(
        type="mmdetpre.PackedCocoDataset",
        data_root=str(root),
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017/"),
    )
    return DATASETS.build(config.train_dataloader.dataset.to_dict() | {"dataset": inner})


def whole_images(root: Path, scales: Sequence[tuple[int, int]]) -> CocoDataset:
    """mmdet's: whole images at one scale, or at one of several drawn at random, as its multi-scale configs have it."""
    edges = [(max(scale), min(edge for edge in scale if edge > 0)) for scale in scales]  # (-1, 512) is (512, 512)
    resize: dict[str, Any] = dict(type="Resize", scale=edges[0], keep_ratio=True)
    if len(edges) > 1:
        resize = dict(type="RandomChoiceResize", scales=edges, keep_ratio=True)
    config = dict(
        type="mmdet.CocoDataset",
        data_root=str(root),
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017/"),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[
            dict(type="LoadImageFromFile", backend_args=None),
            dict(type="LoadAnnotations", with_bbox=True),
            resize,
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ],
    )
    with redirect_stdout(StringIO()):  # pycocotools prints
        return DATASETS.build(config)


def load(dataset: Any, items: Sequence) -> None:
    """Every item, one after the other."""
    for item in items:
        dataset[item]


def decode(files: Sequence[np.ndarray], flags: Sequence[int]) -> None:
    """Only the limit: the same bytes to pixels."""
    for data, flag in zip(files, flags, strict=True):
        cv2.imdecode(data, flag)


def reduction(dataset: ChipDataset, record: ChipRecord) -> int:
    width, height = dataset.packed.sizes[record.image].tolist()
    scale = record.scale if record.finest < 0 else record.finest
    return jpeg_reduction(scale_factor(width, height, dataset.chip_settings.scales[scale]))


def limit_of(dataset: ChipDataset, records: Sequence[ChipRecord]) -> tuple[Callable[[], None], str]:
    """Decoding the images of the records, and its name."""
    files = {i: np.fromfile(dataset.packed.path(i), np.uint8) for i in {record.image for record in records}}
    reductions = [reduction(dataset, record) for record in records]
    sizes, reduced = set(reductions), sum(r > 1 for r in reductions)
    name = "decoding the JPEG"
    if reduced:
        name += f" at 1/{sizes.pop()}" if len(sizes) == 1 else f", reduced {reduced} of {len(records)} times"
    return partial(decode, [files[r.image] for r in records], [FLAGS[r] for r in reductions]), name


def upright(sample: dict) -> np.ndarray:
    """Pixels of a sample, not flipped, (height, width, 3)."""
    pixels = sample["inputs"].flip(-1) if sample["data_samples"].flip else sample["inputs"]
    return pixels.permute(1, 2, 0).numpy()


def compare(chips: ChipDataset, whole: CocoDataset, records: Sequence[ChipRecord]) -> None:
    """A chip shows what the whole image shows there; mmdet rounds the scale to whole pixels, so not to the bit.

    Raises:
        RuntimeError: If a chip looks otherwise.
    """
    for record in records:
        if chips.packed.path(record.image) != whole.get_data_info(record.image)["img_path"]:
            raise RuntimeError("The two data sets number their images differently")
        chip, image = upright(chips[record]), upright(whole[record.image])
        x, y, height, width = record.x, record.y, *chip.shape[:2]
        there = image[y : y + height, x : x + width]
        blurred = [cv2.blur(picture[: there.shape[0], : there.shape[1]], (9, 9)) for picture in (chip, there)]
        difference = float(cv2.absdiff(*blurred).mean())  # blurred: reduced decoding averages, mmdet picks
        if difference > 2:
            raise RuntimeError(f"The pixels of {record} differ by {difference:.1f} on average")


PARTS = {
    "decoding": ("decoding.py", "decode_image"),
    "cutting": ("cut_chip.py", "cut_chip"),
    "packing": ("pack_chip_inputs.py", "transform"),
    "boxes": ("load_chip.py", "_carry_boxes"),
    "flip": ("flip_chip.py", "transform"),
    "reading the file": ("load_chip.py", "_read"),
}


def profile(dataset: ChipDataset, records: Sequence[ChipRecord]) -> str:
    """Shares of the parts of a sample, in words, with the profiler on."""
    profiler = cProfile.Profile()
    profiler.runcall(load, dataset, records)
    stats = pstats.Stats(profiler)
    spent = {(Path(file).name, name): entry[3] for (file, _, name), entry in stats.stats.items()}  # type: ignore[attr-defined]
    shares = {part: 100 * spent.get(key, 0.0) / stats.total_tt for part, key in PARTS.items()}  # type: ignore[attr-defined]
    shares["the rest"] = 100 - sum(shares.values())
    return ", ".join(f"{part} {share:.0f} %" for part, share in shares.items())


def sample_rows(
    name: str, chips: ChipDataset, root: Path, records: Sequence[ChipRecord], args: argparse.Namespace
) -> Iterator[Row]:
    """One row per scale: samples/s."""
    scales = chips.chip_settings.scales
    for k, scale in enumerate(scales):
        chosen = [record for record in records if record.scale == k][: args.images]
        if not chosen:
            continue
        whole = whole_images(root, [scale])
        compare(chips, whole, chosen[:4])
        limit, limit_is = limit_of(chips, chosen)
        images = [record.image for record in chosen]
        ways: dict[str, Callable[[], None]] = {"ours": partial(load, chips, chosen), "limit": limit}
        ways["theirs"] = partial(load, whole, images)
        times = in_turn(ways, args.repeats, seconds=args.seconds, clock="cpu")
        rate = {way: len(chosen) / timing.median for way, timing in times.items()}
        gain = {0: FINEST, len(scales) - 1: COARSEST}.get(k)
        yield Row(
            what=f"{name}, a chip of scale {scale}",
            unit="samples/s",
            ours=rate["ours"],
            theirs=rate["theirs"],
            against="mmdet, the whole image at that scale",
            limit=rate["limit"],
            limit_is=limit_is,
            gain=gain,
            reason=f"mmdet decodes too: were all but {limit_is} free, the ratio would be"
            f" {rate['limit'] / rate['theirs']:.2f}. Profile of ours: {profile(chips, chosen)}."
            if gain
            else "",
        )


def batches_of(chips: ChipDataset, lanes: int, seed: int) -> ChipBatchSampler:
    """As in training, with a window that so few images fill."""
    window = max(len(chips) // (2 * lanes), 1)
    return ChipBatchSampler(ChipMiningSampler(chips, seed=seed), BATCH, lanes, min(window, 128))


def epoch_row(name: str, chips: ChipDataset, root: Path, args: argparse.Namespace) -> Row:
    """All chips of all images against all images at every scale: images/s."""
    records = list(itertools.chain.from_iterable(batches_of(chips, 1, args.seed)))
    images = range(len(chips))
    everywhere = [whole_images(root, [scale]) for scale in chips.chip_settings.scales]
    limit, limit_is = limit_of(chips, list({record.image: record for record in records}.values()))

    def theirs() -> None:
        for whole in everywhere:
            load(whole, images)

    ways: dict[str, Callable[[], None]] = {"ours": partial(load, chips, records), "theirs": theirs, "limit": limit}
    times = in_turn(ways, args.repeats, clock="cpu")
    rate = {way: len(images) / timing.median for way, timing in times.items()}
    return Row(
        what=f"{name}, epoch: the {len(records) / len(images):.1f} chips of an image",
        unit="images/s",
        ours=rate["ours"],
        theirs=rate["theirs"],
        against=f"mmdet, the whole image at {len(everywhere)} scales",
        limit=rate["limit"],
        limit_is=f"{limit_is}, once an image",
    )


def loader_rows(
    name: str,
    chips: ChipDataset,
    root: Path,
    records: Sequence[ChipRecord],
    gains: tuple[float, float],
    args: argparse.Namespace,
) -> Iterator[Row]:
    """An epoch from worker processes: processor time of all processes per image."""
    scales = chips.chip_settings.scales
    whole: ConcatDataset = ConcatDataset([whole_images(root, [scale]) for scale in scales])
    for workers in args.workers:
        batches = batches_of(chips, workers, args.seed)
        options: dict[str, Any] = dict(num_workers=workers)
        loaders = {
            "ours": DataLoader(chips, batch_sampler=batches, collate_fn=parcel_collate, **options),
            "plain": DataLoader(chips, BATCH, sampler=batches.sampler, collate_fn=pseudo_collate, **options),
            "theirs": DataLoader(whole, BATCH, shuffle=True, collate_fn=pseudo_collate, **options),
        }
        rounds = [{way: processor_time(loader) for way, loader in loaders.items()} for _ in range(args.repeats)]
        cost = {way: 1e3 * statistics.median(one[way] for one in rounds) / len(chips) for way in loaders}
        what = f"{name}, epoch through {workers} worker{'s' * (workers > 1)}, batches of {BATCH}"
        both: dict[str, Any] = dict(what=what, unit="ms/image", ours=cost["ours"])
        others = (f"mmdet, the whole image at {len(scales)} scales", "each chip decoded anew, a file per tensor")
        for other, alternative, gain in zip(("theirs", "plain"), others, gains, strict=True):
            yield Row(**both, theirs=cost[other], against=alternative, gain=gain, reason=EPOCH_REASON)
    mixed = whole_images(root, scales)
    images = [record.image for record in records]
    sides: list[tuple[Any, Sequence]] = [(chips, records), (mixed, images)]
    ours, theirs = (statistics.mean(dataset[item]["inputs"].nbytes for item in items[:64]) for dataset, items in sides)
    what = f"{name}, all scales, pixels of a sample from worker to model"
    against = "mmdet, RandomChoiceResize among the scales"
    yield Row(what=what, unit="MB", ours=ours / 1e6, theirs=theirs / 1e6, against=against)


def processor_time(loader: DataLoader) -> float:
    """Seconds of processor time, of this process and the workers, for all batches of a loader."""

    def spent() -> float:
        workers = resource.getrusage(resource.RUSAGE_CHILDREN)  # those that have ended
        return time.process_time() + workers.ru_utime + workers.ru_stime

    before = spent()
    for _ in loader:
        pass
    return spent() - before


@contextmanager
def no_messages() -> Iterator[None]:
    """Data sets and sampler stay silent."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", nargs="+", choices=LOOKS, default=list(LOOKS), help="configs to measure")
    parser.add_argument("--images", type=int, default=24, help="photos, and chips per scale at most")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="JPEGs below this folder instead of generated ones")
    parser.add_argument("--repeats", type=int, default=3, help="least number of rounds; the median counts")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time in all of each way of a scale")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="workers of the data loader rows")
    parser.add_argument("--seed", type=int, default=0)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for data in args.data:
        look, config = LOOKS[data], Config.fromfile(CONFIGS / LOOKS[data].config)
        with TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope("mmdet"), no_messages():
            root, count, seed = Path(folder), args.images, args.seed
            write_data(root, real(args.photos, count, seed) if args.photos else generated(look, count, seed), seed)
            chips = chip_dataset(config, root)
            records = list(ChipMiningSampler(chips, seed=seed))
            name = f"{data} ({args.photos.name if args.photos else f'{look.width}x{look.height}'})"
            yield from sample_rows(name, chips, root, records, args)
            yield epoch_row(name, chips, root, args)
            yield from loader_rows(name, chips, root, records, look.gains, args)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
