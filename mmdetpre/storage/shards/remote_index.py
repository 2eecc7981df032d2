"""The index of shards at an address, as a copy on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from mmdetpre.storage.addresses import RemoteFiles
from mmdetpre.storage.shards.index import COLUMNS, INDEX, META, ShardIndex, read_meta
from mmdetpre.utils.bounded_files import GIB, MIB
from mmdetpre.utils.locks import file_lock


def open_remote_index(address: str, files: RemoteFiles, folder: Path) -> ShardIndex:
    """Open the index of the shards at an address; its columns are fetched once per machine and content.

    ``meta.json`` is fetched each time: where another set of shards has taken the place of the last, its index is
    fetched as well.

    Args:
        address: Folder of the shards, without a slash at its end.
        files: Reads it.
        folder: Where copies of indices are kept.

    Raises:
        FileNotFoundError, StorageError: If it cannot be fetched.
        ValueError: If it is damaged.
    """
    meta = files.read(f"{address}/{INDEX}/{META}", 64 * MIB)
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass") + b"\0" + meta).hexdigest()[:32]
    place = folder / digest
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file_lock(folder / f".{digest}.lock"):
        if not place.is_dir():
            part = Path(tempfile.mkdtemp(prefix=f".{digest}.", dir=folder))
            try:
                (part / META).write_bytes(meta)
                read_meta(part / META)
                for name in COLUMNS:
                    (part / f"{name}.npy").write_bytes(files.read(f"{address}/{INDEX}/{name}.npy", 16 * GIB))
                ShardIndex.open(part)
                os.rename(part, place)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return ShardIndex.open(place)
