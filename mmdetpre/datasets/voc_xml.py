"""Read the objects of annotation files in the XML format of PASCAL VOC, which ImageNet uses as well."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from mmdetpre.datasets.packed_annotations import DIFFICULT, OCCLUDED, TRUNCATED

_FLAGS = {"difficult": DIFFICULT, "occluded": OCCLUDED, "truncated": TRUNCATED}
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BLOCK = 256
_MANY = 20_000
_THREADS, _PROCESSES = 8, 16

Object = tuple[list[float], str, int]  # corners as written, name, flags


@dataclass(frozen=True)
class XMLObjects:
    """The objects of N annotation files as columns.

    Attributes:
        sizes: (N, 2) int32 width and height of the ``size`` tag, (0, 0) where it is missing or zero.
        image: (M,) int32 index of the file.
        boxes: (M, 4) float64 xmin, ymin, xmax, ymax as written.
        names: Class name of each object.
        flags: (M,) uint8, bits ``DIFFICULT``, ``OCCLUDED``, ``TRUNCATED``.
    """

    sizes: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    names: list[str]
    flags: np.ndarray


def read_xml_files(paths: Sequence[str]) -> XMLObjects:
    """Read many annotation files, with a progress bar; from 20,000 on with a process per core.

    Args:
        paths: N paths.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: Names a file that is no XML, or an object without a complete box or name.

    Example:
        >>> read_xml_files(["Annotations/2007_000027.xml"]).names  # doctest: +SKIP
        ['person']
    """

    sizes: list[tuple[int, int]] = []
    image: list[int] = []
    objects: list[Object] = []
    with (
        _pool(len(paths)) as pool,
        tqdm(total=len(paths), desc="reading XML", unit=" files", disable=len(paths) < 2000) as bar,
    ):
        for block in pool.map(_read_block, [paths[k : k + _BLOCK] for k in range(0, len(paths), _BLOCK)]):
            for size, found in block:
                image += [len(sizes)] * len(found)
                sizes.append(size)
                objects += found
            bar.update(len(block))
    return XMLObjects(
        sizes=np.asarray(sizes, np.int32).reshape(-1, 2),
        image=np.asarray(image, np.int32),
        boxes=np.asarray([box for box, _, _ in objects], np.float64).reshape(-1, 4),
        names=[name for _, name, _ in objects],
        flags=np.asarray([flags for _, _, flags in objects], np.uint8),
    )


def _pool(files: int) -> Executor:
    """Parsing 1,000 files takes 0.4 s of one core: threads for few files, where starting processes costs more."""
    if files < _MANY or "fork" not in multiprocessing.get_all_start_methods():
        return ThreadPoolExecutor(_THREADS)
    return ProcessPoolExecutor(min(os.cpu_count() or 1, _PROCESSES), multiprocessing.get_context("fork"))


def _read_block(paths: Sequence[str]) -> list[tuple[tuple[int, int], list[Object]]]:
    return [_read(path) for path in paths]


def _read(path: str) -> tuple[tuple[int, int], list[Object]]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML ({error}): it is cut off or damaged. Restore it or take it out.") from error
    width, height = (int(_number(root.findtext(f"size/{side}")) or 0) for side in ("width", "height"))
    return (width, height) if min(width, height) > 0 else (0, 0), [
        _object(item, path) for item in root.iterfind("object")
    ]


def _object(item: ElementTree.Element, path: str) -> Object:
    name = (item.findtext("name") or "").strip()
    corners = (_number(item.findtext(f"bndbox/{corner}")) for corner in _CORNERS)
    box = [value for value in corners if value is not None]
    if not name or len(box) < 4:
        found = ElementTree.tostring(item, encoding="unicode").strip()
        raise ValueError(
            f"{path}: an object has no {'name' if not name else 'complete box'}. It needs <name> and <bndbox> with the"
            f" numbers {', '.join(_CORNERS)}; found {' '.join(found.split())[:200]}"
        )
    flags = 0
    for tag, bit in _FLAGS.items():
        if (item.findtext(tag) or "").strip() in ("1", "true", "True"):
            flags |= bit
    return box, name, flags


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
