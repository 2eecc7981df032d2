"""Annotations of OpenImages: our packed table against mmdet's reader, on generated CSV files.

    python benchmarks/annotations.py                      # 1 million boxes, both readers; 14.6 million, ours
    python benchmarks/annotations.py --rows 14600000 --mmdet-rows 14600000   # both at full size: 20 GB, ten minutes

Time to build the table and to open it, the memory of a process that has opened the annotations (each rank of a
distributed run does) and its peak on the way, and what each of four forked workers adds by reading random images. The
files are those of mmdet's own config, with the sizes of all images at hand for both: reading them from the headers of
1.7 million images depends on the disk alone. The limit of the first time is pandas reading the columns, without
keeping anything. Worker memory is what only this process has written to; pages of the table's file are shared.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pandas as pd
from side_by_side import Row, alone, memory_of, private_megabytes, run

if TYPE_CHECKING:  # imported inside functions: imports are not what is measured
    from mmdetpre.datasets.packed.packing import DetectionDataset

CLASSES = 601
BOXES_PER_IMAGE = 8.4
OPENIMAGES_ROWS = 14_600_000
TOUCHED, WORKERS = 5_000, 4
COLUMNS = ("LabelName", "XMin", "XMax", "YMin", "YMax", "IsOccluded", "IsTruncated", "IsGroupOf")
HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
_ROW = b"0000000000000000,xclick,/m/00000,1,0.000000,0.000000,0.000000,0.000000,0,0,0,0,0\n"
_NUMBERS, _FLAGS = (35, 44, 53, 62), (71, 73, 75)  # where coordinates and flags begin


def write_csv(path: Path, owner: np.ndarray) -> None:
    """One row per entry of ``owner``, the number of its image; all rows have the same width, so it takes seconds."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        file.write(HEADER.encode())
        for part in np.array_split(owner, max(len(owner) // 500_000, 1)):
            text = np.tile(np.frombuffer(_ROW, np.uint8), (len(part), 1))
            _write_digits(text, 0, part, 16, 16)
            _write_digits(text, 27, rng.integers(0, CLASSES, len(part)), 5, 10)
            low = rng.integers(0, 980_000, (2, len(part)))
            high = low + rng.integers(10_000, 1_000_000 - low)
            for start, values in zip(_NUMBERS, (low[0], high[0], low[1], high[1]), strict=True):
                _write_digits(text, start + 2, values, 6, 10)
            for start, share in zip(_FLAGS, (0.1, 0.1, 0.05), strict=True):
                text[:, start] += rng.random(len(part)) < share
            file.write(text.tobytes())


def _write_digits(text: np.ndarray, start: int, values: np.ndarray, digits: int, base: int) -> None:
    values = values.astype(np.int64)
    letters = np.frombuffer(b"0123456789abcdef", np.uint8)
    for place in range(start + digits - 1, start - 1, -1):
        values, digit = np.divmod(values, base)
        text[:, place] = letters[digit]


def write_data(root: Path, rows: int) -> int:
    """Write CSV, classes, hierarchy and mmdet's file of image sizes; returns the number of images."""
    images = max(int(rows / BOXES_PER_IMAGE), 1)
    mids = [f"/m/{i:05d}" for i in range(CLASSES)]
    (root / "images").mkdir()
    (root / "classes.csv").write_text("".join(f"{mid},class {i}\n" for i, mid in enumerate(mids)))
    tree = {"LabelName": "/m/root", "Subcategory": [{"LabelName": mid} for mid in mids]}
    (root / "hierarchy.json").write_text(json.dumps(tree))
    # every image has a box, and the last one two: mmdet's reader mixes up the path of a last image with one row
    further = np.random.default_rng(0).integers(0, images, rows - images)
    owner = np.sort(np.concatenate([np.arange(images), further]))
    owner[-2:] = images - 1
    write_csv(root / "boxes.csv", owner)
    metas = [{"filename": f"{i:016x}.jpg", "ori_shape": (768, 1024, 3)} for i in np.unique(owner)]
    (root / "metas.pkl").write_bytes(pickle.dumps(metas))
    return len(metas)


def config(root: Path, **extra: object) -> dict:
    return {
        "data_root": str(root),
        "data_prefix": {"img": "images/"},
        "ann_file": "boxes.csv",
        "label_file": "classes.csv",
        "hierarchy_file": "hierarchy.json",
        "test_mode": True,
        **extra,
    }


def ours(root: Path) -> DetectionDataset:
    from mmdetpre.datasets.openimages import dataset as openimages

    def sizes(paths: list[str], backend_args: dict | None) -> np.ndarray:
        return np.full((len(paths), 2), (1024, 768), np.int32)

    with mock.patch.object(openimages, "read_image_sizes", sizes):
        return openimages.PackedOpenImagesDataset(**config(root, classes=None, cache_dir=str(root / "cache")))


def theirs(root: Path) -> DetectionDataset:
    from mmdet.datasets import OpenImagesDataset

    return OpenImagesDataset(**config(root, meta_file="metas.pkl"))


def worker_megabytes(dataset: DetectionDataset) -> float:
    """Private memory that forked workers gain on average by reading random images side by side."""
    context = get_context("fork")
    barrier = context.Barrier(WORKERS)

    def read(seed: int, sender: Connection) -> None:
        gc.collect()
        before = private_megabytes()
        for i in np.random.default_rng(seed).integers(0, len(dataset), TOUCHED):
            dataset.get_data_info(int(i))
        barrier.wait()
        sender.send(private_megabytes() - before)
        barrier.wait()

    receivers, workers = [], []
    for seed in range(WORKERS):
        receiver, sender = context.Pipe(duplex=False)
        workers.append(context.Process(target=read, args=(seed, sender), daemon=True))
        workers[-1].start()  # from the main thread: a fork beside others' forks may copy a lock that is held
        sender.close()  # so that a worker that is gone ends the pipe
        receivers.append(receiver)
    gained = [max(receiver.recv(), 0.0) for receiver in receivers]
    for worker in workers:
        worker.join()
    return float(np.mean(gained))


def opened(reader: str, root: Path) -> dict[str, float]:
    """Seconds to open the annotations, memory kept, at the peak and added per worker, boxes of the first 100 images."""
    import mmdet.datasets  # noqa: F401

    import mmdetpre.datasets.openimages.dataset  # noqa: F401

    def open_timed() -> tuple[DetectionDataset, float]:
        began = time.perf_counter()
        dataset = {"ours": ours, "mmdet": theirs}[reader](root)
        return dataset, time.perf_counter() - began

    (dataset, seconds), kept, peak = memory_of(open_timed)
    boxes = sum(len(dataset.get_data_info(i)["instances"]) for i in range(min(100, len(dataset))))
    worker = worker_megabytes(dataset)
    return {"seconds": seconds, "kept": kept, "peak": peak, "worker": worker, "boxes": boxes}


def parse_seconds(path: Path) -> float:
    began = time.perf_counter()
    for _ in pd.read_csv(path, usecols=["ImageID", *COLUMNS], chunksize=500_000):
        pass
    return time.perf_counter() - began


def rows(args: argparse.Namespace) -> Iterator[Row]:
    for count in sorted({args.rows, args.mmdet_rows} - {0}):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            images = write_data(root, count)
            built = alone(opened, "ours", root)
            parsing = parse_seconds(root / "boxes.csv")
            runs = [alone(opened, "ours", root) for _ in range(args.repeats)]
            found = {key: median(one[key] for one in runs) for key in runs[0]}
            other = alone(opened, "mmdet", root) if count <= args.mmdet_rows else {}
        if other and other["boxes"] != found["boxes"]:
            raise RuntimeError(f"The readers find different boxes in the first 100 images: {found} and {other}")
        what = f"annotations, {count:,} boxes in {images:,} images"
        yield Row(
            what=f"{what}: build the table, once", unit="s", ours=built["seconds"], limit=parsing,
            limit_is="pandas reading the columns",
        )  # fmt: skip
        yield Row(what=f"{what}: peak memory of building", unit="MB", ours=built["peak"])
        for key, unit, name in (
            ("seconds", "s", "open"),
            ("peak", "MB", "peak memory of opening"),
            ("kept", "MB", "memory of each rank"),
            ("worker", "MB", f"memory that each of {WORKERS} workers adds"),
        ):
            against = "mmdet's OpenImagesDataset" if other else ""
            yield Row(what=f"{what}: {name}", unit=unit, ours=found[key], theirs=other.get(key), against=against)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=OPENIMAGES_ROWS, help="boxes for our reader; 0 skips it")
    parser.add_argument("--mmdet-rows", type=int, default=1_000_000, help="boxes for both readers; 0 skips it")
    parser.add_argument("--repeats", type=int, default=3, help="openings by ours, of which the median counts")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
