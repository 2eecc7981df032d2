"""Reads JSON, XML and NumPy files that somebody else may have written: sizes are checked before memory is taken.

Nothing in such a file is executed or fetched, whatever it says. What remains to a stranger's file is to be wrong, which
its reader tells, and to be large, which is bounded here.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import math
import os
import re
import stat
import tokenize
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

import numpy as np

from mmdetpre.utils.xml_text import decode_xml

MIB, GIB = 1 << 20, 1 << 30
_DAMAGED = (
    EOFError,
    ValueError,
    OverflowError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)
"""What NumPy raises for headers that are none."""
_CONTAINERS = frozenset({list, dict})
MOST_DEPTH = 64
"""Lists and objects within one another. No format that the project reads needs ten."""


def read_bounded(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The content of a regular file of limited size.

    Raises:
        OSError: If it is not there or cannot be read.
        ValueError: If it is larger, or no regular file: a device or a pipe never ends.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{os.fspath(path)} is a device or a pipe: give a file.")
        if status.st_size > most_bytes:
            raise ValueError(
                f"{os.fspath(path)} has {status.st_size / MIB:,.0f} MiB; a file of this kind has at most"
                f" {most_bytes / MIB:,.0f}: it is another file."
            )
        # As much memory as is asked for is taken before anything is read: never most_bytes.
        return file.read(min(most_bytes, max(status.st_size, 1 << 16)))


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, and a pipe as well, which otherwise waits for somebody to write to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_end(path: str | os.PathLike[str], most_bytes: int = MIB) -> bytes:
    """The last bytes of a regular file of any size, such as a log.

    Raises:
        OSError: If it is not there or cannot be read.
        ValueError: If it is not a regular file.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{os.fspath(path)} is a device or a pipe: give a file.")
        file.seek(max(0, status.st_size - most_bytes))
        return file.read(most_bytes)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a regular file in hexadecimal, read a MiB at a time.

    Raises:
        OSError: If it is not there or cannot be read.
        ValueError: If it is not a regular file.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{os.fspath(path)} is a device or a pipe: give a file.")
        while block := file.read(MIB):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def paused_collector() -> Iterator[None]:
    """Python looks for circles of objects again and again while millions are made, a third of the time of a large file.

    Example:
        >>> with paused_collector():
        ...     gc.isenabled()
        False
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json(path: str | os.PathLike[str], most_bytes: int = 64 * MIB, most_depth: int = MOST_DEPTH) -> Any:
    """The value of a JSON file, of bounded size and depth.

    Args:
        path: UTF-8, with or without a byte order mark, UTF-16 or UTF-32.
        most_bytes: 64 MiB fit what the project writes; annotations of a data set take gigabytes.
        most_depth: See `parse_json`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is too large, no JSON, or too deep.

    Example:
        >>> list(read_json("annotations/instances_train2017.json", most_bytes=8 * GIB))
        ['images', 'annotations', 'categories']
    """
    return parse_json(read_bounded(path, most_bytes), os.fspath(path), most_depth)


@paused_collector()
def parse_json(text: str | bytes, name: str, most_depth: int = MOST_DEPTH) -> Any:
    """The value of a JSON text, nested at most so deep that functions which walk through it cannot run out of stack.

    Args:
        text: The text.
        name: What to call it in messages.
        most_depth: Lists and objects within one another.

    Raises:
        ValueError: If it is not valid JSON, or nested deeper.

    Example:
        >>> parse_json('{"a": [1, 2]}', "an example")
        {'a': [1, 2]}
    """
    too_deep = f"{name} has lists or objects more than {most_depth} deep: it is not a file of this kind."
    try:
        value = json.loads(text, object_pairs_hook=_different_keys)
    except RecursionError:
        raise ValueError(too_deep) from None
    except UnicodeDecodeError as error:
        if isinstance(text, bytes) and text.startswith(b"\x1f\x8b"):
            raise ValueError(f"{name} is not JSON but a gzip archive: unpack it (gunzip).") from error
        raise ValueError(f"{name} is in no encoding of JSON ({error}): save it as UTF-8.") from error
    except _RepeatedKey as error:
        raise ValueError(f"{name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{name} is not valid JSON ({error}): it is cut off or another kind of file.") from error
    level = _containers([value])
    for _ in range(most_depth):
        if not level:
            return value
        within = (part.values() if type(part) is dict else part for part in level)
        level = [
            item for items in within if not _CONTAINERS.isdisjoint(map(type, items)) for item in _containers(items)
        ]
    if level:
        raise ValueError(too_deep)
    return value


class _RepeatedKey(ValueError):
    """An object with two values for one key, of which JSON's readers take the last without a word."""


