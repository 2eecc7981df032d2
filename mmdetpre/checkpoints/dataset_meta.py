"""What a checkpoint says of the data it was trained on: names of classes and their colors, which others show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from mmdetpre.utils.plain_text import name_problem, one_line

LONGEST = 1000
"""Characters of the name of a class. The longest of ImageNet have 130."""


class DatasetMeta(TypedDict, total=False):
    """What a checkpoint says of its data; others stand beside these. Older hosts write capitals.

    Attributes:
        classes, CLASSES: Names of the classes.
        palette, PALETTE: Red, green and blue of each class, or a word that stands for such a list.
    """

    classes: Sequence[str | float] | None
    palette: Sequence[Sequence[int]] | str | None
    CLASSES: Sequence[str | float] | None
    PALETTE: Sequence[Sequence[int]] | str | None


def plain_dataset_meta(meta: Any, source: str) -> DatasetMeta | None:
    """The entry ``dataset_meta`` of a checkpoint, with names that can be shown and colors that are colors.

    Names on several lines, or with control characters, get the escapes of `one_line`. A ``palette`` that is neither a
    word nor a list of three whole numbers from 0 to 255 each is left out; everything else stays as it is.

    Args:
        meta: The entry.
        source: What messages call the checkpoint.

    Raises:
        ValueError: If it holds no names of classes where those should be.

    Example:
        >>> plain_dataset_meta({"classes": ("cat", "a" + chr(10) + "b"), "palette": [[0, 0, 999]]}, "a.pth")
        {'classes': ('cat', 'a\\\\nb')}
    """
    if meta is None:
        return None
    if not isinstance(meta, Mapping):
        raise ValueError(f"{source}: its entry `dataset_meta` of `meta` is {type(meta).__name__}: expected settings.")
    plain = {}
    for key, value in meta.items():
        kind = key.lower() if isinstance(key, str) else ""  # older hosts write CLASSES and PALETTE
        if kind == "classes" and value is not None:
            value = _names(value, f"{source}: the entry {key} of its `dataset_meta`")
        if kind != "palette" or _is_palette(value):
            plain[key] = value
    return cast(DatasetMeta, plain)


def learned_classes(checkpoint: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """The names of the classes that a checkpoint was trained on; none if it does not say.

    Args:
        checkpoint: What was read from the file.
        source: What messages call it.

    Raises:
        ValueError: As `plain_dataset_meta`.
    """
    meta = checkpoint.get("meta")
    said = (plain_dataset_meta(meta.get("dataset_meta"), source) if isinstance(meta, Mapping) else None) or {}
    return tuple(map(str, said.get("classes") or said.get("CLASSES") or ()))


def _names(value: Any, what: str) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{what} is {type(value).__name__}: expected a list of names of classes.")
    for name in value:
        if not isinstance(name, str | int | float):
            raise ValueError(f"{what} holds {type(name).__name__}: expected names of classes.")
        if isinstance(name, str) and len(name) > LONGEST:
            raise ValueError(f"{what} holds a name of {len(name):,} characters: expected names of classes.")
        if isinstance(name, str) and "Unicode" in name_problem(name):
            raise ValueError(f"{what} holds {one_line(name)!r}, which is not valid Unicode: expected names of classes.")
    return type(value)(one_line(name) if isinstance(name, str) else name for name in value)


def _is_palette(value: Any) -> bool:
    if value is None or (isinstance(value, str) and value.isidentifier() and len(value) < 40):
        return True
    return isinstance(value, list | tuple) and all(
        isinstance(color, list | tuple) and len(color) == 3 and all(type(c) is int and 0 <= c <= 255 for c in color)
        for color in value
    )
