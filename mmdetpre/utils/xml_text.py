"""The text of an XML file in whatever encoding it declares, or shows by its first bytes."""

from __future__ import annotations

import codecs
import re

from mmdetpre.utils.text_files import encoding_of

_DECLARED = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
_CODEC = re.compile(r"[A-Za-z][A-Za-z0-9._:-]{0,40}")
_WIDE = re.compile(r"(utf|ucs)[-_]?(16|32|2|4)", re.IGNORECASE)
_WIDER = {
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""What programs write under a name: the encoding that contains the one of the name."""


def decode_xml(data: bytes, name: str) -> str:
    """The text of an XML file.

    The first bytes decide where they show UTF-16 or a byte order mark, else what the first line declares
    (``encoding="gb2312"``), else UTF-8. Text that is UTF-8 is read as such where the declared encoding is unknown or
    cannot be right.

    Args:
        data: The file.
        name: Of the file, for messages.

    Raises:
        ValueError: Names file and encoding, if the text is not in it, or is in none that is known.

    Example:
        >>> decode_xml('<?xml version="1.0" encoding="GB2312"?><name>袋鼠</name>'.encode("gb2312"), "a.xml")[-15:]
        '<name>袋鼠</name>'
    """
    encoding = encoding_of(data)
    declared = _DECLARED.match(data[:400].decode("latin-1").lstrip()) if encoding == "utf-8" else None
    if declared and not _WIDE.match(declared[1].strip()):  # it could not be read above if it were in UTF-16
        encoding = declared[1].strip()
    try:
        codec = codecs.lookup(encoding).name if _CODEC.fullmatch(encoding) else ""
        return data.decode(_WIDER.get(codec, codec)).lstrip()
    except (LookupError, UnicodeError) as error:
        if declared:
            try:
                return data.decode().lstrip()
            except UnicodeError:
                pass
        told = f"declares the encoding {encoding!r}" if declared else f"is in {encoding.upper()} by its first bytes"
        wrong = "which is not known"
        if isinstance(error, UnicodeDecodeError):
            wrong = f"which its text is not in ({error.reason} at byte {error.start})"
        elif isinstance(error, UnicodeError):
            wrong = f"which its text is not in ({error})"
        raise ValueError(
            f'{name} {told}, {wrong}: save it as UTF-8, or declare the encoding in its first line, <?xml version="1.0"'
            ' encoding="gb2312"?>.'
        ) from None
