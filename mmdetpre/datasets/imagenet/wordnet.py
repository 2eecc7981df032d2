"""Files that speak of classes by their WordNet id: class lists, names, and maps from one id to another."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from mmdetpre.utils.class_list import read_class_list, read_class_pairs

_WNID = re.compile(r"n\d{8}")


def read_wnids(classes: str | os.PathLike | Sequence[str]) -> list[str]:
    """The WordNet ids of a list, or of a file with one per line (what follows an id is skipped).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is not a WordNet id of a noun, or comes twice.

    Example:
        >>> read_wnids(["n01440764", "n02512053"])
        ['n01440764', 'n02512053']
    """
    wnids = read_class_list(classes)
    source = f"{os.fspath(classes)}: " if isinstance(classes, str | os.PathLike) else ""
    _require_wnids(wnids, source)
    return wnids


def read_wnid_names(path: str | os.PathLike) -> dict[str, str]:
    """Names by WordNet id from lines ``n01440764 tench, Tinca tinca`` (space or tab); the first synonym counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names a line that has another form.
    """
    rows = read_class_pairs(path, "a WordNet id and a name", rest=True)
    return {row.cells[0]: row.cells[1].split(",")[0].strip() for row in rows}


def read_class_map(class_map: str | os.PathLike | Mapping[str, str]) -> dict[str, str]:
    """WordNet id -> WordNet id of the class it counts as, from a mapping or lines ``n01440764 n02512053``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names a line that has another form, or what is not a WordNet id.
    """
    if isinstance(class_map, Mapping):
        source, pairs = "", [(str(source), str(target)) for source, target in class_map.items()]
    else:
        source = f"{os.fspath(class_map)}: "
        rows = read_class_pairs(class_map, "two WordNet ids", rest=True)
        pairs = [(row.cells[0], row.cells[1].split()[0]) for row in rows]
    _require_wnids([one for pair in pairs for one in pair], source)
    if len(dict(pairs)) < len(pairs):
        twice = Counter(one for one, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{source}{twice} is mapped twice: a class counts as one class.")
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


def _require_wnids(wnids: Sequence[str], source: str) -> None:
    if wrong := [wnid for wnid in wnids if not _WNID.fullmatch(wnid)]:
        raise ValueError(f"{source}{', '.join(wrong[:5])}: no WordNet id. An id is n and eight digits, as n01440764.")
