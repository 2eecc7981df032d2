"""Results of metrics and analyses: frozen dataclasses that print themselves and go into files of JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from mmdetpre.utils import bounded_files
from mmdetpre.utils.file_arguments import named_files
from mmdetpre.utils.whole_file import write_json, write_rows

Json: TypeAlias = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What a file of JSON holds."""
Cell: TypeAlias = str | int | float | bool | None
"""What a cell of a CSV file holds."""
R = TypeVar("R", bound="Result")


class Result:
    """Base of the results, frozen dataclasses of plain values, paths, tuples, arrays and other dataclasses.

    A field whose name in files is another has ``field(metadata={"key": "mIoU"})``, one that files do not hold the key
    None. A field with ``init=False``, which follows from the others, is written and not read.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Accuracy(Result):
        ...     kind: ClassVar[str] = "accuracy of a classifier"
        ...     label: str
        ...     value: float | None
        ...
        >>> Accuracy("a", 0.5).to_dict()
        {'label': 'a', 'value': 0.5}
        >>> Accuracy.from_dict({"label": "a", "value": None})
        Accuracy(label='a', value=None)
    """

    kind: ClassVar[str]
    """What it is, in words; the mark of its files."""
    alone: ClassVar[bool] = False
    """Whether a file holds one of them, its values beside the mark, instead of a list of runs."""
    version: ClassVar[int | None] = None
    """Number beside the mark of such a file; None: it has none."""

    def to_dict(self) -> dict[str, Json]:
        """Plain values, ready for JSON."""
        return _CONVERTER.unstructure(self)

    @classmethod
    def from_dict(cls: type[R], values: Mapping[str, Json]) -> R:
        """The result of :meth:`to_dict`, types checked; unknown keys are skipped.

        Raises:
            ValueError: If a value lacks or has another type.
        """
        try:
            return _CONVERTER.structure(values, cls)
        except (BaseValidationError, TypeError, ValueError) as error:
            raise ValueError("; ".join(transform_error(error, path=cls.__name__)[:3])) from error

    def rows(self) -> list[list[Cell]]:
        """Lines of a table for other programs, the titles first."""
        raise NotImplementedError


def write_results(path: str | Path, results: Sequence[Result], *, overwrite: bool = False) -> None:
    """Write results of one kind: as CSV if the name ends so, titles once, else as JSON that :func:`read_results` reads.

    Args:
        path: The file.
        results: At least one, all of one class.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError: If there is one.
        ValueError: If there are several of a class whose files hold one.
    """
    first = results[0]
    if first.alone and len(results) > 1:
        raise ValueError(f"{len(results)} results are given: a file of {first.kind} holds one.")
    if Path(path).suffix.lower() == ".csv":
        tables = [result.rows() for result in results]
        write_rows(path, [*tables[0][:1], *(row for table in tables for row in table[1:])], overwrite=overwrite)
        return
    mark: dict[str, Json] = {"format": f"mmdetpre {first.kind}"}
    if first.alone:
        content = mark | ({} if first.version is None else {"version": first.version}) | first.to_dict()
    else:
        content = mark | {"runs": [result.to_dict() for result in results]}
    write_json(path, content, overwrite=overwrite, allow_nan=False, indent=None, ensure_ascii=True)


def read_results(path: str | Path, cls: type[R], writer: str) -> list[R]:
    """The results in a file of :func:`write_results`.

    Args:
        path: The file, JSON.
        cls: Their class.
        writer: What writes such a file, for messages.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is another kind of file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}: {writer} writes it.")
    try:
        content = bounded_files.read_json(path)
        if content["format"] != f"mmdetpre {cls.kind}":
            raise ValueError(f"its mark is '{content['format']}'")
        if content.get("version") != cls.version and cls.alone:
            raise ValueError(f"its version is {content.get('version')}, expected {cls.version}")
        return [cls.from_dict(run) for run in ([content] if cls.alone else content["runs"])]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no {cls.kind} ({error}). {writer} writes such a file.") from error


def named_results(arguments: Sequence[str], cls: type[R], example: str, writer: str) -> list[R]:
    """The results of ``NAME=FILE`` arguments, each with its name as ``label``.

    Args:
        arguments: One per run; its file holds one result.
        cls: Their class, which has a field ``label``.
        example: An argument, for messages.
        writer: What writes such a file, for messages.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument has another form, two runs have one name, or a file is of another kind.
    """
    return [one_result(path, cls, writer, name) for name, path in named_files(arguments, example).items()]


def one_result(path: Path, cls: type[R], writer: str, name: str) -> R:
    """The only result of a file, with a name as ``label``.

    Args:
        path: The file.
        cls: Its class.
        writer: What writes such a file, for messages.
        name: The name.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is of another kind, or holds several.
    """
    found = read_results(path, cls, writer)
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} runs: give the files of the single runs.")
    return replace(found[0], label=name)  # type: ignore[type-var]


def require_comparable(runs: Sequence[R], facts: Mapping[str, Callable[[R], object]], advice: str) -> None:
    """Check that all runs have the facts of the first.

    Args:
        runs: Results with a field ``label``.
        facts: What has to be equal, in words -> value of a run.
        advice: What to do, for the message.

    Raises:
        ValueError: If one differs.
    """
    for run in runs[1:]:
        for what, fact in facts.items():
            own, first = fact(run), fact(runs[0])
            if own != first:
                names = f"'{run.label}' and '{runs[0].label}'"  # type: ignore[attr-defined]
                values = f": {_short(own)} and {_short(first)}"
                raise ValueError(f"{names} cannot be compared, they differ in their {what}{values}. {advice}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


_SHOWN = 80  # characters of a value in a message


def _exactly(*types: type) -> Any:
    def structure(value: Any, wanted: type) -> Any:
        if type(value) not in types:
            raise TypeError(f"{value!r:.60} is not of type {wanted.__name__}")
        return wanted(value)

    return structure


def _array(value: Any, _: type) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{value!r:.60} is not a list of numbers")
    return array


def _keys(cls: type) -> dict[str, Any]:
    keys = {f.name: f.metadata["key"] for f in fields(cls) if "key" in f.metadata}
    return {name: override(omit=True) if key is None else override(rename=key) for name, key in keys.items()}


_CONVERTER = Converter(unstruct_collection_overrides={tuple: list})
for _type, _given in ((int, (int,)), (float, (int, float)), (str, (str,)), (bool, (bool,))):
    _CONVERTER.register_structure_hook(_type, _exactly(*_given))
_CONVERTER.register_structure_hook(Path, lambda value, _: Path(value))
_CONVERTER.register_unstructure_hook(Path, str)
_CONVERTER.register_structure_hook(np.ndarray, _array)
_CONVERTER.register_unstructure_hook(np.ndarray, np.ndarray.tolist)
_CONVERTER.register_unstructure_hook_factory(
    is_dataclass,
    lambda cls: make_dict_unstructure_fn(cls, _CONVERTER, _cattrs_include_init_false=True, **_keys(cls)),
)
_CONVERTER.register_structure_hook_factory(
    is_dataclass, lambda cls: make_dict_structure_fn(cls, _CONVERTER, **_keys(cls))
)
