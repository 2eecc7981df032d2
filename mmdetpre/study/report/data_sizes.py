"""Table 1: the data sets that were loaded, counted, beside the sizes that the paper gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mmdetpre.paper.tables import key_of
from mmdetpre.paper.values import DATA_SETS, PaperData
from mmdetpre.study.records import Outcome
from mmdetpre.study.report.cell_values import standard_column

COLUMNS = {
    "classes": "classes",
    "train_images": "training images",
    "train_objects": "training boxes",
    "test_images": "test images",
    "test_objects": "test boxes",
}


@dataclass(frozen=True)
class DataSize:
    """A row of Table 1.

    Attributes:
        key, title: Of the data set.
        roles: What it is used for: kinds of tasks, or pre-training.
        sizes: Column -> number, or None where there is nothing to count; empty where the data set was not loaded.
        paper: The paper's sizes, or None.
        root, config: Where it lies, and the config that loads it.
    """

    key: str
    title: str
    roles: tuple[str, ...]
    sizes: Mapping[str, int | None]
    paper: PaperData | None
    root: str = ""
    config: str = ""

    def of_paper(self, column: str) -> str:
        """Size in the paper, or empty."""
        return str(getattr(self.paper, column, ""))


def data_sizes(outcome: Outcome) -> list[DataSize]:
    """The data sets of the study in its order, then those of the paper that it did not load.

    Entries of one folder and the same sizes, as two tasks on the same images give, become one row.

    Example:
        >>> from pathlib import Path
        >>> rows = data_sizes(Outcome(Path("."), {}, {}, {}, {}, [], []))
        >>> rows[1].title, dict(rows[1].sizes), rows[1].of_paper("train_objects")
        ('OpenImagesV4', {}, '14.6M')
    """
    rows: list[DataSize] = []
    for row in (_row(outcome, entry) for entry in outcome.data):
        twin = next((i for i, other in enumerate(rows) if (other.root, other.sizes) == (row.root, row.sizes)), None)
        if twin is None:
            rows.append(row)
        else:
            rows[twin] = replace(rows[twin], roles=tuple(dict.fromkeys([*rows[twin].roles, *row.roles])))
    shown = {row.paper for row in rows}
    return rows + [DataSize(key, paper.title, (), {}, paper) for key, paper in DATA_SETS.items() if paper not in shown]


def _row(outcome: Outcome, entry: Mapping[str, Any]) -> DataSize:
    train, test = entry["train"], entry.get("test") or {}
    sizes = {
        "classes": entry.get("classes"),
        "train_images": train.get("images"),
        "train_objects": train.get("objects"),
        "test_images": test.get("images"),
        "test_objects": test.get("objects"),
    }
    key, title = str(entry["key"]), str(entry.get("title") or entry["key"])
    roles = [str(role) for role in entry.get("roles") or ()]
    names = {name: paper.title for name, paper in DATA_SETS.items()}
    called = (key.removeprefix("pretraining_"), title.split(" (")[0], *roles)
    known = (key_of(standard_column(name, {}), names) for name in called)
    found = next((name for name in known if name in names), "")
    kinds = [
        str(outcome.tasks[role].get("kind") or role) if role in outcome.tasks else "pre-training" for role in roles
    ]
    return DataSize(
        key, title, tuple(dict.fromkeys(kinds)), sizes, DATA_SETS.get(found), str(entry.get("root") or ""),
        str(entry.get("config") or ""),
    )  # fmt: skip
