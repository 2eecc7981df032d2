"""Images of a folder beside the same images in tar shards: how many are read per second, and how fast an index opens.

    python benchmarks/tar_shards.py --files 4000 --kilobytes 294     # OpenImages' mean
    python benchmarks/tar_shards.py --folder /mnt/data               # on another disk

Each way reads the same files in the same random order, as an epoch does, by mmengine's backends: the bytes of a file,
and of a shard a part whose checksum is verified. "From the disk": the system is told to forget the pages before (it
keeps names and inodes of the folder, which a data set of a million files would not have in memory); the best of the
rounds. On a file server each file of a folder costs a round trip to open it; a shard stays open. The index is that of
all of OpenImages' training images.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmengine.fileio import get
from side_by_side import Row, alone, in_turn, memory_of, run

import mmdetpre  # noqa: F401  (registers its backends)
from mmdetpre.storage.shards.index import ShardIndex
from mmdetpre.storage.shards.writer import Files, write_shards


def name_of(i: int) -> str:
    """As long as OpenImages' names."""
    return f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}.jpg"


def write(root: Path, count: int, size: int) -> None:
    """The files of a folder, and the same in shards."""
    block = np.random.default_rng(0).bytes(size + count)
    names = [name_of(i) for i in range(count)]
    (root / "folder").mkdir()
    for i, name in enumerate(names):
        (root / "folder" / name).write_bytes(block[i : i + size])
    files = Files(names, lambda i: block[i : i + size], lambda i: {}, [""] * count)
    write_shards(root / "shards", files, lambda content: (1024, 768))


def read(root: Path, args: dict[str, Any] | None, order: np.ndarray) -> int:
    """Read every file once; the bytes."""
    return sum(len(get(f"{root}/folder/{name_of(int(i))}", args)) for i in order)


def forget(root: Path) -> None:
    """Have the system forget the pages of all files."""
    for path in root.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def cold_seconds(root: Path, ways: Mapping[str, Callable[[], int]], repeats: int) -> dict[str, float]:
    """Least seconds of each way to read what is on the disk alone, in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            forget(root)
            began = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - began)
    return {name: min(values) for name, values in times.items()}


def save_index(folder: Path, count: int) -> None:
    """The index of a set as large as OpenImages."""
    row, per_shard, step = np.arange(count), 4000, 300_032
    shards = [(f"shard-{i:06d}.tar", per_shard * step) for i in range(-(-count // per_shard))]
    place = {"shard": row // per_shard, "offset": 512 + row % per_shard * step, "size": np.full(count, 299_008)}
    sizes = np.full((count, 2), (1024, 768))
    index = ShardIndex.build(shards, [name_of(i) for i in range(count)], crc32=row, image_sizes=sizes, **place)
    index.save(folder)


def opened(folder: Path) -> tuple[float, float]:
    """Seconds to open an index, and megabytes that a process keeps for it."""
    began = time.perf_counter()
    ShardIndex.open(folder)
    seconds = time.perf_counter() - began
    return seconds, memory_of(lambda: ShardIndex.open(folder))[1]


def find_all(index: ShardIndex, names: list[str]) -> int:
    """How many names are found."""
    return sum(index.find(name) is not None for name in names)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=2000, help="images (%(default)s)")
    parser.add_argument("--kilobytes", type=int, default=294, help="of each (%(default)s)")
    parser.add_argument("--indexed", type=int, default=1_738_095, help="files of the large index (%(default)s)")
    parser.add_argument("--folder", type=Path, help="on which disk (that of temporary files)")
    parser.add_argument("--repeats", type=int, default=3)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    what = f"{args.files:,} images of {args.kilobytes} KB in random order"
    with TemporaryDirectory(dir=args.folder) as folder:
        root, order = Path(folder), np.random.default_rng(1).permutation(args.files)
        write(root, args.files, args.kilobytes * 1000)
        shards = {"backend": "mmdetpre.TarShards", "shards": f"{root}/shards", "root": f"{root}/folder"}
        ways = {"ours": partial(read, root, shards, order), "theirs": partial(read, root, None, order)}
        warm = in_turn(ways, args.repeats, clock="cpu")
        if warm["ours"].result != warm["theirs"].result:
            raise RuntimeError("folder and shards differ")
        spent = {name: 1000 * one.median / args.files for name, one in warm.items()}
        yield Row(what=f"{what}, in memory, processor", unit="ms/image", against="a file each", **spent)
        cold = {name: args.files / value for name, value in cold_seconds(root, ways, args.repeats).items()}
        yield Row(what=f"{what}, from the disk", unit="images/s", against="a file each", **cold)
        (root / "index").mkdir()
        save_index(root / "index", args.indexed)
        alone(opened, root / "index")  # the checksums are verified once per machine
        took, kept = alone(opened, root / "index")
        yield Row(what=f"open the index of {args.indexed:,} files", unit="s", ours=took, bound=1)
        yield Row(what=f"open the index of {args.indexed:,} files: memory of a process", unit="MB", ours=kept)
        index, names = ShardIndex.open(root / "index"), [name_of(int(i)) for i in order]
        timing = in_turn({"find": lambda: find_all(index, names)}, args.repeats, clock="cpu")["find"]
        if timing.result != min(args.files, args.indexed):
            raise RuntimeError("names of the index were not found")
        yield Row(what=f"find a name among {args.indexed:,}", unit="µs", ours=1e6 * timing.median / args.files)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
