"""Which class of an evaluation each class of a model counts as, by WordNet id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.utils.class_list import read_class_pairs


def class_mapping(
    classes: Sequence[str], targets: Sequence[str], class_map: str | Path | Mapping[str, str] | None = None
) -> np.ndarray:
    """Label (F,) int64 among the targets of each class of a model, -1 for none.

    Args:
        classes: F ids of the model's classes in label order.
        targets: Ids of the classes that are evaluated, in label order.
        class_map: Target id by class id, or a text file with one such pair per line (``class target``). Pairs of
            classes that the model does not have are skipped. ``None``: equal ids.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a target is unknown, or no class is mapped.

    Example:
        >>> class_mapping(["beagle", "pug", "sofa"], ["car", "dog"], {"beagle": "dog", "pug": "dog"}).tolist()
        [1, 1, -1]
    """
    source = "class_map" if class_map is None or isinstance(class_map, Mapping) else str(class_map)
    if class_map is None:
        class_map = {c: c for c in set(classes) & set(targets)}
    elif not isinstance(class_map, Mapping):
        pairs = _read_pairs(class_map, "class target")
        class_map = dict(pairs)
        if len(class_map) < len(pairs):
            raise ValueError(f"{source} maps {len(pairs) - len(class_map)} classes twice: one target per class.")
    label = {target: i for i, target in enumerate(targets)}
    if unknown := sorted({t for t in class_map.values() if t not in label}):
        raise ValueError(
            f"{source} maps to {', '.join(unknown[:5])} ({len(unknown)} in all), not among the {len(label)} classes"
            f" that are evaluated, such as {targets[0]}: correct it, or `classes` of the data set."
        )
    mapped = np.array([label.get(class_map.get(c, ""), -1) for c in classes], np.int64)
    if (mapped < 0).all():
        raise ValueError(
            f"{source} maps none of the model's {len(classes)} classes ({', '.join(classes[:3])}, ...) to one of the"
            f" {len(targets)} that are evaluated ({', '.join(targets[:3])}, ...): give class_map, or is_a_file for"
            " WordNet's hierarchy."
        )
    return mapped


def wordnet_class_map(is_a_file: str | Path, classes: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
    """Maps each class to the nearest target that it is, or is a kind of; classes without one are left out.

    Of targets at the same distance the first in their order is taken.

    Args:
        is_a_file: ImageNet's ``wordnet.is_a.txt``: one ``parent child`` pair of WordNet ids per line.
        classes: Ids of the fine classes.
        targets: Ids of the classes to map to, such as those of ILSVRC-DET.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not a pair, or no class has a target above it.
    """
    parents: dict[str, list[str]] = {}
    for parent, child in _read_pairs(is_a_file, "parent child"):
        parents.setdefault(child, []).append(parent)
    rank = {target: i for i, target in enumerate(targets)}
    nearest = {c: _nearest(c, parents, rank) for c in classes}
    class_map = {c: target for c, target in nearest.items() if target is not None}
    if not class_map:
        raise ValueError(
            f"{is_a_file} leads from none of the {len(classes)} classes ({', '.join(classes[:3])}, ...) to one of the"
            f" {len(targets)} targets ({', '.join(targets[:3])}, ...): are both WordNet ids, and the lines"
            " 'parent child'?"
        )
    return class_map


def _nearest(start: str, parents: Mapping[str, Sequence[str]], rank: Mapping[str, int]) -> str | None:
    level, seen = {start}, {start}
    while level:
        if found := level & rank.keys():
            return min(found, key=rank.__getitem__)
        level = {p for c in level for p in parents.get(c, ())} - seen
        seen |= level
    return None


def _read_pairs(path: str | Path, form: str) -> list[tuple[str, str]]:
    return [(row.cells[0], row.cells[1]) for row in read_class_pairs(path, f"'{form}'")]
