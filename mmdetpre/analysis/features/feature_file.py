"""Features of many images in a folder of memory-mapped columns, one per layer of a network.

The folder NAME holds::

    NAME/features.json   format, layers, number of images, classes, metadata, checksums of the other files; written
                         last: not finished without it
    NAME/verified.json   which files were compared with their checksums
    NAME/images.json     paths of the images, relative to the root of the data where possible, in order
    NAME/labels.npy      (n,) int64 class of each image, -1 where there is none
    NAME/<layer>.npy     (n, *shape of one image) float32
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import VERIFIED, checksums, damaged_files
from mmdetpre.utils.whole_file import write_json

FORMAT = "mmdetpre features"
FORMAT_VERSION = 1
INDEX = "features.json"
MOST_JSON = 4 * bounded_files.GIB
"""Of the names of the images."""
_UNFINISHED = ("plan.json", "done.npy")
_RESERVED = ("labels", "done")
_BLOCK_BYTES = 64 << 20
_COMMAND = "mim run mmdetpre extract_features CONFIG CHECKPOINT --layers LAYER --out FOLDER"


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """Features of n images; values are read when they are used.

    Args:
        path: The folder.
        layers: Name of each layer and the shape of one image's value, as ``{"conv5_pooled": (2048,)}``.
        images: n paths of the images.
        labels: (n,) int64 classes, -1 where there is none.
        classes: Names of the classes; may be empty.
        metadata: What the features were made of and how.

    Example:
        >>> train = read_features("features/a")
        >>> train.layer("fc2").shape
        (3, 2)
    """

    path: Path
    layers: Mapping[str, tuple[int, ...]]
    images: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    metadata: Mapping[str, Any]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __str__(self) -> str:
        """Numbers of images and classes, and shapes of the layers."""
        shapes = ", ".join(f"{name} {'x'.join(map(str, shape)) or 'number'}" for name, shape in self.layers.items())
        return f"{len(self)} images of {len(self.classes) or 'no'} classes, {shapes}"

    def layer(self, name: str | None = None) -> np.ndarray:
        """Values ``(n, *shape)`` float32 of a layer, memory-mapped and read-only.

        Args:
            name: The layer. None: the only one.

        Raises:
            ValueError: If it does not exist, or is not named and there are several.
        """
        if name is None and len(self.layers) == 1:
            (name,) = self.layers
        if name is None:
            raise ValueError(f"{self.path} holds several layers, name one of: {', '.join(self.layers)}.")
        if name not in self.layers:
            raise ValueError(f"{self.path} has no layer '{name}': it holds {', '.join(self.layers)}.")
        return _open_column(self.path, name)

    def digest(self) -> str:
        """SHA-256 of what the features are of: layers, images, labels, classes and metadata, not of the values."""
        content = [dict(self.layers), self.images, self.labels.tolist(), self.classes, dict(self.metadata)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_features(path: str | Path) -> FeatureFile:
    """Open the features that :class:`FeatureWriter` has written.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is not finished, damaged, of another version, or something else.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"There is no folder of features at {path}. Make one with: {_COMMAND}")
    if not (path / INDEX).is_file():
        if (path / _UNFINISHED[0]).is_file():
            done = int(np.count_nonzero(bounded_files.load_npy(path / _UNFINISHED[1])))
            count = len(bounded_files.read_json(path / "images.json", MOST_JSON))
            raise ValueError(
                f"{path} holds {done} of {count} images, it is not finished: run the same command again, it"
                " resumes from there."
            )
        raise ValueError(f"{path} is not a folder of features, it has no {INDEX}. Make one with: {_COMMAND}")
    try:
        index = bounded_files.read_json(path / INDEX)
        found = (index.get("format"), index.get("version"))
        if found != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"its {INDEX} says {found}, expected {(FORMAT, FORMAT_VERSION)}")
        if bad := damaged_files(path, index.get("sums", {})):
            raise ValueError(f"the content of {', '.join(bad)} has changed since it was written")
        layers = {name: tuple(shape) for name, shape in index["layers"].items()}
        images = tuple(bounded_files.read_json(path / "images.json", MOST_JSON))
        labels = np.array(bounded_files.load_npy(path / "labels.npy"))
        shapes = {name: _open_column(path, name).shape for name in layers}
        expected = {name: (index["count"], *shape) for name, shape in layers.items()}
        if shapes != expected or len(images) != index["count"] or labels.shape != (index["count"],):
            raise ValueError(
                f"{len(images)} images, {len(labels)} labels and layers of {shapes}, expected {index['count']} and"
                f" {expected}"
            )
        return FeatureFile(path, layers, images, labels, tuple(index["classes"]), index["metadata"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds no complete features ({error}). Remove it, then: {_COMMAND}") from error


def require_same_images(*files: FeatureFile) -> None:
    """Check that several feature files are of the same images in the same order.

    Raises:
        ValueError: Names the first image that differs, or the numbers of images.
    """
    for other in files[1:]:
        first = files[0]
        if len(first) != len(other):
            raise ValueError(
                f"{first.path} holds {len(first)} images and {other.path} {len(other)}: extract both from the same"
                " data."
            )
        for row, (ours, theirs) in enumerate(zip(first.images, other.images, strict=True)):
            if ours != theirs:
                order = "in another order" if set(first.images) == set(other.images) else "other images"
                raise ValueError(
                    f"{first.path} and {other.path} hold {order}: image {row} is {ours} in the first and {theirs} in"
                    " the second. Extract both from the same data."
                )


def require_finite(values: np.ndarray, name: str) -> None:
    """Check values (n, ...) block by block.

    Args:
        values: Features of n images; may be memory-mapped.
        name: What they are, for the message.

    Raises:
        ValueError: Names the first row with an infinity or a NaN.
    """
    for block in row_blocks(values):
        finite = np.isfinite(values[block]).reshape(block.stop - block.start, -1).all(axis=1)
        if not finite.all():
            row = block.start + int(np.argmin(finite))
            raise ValueError(
                f"{name} is not finite in row {row}: the network has diverged, or its half-precision numbers overflow."
                " Use another checkpoint, or extract in float32."
            )


def row_blocks(values: np.ndarray, block_bytes: int = _BLOCK_BYTES) -> Iterator[slice]:
    """Slices of rows of about ``block_bytes`` each that cover ``values``.

    Example:
        >>> list(row_blocks(np.zeros((5, 2), np.float32), block_bytes=16))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    per_row = max(1, values.itemsize * int(np.prod(values.shape[1:], dtype=np.int64)))
    step = max(1, block_bytes // per_row)
    for start in range(0, len(values), step):
        yield slice(start, min(start + step, len(values)))


def write_features(
    path: str | Path,
    layers: Mapping[str, np.ndarray],
    *,
    images: Sequence[str],
    labels: Sequence[int] | np.ndarray | None = None,
    classes: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> FeatureFile:
    """Write features that are at hand.

    Args:
        path: Folder to write.
        layers: Name of each layer and its values ``(n, *shape)``.
        images: n paths.
        labels: (n,) classes, -1 where there is none; None: no image has one.
        classes: Names of the classes.
        metadata: What they were made of, as JSON can hold it.
        overwrite: Replace a folder of features.

    Raises:
        FileExistsError: If something lies at ``path``.
        ValueError: If numbers of images differ, a value is not finite, or a name cannot be a file.

    Example:
        >>> values = np.zeros((2, 4), np.float32)
        >>> write_features("pooled", {"conv5_pooled": values}, images=["1.jpg", "2.jpg"]).layers
        {'conv5_pooled': (4,)}
    """
    for name, values in layers.items():
        if len(values) != len(images):
            raise ValueError(f"{name} holds {len(values)} rows for {len(images)} images: give one per image.")
        require_finite(values, name)
    shapes = {name: values.shape[1:] for name, values in layers.items()}
    if os.path.lexists(path) and not overwrite:
        raise _exists(Path(path))
    writer = FeatureWriter(
        path, shapes, images=images, labels=labels, classes=classes, metadata=metadata, overwrite=overwrite
    )
    for name, values in layers.items():
        for block in row_blocks(values):
            writer.columns[name][block] = values[block]
    writer.done[:] = 1
    return writer.finish()


class FeatureWriter:
    """Writes features in any order, from several processes; resumes where a writer of the same plan was stopped.

    Columns have their final size from the start, and rows that are complete are recorded. All processes open a writer
    of the same plan on the same folder, each writes its rows, and whoever finds all rows done finishes the folder. Of
    a finished folder of the same plan no rows are pending.

    Args:
        path: Folder to write.
        layers: Name of each layer and the shape of one image's value.
        images: n paths.
        labels: (n,) classes, -1 where there is none; None: no image has one.
        classes: Names of the classes.
        metadata: What the features are made of, as JSON can hold it; part of the plan.
        overwrite: Replace features, finished or not.

    Raises:
        FileExistsError: If something else than features lies at ``path``.
        ValueError: If features of another plan lie there, or the plan is not sound.

    Example:
        >>> writer = FeatureWriter("by_batch", {"conv5_pooled": (4,)}, images=["1.jpg", "2.jpg", "3.jpg"])
        >>> for rows in writer.pending_batches(2):
        ...     writer.write(rows, {"conv5_pooled": np.ones((len(rows), 4), np.float32)})
        >>> len(writer.finish())
        3
    """

    def __init__(
        self,
        path: str | Path,
        layers: Mapping[str, Sequence[int]],
        *,
        images: Sequence[str],
        labels: Sequence[int] | np.ndarray | None = None,
        classes: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path, self.images = Path(path), tuple(images)
        self.labels = np.full(len(images), -1) if labels is None else np.asarray(labels)
        _check_plan(layers, self.images, self.labels, classes)
        self.labels = self.labels.astype(np.int64)
        plan = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "count": len(images),
            "layers": {name: [int(size) for size in shape] for name, shape in layers.items()},
            "classes": list(classes),
            "metadata": dict(metadata or {}),
        }
        self.plan: dict[str, Any] = json.loads(json.dumps(plan))
        if overwrite:
            _remove(self.path)
        if not os.path.lexists(self.path):
            self._begin()
        self._check_same_plan()
        self.columns = {
            name: _own_column(self.path / f"{name}.npy", (len(images), *shape)) for name, shape in layers.items()
        }
        try:
            self.done: np.ndarray = _own_column(self.path / "done.npy", (len(images),))
        except FileNotFoundError:  # finished
            self.done = np.ones(len(images), np.uint8)

    def pending(self) -> np.ndarray:
        """Rows that are not written yet."""
        return np.flatnonzero(np.asarray(self.done) == 0)

    def pending_batches(self, size: int, shard: int = 0, shards: int = 1) -> list[np.ndarray]:
        """Rows of the batches that are not complete yet, of every ``shards``-th batch from batch ``shard``.

        Batches always hold the same rows, whoever computes them and however often the work was stopped: what a network
        gives for an image may depend on its batch in the last bits.

        Args:
            size: Rows of a batch.
            shard: Index of this process among the ``shards``.
            shards: Number of processes that share the work.

        Example:
            >>> images = [f"{i}.jpg" for i in range(7)]
            >>> writer = FeatureWriter("in_shards", {"fc": (4,)}, images=images)
            >>> writer.pending_batches(2, shard=1, shards=2)
            [array([2, 3]), array([6])]
        """
        starts = range(shard * size, len(self.images), shards * size)
        batches = [np.arange(start, min(start + size, len(self.images))) for start in starts]
        return [rows for rows in batches if not np.all(self.done[rows])]

    def write(self, rows: Sequence[int] | np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Write all layers of some images.

        Args:
            rows: (k,) rows of the images.
            values: Name of each layer and its values ``(k, *shape)``.

        Raises:
            ValueError: If a layer is missing, has another shape or is not finite; it names the image.
        """
        rows = np.asarray(rows)
        for name, shape in self.plan["layers"].items():
            if name not in values:
                raise ValueError(f"the layer '{name}' is missing, there are {', '.join(values)}.")
            if values[name].shape != (expected := (len(rows), *shape)):
                raise ValueError(
                    f"{name} of {self.images[rows[0]]} and {len(rows) - 1} more images has shape {values[name].shape},"
                    f" expected {expected}: all images must come in one size."
                )
            finite = np.isfinite(values[name]).reshape(len(rows), -1).all(axis=1)
            if not finite.all():
                raise ValueError(
                    f"{name} of {self.images[rows[np.argmin(finite)]]} is not finite: the network has diverged. Use"
                    " another checkpoint."
                )
        for name, column in self.columns.items():
            column[rows] = values[name]
            column.flush()
        self.done[rows] = 1

    def finish(self) -> FeatureFile:
        """Declare the folder finished.

        Raises:
            ValueError: If rows are missing.
        """
        if len(missing := self.pending()):
            raise ValueError(f"{len(missing)} of {len(self.images)} images are not written, e.g. row {missing[0]}.")
        if not (self.path / INDEX).exists():
            sums = checksums(self.path, _checked(self.plan["layers"]))
            write_json(self.path / INDEX, self.plan | {"sums": sums})
        for name in _UNFINISHED:
            (self.path / name).unlink(missing_ok=True)
        return read_features(self.path)

    def _begin(self) -> None:
        """Make the folder in one step, for other processes may do so at the same time: the first one counts."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent))
        try:
            part.chmod(0o755)
            write_json(part / "images.json", list(self.images))
            np.save(part / "labels.npy", self.labels)
            for name, shape in self.plan["layers"].items():
                open_memmap(part / f"{name}.npy", "w+", np.float32, (len(self.images), *shape))
            open_memmap(part / "done.npy", "w+", np.uint8, (len(self.images),))
            write_json(part / "plan.json", self.plan)
            try:
                part.rename(self.path)
            except OSError:
                if not (self.path / "plan.json").exists():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _check_same_plan(self) -> None:
        for name in (INDEX, "plan.json", INDEX):  # another process may finish it meanwhile
            if (self.path / name).is_file():
                break
        else:
            raise _exists(self.path)
        theirs = bounded_files.read_json(self.path / name)
        theirs.pop("sums", None)
        theirs["images"] = bounded_files.read_json(self.path / "images.json", MOST_JSON)
        theirs["labels"] = bounded_files.load_npy(self.path / "labels.npy").tolist()
        ours = {**self.plan, "images": list(self.images), "labels": self.labels.tolist()}
        if difference := _first_difference(theirs, ours):
            key, before, now = difference
            raise ValueError(
                f"{self.path} was begun with {key} = {before!r}, and now it is {now!r}: continue with the former, write"
                " to another --out, or start from scratch with --force."
            )


def _check_plan(
    layers: Mapping[str, Sequence[int]], images: Sequence[str], labels: np.ndarray, classes: Sequence[str]
) -> None:
    if not layers or not len(images):
        raise ValueError(f"There are {len(layers)} layers of {len(images)} images: give at least one of each.")
    for name in layers:
        if not name or name in _RESERVED or "/" in name or "\\" in name or name.startswith("."):
            raise ValueError(
                f"'{name}' cannot be the name of a layer, it would not be a file name of its own: rename it."
            )
    if len(labels) != len(images):
        raise ValueError(f"There are {len(labels)} labels for {len(images)} images: give one per image.")
    most = len(classes) - 1 if len(classes) else np.iinfo(np.int64).max
    wrong = np.flatnonzero((labels < -1) | (labels > most) | (labels != np.floor(labels)))
    if len(wrong):
        raise ValueError(
            f"The label of {images[wrong[0]]} is {labels[wrong[0]]}: expected a whole number from 0 to {most}, or -1"
            " for none."
        )


def _first_difference(before: Any, now: Any, key: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            found = _first_difference(before.get(name), now.get(name), f"{key}.{name}".lstrip("."))
            if found:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (old, new) in enumerate(zip(before, now, strict=True)):
            if old != new:
                return f"{key}[{i}]", old, new
        return None
    if isinstance(before, list) and isinstance(now, list):
        return f"the length of {key}", len(before), len(now)
    return None if before == now else (key, before, now)


def _checked(layers: Iterable[str]) -> list[str]:
    """Files of a folder that have checksums; they are verified when the features are first read."""
    return ["images.json", "labels.npy", *(f"{name}.npy" for name in layers)]


def _open_column(path: Path, name: str) -> np.ndarray:
    if "/" in name or "\\" in name:
        raise ValueError(f"the layer {name!r} is not a file of this folder")
    return bounded_files.load_npy(path / f"{name}.npy")


def _own_column(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A column to write to; not what a link leads to, nor another array."""
    if path.is_symlink():
        raise FileExistsError(
            f"{path} is a link, which is not written through: remove the folder, or start from scratch."
        )
    try:
        column: np.memmap = open_memmap(path, "r+")
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): start from scratch with --force.") from error
    if column.shape != tuple(shape):
        raise ValueError(f"{path} has shape {column.shape}, expected {tuple(shape)}: start from scratch with --force.")
    return column


def _exists(path: Path) -> FileExistsError:
    what = "" if (path / INDEX).exists() or (path / "plan.json").exists() else ", and is not a folder of features"
    return FileExistsError(f"{path} exists{what}: choose another name, or add --force to replace features.")


def _remove(path: Path) -> None:
    """Remove features, finished or not, and nothing else."""
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir() or not ((path / INDEX).is_file() or (path / "plan.json").is_file()):
        raise FileExistsError(f"{path} is not a folder of features, so it is not replaced: choose another name.")
    plan = bounded_files.read_json(path / (INDEX if (path / INDEX).is_file() else "plan.json"))
    if not isinstance(plan, dict) or plan.get("format") != FORMAT:
        raise FileExistsError(f"{path} is not a folder of features, so it is not replaced: choose another name.")
    own = {INDEX, VERIFIED, *_UNFINISHED, *_checked(plan.get("layers", ()))}
    if foreign := sorted(file.name for file in path.iterdir() if file.name not in own):
        raise FileExistsError(f"{path} also holds {foreign[0]}, so it is not replaced: choose another name.")
    shutil.rmtree(path)
