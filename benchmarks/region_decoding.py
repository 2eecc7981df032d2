"""Region decoding: the part of a JPEG that chips need, by nvImageCodec on the processor, beside the whole by OpenCV.

    pip install nvidia-nvimgcodec-cu13          # NVIDIA's licence; nothing of ours needs it
    python benchmarks/region_decoding.py --photos DIR --annotations JSON

Once for chips that are loaded one by one, and once for images that are decoded once for all of their chips, as the
loader does: then the region is what all chips of an image need together. Pixels of both are compared to the bit.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from chip_loader import CONFIGS, FLAGS, chip_dataset, no_messages
from loader_photos import LOOKS, generated, link_data, write_data
from mmengine.config import Config
from mmengine.registry import DefaultScope
from side_by_side import Row, in_turn, run

from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_chips
from mmdetpre.chips.scale import scale_factors
from mmdetpre.datasets import ChipDataset
from mmdetpre.datasets.images.decoding import jpeg_reduction

MARGIN = 2  # pixels around a chip that interpolation reads
MOST_AREA = 0.8  # of an image: what a region must stay below to be decoded alone

Region = tuple[int, int, int, int]


def region_decoder() -> Callable[[bytes, Region], np.ndarray]:
    """A function of file and region (x1, y1, x2, y2), one thread."""
    try:
        codec: Any = import_module("nvidia.nvimgcodec")
    except ImportError as error:
        raise FileNotFoundError("nvImageCodec is not installed: pip install nvidia-nvimgcodec-cu13") from error
    decoder = codec.Decoder(
        device_id=codec.NVIMGCODEC_DEVICE_CPU_ONLY,
        backends=[codec.Backend(codec.BackendKind.CPU_ONLY)],
        max_num_cpu_threads=1,
    )
    params = codec.DecodeParams(sample_format=codec.SampleFormat.I_BGR, color_spec=codec.ColorSpec.SRGB)

    def decode(data: bytes, region: Region) -> np.ndarray:
        x1, y1, x2, y2 = region
        part = codec.CodeStream(data).get_sub_code_stream(region=codec.Region(y1, x1, y2, x2))
        return np.asarray(decoder.decode(part, params=params))

    return decode


def whole(data: bytes, reduction: int = 1) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS[reduction]))


def each(work: Callable, items: Sequence[tuple]) -> None:
    for item in items:
        work(*item)


def regions(chips: ChipTable, sizes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(n, 4) x1, y1, x2, y2 of each chip in its image, pixels."""
    s = factors[chips.image, chips.scale][:, None]
    low = np.maximum(np.floor(chips.origin / s).astype(int) - MARGIN, 0)
    high = np.minimum(np.ceil((chips.origin + chips.size) / s).astype(int) + MARGIN, sizes[chips.image])
    return np.concatenate([low, high], axis=1)


def area(region: np.ndarray, size: np.ndarray) -> float:
    return float((region[2:] - region[:2]).prod() / size.prod())


def rows_of(name: str, dataset: ChipDataset, decode: Callable, repeats: int) -> Iterator[Row]:
    packed, settings = dataset.packed, dataset.chip_settings
    files = [Path(packed.path(i)).read_bytes() for i in range(len(packed))]
    chips = mine_chips(packed.sizes, packed.box_offsets, packed.boxes, settings, ignore=packed.ignore)
    factors = scale_factors(packed.sizes, settings.scales)
    needed = regions(chips, packed.sizes, factors)
    for k in range(0, len(chips), 7):
        x1, y1, x2, y2 = needed[k].tolist()
        file = files[chips.image[k]]
        if not np.array_equal(decode(file, (x1, y1, x2, y2)), whole(file)[y1:y2, x1:x2]):
            raise RuntimeError(f"Chip {k} has other pixels")

    def row(what: str, ours: Sequence[tuple], theirs: Sequence[tuple], against: str) -> Row:
        """``ours``: file, and region or reduction."""

        def mixed(file: bytes, part: Region | int) -> None:
            whole(file, part) if isinstance(part, int) else decode(file, part)

        ways = {"ours": partial(each, mixed, ours), "theirs": partial(each, whole, theirs)}
        times = in_turn(ways, repeats, clock="cpu")
        cost, other = (1e3 * times[way].median / len(ours) for way in ways)
        return Row(what=f"{name}, {what}", unit="ms", ours=cost, theirs=other, against=against)

    for i, scale in enumerate(settings.scales):
        here = np.flatnonzero(chips.scale == i)
        if not len(here):
            continue
        part = [(files[chips.image[k]], tuple(needed[k].tolist())) for k in here]
        all_of_it = [(files[chips.image[k]], jpeg_reduction(factors[chips.image[k], i])) for k in here]
        share = 100 * np.mean([area(needed[k], packed.sizes[chips.image[k]]) for k in here])
        yield row(f"a chip of scale {scale}, {share:.0f} % of the image", part, all_of_it, "OpenCV, the image, reduced")
    once, together = [], []
    for n in np.unique(chips.image).tolist():
        mine = np.flatnonzero(chips.image == n)
        low, high = needed[mine, :2].min(axis=0), needed[mine, 2:].max(axis=0)
        reduction, region = jpeg_reduction(factors[n, chips.scale[mine].min()]), np.concatenate([low, high])
        alone = reduction == 1 and area(region, packed.sizes[n]) < MOST_AREA
        once.append((files[n], reduction))
        together.append((files[n], tuple(region.tolist()) if alone else reduction))
    few = sum(not isinstance(part, int) for _, part in together)
    what = f"an image for all its chips, {few} of {len(once)} need less than {100 * MOST_AREA:.0f} % of it"
    yield row(what, together, once, "OpenCV, the image, reduced")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", nargs="+", choices=LOOKS, default=list(LOOKS), help="configs to measure")
    parser.add_argument("--images", type=int, default=40, help="photos at most")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="JPEGs of --annotations instead of generated ones")
    parser.add_argument("--annotations", type=Path, metavar="JSON", help="their boxes, in COCO's format")
    parser.add_argument("--repeats", type=int, default=7, help="rounds; the median counts")
    parser.add_argument("--seed", type=int, default=0)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    cv2.setNumThreads(1)
    decode = region_decoder()
    for data in args.data:
        with TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope("mmdet"), no_messages():
            root, look = Path(folder), LOOKS[data]
            if args.annotations:
                link_data(root, args.photos, args.annotations, args.images, args.seed)
            else:
                write_data(root, generated(look, args.images, args.seed), args.seed)
            yield from rows_of(data, chip_dataset(Config.fromfile(CONFIGS / look.config), root), decode, args.repeats)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
