"""Build a packed table once, and again when its source has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mmdetpre.console.console_filter import tell
from mmdetpre.datasets.packed.annotations import COLUMNS, FORMAT, IDS, MASKS, PackedAnnotations, read_meta
from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import VERIFIED, checksum, damaged_files
from mmdetpre.utils.locks import file_lock

CACHE = ".mmdetpre"
"""Folder of the tables below the root of their data, if none is named."""
_OWN_FILES = {"meta.json", VERIFIED, *(f"{name}.npy" for name in (*COLUMNS, IDS, *MASKS))}


def fingerprint(path: str | Path) -> dict[str, object]:
    """What changes when a file or folder changes: real path, size (files only), time of modification and of change."""
    status = os.stat(path)
    size = None if os.path.isdir(path) else status.st_size
    times = {"mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}
    return {"path": os.path.realpath(path), "size": size, **times}


def fingerprint_files(folder: str | Path, files: Iterable[tuple[str, os.stat_result]]) -> dict[str, object]:
    """What changes when one of many files below a folder changes, appears or goes.

    Args:
        folder: The folder, named in messages.
        files: Name and status of each file, in an order that does not change by itself.
    """
    digest, count = hashlib.sha256(), 0
    for name, status in files:
        count += 1
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0".encode())
    return {"path": os.path.realpath(folder), "files": count, "digest": digest.hexdigest()}


def cache_name(stem: str, parameters: Mapping[str, object]) -> str:
    """A folder name that differs when a parameter differs."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]
    return f"{stem}-{digest}"


def open_or_build(
    directory: Path,
    sources: Sequence[str | Path | Mapping[str, object]],
    images: str | Path | Mapping[str, object] | None,
    build: Callable[[], PackedAnnotations],
) -> PackedAnnotations:
    """Open the table in ``directory``; build it first if it is missing or not made from the present sources.

    The table is written beside its place and renamed, so an interrupted build leaves nothing half-made. Of several
    processes that ask at the same time one builds and the others wait. Its columns have checksums, which are verified
    once. A source that was changed has another time of change even where its size and time of modification were put
    back: then its content is compared.

    Args:
        directory: Where the table lies.
        sources: Annotation files it is made from, or their fingerprints.
        images: Folder of the images, its fingerprint, or ``None``. It counts as a source as long as some images were
            unreadable.
        build: Makes the table.

    Raises:
        FileExistsError: If something other than a packed table lies at ``directory``; it is left untouched.
        OSError: If the folder cannot be written.
    """
    prints = [_print_of(source) for source in sources]
    folder_print = None if images is None else _print_of(images)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock = file_lock(directory.parent / f".{directory.name}.lock")
        lock.acquire()
    except OSError as error:
        if _outdated(directory, prints, folder_print) is None:
            return PackedAnnotations.open(directory)  # a read-only place with a finished table
        raise OSError(
            f"The table of annotations cannot be written to {directory.parent} ({error}). Set cache_dir of the data set"
            " to a folder that can be written, e.g. cache_dir='work_dirs/annotations'."
        ) from error
    try:
        reason = _outdated(directory, prints, folder_print)
        if reason is not None:
            tell(f"Building {directory}: {reason}.")
            _write(directory, build(), prints, folder_print)
        return PackedAnnotations.open(directory)
    finally:
        lock.release()


def _print_of(source: str | Path | Mapping[str, object]) -> dict[str, object]:
    return fingerprint(source) if isinstance(source, str | Path) else dict(source)


def _outdated(directory: Path, prints: list[dict], folder_print: dict | None) -> str | None:
    """Why the table must be built, or ``None`` if it is good."""
    if not os.path.lexists(directory):
        return "there is no table yet"
    if not _is_ours(directory):
        raise FileExistsError(
            f"{directory} is not a packed table. It is left as it is: move it away or set another cache_dir."
        )
    try:
        meta = read_meta(directory)
        if bad := damaged_files(directory, meta["sums"]):
            return f"the table there is damaged ({', '.join(bad)})"
        table = PackedAnnotations.open(directory)
    except ValueError as error:
        return f"the table there cannot be used ({error})"
    counts = meta["counts"]
    if (len(table), len(table.boxes)) != (counts["images"], counts["boxes"]):
        return "the table there is damaged"
    if len(meta["sources"]) != len(prints):
        return "it was made from other files"
    for old, new in zip(meta["sources"], prints, strict=True):
        if not _is_same(old, new):
            return f"{new['path']} has changed since"
    if len(table.unreadable()) and meta["images"] != folder_print:
        return f"images were missing and the folder {folder_print and folder_print['path']} has changed since"
    return None


def _with_checksum(source: dict) -> dict:
    is_file = source.get("size") is not None and os.path.isfile(str(source["path"]))
    return source | ({"checksum": checksum(source["path"])} if is_file else {})


def _is_same(old: dict, new: dict) -> bool:
    """Whether a source is what it was; only where nothing but its time of change differs, its content is read."""
    if {**old, "checksum": None} == {**new, "checksum": None}:
        return True
    if {**old, "checksum": None, "ctime_ns": None} != {**new, "checksum": None, "ctime_ns": None}:
        return False
    return "checksum" in old and checksum(new["path"]) == old["checksum"]


def _is_ours(directory: Path) -> bool:
    """Whether it may be replaced: tables appear whole, so one without its meta.json is not ours."""
    if not directory.is_dir():
        return False
    names = {path.name for path in directory.iterdir()}
    if any(name not in _OWN_FILES and not name.startswith(f".{VERIFIED}.") for name in names):
        return False
    try:
        return bounded_files.read_json(directory / "meta.json")["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _write(directory: Path, table: PackedAnnotations, prints: list[dict], folder_print: dict | None) -> None:
    if directory.is_symlink():
        raise FileExistsError(
            f"{directory} is a link, which is not replaced: remove the link, or set another cache_dir of the data set."
        )
    part = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        table.save(part, sources=[_with_checksum(source) for source in prints], images=folder_print)
        part.chmod(0o755)
        if directory.exists():  # ours and outdated: open maps keep their data until they are closed
            shutil.rmtree(directory)
        part.rename(directory)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
