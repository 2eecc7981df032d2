"""Reads a YAML file that somebody else may have written: plain values, of bounded size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from mmdetpre.utils.bounded_files import MIB, read_bounded
from mmdetpre.utils.plain_text import one_line

MOST_DEPTH, MOST_VALUES = 32, 20_000
"""Settings within one another, and in all, aliases counted as often as they are named."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys differ."""
        seen = set()
        for key, _ in node.value:
            name = (key.tag, key.value if isinstance(key.value, str) else id(key))
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, most_bytes: int = MIB) -> Any:
    """The plain values of a YAML file: texts, numbers, truth values, lists and mappings.

    Tags that stand for Python's objects are refused, as by ``yaml.safe_load``; so are keys that come twice, aliases
    that name themselves or grow without bound, dates, and infinite numbers.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is too large, no YAML, or holds something else; names the line where YAML knows it.

    Example:
        >>> read_yaml(Path("tools/study/sample.yaml"))["name"]
        'sample'
    """
    text = read_bounded(path, most_bytes)
    try:
        _require_bounded(text)
        content = yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not valid YAML: {_said(error)}") from error
    _require_plain(content, path, "")
    return content


def _require_bounded(text: bytes) -> None:
    depth, values = 0, 0
    sizes: dict[str, int] = {}
    open_anchors: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in [anchor for anchor, _ in open_anchors]:
                raise ValueError(f"line {event.start_mark.line + 1}: *{event.anchor} names what it stands in")
            values += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            depth, values = depth + 1, values + 1
            open_anchors.append((event.anchor, values))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor is not None:
                sizes[anchor] = values - before + 1
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
        if depth > MOST_DEPTH or values > MOST_VALUES:
            line = event.start_mark.line + 1
            raise ValueError(f"line {line}: more than {MOST_DEPTH} settings deep, or more than {MOST_VALUES} in all")


def _require_plain(value: Any, path: Path, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise ValueError(f"{path}: {where or 'it'} has the key {key!r}, which is not text: write it in quotes.")
            _require_plain(key, path, f"the key {str(key)[:40]!r}")
            _require_plain(item, path, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _require_plain(item, path, f"{where}[{i}]")
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{path}: {where} is {value!r}, which is not valid Unicode.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path}: {where} is {value}, which is not a number: remove it.")
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(f"{path}: {where} is {str(value)[:20]}..., which is too large.")
    elif value is not None and not isinstance(value, bool | int | float):
        raise ValueError(f"{path}: {where} is of type {type(value).__name__}: write a text in quotes.")


def _said(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{one_line(problem or error)}."
