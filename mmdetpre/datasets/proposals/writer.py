"""Write proposals image by image, from several processes, without holding them in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from mmdetpre.datasets.proposals.table import COLUMNS, FORMAT, FORMAT_VERSION, Proposals, images_digest
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.checked_files import VERIFIED, checksum, damaged_files
from mmdetpre.utils.name_column import NameColumn
from mmdetpre.utils.whole_file import write_json

_OWN_FILES = {"meta.json", VERIFIED, *(f"{name}.npy" for name in COLUMNS)}


class ProposalEntry(NamedTuple):
    """Where the proposals of one image lie in the shards."""

    path: str
    size: tuple[int, int]
    shard: int
    start: int
    number: int


def check_out_dir(out_dir: Path, overwrite: bool) -> None:
    """Raise if nothing may be written to ``out_dir``.

    Raises:
        FileExistsError: If something lies there and is not to be overwritten, or is not a folder of proposals of ours.
    """
    if not os.path.lexists(out_dir):
        return
    if not overwrite:
        raise FileExistsError(
            f"{out_dir} exists already and is left as it is. Write elsewhere with --cfg-options"
            " test_evaluator.out_dir=FOLDER, or replace it with test_evaluator.overwrite=True."
        )
    if reason := _not_ours(out_dir):
        raise FileExistsError(
            f"{out_dir} is not a folder of proposals as it was written ({reason}), so it is not overwritten: choose"
            " another out_dir, or remove it yourself."
        )


def _not_ours(out_dir: Path) -> str:
    """What in a folder we did not write, or not like this; empty if everything is ours."""
    if out_dir.is_symlink() or not out_dir.is_dir():
        return "it is a link or a file"
    for path in sorted(out_dir.iterdir()):
        if path.name not in _OWN_FILES or path.is_symlink() or not path.is_file():
            return f"it holds {path.name}"
    try:
        meta = read_json(out_dir / "meta.json")
        if meta["format"] != FORMAT:
            return "its meta.json is another file"
        bad = damaged_files(out_dir, meta.get("sums") or {})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return str(error)
    return f"{bad[0]} was changed" if bad else ""


def begin_proposals(out_dir: str | Path, overwrite: bool = False) -> Path:
    """A hidden folder beside ``out_dir`` that all writers share; :func:`finish_proposals` makes ``out_dir`` of it.

    Raises:
        FileExistsError: See :func:`check_out_dir`.
    """
    out_dir = Path(out_dir)
    check_out_dir(out_dir, overwrite)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", suffix=".part", dir=out_dir.parent))
    part.chmod(0o755)
    return part


class ProposalsWriter:
    """Appends the proposals of one process to its shard.

    Args:
        part: The folder of :func:`begin_proposals`.
        shard: Number of the process.

    Example:
        >>> part = begin_proposals("work_dirs/proposals/voc")  # doctest: +SKIP
        >>> writer = ProposalsWriter(part)  # doctest: +SKIP
        >>> entry = writer.add("VOC2007/JPEGImages/000005.jpg", (500, 375), boxes, scores)  # doctest: +SKIP
        >>> writer.close()  # doctest: +SKIP
        >>> proposals = finish_proposals(part, "work_dirs/proposals/voc", [entry])  # doctest: +SKIP
    """

    def __init__(self, part: Path, shard: int = 0) -> None:
        self.shard, self._count = shard, 0
        self._files = {name: (part / f"{name}-{shard}.bin").open("wb") for name in ("boxes", "scores")}

    def add(self, path: str, size: tuple[int, int], boxes: np.ndarray, scores: np.ndarray) -> ProposalEntry:
        """Append the proposals of one image.

        Args:
            path: Path of the image.
            size: Its width and height.
            boxes: (n, 4) x1, y1, x2, y2 in original pixels, best first.
            scores: (n,) their scores.

        Raises:
            ValueError: If a number is not finite.
        """
        columns = {"boxes": np.asarray(boxes, np.float32).reshape(-1, 4), "scores": np.asarray(scores, np.float32)}
        if not all(np.isfinite(column).all() for column in columns.values()):
            raise ValueError(f"A proposal of {path} is not finite: the network has diverged. Train it again.")
        for name, column in columns.items():
            self._files[name].write(np.ascontiguousarray(column).tobytes())
        start, self._count = self._count, self._count + len(scores)
        return ProposalEntry(path, (int(size[0]), int(size[1])), self.shard, start, len(scores))

    def close(self) -> None:
        """Write out what is buffered."""
        for file in self._files.values():
            file.close()


def finish_proposals(
    part: Path, out_dir: str | Path, entries: Sequence[ProposalEntry], overwrite: bool = False
) -> Proposals:
    """Join the shards of all writers, closed before, into one folder, which appears complete or not at all.

    Args:
        part: The folder of :func:`begin_proposals`; it is used up.
        out_dir: Where the proposals shall lie.
        entries: One entry per image, of all writers. Of several entries of an image the first counts: samplers repeat
            images to give all processes the same number.
        overwrite: Replace a folder of proposals.

    Raises:
        FileExistsError: See :func:`check_out_dir`.
    """
    out_dir, whole = Path(out_dir), part / "proposals"
    chosen: dict[str, ProposalEntry] = {}
    for entry in entries:
        chosen.setdefault(entry.path, entry)
    images = [chosen[path] for path in sorted(chosen)]
    offsets = np.zeros(len(images) + 1, np.int64)
    np.cumsum([entry.number for entry in images], out=offsets[1:])
    sizes = np.array([entry.size for entry in images], np.int32).reshape(-1, 2)
    names = NameColumn.pack([entry.path for entry in images])
    whole.mkdir()
    for name, shape in (("boxes", (4,)), ("scores", ())):
        shards = {entry.shard: _shard(part / f"{name}-{entry.shard}.bin", shape) for entry in images if entry.number}
        column = open_memmap(whole / f"{name}.npy", "w+", np.float32, (int(offsets[-1]), *shape))
        for entry, start in zip(images, offsets.tolist(), strict=False):
            if entry.number:
                column[start : start + entry.number] = shards[entry.shard][entry.start : entry.start + entry.number]
        column.flush()
    small: dict[str, np.ndarray] = {
        "offsets": offsets,
        "sizes": sizes,
        "path_bytes": names.blob,
        "path_offsets": names.offsets,
    }
    for name, array in small.items():
        np.save(whole / f"{name}.npy", array)
    meta = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "images": len(images),
        "proposals": int(offsets[-1]),
        "digest": images_digest([entry.path for entry in images], sizes),
        "sums": {f"{name}.npy": checksum(whole / f"{name}.npy") for name in COLUMNS},
    }
    write_json(whole / "meta.json", meta)
    check_out_dir(out_dir, overwrite)
    if out_dir.exists():  # ours: open maps keep their data until they are closed
        out_dir.rename(part / "replaced")
    whole.rename(out_dir)
    shutil.rmtree(part)
    return Proposals.open(out_dir)


def write_origin(directory: str | Path, origin: Mapping[str, Any]) -> None:
    """Note in a folder of proposals what made them; :class:`Proposals` gives it back.

    Args:
        directory: The folder.
        origin: Names and values, as JSON can hold them: a run, its weights.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    file = Path(directory) / "meta.json"
    meta = read_json(file) | {"origin": dict(origin)}
    write_json(file, meta)


def _shard(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, np.float32, "r").reshape(-1, *shape)
