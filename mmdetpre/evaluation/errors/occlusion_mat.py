"""Occlusion levels from the MATLAB file that the software of Hoiem et al. (2012) keeps its annotations in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdetpre.utils.bounded_files import GIB, read_bounded

_ADVICE = "give the file that the software of Hoiem et al. saves, such as VOC2007_annotations_test.mat"


class AnnotatedObject(NamedTuple):
    """An object of a file of levels.

    Attributes:
        where: Its place in the file, for messages.
        image: Image id, with or without folder and suffix.
        label: Class name.
        box: (4,) x1, y1, x2, y2 in pixels.
        level: Index into ``LEVEL_NAMES``.
    """

    where: str
    image: str
    label: str
    box: np.ndarray
    level: int


def read_annotated_mat(path: str | Path) -> list[AnnotatedObject]:
    """Objects with a level, from ``ann.rec`` (or ``rec``), one struct per image.

    Of ``rec`` are read ``filename`` and of each of its ``objects`` ``class``, ``bbox`` and ``details.occ_level``, which
    is 1 to 4 (none, low, medium, high). Objects whose ``details`` are empty have none. Nothing in the file is executed.

    Raises:
        ValueError: If the file is of another kind, or a level is none of these.

    Example:
        >>> read_annotated_mat("annotations/VOC2007_annotations_test.mat")[0].label  # doctest: +SKIP
        'aeroplane'
    """
    from scipy.io import loadmat  # takes half a second

    path = Path(path)
    content = read_bounded(path, 2 * GIB)
    if content.startswith(b"\x89HDF"):
        raise ValueError(f"{path} is of MATLAB's format 7.3: load it there and save it with -v7.")
    try:
        found = loadmat(
            io.BytesIO(content), variable_names=["ann", "rec"], squeeze_me=True, struct_as_record=False,
            verify_compressed_data_integrity=True,
        )  # fmt: skip
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise ValueError(f"{path} is not a MATLAB file, or damaged ({error}): {_ADVICE}.") from error
    records = found.get("rec", getattr(found.get("ann"), "rec", None))
    if records is None:
        raise ValueError(f"{path} holds neither ann.rec nor rec, the records of images: {_ADVICE}.")
    return list(_objects(np.atleast_1d(records), path))


def _objects(records: np.ndarray, path: Path) -> Iterator[AnnotatedObject]:
    for r, record in enumerate(records, 1):
        name = next((n for n in (_text(record, key) for key in ("filename", "imgname")) if n), "")
        for o, item in enumerate(np.atleast_1d(getattr(record, "objects", [])), 1):
            level = getattr(getattr(item, "details", None), "occ_level", None)
            if level is None or not np.size(level):
                continue
            where = f"{path}, rec({r}).objects({o})"
            if np.size(level) != 1 or not np.isin(level, (1, 2, 3, 4)):
                raise ValueError(f"{where}: occ_level is {level}, expected 1 to 4 (none, low, medium, high).")
            try:
                box = np.asarray(item.bbox, np.float64).reshape(4)
            except (AttributeError, TypeError, ValueError):
                box = np.full(4, np.nan)
            if not name or not np.isfinite(box).all():
                raise ValueError(f"{where} has no filename or no bbox of four numbers: {_ADVICE}.")
            yield AnnotatedObject(where, name, _text(item, "class"), box, int(level) - 1)


def _text(record: Any, key: str) -> str:
    value = getattr(record, key, "")
    return value if isinstance(value, str) else ""
