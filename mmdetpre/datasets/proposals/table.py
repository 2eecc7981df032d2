"""Proposals of a whole data set in one memory-mapped folder, and the check that they belong to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.datasets.packed.annotations import PackedAnnotations
from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import damaged_files
from mmdetpre.utils.name_column import NameColumn

FORMAT = "mmdetpre proposals"
FORMAT_VERSION = 1
COLUMNS = ("offsets", "boxes", "scores", "sizes", "path_bytes", "path_offsets")
COMMAND = f"mim test {toolbox_name('mmdet')} configs/det/rpn_voc.py --checkpoint CHECKPOINT --tta"


@dataclass(frozen=True, eq=False)
class Proposals:
    """The proposals of N images, best first within an image; the columns are memory maps.

    Args:
        directory: Where they lie.
        offsets: (N + 1,) int64; image ``i`` owns ``boxes[offsets[i]:offsets[i + 1]]``.
        boxes: (P, 4) float32 x1, y1, x2, y2 in original pixels, half-open.
        scores: (P,) float32.
        sizes: (N, 2) int32 widths and heights of the images.
        paths: N paths of the images when the proposals were made.
        digest: Fingerprint of the data set they were made on, see :func:`images_digest`.
        origin: What made them, as far as :func:`mmdetpre.datasets.proposals.writer.write_origin` was told.

    Example:
        >>> proposals = Proposals.open("work_dirs/proposals/voc")  # doctest: +SKIP
        >>> proposals.boxes[proposals.check(packed)[0, 0]]  # doctest: +SKIP
        array([ 12.5,  40.2, 215.1, 333. ], dtype=float32)
    """

    directory: Path
    offsets: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    sizes: np.ndarray
    paths: NameColumn
    digest: str
    origin: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, directory: str | Path) -> Proposals:
        """Open a folder that ``mmdetpre.DumpProposals`` has written; its checksums are verified once.

        Raises:
            ValueError: If there is none, or it is incomplete, damaged or of another version.
        """
        directory = Path(directory)
        advice = f"Make one with: {COMMAND} --cfg-options test_evaluator.out_dir={directory}"
        if not directory.is_dir():
            raise ValueError(f"There is no folder of proposals at {directory}. {advice}")
        try:
            meta = bounded_files.read_json(directory / "meta.json")
            found = (meta.get("format"), meta.get("version"))
            if found != (FORMAT, FORMAT_VERSION):
                raise ValueError(f"its meta.json says {found}, expected {(FORMAT, FORMAT_VERSION)}")
            if bad := damaged_files(directory, meta.get("sums") or {}):  # folders of 0.0 have none
                raise ValueError(f"damaged: {', '.join(bad)}")
            columns = {n: bounded_files.load_npy(directory / f"{n}.npy") for n in COLUMNS}
            origin = dict(meta.get("origin") or {})
            counts = (len(columns["offsets"]) - 1, len(columns["boxes"]))
            if counts != (meta["images"], meta["proposals"]) or columns["offsets"][-1] != counts[1]:
                raise ValueError(f"{counts} images and proposals, expected {meta['images'], meta['proposals']}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{directory} holds no complete proposals ({error}). Remove it. {advice}") from error
        paths = NameColumn(columns.pop("path_bytes"), columns.pop("path_offsets"))
        return cls(directory, paths=paths, digest=meta["digest"], origin=origin, **columns)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.sizes)

    def check(self, packed: PackedAnnotations) -> np.ndarray:
        """Find the proposals of every image of a data set, in whatever order; more images than these do no harm.

        Images are the same if the last parts of their paths agree, as many as tell all images apart, so the data may
        have moved; and if their sizes agree. Images that cannot be read or have no boxes need no proposals.

        Args:
            packed: The data set.

        Returns:
            (N, 2) int64, the first proposal of each image of ``packed`` and the one after its last.

        Raises:
            ValueError: If an image has no proposals here or another size: they were made on another data set.
        """
        ours, theirs = list(self.paths), [packed.path(i) for i in range(len(packed))]
        depth = max(_telling_depth(ours), _telling_depth(theirs))
        rows = {_tail(path, depth): row for row, path in enumerate(ours)}
        row = np.array([rows.get(_tail(path, depth), -1) for path in theirs], dtype=np.int64).reshape(-1)
        needed = (packed.sizes.min(axis=1, initial=1) > 0) & (np.diff(packed.box_offsets) > 0)
        missing = np.flatnonzero(needed & (row < 0))
        other = np.flatnonzero(needed & (row >= 0) & (self.sizes[row] != packed.sizes).any(axis=1))
        if len(missing) or len(other):
            found = []
            if len(missing):
                found.append(f"{len(missing)} of its images have no proposals, e.g. {theirs[missing[0]]}")
            if len(other):
                i = int(other[0])
                sizes = f"{self.sizes[row[i]].tolist()} and now {packed.sizes[i].tolist()}"
                found.append(f"{len(other)} had another size, e.g. {theirs[i]}: {sizes} (annotated)")
            digest = images_digest(theirs, packed.sizes)
            raise ValueError(
                f"The proposals in {self.directory} were made on another data set: {'; '.join(found)}. They are of"
                f" {len(ours)} images (digest {self.digest[:12]}, e.g. {ours[0] if ours else None}), the data set has"
                f" {len(theirs)} (digest {digest[:12]}). Make proposals of this one (its images in test_dataloader):"
                f" {COMMAND} --cfg-options test_evaluator.out_dir=ANOTHER_FOLDER"
                + (
                    ". If a file has the first size still, its annotated size is wrong: correct that."
                    if len(other)
                    else ""
                )
            )
        known = row >= 0
        ranges = np.zeros((len(theirs), 2), dtype=np.int64)
        ranges[known] = np.stack([self.offsets[row[known]], self.offsets[row[known] + 1]], axis=1)
        return ranges

    def __reduce__(self) -> tuple:
        return Proposals.open, (self.directory,)


def images_digest(paths: Iterable[str], sizes: np.ndarray) -> str:
    """Fingerprint of a set of images: file names and sizes, in any order and wherever they lie.

    Example:
        >>> digest = images_digest(["a/1.jpg", "2.jpg"], [(4, 3), (8, 6)])
        >>> digest == images_digest(["2.jpg", "b/1.jpg"], [(8, 6), (4, 3)])
        True
    """
    lines = sorted(
        f"{_tail(path, 1)}\t{w}\t{h}" for path, (w, h) in zip(paths, np.asarray(sizes).tolist(), strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tail(path: str, depth: int) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-depth:])


def _telling_depth(paths: Sequence[str]) -> int:
    """How many last parts of the paths tell different paths apart."""
    different = set(paths)
    depth, most = 1, max((path.count("/") + path.count("\\") + 1 for path in different), default=1)
    while depth < most and len({_tail(path, depth) for path in different}) < len(different):
        depth += 1
    return depth
