"""Class ids from a list or from a text file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def read_class_list(classes: str | Path | Sequence[str]) -> list[str]:
    """Class ids (WordNet ids, for example) in label order.

    Args:
        classes: The ids themselves, or a text file with one at the start of each line; what follows a blank is passed
            over.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is none, or one comes twice.

    Example:
        >>> read_class_list(["n02084071", "n02121808"])
        ['n02084071', 'n02121808']
    """
    source = "the class list"
    if isinstance(classes, str | Path):
        source = str(classes)
        if not Path(classes).is_file():
            raise FileNotFoundError(f"{source} is not there: give a text file with one class id per line, or a list.")
        lines = Path(classes).read_text(encoding="utf-8-sig").splitlines()
        classes = [line.split()[0] for line in lines if line.strip()]
    if not classes:
        raise ValueError(f"{source} names no class: give one class id per line.")
    if twice := sorted({c for c in classes if classes.count(c) > 1}) if len(set(classes)) < len(classes) else []:
        raise ValueError(f"{source} names {', '.join(twice[:5])} more than once: a label is one class.")
    return list(classes)
