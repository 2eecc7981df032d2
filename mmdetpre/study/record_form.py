"""What the files of a study hold, and the check of it, before anything is made of them.

In all of them every key may be missing or null, and others are let through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast, get_args, get_origin, get_type_hints, is_typeddict

from mmdetpre.utils.bounded_files import read_json

GREATEST = 1e6
"""No score, share or interval of a study is greater."""
_KINDS: Mapping[Any, tuple[str, Any]] = {
    str: ("a text", str),
    int: ("a whole number", int),
    float: ("a number", int | float),
}


class ResampledForm(TypedDict, total=False):
    """A number on resamples of the test images."""

    images: int
    digest: str
    values: list[float]


class CellForm(TypedDict, total=False):
    """One number of a run."""

    table: str
    group: str
    row: str
    column: str
    value: float
    low: float
    high: float
    resampled: ResampledForm


class PartForm(TypedDict, total=False):
    """One number of a run on a class, or on objects of a size."""

    by: str
    name: str
    measure: str
    value: float
    count: int
    resampled: ResampledForm


class CheckpointForm(TypedDict, total=False):
    """A file that a run wrote."""

    file: str
    sha256: str


class LoadForm(TypedDict, total=False):
    """How the backbone of a run was loaded."""

    verdict: str
    digest: str
    source: str


class FigureForm(TypedDict, total=False):
    """A figure that a run drew; its number is read as a text."""

    number: object
    title: str
    caption: str
    image: str
    data: str


class RunForm(TypedDict, total=False):
    """What plan, records and failures say of a run."""

    task: str
    start: str
    seed: int


class Record(RunForm, total=False):
    """A record or a failure."""

    run: str
    finished: str
    seconds: float
    commands: list[list[str]]
    config: str
    config_digest: str
    device: str
    operators: str
    log: str
    error: str
    exit: int
    checkpoint: CheckpointForm
    load: LoadForm
    cells: list[CellForm]
    parts: list[PartForm]
    figure: FigureForm
    notes: list[str]


class InitForm(TypedDict, total=False):
    """An initialization of the plan."""

    title: str
    run: str
    checkpoint: str


class TaskForm(TypedDict, total=False):
    """A task of the plan."""

    kind: str
    title: str
    data: str
    table: str
    column: str
    fraction: float
    whole: str
    trainable: int
    rows_of: str


class PlannedForm(RunForm, total=False):
    """A run of the plan."""

    kind: str
    needs: list[str]


class Plan(TypedDict, total=False):
    """``study.json``."""

    file: str
    name: str
    title: str
    seeds: list[int]
    reference: str
    starts: dict[str, InitForm]
    tasks: dict[str, TaskForm]
    runs: dict[str, PlannedForm]


class SizeForm(TypedDict, total=False):
    """Size of one part of a data set."""

    images: int
    objects: int


class DataForm(TypedDict, total=False):
    """A data set that was loaded."""

    key: str
    title: str
    roles: list[str]
    classes: int
    train: SizeForm
    test: SizeForm
    root: str
    config: str


class Data(TypedDict, total=False):
    """``data.json``."""

    data: list[DataForm]


class ExpectedForm(TypedDict, total=False):
    """What a run of a config is expected to take."""

    seconds: float
    config_digest: str


class Times(TypedDict, total=False):
    """``times.json``."""

    runs: dict[str, ExpectedForm]


F = TypeVar("F", Record, Plan, Data, Times)


def read_form(path: Path, mark: str, form: type[F]) -> F:
    """The content of one of a study's JSON files. What is not a number (NaN) becomes None.

    Args:
        path: The file.
        mark: Its ``format``.
        form: `Record`, `Plan`, `Data` or `Times`.

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
    return cast(F, content)


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
    """Check a value against a type: a form, or a dictionary, list or value of these."""
    if value is None or form is object:
        return
    if is_typeddict(form) or get_origin(form) is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {_shown(value)}, expected keys with values")
        keys = _keys(form) if is_typeddict(form) else dict.fromkeys(value, get_args(form)[1])
        for key, item in value.items():
            _require(item, keys.get(key, object), f"{where}.{key}".lstrip("."))
    elif get_origin(form) is list:
        if not isinstance(value, list):
            raise ValueError(f"{where} is {_shown(value)}, expected a list")
        for i, item in enumerate(value):
            if item is None:
                raise ValueError(f"{where}[{i}] is empty")
            _require(item, get_args(form)[0], f"{where}[{i}]")
    elif isinstance(value, bool) or not isinstance(value, _KINDS[form][1]):
        raise ValueError(f"{where} is {_shown(value)}, expected {_KINDS[form][0]}")
    elif form is float and where.startswith(("cells", "parts")) and not -GREATEST <= float(value) <= GREATEST:
        raise ValueError(f"{where} is {value!r}, which no run measures")


@cache
def _keys(form: Any) -> dict[str, Any]:
    return get_type_hints(form)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
