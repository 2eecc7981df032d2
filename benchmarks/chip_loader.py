"""Chip loader: from the JPEG to the packed sample, on one core, against mmdet's standard pipeline at the same scales.

    python benchmarks/chip_loader.py                                  # generated photos
    python benchmarks/chip_loader.py --photos DIR --images 80         # real ones: every *.jpg below DIR
    python benchmarks/chip_loader.py --photos DIR --annotations JSON  # with their own boxes

Ours is ``mmdetpre.ChipDataset`` with the chips and training pipeline of ``configs/_base_/datasets``; the alternative
is ``mmdet.CocoDataset`` with LoadImageFromFile, LoadAnnotations, Resize to the scale (the whole image, as multi-scale
training does), RandomFlip and PackDetInputs. Both read the same files, through their data sets, with one thread.

A sample is a chip for us and a whole image for mmdet, each loaded from its file anew; the images of the chips are those
that mmdet loads. An image gives several chips at a fine scale, so the rows "epoch" count images instead: all chips that
the sampler mined, each image decoded once, against the image at every scale. Those "through workers" count the
processor time of all processes, from the file to the batch in the main process; beside mmdet also against chips that
are shuffled over the epoch, decoded one by one and sent tensor by tensor. The limit is decoding the same bytes, from
memory, as small as the scale allows. Pixels of both are compared. The parts of an epoch have rows of their own: JPEGs
beside OpenCV, all that follows on a decoded image beside mmdet's transforms, and the way of ready samples from worker
to main process beside mmengine's.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import logging
import math
import pickle
import pstats
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2  # after side_by_side, which sets the number of threads
import numpy as np
import torch
from loader_photos import LOOKS, generated, link_data, real, write_data
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from side_by_side import Row, in_turn, run
from torch.utils.data import ConcatDataset, DataLoader, Dataset

import mmdetpre  # noqa: F401  (registers its types)
from mmdetpre.chips.scale import scale_factor
from mmdetpre.datasets import ChipBatchSampler, ChipDataset, ChipMiningSampler, ChipRecord, parcel_collate
from mmdetpre.datasets.images.decoding import decode_image, jpeg_reduction
from mmdetpre.datasets.images.simple_jpeg import jpeg_decoder

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "_base_" / "datasets"
FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
BATCH = 16
EPOCH_REASON = (
    "Ours is one decode of an image, the rest of its samples, and their way through worker and main process; mmdet's is"
    " a decode, a resize and the same way at each scale. Processes that are started count on all sides (--images)."
)
FINEST, COARSEST = 2.0, 3.0  # times as fast as mmdet
REST, TRANSPORT, TRANSPORT_MAIN = 1.15, 2.5, 4.0


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


def decode_row(name: str, chips: ChipDataset) -> Row:
    """All files decoded in full: ms/image."""
    sizes = [tuple(size) for size in chips.packed.sizes.tolist()]
    data = [Path(chips.packed.path(i)).read_bytes() for i in range(len(chips))]
    buffers = [np.frombuffer(file, np.uint8) for file in data]

    def ours() -> None:
        for file, size in zip(data, sizes, strict=True):
            decode_image(file, size)

    theirs = partial(decode, buffers, [cv2.IMREAD_COLOR] * len(buffers))
    ways: dict[str, Callable[[], Any]] = {"ours": ours, "theirs": theirs}
    times = in_turn(ways, 5, clock="cpu")
    cost, other = (1e3 * times[way].median / len(chips) for way in ways)
    what = f"{name}, a JPEG by {jpeg_decoder()}, its header checked"
    return Row(what=what, unit="ms/image", ours=cost, theirs=other, against="OpenCV, nothing checked")


def rest_row(name: str, chips: ChipDataset, records: Sequence[ChipRecord]) -> Row:
    """A sample whose image is decoded already: ms."""
    kept = [record._replace(keep=True) for record in records]
    steps = list(chips.pipeline.transforms)
    stock = Compose([steps[0], dict(type="mmdet.RandomFlip", prob=0.5), dict(type="mmdet.PackDetInputs")])
    pipelines = {"ours": chips.pipeline, "theirs": stock}
    steps[0].decoded.megabytes = math.inf

    def way(name: str) -> None:
        chips.pipeline = pipelines[name]
        load(chips, kept)

    try:
        times = in_turn({name: partial(way, name) for name in pipelines}, 5, clock="cpu")
    finally:
        chips.pipeline = pipelines["ours"]
    ours, theirs = (1e3 * times[name].median / len(kept) for name in pipelines)
    what = f"{name}, the rest of a sample after decoding"
    return Row(what=what, unit="ms", ours=ours, theirs=theirs, against="RandomFlip, PackDetInputs of mmdet", gain=REST)


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
        rounds = [{way: processor_time(loader)[0] for way, loader in loaders.items()} for _ in range(args.repeats)]
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


class Ready(Dataset):
    """Samples that are loaded already, each time anew, so that none is in shared memory before it is sent."""

    def __init__(self, samples: Sequence[dict], length: int) -> None:
        self.pixels = [sample["inputs"] for sample in samples]
        self.others = [pickle.dumps(sample["data_samples"]) for sample in samples]
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict:
        i %= len(self.pixels)
        return {"inputs": self.pixels[i].clone(), "data_samples": pickle.loads(self.others[i])}


def nothing(batch: Sequence) -> None:
    """A batch that is not sent."""


def transport_rows(name: str, chips: ChipDataset, records: Sequence[ChipRecord], args: argparse.Namespace) -> Iterator:
    """Ready samples from a worker to the main process: ms/chip, less what a loader costs that sends nothing."""
    ready = Ready([chips[record] for record in records[:64]], BATCH * args.sent)
    ways = {"ours": parcel_collate, "theirs": pseudo_collate, "none": nothing}
    loaders = {way: DataLoader(ready, BATCH, num_workers=1, collate_fn=collate) for way, collate in ways.items()}
    rounds = [{way: processor_time(loader) for way, loader in loaders.items()} for _ in range(args.repeats)]
    for side, who, gain in ((0, "all processes", TRANSPORT), (1, "the main process", TRANSPORT_MAIN)):
        medians = {way: statistics.median(one[way][side] for one in rounds) for way in ways}
        ours, theirs = (1e3 * max(medians[way] - medians["none"], 0) / len(ready) for way in ("ours", "theirs"))
        what = f"{name}, a chip from worker to main process: {who}"
        yield Row(what=what, unit="ms", ours=ours, theirs=theirs, against="pseudo_collate", gain=gain)


def processor_time(loader: DataLoader) -> tuple[float, float]:
    """Seconds of processor time for all batches of a loader: of this process and the workers, of this one alone."""

    def spent() -> np.ndarray:
        workers = resource.getrusage(resource.RUSAGE_CHILDREN)  # those that have ended
        mine = time.process_time()
        return np.array([mine + workers.ru_utime + workers.ru_stime, mine])

    before = spent()
    for _ in loader:
        pass
    both, mine = (spent() - before).tolist()
    return both, mine


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
    parser.add_argument("--annotations", type=Path, metavar="JSON", help="the boxes of --photos, in COCO's format")
    parser.add_argument("--sent", type=int, default=60, help="batches of the transport rows")
    parser.add_argument("--repeats", type=int, default=3, help="least number of rounds; the median counts")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time in all of each way of a scale")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="workers of the data loader rows")
    parser.add_argument("--seed", type=int, default=0)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if args.annotations and not args.photos:
        raise FileNotFoundError("--annotations needs --photos, the folder of their images.")
    for data in args.data:
        look, config = LOOKS[data], Config.fromfile(CONFIGS / LOOKS[data].config)
        with TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope("mmdet"), no_messages():
            root, count, seed = Path(folder), args.images, args.seed
            if args.annotations:
                link_data(root, args.photos, args.annotations, count, seed)
            else:
                write_data(root, real(args.photos, count, seed) if args.photos else generated(look, count, seed), seed)
            chips = chip_dataset(config, root)
            records = list(ChipMiningSampler(chips, seed=seed))
            name = f"{data} ({args.photos.name if args.photos else f'{look.width}x{look.height}'})"
            yield from sample_rows(name, chips, root, records, args)
            yield decode_row(name, chips)
            yield rest_row(name, chips, records)
            yield epoch_row(name, chips, root, args)
            yield from transport_rows(name, chips, records, args)
            yield from loader_rows(name, chips, root, records, look.gains, args)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
