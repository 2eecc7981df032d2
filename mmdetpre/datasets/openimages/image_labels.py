"""Read the human-verified image-level labels of OpenImages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mmdetpre.datasets.openimages.csv_form import csv_form

_HEADER = ("ImageID", "Source", "LabelName", "Confidence")
_TYPES = {"ImageID": str, "LabelName": str}
_EMPTY = -2


@dataclass(frozen=True)
class ImageLevelLabels:
    """Which classes somebody has looked for in which image.

    Attributes:
        rows: Row of an image by its id.
        offsets: (N + 1,) int64, the labels of row ``i`` are ``labels[offsets[i]:offsets[i + 1]]``.
        labels: (K,) int16.
        dropped: How many rows were left out because a cell is empty, by reason.
    """

    rows: dict[str, int]
    offsets: np.ndarray
    labels: np.ndarray
    dropped: dict[str, int] = field(default_factory=dict)

    def of(self, image: str) -> np.ndarray:
        """(k,) int64 labels verified in an image, present and absent ones; none for an image that was not verified."""
        row = self.rows.get(image)
        part = slice(0, 0) if row is None else slice(self.offsets[row], self.offsets[row + 1])
        return self.labels[part].astype(np.int64)


def read_image_labels(path: str | Path, labels: dict[str, int], relation: np.ndarray | None = None) -> ImageLevelLabels:
    """Read an official CSV of image-level labels (``ImageID,Source,LabelName,Confidence``; columns found by name).

    As in mmdet every row counts whatever its confidence: both 1 (verified present) and 0 (verified absent) say that a
    detection of the class can be judged.

    Args:
        path: The CSV, of the same part of OpenImages as the boxes.
        labels: Label by MID of the chosen classes. Rows of other classes are left out.
        relation: (C, C), not 0 at [class, ancestor], of :func:`~mmdetpre.datasets.openimages.classes.relation_matrix`:
            expand the labels as the OpenImages Challenge does, present ones to their ancestors, absent ones to their
            descendants.

    Raises:
        ValueError: If a column is missing or the file is not valid CSV.

    Example:
        >>> path = "validation-annotations-human-imagelabels-boxable.csv"
        >>> read_image_labels(path, {"/m/0k4j": 0}).of("0001eeaf4aed83f9")
        array([0])
    """
    types: dict[str, type] = dict(_TYPES) if relation is None else {**_TYPES, "Confidence": float}
    form = csv_form(path, list(types), _HEADER)
    rows: dict[str, int] = {}
    dropped: Counter[str] = Counter()
    images, kept, present = [np.zeros(0, np.int32)], [np.zeros(0, np.int16)], [np.zeros(0, bool)]
    try:
        for chunk in form.chunks(types):
            codes, mids = pd.factorize(chunk["LabelName"])
            # pandas gives empty cells the code -1: it finds the entry appended at the end
            label = np.array([*(labels.get(mid, -1) for mid in mids), _EMPTY], np.int16)[codes]
            named = chunk["ImageID"].notna().to_numpy()
            dropped["no image id"] += int(np.count_nonzero(~named))
            dropped["no class"] += int(np.count_nonzero(named & (label == _EMPTY)))
            keep = named & (label >= 0)
            codes, names = pd.factorize(chunk["ImageID"].to_numpy()[keep])
            images.append(np.array([rows.setdefault(name, len(rows)) for name in names], np.int32)[codes])
            kept.append(label[keep])
            if relation is not None:
                present.append(chunk["Confidence"].to_numpy()[keep] >= 0.5)
    except (ValueError, pd.errors.ParserError) as error:
        if problem := form.wrong_row({}):
            raise ValueError(problem) from None
        raise ValueError(f"{path} cannot be read: {error}. Expected lines {','.join(_HEADER)}.") from error
    image, label = np.concatenate(images), np.concatenate(kept)
    if relation is not None:
        image, label = _expanded(image, label, np.concatenate(present), relation)
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.bincount(image, minlength=len(rows)), out=offsets[1:])
    in_order = label[np.argsort(image, kind="stable")]
    return ImageLevelLabels(rows, offsets, in_order, {reason: count for reason, count in dropped.items() if count})


def _expanded(
    image: np.ndarray, label: np.ndarray, present: np.ndarray, relation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels with the ancestors of what is present and the descendants of what is absent."""
    if not len(label):
        return image, label
    kind = 2 * label.astype(np.int64) + present
    order = np.argsort(kind, kind="stable")
    images, labels = [], []
    for group in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        one = group[0]
        reached = np.flatnonzero(relation[label[one]] if present[one] else relation[:, label[one]])
        images.append(np.repeat(image[group], len(reached)))
        labels.append(np.tile(reached.astype(label.dtype), len(group)))
    return np.concatenate(images), np.concatenate(labels)
