"""What the files of a study have to look like, before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdetpre.utils.bounded_files import read_json

TEXT, WHOLE, NUMBER, ANY = "a text", "a whole number", "a number", "anything"
GREATEST = 1e6
"""No score, share or interval of a study is greater."""

_CELL = {"table": TEXT, "group": TEXT, "row": TEXT, "column": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER}
_RUN = {"task": TEXT, "start": TEXT, "seed": WHOLE}
_SIZE = {"images": WHOLE, "objects": WHOLE}
RECORD: Mapping[str, Any] = _RUN | {
    "run": TEXT,
    "finished": TEXT,
    "seconds": NUMBER,
    "commands": [[TEXT]],
    "config": TEXT,
    "config_digest": TEXT,
    "device": TEXT,
    "operators": TEXT,
    "log": TEXT,
    "error": TEXT,
    "exit": WHOLE,
    "checkpoint": {"file": TEXT, "sha256": TEXT},
    "load": {"verdict": TEXT, "digest": TEXT, "source": TEXT},
    "cells": [_CELL],
    "figure": {"title": TEXT, "caption": TEXT, "image": TEXT, "data": TEXT},
    "notes": [TEXT],
}
"""Of a record or a failure: every key may be missing or null; others are let through."""
PLAN: Mapping[str, Any] = {
    "file": TEXT,
    "name": TEXT,
    "title": TEXT,
    "seeds": [WHOLE],
    "reference": TEXT,
    "starts": {None: {"title": TEXT, "run": TEXT, "checkpoint": TEXT}},
    "tasks": {None: {"kind": TEXT, "title": TEXT, "data": TEXT, "table": TEXT, "column": TEXT}},
    "runs": {None: _RUN | {"kind": TEXT, "needs": [TEXT]}},
}
DATA: Mapping[str, Any] = {
    "data": [
        {"key": TEXT, "title": TEXT, "roles": [TEXT], "classes": WHOLE, "train": _SIZE, "test": _SIZE}
        | {"root": TEXT, "config": TEXT}
    ]
}


def read_form(path: Path, mark: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """The content of one of a study's JSON files. What is not a number (NaN) becomes None.

    Args:
        path: The file.
        mark: Its ``format``.
        form: `RECORD`, `PLAN` or `DATA`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is cut, too large or too deep, of another format, or holds values of another type, infinities,
            very large numbers or texts that are not Unicode; says where.
    """
    content = _plain(read_json(path), "")
    if not isinstance(content, dict) or content.get("format") != mark:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"its format is {found!r}, expected {mark!r}")
    _require(content, form, "")
    return content


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, str):
        if not _is_unicode(value):
            raise ValueError(f"{where or 'it'} is a text that is not valid Unicode: {value[:40]!r}")
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int | float) and not abs(value) < 2**63:
        raise ValueError(f"{where or 'it'} is {str(value)[:20]}, which no run measures")
    if isinstance(value, list):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {_plain(key, "a key"): _plain(item, f"{where}.{key}".lstrip(".")) for key, item in value.items()}
    return value


def _require(value: Any, form: Any, where: str) -> None:
    if value is None or form == ANY:
        return
    if isinstance(form, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {_shown(value)}, expected keys with values")
        for key, item in value.items():
            _require(item, form.get(None, ANY) if None in form else form.get(key, ANY), f"{where}.{key}".lstrip("."))
    elif isinstance(form, list):
        if not isinstance(value, list):
            raise ValueError(f"{where} is {_shown(value)}, expected a list")
        for i, item in enumerate(value):
            if item is None:
                raise ValueError(f"{where}[{i}] is empty")
            _require(item, form[0], f"{where}[{i}]")
    elif isinstance(value, bool) or not isinstance(value, {TEXT: str, WHOLE: int, NUMBER: int | float}[form]):
        raise ValueError(f"{where} is {_shown(value)}, expected {form}")
    elif form == NUMBER and "cells" in where and not -GREATEST <= float(value) <= GREATEST:
        raise ValueError(f"{where} is {value!r}, which no run measures")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
