"""Tables 5, 6 and 7 of the paper: their rows and columns, and where figures of the paper go.

The figures themselves do not ship with this package: a cell without one is shown as "see paper". A JSON file of the
form ``{"7": {"fc1": {"caltech256": 80.1}}}``, percent by table, row and column, fills them in (:func:`with_figures`).

Source: section 4.3 of "An Analysis of Pre-Training on Object Detection" (2019).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

STARTS = {
    "imagenet_cls": "ImageNet-CLS",
    "imagenet_loc": "ImageNet-LOC",
    "coco": "COCO",
    "openimages": "OpenImagesV4",
}
DATA = {"caltech256": "Caltech-256", "sun397": "SUN-397", "flowers102": "Flowers-102"}
LAYERS = {
    "conv5_pooled": "Conv5 (pooled)",
    "conv_proj": "ConvProj blob",
    "conv_proj_4x4": "ConvProj 4x4",
    "conv_proj_2x2": "ConvProj 2x2",
    "conv_proj_pooled": "ConvProj (pooled)",
    "fc1": "FC1",
    "fc2": "FC2",
}


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Args:
        title: Its subject.
        rows, columns: Key -> name, in order.
        figures: Row key -> column key -> percent; what is missing is not known here.
    """

    title: str
    rows: Mapping[str, str]
    columns: Mapping[str, str]
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


TABLES = {
    "5": PaperTable("Classification, fine-tuned, accuracy in %", STARTS, DATA),
    "6": PaperTable("Classification on frozen Conv5, accuracy in %", STARTS, DATA),
    "7": PaperTable("Classification on layers of the detector, accuracy in %", LAYERS, DATA),
}


def with_figures(path: str | Path, tables: Mapping[str, PaperTable] = TABLES) -> dict[str, PaperTable]:
    """The tables with the figures of a JSON file: percent by table, row and column; null is not known.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another form, or names a table, row or column that there is not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} with figures of the paper.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [(t, r, c, v) for t, rows in content.items() for r, cells in rows.items() for c, v in cells.items()]
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f'{path} is not of the form {{"7": {{"fc1": {{"caltech256": 80.1}}}}}}: percent by table, row and column'
            f" ({error})."
        ) from error
    figures: dict[str, dict[str, dict[str, float]]] = {key: {} for key in tables}
    for table, row, column, value in found:
        if table not in tables:
            raise ValueError(f"{path} names table {table}: there is {', '.join(tables)}.")
        for kind, name, known in (("row", row, tables[table].rows), ("column", column, tables[table].columns)):
            if name not in known:
                raise ValueError(f"{path} names {kind} '{name}' of table {table}: there is {', '.join(known)}.")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise ValueError(f"{path} has {value!r} in table {table}, {row}, {column}: give percent, from 0 to 100.")
        figures[table].setdefault(row, {})[column] = float(value)
    return {key: replace(table, figures=figures[key]) for key, table in tables.items()}


def key_of(name: str, known: Mapping[str, str]) -> str:
    """The key of a row or column that is called by its key or name, in any spelling; else the name itself.

    Example:
        >>> key_of("Caltech 256", DATA), key_of("openimages", STARTS), key_of("own", DATA)
        ('caltech256', 'openimages', 'own')
    """

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    return next((key for key, title in known.items() if plain(name) in (plain(key), plain(title))), name)
