"""Writes files into tar shards in the layout of WebDataset, and the index that finds them again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmdetpre.storage.shards.index import INDEX, ShardIndex
from mmdetpre.utils.bounded_files import file_sha256, load_npz, read_json
from mmdetpre.utils.checked_files import VERIFIED
from mmdetpre.utils.locks import file_lock
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import PART, whole_file, write_json, write_text

SUMS = "SHA256SUMS"
_UNDER_WAY, _PLAN = ".packing", "plan.json"
_ENDING = re.compile(r"[a-z0-9]{1,8}")
_AHEAD = 4
"""Files in memory per thread that reads."""


@dataclass(frozen=True)
class Files:
    """N files to pack.

    Args:
        names: What each is found by: relative, ``/`` between folders.
        read: Its bytes; called by threads.
        annotation: What stands beside it as JSON, besides its name.
        marks: What changes when the file does; "" where that is not known.
    """

    names: Sequence[str]
    read: Callable[[int], bytes]
    annotation: Callable[[int], Mapping[str, Any]]
    marks: Sequence[str]

    def json(self, i: int) -> bytes:
        """What stands beside file ``i``."""
        content = {"file_name": self.names[i], **self.annotation(i)}
        return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


@dataclass(frozen=True)
class Packed:
    """What was packed.

    Attributes:
        files, shards: How many.
        kept: Shards of an earlier, interrupted run.
        unreadable: Names of files whose size as an image could not be read; they are in the shards all the same.
    """

    files: int
    shards: int
    kept: int
    unreadable: list[str]


def write_shards(
    out: str | os.PathLike[str],
    files: Files,
    image_size: Callable[[bytes], tuple[int, int]],
    *,
    per_shard: int = 4000,
    workers: int = 16,
) -> Packed:
    """Write N files as ``shard-000000.tar`` ..., with an index, in the order in which they are given.

    File ``i`` becomes the members ``0000000i.jpg`` and ``0000000i.json`` of a shard: names of any letters stand in the
    JSON, and tools that unpack or read such archives (``tar``, the package webdataset) meet plain ones only. The same
    files give the same bytes. A shard gets its name when it is whole and on the disk; a run that was killed goes on
    behind the last one. Beside the shards: the folder ``index``, and ``SHA256SUMS`` for ``sha256sum -c``.

    Args:
        out: Folder; new, empty, or left by an interrupted run over the same files.
        files: N files.
        image_size: Width and height of an image, from its bytes; its errors mean that it cannot be read.
        per_shard: Files in each shard.
        workers: Threads that read.

    Raises:
        FileExistsError: If the folder holds anything else; nothing is changed then.
        ValueError: If two files have one name, or a name that cannot be written.
        FileNotFoundError, StorageError: What ``files.read`` raises; finished shards stay.
    """
    out, count = Path(out), len(files.names)
    if per_shard < 1 or not count:
        raise ValueError(f"There must be files to pack (there are {count}), and at least 1 in each shard.")
    _require_names(files.names)
    plan = _plan(files, per_shard)
    _require_ours(out, plan)
    work = out / _UNDER_WAY
    work.mkdir(parents=True, exist_ok=True)
    with file_lock(work / "lock"):
        _require_ours(out, plan)  # another run may have ended while this one waited
        work.mkdir(exist_ok=True)
        _clear(out)
        write_json(work / _PLAN, plan)
        starts = range(0, count, per_shard)
        kept, parts = 0, []
        with (
            ThreadPoolExecutor(workers) as pool,
            progress_bar(total=count, desc="packing", unit=" files", disable=count < 100) as bar,
        ):
            for number, start in enumerate(starts):
                rows = range(start, min(start + per_shard, count))
                part = _finished(out, number, len(rows))
                if part is None:
                    contents = _in_order(pool, files.read, rows, workers)
                    part = _write_shard(out, number, rows, files, contents, image_size)
                else:
                    kept += 1
                parts.append(part)
                bar.update(len(rows))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in _ROWS}
        shard = np.repeat(np.arange(len(parts)), [len(part["size"]) for part in parts])
        shards = [(_shard_name(number), int(part["bytes"][0])) for number, part in enumerate(parts)]
        index = ShardIndex.build(shards, files.names, shard, **columns)
        digests = [bytes(part["sha256"]).hex() for part in parts]
        sums = "".join(f"{digest}  {name}\n" for digest, (name, _) in zip(digests, shards, strict=True))
        write_text(out / SUMS, sums)
        _save_index(out, index)
        shutil.rmtree(work)
    unreadable = [files.names[int(i)] for i in np.flatnonzero(columns["image_sizes"].min(axis=1) <= 0)]
    return Packed(count, len(parts), kept, unreadable)


_ROWS = ("offset", "size", "crc32", "image_sizes")


def _require_names(names: Sequence[str]) -> None:
    rows: dict[str, int] = {}
    for i, name in enumerate(names):
        if (first := rows.setdefault(name, i)) != i:
            raise ValueError(f"{name} is there twice, as file {first + 1} and {i + 1}: name each file once.")
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode("utf-8", "backslashreplace").decode()
            raise ValueError(f"{shown} has a name that is not UTF-8, which no index can hold: rename it.") from None


def _plan(files: Files, per_shard: int) -> dict[str, Any]:
    """What a run that goes on must have in common with the one that was interrupted."""
    digest = hashlib.sha256()
    for i, mark in enumerate(files.marks):
        digest.update(files.json(i) + b"\0" + mark.encode() + b"\0")
    return {"files": len(files.names), "per_shard": per_shard, "digest": digest.hexdigest()}


def _require_ours(out: Path, plan: Mapping[str, Any]) -> None:
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if (out / INDEX).is_dir():
        raise FileExistsError(f"{out} holds finished shards: choose another folder, or remove it to pack again.")
    under_way = out / _UNDER_WAY
    if not under_way.is_dir() or under_way.is_symlink():
        raise FileExistsError(f"{out} exists and was not begun by `mmdetpre pack`: choose another folder.")
    if (under_way / _PLAN).exists() and read_json(under_way / _PLAN) != plan:
        raise FileExistsError(
            f"{out} was begun with other files, annotations or another number per shard: choose another folder, or"
            " remove it to pack from the first."
        )


def _clear(out: Path) -> None:
    """Take away what a killed run was writing."""
    for path in out.glob(f".*{PART}"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _finished(out: Path, number: int, count: int) -> dict[str, np.ndarray] | None:
    """The rows of a shard that an earlier run has finished, or ``None``."""
    shard = out / _shard_name(number)
    try:
        part = load_npz(out / _UNDER_WAY / f"{number:06d}.npz")
        whole = len(part["size"]) == count and shard.stat().st_size == int(part["bytes"][0])
        return part if whole and file_sha256(shard) == bytes(part["sha256"]).hex() else None
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _write_shard(
    out: Path,
    number: int,
    rows: range,
    files: Files,
    contents: Iterator[bytes],
    image_size: Callable[[bytes], tuple[int, int]],
) -> dict[str, np.ndarray]:
    offset, size, crc, sizes = [], [], [], []
    with whole_file(out / _shard_name(number)) as path:
        with path.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for i, content in zip(rows, contents, strict=True):
                key = f"{i:08d}"
                offset.append(_add(tar, raw, f"{key}.{_ending(files.names[i])}", content))
                size.append(len(content))
                crc.append(zlib.crc32(content))
                sizes.append(_size(image_size, content))
                _add(tar, raw, f"{key}.json", files.json(i))
        digest, length = file_sha256(path), path.stat().st_size
    part: dict[str, np.ndarray] = {
        "offset": np.array(offset, np.int64),
        "size": np.array(size, np.int64),
        "crc32": np.array(crc, np.uint32),
        "image_sizes": np.array(sizes, np.int32).reshape(-1, 2),
        "bytes": np.array([length], np.int64),
        "sha256": np.frombuffer(bytes.fromhex(digest), np.uint8),
    }
    with whole_file(out / _UNDER_WAY / f"{number:06d}.npz") as path, path.open("wb") as file:
        np.savez(file, allow_pickle=False, **part)
    return part


def _add(tar: tarfile.TarFile, raw: BinaryIO, name: str, content: bytes) -> int:
    """Add a member that says nothing of this machine, and give the place of its first byte."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    place = raw.tell() + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    return place


