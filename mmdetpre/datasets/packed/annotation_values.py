"""What the values of an annotation may be: one rule per kind of value, whatever format it is written in."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np

MOST_PIXELS = 1 << 20
"""Longest side of an image that OpenCV decodes."""
_FARTHEST = 1 << 30
_FLAG_WORDS = {"": 0, "0": 0, "false": 0, "no": 0, "unspecified": 0, "1": 1, "true": 1, "yes": 1}
FLAG = "0, 1, true or false"
Value = TypeVar("Value")


def flag_of(value: Any) -> int | None:
    """0 or 1 for 0, 1, true, false and texts that say one of these; nothing at all is 0; None for what is not a flag.

    Example:
        >>> [flag_of(value) for value in (True, "False", " 1", None, "", 2, "maybe", [])]
        [1, 0, 1, 0, 0, None, None, None]
    """
    if value is None:
        return 0
    if isinstance(value, str):
        return _FLAG_WORDS.get(value.strip().lower())
    return int(value) if isinstance(value, int | float) and value in (0, 1) else None


def name_of(value: Any) -> str | None:
    """A class name without blanks at its ends, its letters in one form of Unicode (NFC); None for what is not a name.

    Example:
        >>> [name_of(value) for value in ("kangaroo ", " ", 7)]
        ['kangaroo', None, None]
    """
    return unicodedata.normalize("NFC", value.strip()) or None if is_text(value) else None


def is_text(value: Any) -> bool:
    """Whether a value is a text with something in it that can be written to a file, and be part of a path."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value and _can_be_written(value)


def id_of(value: Any) -> int | str | None:
    """An id: a whole number of any size, also one written as 1.0, or a text; None for what is neither.

    Example:
        >>> [id_of(value) for value in (2**63, 1.0, "a7", True, 1.5, "", None)]
        [9223372036854775808, 1, 'a7', None, None, None, None]
    """
    if isinstance(value, str):
        return value if is_text(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def number_of(text: str | None) -> float | None:
    """A text as a number that can be pixels; None for what is not.

    Example:
        >>> [number_of(text) for text in ("1.5", "", None, "nan", "1e30")]
        [1.5, None, None, None, None]
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) <= _FARTHEST else None


def side_of(value: Any) -> int | None:
    """Width or height of an image in whole pixels, 0 where it is not told; None for what is neither.

    Example:
        >>> [side_of(value) for value in (640, 480.0, None, "640", -1, 10.5)]
        [640, 480, 0, None, None, None]
    """
    if value is None:
        return 0
    return int(value) if _is_number(value) and 0 <= value <= MOST_PIXELS and value == int(value) else None


def area_of(value: Any) -> float | None:
    """An area in pixels, 0 where it is not told; None for what is not a finite number."""
    if value is None:
        return 0.0
    return float(value) if _is_number(value) else None


def is_box(value: Any) -> bool:
    """Whether a value is a list of four finite numbers that can be pixels."""
    return isinstance(value, list) and len(value) == 4 and all(_is_number(v) and abs(v) <= _FARTHEST for v in value)


def box_table(boxes: Sequence[Any]) -> np.ndarray | None:
    """(M, 4) float64 of boxes that are all :func:`is_box`, checked at once; None if one is not."""
    try:
        if set(map(type, boxes)) - {list} or set(map(len, boxes)) - {4}:
            return None
        if set(map(type, chain.from_iterable(boxes))) - {int, float}:
            return None
        table = np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)
    except OverflowError:
        return None
    return table if (np.abs(table) <= _FARTHEST).all() else None


def converted(values: Sequence[Any], rule: Callable[[Any], Value | None]) -> tuple[list[Value], int | None]:
    """Every value by a rule, which is asked once for each different value; and the first that it does not know.

    Args:
        values: M values of a column, many of them equal.
        rule: Gives None for what it does not know. It must not tell 1 from 1.0 and true.

    Returns:
        M results, up to the first unknown value; its index, or None.
    """
    try:
        known = {value: rule(value) for value in set(values)}
        found = [known[value] for value in values]
    except TypeError:  # a list or an object among them
        found = [rule(value) for value in values]
    bad = found.index(None) if None in found else None
    return found[:bad], bad  # type: ignore[return-value]


def converted_ids(values: Sequence[Any]) -> tuple[list[int | str], int | None]:
    """Ids, and the index of the first value that is none; numbers and texts as they are cost nothing."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        return list(values), None
    found = [id_of(value) for value in values]
    bad = found.index(None) if None in found else None
    return found[:bad], bad  # type: ignore[return-value]


def first_not_text(values: Iterable[Any]) -> int | None:
    """Index of the first value that is not :func:`is_text`."""
    return next((i for i, value in enumerate(values) if not is_text(value)), None)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
