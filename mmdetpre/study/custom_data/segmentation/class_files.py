"""Lists of classes beside label maps: names by line, CVAT's ``labelmap.txt``, Roboflow's ``_classes.csv``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.utils.class_list import read_class_names, read_class_table
from mmdetpre.utils.text_files import read_lines

RGB = tuple[int, int, int]
FILES = ("classes.txt", "labels.txt", "class_names.txt", "labelmap.txt", "_classes.csv")
_COLORED = re.compile(r"([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")


@dataclass(frozen=True)
class ClassFile:
    """What a list of classes says.

    Attributes:
        file: The list.
        names: In label order.
        colors: Of each, where maps are in color.
    """

    file: Path
    names: list[str]
    colors: list[RGB]


def find_class_file(folders: Iterable[Path]) -> Path | None:
    """The first list of classes in folders."""
    return next((folder / name for folder in folders for name in FILES if (folder / name).is_file()), None)


def read_class_file(file: Path) -> ClassFile:
    """Read a list of classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it names no class, one twice, or labels that are not 0, 1, 2, ....
    """
    if file.suffix.lower() == ".csv":
        rows = read_class_table(file, "0,background")
        rows = rows if rows[0].cells[0].isdecimal() else rows[1:]  # the header of Roboflow: Pixel Value, Class
        if sorted(row.cells[0] for row in rows) != sorted(map(str, range(len(rows)))):
            raise ValueError(f"{file}: the labels in the first column must be 0 to {len(rows) - 1}.")
        by_label = {int(row.cells[0]): row.cells[1] for row in rows}
        return ClassFile(file, [by_label[label] for label in range(len(rows))], [])
    lines = [line for line in read_lines(file, "a list of classes") if not line.text.lstrip().startswith("#")]
    found = [_COLORED.fullmatch(line.text.strip()) for line in lines]
    if not lines or not all(found):
        return ClassFile(file, read_class_names(file), [])
    names = [one[1].strip() for one in found if one]
    colors = [(int(one[2]), int(one[3]), int(one[4])) for one in found if one]
    twice = [name for name, count in Counter([*names, *map(str, colors)]).items() if count > 1]
    if twice:
        raise ValueError(f"{file} names {twice[0]} twice: each class has a name and a color of its own.")
    if max(map(max, colors)) > 255:
        raise ValueError(f"{file}: colors are three numbers of 0 to 255.")
    return ClassFile(file, names, colors)
