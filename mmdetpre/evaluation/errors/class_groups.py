"""Classes that look alike, by super-class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.utils import bounded_files

Groups = Mapping[str, Sequence[str]]

VOC_GROUPS: Groups = {
    "person": ("person",),
    "animal": ("bird", "cat", "cow", "dog", "horse", "sheep"),
    "vehicle": ("aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"),
    "indoor": ("bottle", "chair", "diningtable", "pottedplant", "sofa", "tvmonitor"),
}
"""The super-classes of PASCAL VOC."""

HOIEM_GROUPS: Groups = {
    "animal or person": ("bird", "cat", "cow", "dog", "horse", "person", "sheep"),
    "vehicle": ("aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"),
    "furniture": ("chair", "diningtable", "sofa"),
    "in the air": ("aeroplane", "bird"),
}
"""The sets of Hoiem et al. 2012, section 2; a class may be in several."""

NAMED_GROUPS = {"voc": VOC_GROUPS, "hoiem": HOIEM_GROUPS}


def class_groups(choice: str, classes: Sequence[str]) -> Groups:
    """The groups that a command line asks for.

    Args:
        choice: ``voc``, ``hoiem``, ``none``, the path of a JSON file ``{"group": ["class", ...], ...}``, or ``auto``:
            ``voc`` where the classes are those of VOC, otherwise none.
        classes: The class names of the data set.

    Raises:
        FileNotFoundError: If the choice is neither a known name nor a file.
        ValueError: If the file is no such JSON, or names classes that the data set does not have.

    Example:
        >>> class_groups("auto", ["cat", "kettle"])
        {}
    """
    if choice == "auto":
        choice = "voc" if set(classes) == {name for group in VOC_GROUPS.values() for name in group} else "none"
    if choice == "none":
        return {}
    groups = NAMED_GROUPS[choice] if choice in NAMED_GROUPS else _read_groups(Path(choice))
    unknown = sorted({name for group in groups.values() for name in group} - set(classes))
    if unknown:
        raise ValueError(
            f"The groups {choice} name {len(unknown)} classes that the data set does not have, e.g. {unknown[0]!r}; it"
            f" has {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}. Give --groups none or a JSON file"
            ' {"group": ["class", ...]} of these.'
        )
    return groups


def similar_classes(groups: Groups, classes: Sequence[str]) -> np.ndarray:
    """(C, C) bool: two different classes share a group.

    Example:
        >>> similar_classes({"pets": ["cat", "dog"]}, ["cat", "dog", "car"]).sum(axis=1).tolist()
        [1, 1, 0]
    """
    index = {name: i for i, name in enumerate(classes)}
    similar = np.zeros((len(classes), len(classes)), bool)
    for group in groups.values():
        rows = [index[name] for name in group]
        similar[np.ix_(rows, rows)] = True
    np.fill_diagonal(similar, False)
    return similar


def _read_groups(path: Path) -> Groups:
    if not path.is_file():
        raise FileNotFoundError(
            f"--groups {path}: no such file. Give auto, none, {', '.join(NAMED_GROUPS)} or the path of a JSON file"
            ' {"group": ["class", ...], ...}.'
        )
    try:
        groups = bounded_files.read_json(path)
    except ValueError as error:
        raise ValueError(f'{error} Expected {{"group": ["class", ...], ...}}.') from error
    well_formed = isinstance(groups, dict) and all(
        isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups.values()
    )
    if not well_formed:
        raise ValueError(f'{path} holds no groups of class names. Expected {{"group": ["class", ...], ...}}.')
    return groups
