"""The detections of one run in one file, with the ground truth they were made against."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.evaluation.detections.ground_truth import UNKNOWN, GroundTruth, as_column, check_boxes, set_field
from mmdetpre.utils import bounded_files
from mmdetpre.utils.whole_file import whole_file

__all__ = ["UNKNOWN", "Detections", "GroundTruth", "check_out_file"]

FORMAT = "mmdetpre detections"
FORMAT_VERSION = 1

_TRUTH = "truth_"
_ADVICE = "Write one with mmdetpre.DumpDetections(out_file=...) among the test_evaluator."


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections of one run on N images as columns, in ascending order of ``image``.

    Boxes are half-open, as everywhere in mmdetpre, unless ``plus_one`` says that x2 and y2 name the last pixel inside,
    as in VOC's files and ``mmdet.VOCDataset``: then a side is ``x2 - x1 + 1`` long. The convention is that of
    the detections and the ground truth alike, and of the file; every analysis measures the boxes by it.

    Args:
        classes: Class names; a label is an index into them.
        names: N different image ids, as text. Images without a detection are among them.
        image: (n,) int32, index into ``names``.
        boxes: (n, 4) float32 x1, y1, x2, y2 in original pixels.
        scores: (n,) float32.
        labels: (n,) int32 class indices.
        paths: N paths of the images, empty text where unknown; ``None`` for unknown everywhere.
        sizes: (N, 2) int32 width and height in pixels, (0, 0) where unknown; ``None`` for unknown everywhere.
        truth: What is annotated in the same images, or ``None`` if the run did not know it.
        plus_one: x2 and y2 of all boxes name the last pixel inside. Files without this mark read as ``False``.

    Raises:
        ValueError: If the columns do not fit each other, a label is none of the classes, or a number is not finite.

    Example:
        >>> run = Detections(("cat",), ("a", "b"), [1], [[0, 0, 9, 9]], [0.5], [0])
        >>> len(run), run.rows(0), run.boxes[run.rows(1)].tolist()
        (1, slice(0, 0, None), [[0.0, 0.0, 9.0, 9.0]])
        >>> run.save("run.npz")
        >>> Detections.load("run.npz").names
        ('a', 'b')
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    paths: tuple[str, ...] | None = None
    sizes: np.ndarray | None = None
    truth: GroundTruth | None = None
    plus_one: bool = False

    def __post_init__(self) -> None:
        set_field(self, "plus_one", bool(self.plus_one))
        set_field(self, "classes", tuple(map(str, self.classes)))
        set_field(self, "names", tuple(map(str, self.names)))
        images = len(self.names)
        if len(set(self.names)) != images:
            double, times = Counter(self.names).most_common(1)[0]
            raise ValueError(
                f"The image id '{double}' occurs {times} times: every image of the data set needs an id of its own."
            )
        count = check_boxes(self, "detections")
        set_field(self, "scores", as_column(self.scores, np.float32, count, "detections", "scores"))
        if not np.isfinite(self.scores).all():
            row = int(np.flatnonzero(~np.isfinite(self.scores))[0])
            raise ValueError(
                f"The score of detection {row} is {self.scores[row]}: scores must be finite. Has the model diverged?"
            )
        paths = tuple(map(str, [""] * images if self.paths is None else self.paths))
        sizes = np.asarray(np.zeros((images, 2)) if self.sizes is None else self.sizes, np.int32).reshape(-1, 2)
        if len(paths) != images or len(sizes) != images:
            raise ValueError(f"There are {len(paths)} paths and {len(sizes)} sizes for {images} images.")
        set_field(self, "paths", paths)
        set_field(self, "sizes", sizes)
        for what, columns in (("detections", self), ("ground truth", self.truth)):
            if columns is not None:
                _check_range(columns.labels, len(self.classes), f"labels of the {what}", "classes")
                _check_range(columns.image, images, f"images of the {what}", "images")

    def __len__(self) -> int:
        return len(self.boxes)

    def rows(self, image: int) -> slice:
        """Which rows belong to an image."""
        return _rows(self.image, image)

    def truth_rows(self, image: int) -> slice:
        """Which rows of the ground truth belong to an image."""
        return _rows(self.ground_truth().image, image)

    def ground_truth(self) -> GroundTruth:
        """The ground truth.

        Raises:
            ValueError: If the run did not store any.
        """
        if self.truth is None:
            raise ValueError(
                "These detections come without ground truth, so nothing can be evaluated. Test a split that has"
                " annotations, with LoadAnnotations in the test pipeline, and write the file again with"
                " mmdetpre.DumpDetections."
            )
        return self.truth

    def half_open(self) -> Detections:
        """The same run with half-open boxes: one pixel is added to x2 and y2 if they name the last pixel inside.

        Example:
            >>> run = Detections(("cat",), ("a",), [0], [[0, 0, 9, 4]], [0.5], [0], plus_one=True)
            >>> run.half_open().boxes.tolist()
            [[0.0, 0.0, 10.0, 5.0]]
        """
        if not self.plus_one:
            return self
        pixel = np.array([0, 0, 1, 1], np.float32)
        truth = self.truth and replace(self.truth, boxes=self.truth.boxes + pixel)
        return replace(self, boxes=self.boxes + pixel, truth=truth, plus_one=False)

    def require_classes(self, classes: Sequence[str], whose: str = "the data set") -> None:
        """Raise ``ValueError`` if the classes are not these in this order; ``whose`` names where they come from.

        Raises:
            ValueError: If the classes differ.
        """
        ours, theirs = self.classes, tuple(classes)
        if ours == theirs:
            return
        if len(ours) != len(theirs):
            difference = f"{len(ours)} instead of {len(theirs)}"
        else:
            place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
            difference = f"class {place} is '{ours[place]}' instead of '{theirs[place]}'"
        raise ValueError(
            f"The classes of the detections are not those of {whose}: {difference}. Use detections made with the same"
            " class list."
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the file: beside its place first, then renamed, so that it is never seen half written.

        Raises:
            FileExistsError: If there is something already and ``overwrite`` is not set.
            ValueError: If the name does not end in ``.npz``.
        """
        path = check_out_file(path, overwrite=overwrite)
        arrays: dict[str, np.ndarray] = {
            "format": np.array(FORMAT),
            "version": np.array(FORMAT_VERSION),
            "classes": np.array(self.classes, dtype=np.str_),
            "names": np.array(self.names, dtype=np.str_),
            "paths": np.array(self.paths, dtype=np.str_),
            "sizes": np.asarray(self.sizes),
            "plus_one": np.array(self.plus_one),
        }
        arrays |= {name: getattr(self, name) for name in ("image", "boxes", "scores", "labels")}
        if self.truth is not None:
            arrays |= {_TRUTH + name: getattr(self.truth, name) for name in GroundTruth.__dataclass_fields__}
        with whole_file(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # the keywords are arrays, none is allow_pickle

    @classmethod
    def load(cls, path: str | Path) -> Detections:
        """Read a file that :meth:`save` wrote. Nothing in it is ever executed.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is another kind of file, of a newer version, or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file of detections {path}. {_ADVICE}")
        if not zipfile.is_zipfile(path):
            raise ValueError(f"{path} is not a file of detections, or cut off: it is no .npz archive. {_ADVICE}")
        try:
            arrays: dict[str, Any] = bounded_files.load_npz(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} is not a file of detections, or damaged ({error}). {_ADVICE}") from error
        if str(arrays.get("format")) != FORMAT:
            raise ValueError(f"{path} is not a file of detections: it bears no mark '{FORMAT}'. {_ADVICE}")
        if "version" not in arrays:
            raise ValueError(f"{path} is damaged: it does not say which version of the format it has. {_ADVICE}")
        if str(arrays["version"]) != str(FORMAT_VERSION):
            raise ValueError(
                f"{path} has version {arrays['version']} of the format, this program reads {FORMAT_VERSION}: read it"
                " with the version of mmdetpre that wrote it."
            )
        truth = {name: arrays.get(_TRUTH + name) for name in GroundTruth.__dataclass_fields__}
        arrays.setdefault("plus_one", np.array(False))  # files from before there was the mark
        names = [name for name in cls.__dataclass_fields__ if name != "truth"]
        if missing := [name for name in names if name not in arrays]:
            raise ValueError(f"{path} is damaged: it has no column '{missing[0]}'. {_ADVICE}")
        try:
            return cls(
                **{name: arrays[name] for name in names},
                truth=None if truth["image"] is None else GroundTruth(**truth),  # type: ignore[arg-type]
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def check_out_file(path: str | Path, *, overwrite: bool = False) -> Path:
    """The path, if detections may be written there.

    Raises:
        FileExistsError: If there is something already and ``overwrite`` is not set.
        ValueError: If the name does not end in ``.npz``.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"The file of detections is called {path.name}: give it a name that ends in .npz.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists and is left as it is: choose another name, or set overwrite=True, also when resuming a"
            " training whose earlier validations wrote it."
        )
    return path


def _rows(column: np.ndarray, image: int) -> slice:
    start, stop = np.searchsorted(column, [image, image + 1])
    return slice(int(start), int(stop))


def _check_range(column: np.ndarray, limit: int, what: str, unit: str) -> None:
    wrong = column[(column < 0) | (column >= limit)]
    if len(wrong):
        raise ValueError(
            f"Among the {what} is {wrong[0]}, but there are {limit} {unit}, 0 to {limit - 1}. Were they made with this"
            " class list and this data set?"
        )
