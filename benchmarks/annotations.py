"""Annotations of OpenImages: our packed table against mmdet's reader, on a generated CSV.

    python benchmarks/annotations.py                    # 1 million boxes, both readers
    python benchmarks/annotations.py --rows 14600000    # full size, ours only unless --mmdet

Prints the time to build and to open, the memory of a process that has opened the annotations (each rank of a
distributed run does), its peak on the way, and what each of four forked workers adds by reading random images. Figures
are from /proc/self/smaps_rollup: Private_Dirty is memory that only this process has; Private_Clean are pages of a file
that no other process happens to have touched: the system takes them back when memory gets short.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import pickle
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from unittest import mock

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # imported inside functions: imports are not what is measured
    from mmdetpre.datasets.pack_dataset import DetectionDataset

T = TypeVar("T")

CLASSES = 601
BOXES_PER_IMAGE = 8.4
TOUCHED = 20_000
WORKERS = 4


def write_data(root: Path, rows: int) -> int:
    """Write CSV, classes, hierarchy and mmdet's file of image sizes; returns the number of images."""
    generator = np.random.default_rng(0)
    images = max(int(rows / BOXES_PER_IMAGE), 1)
    mids = [f"/m/{i:05d}" for i in range(CLASSES)]
    (root / "images").mkdir()
    (root / "classes.csv").write_text("".join(f"{mid},class {i}\n" for i, mid in enumerate(mids)))
    tree = {"LabelName": "/m/root", "Subcategory": [{"LabelName": mid} for mid in mids]}
    (root / "hierarchy.json").write_text(json.dumps(tree))
    # every image has a box, and the last one two: mmdet's reader mixes up the path of a last image with one row
    owner = np.sort(np.concatenate([np.arange(images), generator.integers(0, images, rows - images)]))
    owner[-2:] = images - 1
    first = True
    for part in np.array_split(owner, max(rows // 1_000_000, 1)):
        low = (generator.random((len(part), 2)) * 0.98).round(6)
        high = (low + 0.01 + generator.random((len(part), 2)) * (0.99 - low)).round(6)
        flags = {name: (generator.random(len(part)) < 0.1).astype(int) for name in ("IsOccluded", "IsTruncated")}
        frame = pd.DataFrame(
            {
                "ImageID": [f"{i:016x}" for i in part],
                "Source": "xclick",
                "LabelName": np.array(mids)[generator.integers(0, CLASSES, len(part))],
                "Confidence": 1,
                "XMin": low[:, 0],
                "XMax": high[:, 0],
                "YMin": low[:, 1],
                "YMax": high[:, 1],
                **flags,
                "IsGroupOf": (generator.random(len(part)) < 0.05).astype(int),
                "IsDepiction": 0,
                "IsInside": 0,
            }
        )
        frame.to_csv(root / "boxes.csv", mode="a", header=first, index=False)
        first = False
    used = np.unique(owner)
    metas = [{"filename": f"{i:016x}.jpg", "ori_shape": (768, 1024, 3)} for i in used]
    (root / "metas.pkl").write_bytes(pickle.dumps(metas))
    return len(used)


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
    """Our data set; sizes are given, as reading them from headers depends on the disk alone."""
    from mmdetpre.datasets import openimages

    def sizes(paths: list[str], backend_args: dict | None) -> np.ndarray:
        return np.full((len(paths), 2), (1024, 768), np.int32)

    with mock.patch.object(openimages, "read_image_sizes", sizes):
        return openimages.PackedOpenImagesDataset(**config(root, classes=None, cache_dir=str(root / "cache")))


def theirs(root: Path) -> DetectionDataset:
    from mmdet.datasets import OpenImagesDataset

    return OpenImagesDataset(**config(root, meta_file="metas.pkl"))


def private_megabytes() -> np.ndarray:
    """(dirty, clean) private memory of this process."""
    lines = dict(line.split()[:2] for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return np.array([int(lines["Private_Dirty:"]), int(lines["Private_Clean:"])]) / 1024


def in_process(work: Callable[[], T]) -> T:
    """The result of a function that runs in a forked process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=lambda: sender.send(work()))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def worker_megabytes(dataset: DetectionDataset) -> np.ndarray:
    """(dirty, clean) private memory that forked workers gain on average by reading random images side by side."""
    barrier = multiprocessing.get_context("fork").Barrier(WORKERS)

    def work(seed: int) -> np.ndarray:
        gc.collect()
        before = private_megabytes()
        for i in np.random.default_rng(seed).integers(0, len(dataset), TOUCHED):
            dataset.get_data_info(int(i))
        barrier.wait()
        gained = private_megabytes() - before
        barrier.wait()
        return gained

    with ThreadPoolExecutor(WORKERS) as threads:
        return np.mean(list(threads.map(lambda seed: in_process(lambda: work(seed)), range(WORKERS))), axis=0)


def measure(open_dataset: Callable[[Path], DetectionDataset], root: Path) -> dict[str, float]:
    """Time and memory of opening, and memory of the workers, in a process of its own."""

    def work() -> dict[str, float]:
        import mmdet.datasets  # noqa: F401

        import mmdetpre.datasets  # noqa: F401

        gc.collect()
        before, began = private_megabytes(), time.perf_counter()
        peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dataset = open_dataset(root)
        seconds = time.perf_counter() - began
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before) / 1024
        gc.collect()
        memory = (private_megabytes() - before)[0]
        boxes = sum(len(dataset.get_data_info(i)["instances"]) for i in range(100))
        dirty, clean = worker_megabytes(dataset)
        return {"open": seconds, "memory": memory, "peak": peak, "dirty": dirty, "clean": clean, "check": boxes}

    return in_process(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="boxes in the CSV (OpenImagesV4 has 14.6 million)")
    parser.add_argument("--mmdet", action=argparse.BooleanOptionalAction, help="measure mmdet's reader too")
    arguments = parser.parse_args()
    with_mmdet = arguments.rows <= 2_000_000 if arguments.mmdet is None else arguments.mmdet
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        print(f"writing a CSV of {arguments.rows} boxes ...", flush=True)
        images = write_data(root, arguments.rows)
        size = os.path.getsize(root / "boxes.csv") / 1e6
        build = measure(ours, root)
        result = {"ours": measure(ours, root)}
        if with_mmdet:
            print("mmdet's reader ...", flush=True)
            result["mmdet"] = measure(theirs, root)
            if result["mmdet"]["check"] != build["check"]:
                raise RuntimeError(f"The readers find different boxes in the first 100 images: {result}")
    print(f"\n{arguments.rows} boxes in {images} images, CSV of {size:.0f} MB; {TOUCHED} random images per worker\n")
    print(f"{'':38}{'ours':>12}{'mmdet':>12}{'mmdet / ours':>14}")
    print(f"{'first time: build the table, s':38}{build['open']:>12.1f}{'-':>12}{'-':>14}")
    print(f"{'first time: peak memory, MB':38}{build['peak']:>12.0f}{'-':>12}{'-':>14}")
    for key, title in (
        ("open", "open, s"),
        ("peak", "peak memory while opening, MB"),
        ("memory", "memory after opening, MB"),
        ("dirty", "added per worker, dirty, MB"),
        ("clean", "added per worker, file pages, MB"),
    ):
        a, b = result["ours"][key], result.get("mmdet", {}).get(key)
        shown = ("-", "-") if b is None else (f"{b:.2f}", f"{b / max(a, 0.01):.1f}")
        print(f"{title:38}{a:>12.2f}{shown[0]:>12}{shown[1]:>14}")


if __name__ == "__main__":
    main()
