"""Text files as people have them: with a byte order mark or without, of any system's line ends, in UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from typing import NamedTuple

MOST_BYTES = 256 << 20
"""Lists and tables of classes and images stay far below; a larger file is something else."""
_MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")


class Line(NamedTuple):
    """A line of a text file that is not blank: its number, from 1, and its text without the line end."""

    number: int
    text: str


def encoding_of(data: bytes) -> str:
    """Name of the encoding of a text by its first bytes: by its byte order mark, or by where zeros stand.

    Example:
        >>> encoding_of("a".encode("utf-16")), encoding_of(b"cat" + bytes([10])), encoding_of(b"c" + bytes([0, 97, 0]))
        ('utf-16', 'utf-8', 'utf-16-le')
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:4096]
    if len(head) >= 2 and head.count(0):  # of UTF-16 without a mark every other byte is zero where text is ASCII
        even, odd = head[0::2], head[1::2]
        if odd.count(0) > 0.4 * len(odd) and not even.count(0):
            return "utf-16-le"
        if even.count(0) > 0.4 * len(even) and not odd.count(0):
            return "utf-16-be"
    return "utf-8"


def decode_text(data: bytes, name: str | os.PathLike) -> str:
    """The text in the bytes of a file; line ends stay as they are.

    Args:
        data: The bytes.
        name: Of the file, for messages.

    Raises:
        ValueError: If it is in no encoding that can be told, or holds zeros, as only other kinds of files do.

    Example:
        >>> decode_text("kočka".encode("utf-16"), "classes.txt")
        'kočka'
    """
    encoding = encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(data[: error.start].decode(encoding, "replace")))
        shown = data[error.start : error.start + 1]
        guess = f" (in Latin-1 it is {shown.decode('latin-1')!r})" if encoding == "utf-8" and shown >= b"\xa0" else ""
        raise ValueError(
            f"{name}, line {line}: byte 0x{shown.hex()}{guess} is not {encoding.upper().removesuffix('-SIG')}, so the"
            " encoding of this file is not known: save it as UTF-8."
        ) from error
    if "\0" in text:
        line = len(_LINE_END.split(text[: text.index("\0")]))
        raise ValueError(f"{name}, line {line} holds a zero byte: it is not a text file, or a damaged one.")
    return text


def read_text(path: str | os.PathLike, what: str = "a text file") -> str:
    """The text of a file.

    Args:
        path: The file.
        what: What it should be, for the message where it is not there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not text, or larger than any list.
    """
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is not there"
        raise FileNotFoundError(f"{path} {found}: give {what}.")
    with path.open("rb") as file:
        data = file.read(min(os.fstat(file.fileno()).st_size, MOST_BYTES) + 1)  # takes that much memory before it reads
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES >> 20} MiB: expected {what}.")
    return decode_text(data, path)


def text_lines(text: str) -> list[Line]:
    """The lines of a text that are not blank; they end with LF, CRLF or CR, and with no other sign.

    Example:
        >>> text_lines("cat" + chr(13) + chr(13) + " big dog ")
        [Line(number=1, text='cat'), Line(number=3, text=' big dog ')]
    """
    return [Line(number, line) for number, line in enumerate(_LINE_END.split(text), start=1) if line.strip()]


def read_lines(path: str | os.PathLike, what: str = "a text file") -> list[Line]:
    """The lines of a file that are not blank, see :func:`text_lines`; raises what :func:`read_text` raises."""
    return text_lines(read_text(path, what))
