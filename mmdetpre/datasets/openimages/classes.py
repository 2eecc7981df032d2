"""Classes of OpenImages: descriptions, choices of classes, hierarchy."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.class_list import class_rows, read_class_table
from mmdetpre.utils.plain_text import one_line
from mmdetpre.utils.text_files import read_lines

# the one challenge class whose later official name shares no word with it
_RENAMED = {"lifejacket": "personalflotationdevice"}


def read_class_descriptions(path: str | Path) -> dict[str, str]:
    """Class names by MID, in the order of the official file (``MID,name``, with or without a header line).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has another form or a MID comes twice.
    """
    return {row.cells[0]: row.cells[1] for row in read_class_table(path, "/m/0k4j,Car")}


def choose_classes(classes: str | Sequence[str] | None, descriptions: dict[str, str]) -> list[str]:
    """MIDs of the chosen classes in label order.

    Args:
        classes: ``None`` for every described class, ``"challenge"`` for the 500 classes of the Open Images Challenge,
            a list of names or MIDs, or the path of a file with one of them (or ``MID,name``) per line. Upper and lower
            case, blanks and signs do not matter in names.
        descriptions: Names by MID.

    Raises:
        ValueError: If a class is unknown or comes twice.
        FileNotFoundError: If ``classes`` is neither ``"challenge"`` nor a file.

    Example:
        >>> choose_classes(["car", "/m/01yrx"], {"/m/01yrx": "Cat", "/m/0k4j": "Car"})
        ['/m/0k4j', '/m/01yrx']
    """
    if classes is None:
        return list(descriptions)
    if classes == "challenge":
        return _challenge_classes(descriptions)
    if isinstance(classes, str):
        classes = _read_class_list(classes, descriptions)
    by_name = _by_name(descriptions)
    mids = [entry if entry in descriptions else by_name.get(_normalized(entry)) for entry in classes]
    if unknown := [entry for entry, mid in zip(classes, mids, strict=True) if mid is None]:
        near = difflib.get_close_matches(unknown[0], descriptions.values(), n=3, cutoff=0.5)
        raise ValueError(
            f"{len(unknown)} of {len(mids)} classes are not in the label_file:"
            f" {', '.join(map(one_line, unknown[:10]))}. Names close to {unknown[0]!r} there:"
            f" {near or 'none'}. Correct `classes` of the data set."
        )
    known = [mid for mid in mids if mid is not None]
    if twice := sorted({mid for mid in known if known.count(mid) > 1}):
        raise ValueError(f"`classes` names {', '.join(descriptions[mid] for mid in twice)} more than once.")
    return known


def relation_matrix(hierarchy_file: str | Path, mids: Sequence[str]) -> np.ndarray:
    """(C, C) float64, 1 at [class, ancestor] and on the diagonal, as ``mmdet.OpenImagesMetric`` expects it.

    Classes of the hierarchy that were not chosen are skipped: their chosen ancestors still count.

    Args:
        hierarchy_file: The official JSON tree of ``LabelName`` and ``Subcategory``.
        mids: The chosen classes in label order.

    Raises:
        ValueError: If the file is not the JSON hierarchy of OpenImages.
    """
    try:
        tree = read_json(hierarchy_file)
        _require_tree(tree)
    except ValueError as error:
        raise ValueError(f"{hierarchy_file} is not the JSON hierarchy of OpenImages ({error}).") from error
    label = {mid: i for i, mid in enumerate(mids)}
    relation = np.eye(len(mids))
    pending: list[tuple[dict, tuple[int, ...]]] = [(tree, ())]
    while pending:
        node, ancestors = pending.pop()
        own = label.get(node.get("LabelName", ""))
        if own is not None:
            relation[own, list(ancestors)] = 1
            ancestors = (*ancestors, own)
        pending.extend((child, ancestors) for child in node.get("Subcategory", ()))
    return relation


def _require_tree(tree: Any) -> None:
    pending = [tree]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict) or not isinstance(node.get("LabelName", ""), str):
            raise ValueError(f"a class is {reprlib.repr(node)}, expected LabelName and Subcategory")
        if not isinstance(children := node.get("Subcategory", []), list):
            raise ValueError(f"a Subcategory is {reprlib.repr(children)}, expected a list")
        pending.extend(children)


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _by_name(descriptions: dict[str, str]) -> dict[str, str]:
    """MIDs by normalized name; 'Bat (Animal)' also answers to 'bat' where no other class does."""
    by_name = {_normalized(name.split("(")[0]): mid for mid, name in reversed(descriptions.items())}
    by_name.update({_normalized(name): mid for mid, name in reversed(descriptions.items())})
    return by_name


def _challenge_classes(descriptions: dict[str, str]) -> list[str]:
    """The 500 names that mmdet lists, found in a description file of any year.

    Names were made longer over the years ('Bench' and another 'Bench' became 'Bench' and 'Training bench', 'Asparagus'
    became 'Garden Asparagus'): what is not found by its name is the one free class that ends with it.
    """
    from mmdet.evaluation import get_classes

    names = [_normalized(name) for name in get_classes("oid_challenge")]
    by_name = _by_name(descriptions)
    mids: list[str | None] = []
    for name in names:
        mid = by_name.get(name) or by_name.get(_RENAMED.get(name, ""))
        mids.append(None if mid in mids else mid)
    for i in [i for i, mid in enumerate(mids) if mid is None]:
        free = [m for m, full in descriptions.items() if m not in mids and _normalized(full).endswith(names[i])]
        if len(free) == 1:
            mids[i] = free[0]
    if missing := [name for name, mid in zip(names, mids, strict=True) if mid is None]:
        raise ValueError(
            f"{len(missing)} of the 500 challenge classes are not in the label_file, e.g. {', '.join(missing[:5])}."
            " Use the official class-descriptions-boxable.csv, or give `classes` as a list of names, or classes=None"
            " for all classes of the label_file."
        )
    return [mid for mid in mids if mid is not None]


def _read_class_list(path: str, descriptions: dict[str, str]) -> list[str]:
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"classes={path!r} is neither a file nor 'challenge'. Give a list of names, a file, 'challenge' or None."
        )
    by_name = _by_name(descriptions)
    rows = class_rows(
        read_lines(path),
        path,
        lambda text: re.split(r"[,;\t]", text),
        is_class=lambda row: row.cells[0] in descriptions or _normalized(row.text) in by_name,
    )
    entries = [row.cells[0] if row.cells[0] in descriptions else row.text.strip() for row in rows]
    if not entries:
        raise ValueError(f"{path} names no class: give one MID or name per line.")
    return entries