def _in_order(pool: ThreadPoolExecutor, read: Callable[[int], bytes], rows: range, workers: int) -> Iterator[bytes]:
    """The contents of files in their order, read ahead by threads, a bounded number at a time."""
    ahead = workers * _AHEAD
    waiting = [pool.submit(read, i) for i in rows[:ahead]]
    try:
        for i in rows:
            content = waiting.pop(0).result()
            if i + ahead in rows:
                waiting.append(pool.submit(read, i + ahead))
            yield content
    finally:
        for future in waiting:
            future.cancel()


def _size(image_size: Callable[[bytes], tuple[int, int]], content: bytes) -> tuple[int, int]:
    try:
        return image_size(content)
    except Exception:  # damaged headers make Pillow raise SyntaxError, ValueError, struct.error ...
        return 0, 0


def _ending(name: str) -> str:
    """The ending of a member, which tells readers what it is."""
    suffix = Path(name).suffix[1:].lower()
    return suffix if _ENDING.fullmatch(suffix) and suffix != "json" else "bin"


def _shard_name(number: int) -> str:
    return f"shard-{number:06d}.tar"


def _save_index(out: Path, index: ShardIndex) -> None:
    """The folder of the index, whole or not at all: it says that the shards are finished."""
    part = Path(tempfile.mkdtemp(prefix=f".{INDEX}.", suffix=PART, dir=out))
    try:
        index.save(part)
        (part / VERIFIED).unlink()  # it names files of this disk; whoever reads the index makes it anew
        part.chmod(0o755)
        part.rename(out / INDEX)
    finally:
        shutil.rmtree(part, ignore_errors=True)