def _different_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RepeatedKey(f"an object has the key {twice!r:.80} twice, and only one of its values can be meant.")
    return value


def _containers(items: Iterable[Any]) -> list[Any]:
    return [item for item in items if type(item) in _CONTAINERS]


def read_xml(path: str | os.PathLike[str], most_bytes: int = 16 * MIB, most_depth: int = MOST_DEPTH) -> Element:
    """The root element of an XML file without entities of its own; names are without their namespace.

    A document type (``<!DOCTYPE``) is refused: it is what entities are defined in, which grow without bound or name
    other files. Nothing is fetched.

    Args:
        path: The file, in any encoding that `mmdetpre.utils.xml_text.decode_xml` reads.
        most_bytes, most_depth: Bounds of its size, and of elements within one another.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is too large, no XML, too deep, in an unknown encoding, or has a document type.

    Example:
        >>> read_xml("Annotations/2007_000027.xml").findtext("size/width")
        '486'
    """
    name = os.fspath(path)
    text = decode_xml(read_bounded(path, most_bytes), name)
    if (at := text.find("<!DOCTYPE")) >= 0:  # in a comment as well: that is not worth a second parser
        kind = re.split(r"[>\[]", text[at : at + 50])[0].strip()
        raise ValueError(
            f"{name} has a document type ({kind} ...>), which annotations do not need and which is not read: remove it"
            " from the file."
        )
    parser = XMLParser()
    try:
        parser.feed(text)
        root = parser.close()
    except (ParseError, UnicodeError) as error:  # a lone surrogate is not text
        raise ValueError(f"{name} is not valid XML ({error}): it is cut off or damaged.") from error
    if "xmlns" in text:
        for item in root.iter():
            item.tag = item.tag.rpartition("}")[2]
    level = [root]
    for _ in range(most_depth):
        level = [item for items in level for item in items]
        if not level:
            return root
    raise ValueError(f"{name} has elements more than {most_depth} deep: it is not a file of this kind.")


def load_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of a ``.npy`` file, read-only and mapped to memory: what its header announces must be in the file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not an array of numbers or texts, or shorter than it says.
    """
    try:
        # A plain view: slicing np.memmap objects is ten times slower, the memory stays mapped.
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except _DAMAGED as error:
        raise ValueError(f"{os.fspath(path)} is not a whole file of an array ({error}).") from error


def load_npz(path: str | os.PathLike[str], most_bytes: int = 16 * GIB) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file; never objects.

    Args:
        path: The file.
        most_bytes: Of all arrays, unpacked.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not an archive of arrays, or announces more than it holds or than is allowed.
    """
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.infolist() if item.filename.endswith(".npy")]
            if (unpacked := sum(item.file_size for item in archive.infolist())) > most_bytes:
                raise ValueError(f"it unpacks to {unpacked / MIB:,.0f} MiB, more than {most_bytes / MIB:,.0f}")
            for item in members:
                with archive.open(item) as file:
                    announced = _announced_bytes(file)
                if announced != item.file_size:
                    raise ValueError(f"{item.filename} announces {announced} bytes and has {item.file_size}")
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (zipfile.BadZipFile, KeyError, *_DAMAGED) as error:
        raise ValueError(f"{name} is not an archive of arrays, or damaged ({error}).") from error
    except (NotImplementedError, RuntimeError) as error:  # of zipfile: another compression, or a password
        raise ValueError(f"{name} is not an archive of arrays ({error}).") from error


def _announced_bytes(file: Any) -> int:
    """How long a ``.npy`` is by its own header, which is in memory by then and short."""
    start = io.BytesIO(file.read(65536))
    version = np.lib.format.read_magic(start)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version} of .npy")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(start)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are not read")
    return start.tell() + math.prod(shape) * dtype.itemsize
