"""What each setting of a study's file may be; every mistake is named with its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmdetpre.utils.plain_text import name_problem, path_problem

_EXPECTED = {str: "a text (in quotes)", int: "a whole number", bool: "true or false", list: "a list", dict: "settings"}
_TEXTS = (
    *("out", "config", "scratch_config", "data_config", "checkpoint", "column", "toolbox", "launcher"),
    *("title", "tracker", "reference", "kind", "occlusion", "partition", "account", "gpu_manufacturer", "root"),
)
_TYPES = (
    dict.fromkeys(_TEXTS, str)
    | dict.fromkeys(("crop", "resize_edge"), int)
    | dict.fromkeys(("figures", "sample_layouts", "mim_arguments", "layers", "extra"), list)
    | {"tta": bool, "photos": bool, "options": dict}
)
"""Types of the settings; a study's name may also be a number."""


def require_keys(value: Any, known: Sequence[str], needed: Sequence[str], where: str) -> None:
    """Check that settings are known.

    Args:
        value: The settings.
        known: Keys that there are.
        needed: Keys that must be there.
        where: What the settings are called in errors.

    Raises:
        ValueError: Names the first key that is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected settings, found {value!r}.")
    if unknown := [key for key in value if key not in known]:
        raise ValueError(f"{where} has the unknown key '{unknown[0]}': it knows {', '.join(sorted(known))}.")
    if missing := [key for key in needed if key not in value]:
        raise ValueError(f"{where} lacks the key '{missing[0]}'.")


def require_types(values: Mapping[str, Any], where: str) -> None:
    """Check that each setting has its type, and texts are of one line; `where` is what they are called in errors."""
    for key, value in values.items():
        kind = _TYPES.get(key)
        if (
            value is not None
            and kind is not None
            and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool))
        ):
            raise ValueError(f"{where}: {key} is {value!r}, expected {_EXPECTED[kind]}.")
        if key == "options" and value and not all(isinstance(name, str) for name in value):
            raise ValueError(
                f"{where}: options has the key {min(value, key=lambda name: isinstance(name, str))!r}: give texts."
            )
        if isinstance(value, str) and value and (problem := name_problem(value)):
            raise ValueError(f"{where}: {key} {problem}: write it on one line.")
    if "out" in values and (problem := path_problem(values["out"] or "")):
        raise ValueError(f"{where}: out {problem}: give another folder.")


def distinct_seeds(value: Any, where: str) -> tuple[int, ...]:
    """A list of different seeds."""
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise ValueError(f"{where} is {value!r}: give a list of numbers, such as [0, 1, 2].")
    if len(set(value)) != len(value):
        raise ValueError(f"{where} is {value!r}: a seed is there twice.")
    return tuple(value)


def whole_number(value: Any, least: int, where: str) -> int:
    """A whole number.

    Args:
        value: What the file says.
        least: The smallest that it may be.
        where: What the setting is called in errors.

    Raises:
        ValueError: If it is something else.
    """
    if type(value) is not int or value < least:
        raise ValueError(f"{where} is {value!r}: give a number of at least {least}.")
    return value
