"""What was found in files by reading all of them, kept from one time to the next."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.logging import print_log

from mmdetpre.utils.bounded_files import GIB, parse_json, read_bounded
from mmdetpre.utils.cache_folder import cache_folder
from mmdetpre.utils.locks import file_lock
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import whole_file

_FORMAT = "mmdetpre verdicts 1"
_SAMPLE = 16 << 10  # bytes at the beginning, in the middle and at the end
_MANY = 500
Verdict = Callable[[bytes], str]


def file_verdicts(
    paths: Sequence[str | os.PathLike], kind: str, verdict: Verdict, *, what: str, workers: int | None = None
) -> list[str]:
    """A verdict on each of many files, by threads on all cores, with a progress bar; known ones are not read again.

    A verdict is known of a file whose path, size, times and samples of the content are the same. Several processes may
    do this at the same time.

    Args:
        paths: N files.
        kind: Name of the verdict; changes when ``verdict`` says other things.
        verdict: Of the bytes of a file.
        what: For the progress bar.
        workers: Threads; None: as many as there are cores for this process.

    Returns:
        N verdicts; "missing" and "cannot be read (...)" where there are no bytes.
    """
    names = [os.path.abspath(path) for path in paths]
    if not names:
        return []
    known = _Known(kind, os.path.commonpath([os.path.dirname(name) for name in names]))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with ThreadPoolExecutor(workers or cores) as pool:
            found = pool.map(lambda name: known.verdict(name, verdict), names)
            return list(progress_bar(found, what, len(names), unit=" files", disable=len(names) < _MANY))
    finally:  # what was found before an interruption stays
        known.save()


class _Known:
    """The verdicts of one kind on files below one folder."""

    def __init__(self, kind: str, root: str) -> None:
        self.root = root
        digest = hashlib.sha256(os.path.realpath(root).encode(errors="surrogateescape")).hexdigest()[:20]
        self.file = cache_folder() / kind / f"{digest}.json"
        self.known = _read(self.file)
        self.new: dict[str, tuple[str, str]] = {}

    def verdict(self, path: str, verdict: Verdict) -> str:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe waits for ever
                return "a folder, a device or a pipe, not a file"
            with open(path, "rb", buffering=0) as file:
                mark = _mark(file.fileno())
                name = os.path.relpath(path, self.root)
                before = self.known.get(name)
                if before and before[0] == mark:
                    return before[1]
                found = verdict(file.readall())
        except FileNotFoundError:
            return "missing"
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        self.new[name] = (mark, found)
        return found

    def save(self) -> None:
        if not self.new:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(f"{self.file}.lock"):
                _write(self.file, _read(self.file) | self.new)
        except OSError as error:
            print_log(
                f"What was found in {len(self.new)} files cannot be kept ({error}), they will be read again. Set"
                " MMDETPRE_CACHE to a folder that can be written.",
                "current",
                logging.WARNING,
            )


def _mark(descriptor: int) -> str:
    """What changes when a file changes; afterwards it stands at its beginning."""
    status = os.fstat(descriptor)
    digest = hashlib.blake2b(f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}".encode(), digest_size=12)
    for start in sorted({0, max(0, status.st_size // 2 - _SAMPLE // 2), max(0, status.st_size - _SAMPLE)}):
        os.lseek(descriptor, start, os.SEEK_SET)
        digest.update(os.read(descriptor, _SAMPLE))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return digest.hexdigest()


def _read(file: Path) -> dict[str, tuple[str, str]]:
    """The verdicts of a file; none where it is missing, damaged or of another version."""
    try:
        head, _, body = read_bounded(file, GIB).partition(b"\n")
        if head.decode() != f"{_FORMAT} {hashlib.sha256(body).hexdigest()}":
            return {}
        known = {name: (mark, found) for name, (mark, found) in parse_json(body, str(file)).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {name: pair for name, pair in known.items() if all(isinstance(text, str) for text in pair)}


def _write(file: Path, known: dict[str, tuple[str, str]]) -> None:
    body = json.dumps(known).encode()
    with whole_file(file, links=False) as part:
        part.write_bytes(f"{_FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
