"""Files that speak of classes by their WordNet id: class lists, names, and maps from one id to another."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

_WNID = re.compile(r"n\d{8}")


def read_wnids(classes: str | os.PathLike | Sequence[str]) -> list[str]:
    """The WordNet ids of a list, or of a file with one per line (what follows an id is passed over).

    Raises:
        ValueError: If one is no WordNet id of a noun, or comes twice.

    Example:
        >>> read_wnids(["n01440764", "n02512053"])
        ['n01440764', 'n02512053']
    """
    wnids = [row[0] for row, _ in _rows(classes)] if isinstance(classes, (str, os.PathLike)) else list(classes)
    if wrong := [wnid for wnid in wnids if not _WNID.fullmatch(wnid)]:
        raise ValueError(f"{', '.join(wrong[:5])}: no WordNet id. An id is n and eight digits, as n01440764.")
    if len(set(wnids)) < len(wnids):
        raise ValueError(f"{Counter(wnids).most_common(1)[0][0]} is listed twice among the classes.")
    if not wnids:
        raise ValueError(f"The class list {classes} is empty: give WordNet ids, one per line.")
    return wnids


def read_wnid_names(path: str | os.PathLike) -> dict[str, str]:
    """Names by WordNet id from lines ``n01440764 tench, Tinca tinca`` (space or tab); the first synonym counts.

    Raises:
        ValueError: Names a line that has another form.
    """
    names = {}
    for row, line in _rows(path):
        if len(row) < 2:
            raise ValueError(f"{path}: the line {line!r} needs a WordNet id and a name.")
        names[row[0]] = row[1].split(",")[0].strip()
    return names


def read_class_map(class_map: str | os.PathLike | Mapping[str, str]) -> dict[str, str]:
    """WordNet id -> WordNet id of the class it counts as, from a mapping or lines ``n01440764 n02512053``.

    Raises:
        ValueError: Names a line that has another form, or what is no WordNet id.
    """
    if isinstance(class_map, Mapping):
        pairs = [(str(source), str(target)) for source, target in class_map.items()]
    else:
        rows = list(_rows(class_map))
        if wrong := [line for row, line in rows if len(row) < 2]:
            raise ValueError(f"{class_map}: the line {wrong[0]!r} needs two WordNet ids.")
        pairs = [(row[0], row[1].split()[0]) for row, _ in rows]
    read_wnids([source for source, _ in pairs])
    read_wnids(sorted({target for _, target in pairs}))
    return dict(pairs)


def class_names(wnids: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """A name for each id: its own if no other class has it, else with the id; the id where there is no name.

    Example:
        >>> class_names(["n02012849", "n03126707", "n01440764"], {"n02012849": "crane", "n03126707": "crane"})
        ['crane (n02012849)', 'crane (n03126707)', 'n01440764']
    """
    chosen = [names.get(wnid, wnid) for wnid in wnids]
    counts = Counter(chosen)
    return [name if counts[name] == 1 else f"{name} ({wnid})" for wnid, name in zip(wnids, chosen, strict=True)]


def _rows(path: str | os.PathLike) -> list[tuple[list[str], str]]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [(line.split(maxsplit=1), line) for line in lines if line.strip()]
