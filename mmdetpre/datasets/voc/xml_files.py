"""The one reader of annotation files in the XML format of PASCAL VOC, which ImageNet uses as well."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from mmdetpre.datasets.packed.annotation_values import FLAG, MOST_PIXELS, flag_of, name_of, number_of, side_of
from mmdetpre.datasets.packed.annotations import DIFFICULT, OCCLUDED, TRUNCATED
from mmdetpre.utils.bounded_files import read_xml
from mmdetpre.utils.progress_bar import progress_bar

WAY = "x1 y1 x2 y2"
"""The four numbers of a box, a key of `mmdetpre.datasets.packed.box_form.WAYS`."""
_FLAGS = {"difficult": DIFFICULT, "occluded": OCCLUDED, "truncated": TRUNCATED}
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BLOCK = 256
_MANY = 20_000
_THREADS, _PROCESSES = 8, 16


Object = tuple[list[float], str, int]  # corners as written, name, flags


class _Read(NamedTuple):
    size: tuple[int, int]
    photo: str
    objects: list[Object]


@dataclass(frozen=True)
class XMLObjects:
    """The objects of N annotation files as columns.

    Attributes:
        sizes: (N, 2) int32 width and height of the ``size`` tag, (0, 0) where it is missing or zero.
        image: (M,) int32 index of the file.
        boxes: (M, 4) float64 xmin, ymin, xmax, ymax as written.
        names: Class name of each object.
        flags: (M,) uint8, bits ``DIFFICULT``, ``OCCLUDED``, ``TRUNCATED``.
        files: N names of photos, the tag ``filename``, "" where it is missing.
    """

    sizes: np.ndarray
    image: np.ndarray
    boxes: np.ndarray
    names: list[str]
    flags: np.ndarray
    files: list[str]


def half_open(corners: np.ndarray) -> np.ndarray:
    """(M, 4) boxes as VOC writes them, first and last pixel inside, counted from 1 -> half-open, from 0.

    Example:
        >>> half_open(np.array([[1, 1, 100, 80.5]])).tolist()
        [[0.0, 0.0, 100.0, 80.0]]
    """
    return np.trunc(corners) - (1, 1, 0, 0)


def find_xml(folder: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict[str, Path]:
    """The XML files of a folder and of those below it, by their paths without suffix, sorted.

    Files whose names begin with a point (``._a.xml``, which macOS leaves in archives) are none; ``.XML`` is as good as
    ``.xml``.

    Args:
        folder: The folder.
        names: Such paths; None: all there are. Of one that is not there the path is made up with ``.xml``.

    Raises:
        ValueError: If two files differ in their suffix alone.
    """
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(os.fspath(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in files:
            stem, suffix = os.path.splitext(os.path.relpath(os.path.join(place, file), folder))
            if suffix.lower() == ".xml" and not file.startswith("."):
                if stem in found:
                    raise ValueError(f"{folder} holds {found[stem].name} and {file}: remove one of them.")
                found[stem] = Path(place, file)
    if names is None:
        return {stem: found[stem] for stem in sorted(found)}
    return {name: found.get(name, Path(folder, f"{name}.xml")) for name in names}


def read_xml_files(paths: Sequence[str]) -> XMLObjects:
    """Read many annotation files, with a progress bar; from 20,000 on with a process per core.

    Args:
        paths: N paths.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: Names a file that is not valid XML, or an object without a complete box or name.

    Example:
        >>> read_xml_files(["Annotations/2007_000027.xml"]).names
        ['person']
    """

    read: list[_Read] = []
    with (
        _pool(len(paths)) as pool,
        progress_bar(total=len(paths), desc="reading XML", unit=" files", disable=len(paths) < 2000) as bar,
    ):
        for block in pool.map(_read_block, [paths[k : k + _BLOCK] for k in range(0, len(paths), _BLOCK)]):
            read += block
            bar.update(len(block))
    objects = [item for file in read for item in file.objects]
    return XMLObjects(
        sizes=np.asarray([file.size for file in read], np.int32).reshape(-1, 2),
        image=np.repeat(np.arange(len(read), dtype=np.int32), [len(file.objects) for file in read]),
        boxes=np.asarray([box for box, _, _ in objects], np.float64).reshape(-1, 4),
        names=[name for _, name, _ in objects],
        flags=np.asarray([flags for _, _, flags in objects], np.uint8),
        files=[file.photo for file in read],
    )


def _pool(files: int) -> Executor:
    """Parsing 1,000 files takes 0.4 s of one core: threads for few files, where starting processes costs more."""
    if files < _MANY or "fork" not in multiprocessing.get_all_start_methods():
        return ThreadPoolExecutor(_THREADS)
    return ProcessPoolExecutor(min(os.cpu_count() or 1, _PROCESSES), multiprocessing.get_context("fork"))


def _read_block(paths: Sequence[str]) -> list[_Read]:
    return [_read(path) for path in paths]


def _read(path: str) -> _Read:
    root = read_xml(path)
    _require_form(root, path)
    objects = [_object(item, path) for item in root.iterfind("object")]
    sides = [_side(path, name, root.findtext(f"size/{name}")) for name in ("width", "height")]
    size = (sides[0], sides[1]) if min(sides) > 0 else (0, 0)
    return _Read(size, (root.findtext("filename") or "").strip(), objects)


def _require_form(root: Element, path: str) -> None:
    """Refuse a file of another kind, and objects or values that would be skipped silently."""
    objects = root.findall("object")
    if not objects and root.tag.lower() != "annotation":
        raise ValueError(f"{path} is not an annotation file of VOC: it holds <{root.tag:.40}>, expected <annotation>.")
    if sum(item.tag.lower() == "object" for item in root.iter()) > len(objects):
        raise ValueError(
            f"{path}: an <object> stands inside another element, or is written <Object>, and would not be read."
            " Expected every <object> directly in <annotation>."
        )
    for item in objects:
        several = [tag for tag in ("name", "bndbox") if len(item.findall(tag)) > 1]
        several += [tag for tag in _CORNERS if len(item.findall(f"bndbox/{tag}")) > 1]
        if several:
            raise ValueError(
                f"{path}: an object {item.findtext('name') or ''!r} has <{several[0]}> more than once. Expected one"
                " <object> for each box, with one <name> and one <bndbox>."
            )


def _object(item: Element, path: str) -> Object:
    name = name_of(item.findtext("name") or "")
    corners = (number_of(item.findtext(f"bndbox/{corner}")) for corner in _CORNERS)
    box = [value for value in corners if value is not None]
    if not name or len(box) < 4:
        found = " ".join(f"<{part.tag}>{_shown(part)}</{part.tag}>" for part in item)
        raise ValueError(
            f"{path}: an object has no {'name' if not name else 'complete box'}. It needs <name> and <bndbox> with the"
            f" numbers {', '.join(_CORNERS)}; found <object>{found[:200]}"
        )
    flags = 0
    for tag, bit in _FLAGS.items():
        text = item.findtext(tag)
        told = flag_of(text)
        if told is None:
            raise ValueError(f"{path}: an object {name!r} has {tag} {text!r:.40}, expected {FLAG}.")
        flags |= bit if told else 0
    return box, name, flags


def _shown(item: Element) -> str:
    return (item.text or "").strip() or " ".join(f"<{part.tag}>{(part.text or '').strip()}" for part in item)


def _side(path: str, name: str, text: str | None) -> int:
    value = number_of(text)
    side = side_of(value)
    if side is None:
        raise ValueError(f"{path} has {name} {text!r:.40}, expected whole pixels, at most {MOST_PIXELS:,}.")
    return side
