"""In which values configs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NOISE = frozenset({"work_dir", "outfile_prefix", "out_dir", "out_file", "resume"})
"""Keys that say where a run writes, and whether it was resumed."""
NOT_SET = "not set"
_LONGEST = 300


def config_differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Dotted keys of which configs have different values, with these as texts; `NOISE` is left out.

    Lists of one length are compared item by item, others as a whole. A text of more than 300 characters is cut.

    Args:
        configs: Plain values.

    Example:
        >>> config_differences([{"a": 1, "b": [{"c": 2}]}, {"b": [{"c": 3}], "work_dir": "x"}])
        {'a': ('1', 'not set'), 'b.0.c': ('2', '3')}
    """
    return {key: tuple(map(_text, values)) for key, values in _differing(list(configs), "")}


class _NotSet:
    pass


def _differing(values: Sequence[Any], key: str) -> Iterator[tuple[str, Sequence[Any]]]:
    if all(_same(value, values[0]) for value in values[1:]):
        return
    if all(isinstance(value, Mapping) for value in values):
        for name in dict.fromkeys(name for value in values for name in value):
            if name not in NOISE:
                items = [value.get(name, _NotSet) for value in values]
                yield from _differing(items, f"{key}.{name}".lstrip("."))
    elif all(isinstance(value, list | tuple) for value in values) and len({len(value) for value in values}) == 1:
        for i, places in enumerate(zip(*values, strict=True)):
            yield from _differing(places, f"{key}.{i}")
    else:
        yield key, values


def _same(first: Any, second: Any) -> bool:
    """Whether values are equal, also lists and tuples of the same items, and NaN with itself."""
    return repr(_plain(first)) == repr(_plain(second))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value, key=str)}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    text = NOT_SET if value is _NotSet else repr(_plain(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
