"""Features of many images in a folder of memory-mapped columns, one per layer of a network.

The folder NAME holds::

    NAME/features.json   format, layers, number of images, classes, metadata, checksums of the other files; written
                         last: not finished without it
    NAME/verified.json   which files were compared with their checksums
    NAME/images.json     paths of the images, relative to the root of the data where possible, in order
    NAME/labels.npy      (n,) int64 class of each image, -1 where there is none
    NAME/<layer>.npy     (n, *shape of one image) float32

While it is made, each process writes into a folder of its own, see `mmdetpre.analysis.features.shards`.
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

from mmdetpre.analysis.features import shards
from mmdetpre.utils import bounded_files
from mmdetpre.utils.checked_files import VERIFIED, checksums, damaged_files
from mmdetpre.utils.whole_file import write_json

FORMAT = "mmdetpre features"
FORMAT_VERSION = 1
INDEX = "features.json"
MOST_JSON = 4 * bounded_files.GIB
"""Of the names of the images."""
_UNFINISHED = ("plan.json", "done.npy")
"""What there is until it is finished; earlier versions kept in the second which rows of the columns are written."""
_RESERVED = ("labels", "done", "rows")
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
            rows = [shards.computed_rows(path), *(shard.rows for shard in _earlier(path))]
            done, count = len(set().union(*rows)), len(bounded_files.read_json(path / "images.json", MOST_JSON))
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
    for block in row_blocks(max(layers.values(), key=lambda values: values[:1].nbytes)):
        writer.write(np.arange(block.start, block.stop), {name: values[block] for name, values in layers.items()})
    return writer.finish()


class FeatureWriter:
    """Writes features in any order, from several processes; resumes where a writer of the same plan was stopped.

    All processes open a writer of the same plan on the same folder. Each writes its own rows into files of its own, and
    whoever finds all rows complete joins them. Of a finished folder of the same plan no rows are pending.

    Args:
        path: Folder to write.
        layers: Name of each layer and the shape of one image's value.
        images: n paths.
        labels: (n,) classes, -1 where there is none; None: no image has one.
        classes: Names of the classes.
        metadata: What the features are made of, as JSON can hold it; part of the plan.
        overwrite: Replace features, finished or not.
        shard: This process's number, and how many processes share the batches.
        batch_size: Rows of a batch.

    Raises:
        FileExistsError: If something else than features lies at ``path``.
        ValueError: If features of another plan lie there, a part of them is damaged or of others, another process has
            this number, or the plan is not sound.

    Example:
        >>> writer = FeatureWriter("by_batch", {"conv5_pooled": (4,)}, images=["1.jpg", "2.jpg", "3.jpg"], batch_size=2)
        >>> for rows in writer.pending_batches():
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
        shard: tuple[int, int] = (0, 1),
        batch_size: int = 1,
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
        content = json.dumps([self.plan, self.images, self.labels.tolist()], sort_keys=True)
        self._digest = hashlib.sha256(content.encode()).hexdigest()
        if overwrite:
            _remove(self.path)
        if not os.path.lexists(self.path):
            self._begin()
        self._check_same_plan()
        starts = range(shard[0] * batch_size, len(images), shard[1] * batch_size)
        self._batches = [np.arange(start, min(start + batch_size, len(images))) for start in starts]
        self._complete: list[shards.Shard] = []
        self._own: shards.ShardWriter | None = None
        if not self._finished():
            self._complete = self._complete_shards()
            self._open(shard)

    def pending(self) -> np.ndarray:
        """Rows that are neither written by this process nor complete by another."""
        return np.flatnonzero(self._missing())

    def pending_batches(self) -> list[np.ndarray]:
        """Rows of this process's batches that are not complete yet: of every n-th batch of n processes.

        Batches always hold the same rows, whoever computes them and however often the work was stopped: what a network
        gives for an image may depend on its batch in the last bits.

        Example:
            >>> images = [f"{i}.jpg" for i in range(7)]
            >>> writer = FeatureWriter("in_shards", {"fc": (4,)}, images=images, batch_size=2, shard=(1, 2))
            >>> writer.pending_batches()
            [array([2, 3]), array([6])]
        """
        missing = self._missing()
        return [rows for rows in self._batches if missing[rows].any()]

    def write(self, rows: Sequence[int] | np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Write all layers of some images.

        Args:
            rows: (k,) rows of the images.
            values: Name of each layer and its values ``(k, *shape)``.

        Raises:
            ValueError: If a layer is missing, has another shape or is not finite; it names the image. If a row is not
                of this process.
        """
        rows = np.asarray(rows)
        own = np.zeros(0, np.int64) if self._own is None else self._own.rows
        places = np.searchsorted(own, rows)
        if self._own is None or not np.array_equal(own[np.minimum(places, len(own) - 1)], rows):
            raise ValueError(f"the rows {rows.tolist()[:5]} are not this process's to write.")
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
        self._own.write(places, values)

    def finish(self) -> FeatureFile:
        """Complete the rows of this process, and join those of all processes.

        Raises:
            ValueError: If rows are missing, or those of another process are damaged.
        """
        self.complete()
        if len(missing := self.pending()):
            raise ValueError(f"{len(missing)} of {len(self.images)} images are not written, e.g. row {missing[0]}.")
        if not self._finished():
            try:
                self._join()
            except (OSError, ValueError):
                if not self._finished():  # else another process joined them meanwhile
                    raise
        for name in _UNFINISHED:
            (self.path / name).unlink(missing_ok=True)
        shards.remove_shards(self.path)
        return read_features(self.path)

    def complete(self) -> bool:
        """Declare the rows of this process complete, where all of them are; whether those of all processes are."""
        alone = self._own is not None and len(self._own.rows) == len(self.images)  # nobody waits for it
        if self._own and not alone and not self._missing()[self._own.rows].any():
            self._own.seal(self._digest)
            self._own = None
        if not self._finished():
            self._complete = self._complete_shards()
        return not len(self.pending())

    def _missing(self) -> np.ndarray:
        """(n,) whether each row is pending."""
        missing = np.full(len(self.images), not self._finished())
        for shard in [*self._complete, *([self._own.shard()] if self._own else [])]:
            missing[shard.rows] = False
        return missing

    def _finished(self) -> bool:
        return (self.path / INDEX).is_file()

    def _complete_shards(self) -> list[shards.Shard]:
        try:
            return [*_earlier(self.path), *shards.complete_shards(self.path, self._digest, len(self.images))]
        except (OSError, ValueError):
            if self._finished():  # another process joined and removed them meanwhile
                return []
            raise

    def _open(self, shard: tuple[int, int]) -> None:
        """Open this process's files, where a row of it is not complete."""
        own = np.concatenate([np.zeros(0, np.int64), *self._batches])
        if self._missing()[own].any():
            self._own = shards.ShardWriter(self.path, shard, self.plan["layers"], own)

    def _join(self) -> None:
        layers = self.plan["layers"]
        shards.require_whole([shard for shard in self._complete if shard.folder != self.path])
        parts = [*self._complete, *([self._own.shard()] if self._own else [])]
        shards.join(self.path, parts, layers, len(self.images))
        write_json(self.path / INDEX, self.plan | {"sums": checksums(self.path, _checked(layers))})

    def _begin(self) -> None:
        """Make the folder in one step, for other processes may do so at the same time: the first one counts."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent))
        try:
            part.chmod(0o755)
            write_json(part / "images.json", list(self.images))
            np.save(part / "labels.npy", self.labels)
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


def _earlier(path: Path) -> list[shards.Shard]:
    """Rows that an earlier version has written into the columns themselves, before it was stopped."""
    done = path / _UNFINISHED[1]
    if not done.is_file() or done.is_symlink():
        return []
    rows = np.flatnonzero(bounded_files.load_npy(done))
    return [shards.Shard(path, rows, rows)]


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
    own = {INDEX, VERIFIED, shards.FOLDER, *_UNFINISHED, *_checked(plan.get("layers", ()))}
    there = [file.name for file in path.iterdir() if file.name not in own and not file.name.startswith(shards.JOINED)]
    if foreign := sorted([*there, *shards.foreign_files(path, plan.get("layers", ()))]):
        raise FileExistsError(f"{path} also holds {foreign[0]}, so it is not replaced: choose another name.")
    shutil.rmtree(path)
