"""Tables 5, 6 and 7 of the paper from results of probes and work dirs of training runs, and all tables as printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import ClassVar

from mmdetpre.analysis.probes.scores import ProbeResult, read_probe
from mmdetpre.paper.tables import INITS, TABLES, PaperTable, key_of
from mmdetpre.paper.values import DATA_SETS, TEXT_VALUES
from mmdetpre.results.run_table import find_runs, read_run
from mmdetpre.utils.plain_text import markdown_text
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import markdown_table

METRICS = ("accuracy", "balanced_accuracy")
EMPTY = "—"
_TOP1 = "accuracy/top1"
_CONFIG = re.compile(
    r"(?P<data>.+?)(?P<linear>_linear)?"
    r"(?:_from_(?P<other>.+?)|_(?P<init>scratch|imagenet_cls|imagenet_loc|coco|openimages))?(?P<sample>_sample)?"
)
_PROBES = {"linear": "linear", "knn": "k-NN"}


@dataclass(frozen=True)
class TableCell:
    """One result in a table.

    Attributes:
        table: ``5``, ``6`` or ``7``.
        group: What distinguishes tables of one number: the route of Table 6, initialization and probe of Table 7.
        row, column: Keys or names.
        value: Percent.
        low, high: Its 95 % interval, where known.
        source: File or work dir.
        paper: Figure of the paper, where it has one.
    """

    table: str
    group: str
    row: str
    column: str
    value: float
    low: float | None
    high: float | None
    source: str
    paper: float | None = None


@dataclass(frozen=True)
class TransferTables(Result):
    """Results in the cells of the paper's tables, and what was skipped and why."""

    kind: ClassVar[str] = "transfer tables"
    alone: ClassVar[bool] = True

    cells: tuple[TableCell, ...]
    skipped: tuple[str, ...] = field(default=(), metadata={"key": None})
    tables: Mapping[str, PaperTable] = field(default_factory=lambda: TABLES, metadata={"key": None}, repr=False)

    def rows(self) -> list[list[Cell]]:
        """One line per cell."""
        names = [part.name for part in fields(TableCell)]
        return [[*names], *([getattr(cell, name) for name in names] for cell in self.cells)]

    def __str__(self) -> str:
        """The tables in Markdown."""
        return markdown(self.cells, self.tables)


def read_cells(
    paths: Iterable[str | Path],
    metric: str = "accuracy",
    rename: Mapping[str, str] | None = None,
    tables: Mapping[str, PaperTable] = TABLES,
) -> TransferTables:
    """Results below some paths.

    A probe of a layer goes to Table 7, one of ``conv5_pooled`` to Table 6 too. A run of a classification config goes to
    Table 5, or 6 if it is a linear one; its name tells the data (``sun397_linear``), the report of its backbone the
    initialization, and its figure is that of its test, or else the last validation.

    Args:
        paths: Result files, work dirs, or folders of both.
        metric: Of the probes: ``accuracy`` or ``balanced_accuracy``.
        rename: What an initialization or data set is called in the results -> row or column.
        tables: The tables of the paper.

    Raises:
        FileNotFoundError: If a path is not there, or there is no result at all.
        ValueError: If two results belong in one cell, or a file is not a result.
    """
    if metric not in METRICS:
        raise ValueError(f"The metric '{metric}' is unknown: choose one of {', '.join(METRICS)}.")
    cells: list[TableCell] = []
    skipped: list[str] = []
    for path in map(Path, paths):
        if path.is_dir():
            _read_folder(path, metric, cells, skipped)
        else:
            cells += _probe_cells(read_probe(path), str(path), metric)
    if not cells:
        passed = f" Skipped: {'; '.join(skipped)}." if skipped else ""
        raise FileNotFoundError(
            f"There is no result in {', '.join(map(str, paths))}: give files of linear_probe.py or knn_probe.py, or"
            f" work dirs of configs/cls.{passed}"
        )
    names = rename or {}
    renamed = [_with_keys(cell, names) for cell in cells]
    seen: dict[tuple[str, ...], str] = {}
    for cell in renamed:
        place = (cell.table, cell.group, cell.row, cell.column)
        if place in seen:
            raise ValueError(
                f"{seen[place]} and {cell.source} both belong in table {cell.table}, {cell.row}, {cell.column}: leave"
                " one out, or distinguish them with --name at extraction."
            )
        seen[place] = cell.source
    return TransferTables(tuple(replace(cell, paper=_figure(cell, tables)) for cell in renamed), tuple(skipped), tables)


def markdown(cells: Sequence[TableCell], tables: Mapping[str, PaperTable] = TABLES) -> str:
    """The tables, each with its results beside the figures of the paper, and the paper's other rows.

    Example:
        >>> print(markdown([TableCell("5", "", "coco", "sun397", 61.2, None, None, "a")]))  # doctest: +ELLIPSIS
        **Table 5**: Classification, fine-tuned, accuracy in %
        <BLANKLINE>
        |  | SUN-397 | paper |
        | --- | --- | --- |
        | ImageNet-CLS | — | 61.5 |
        | ImageNet-LOC | — | 58.3 |
        | COCO | 61.2 | 57.8 |
        | OpenImagesV4 | — | 59.5 |
    """
    texts = []
    for key, group in sorted(dict.fromkeys((cell.table, cell.group) for cell in cells), key=lambda place: place[0]):
        table = tables[key]
        found = {(cell.row, cell.column): cell for cell in cells if (cell.table, cell.group) == (key, group)}
        table = table if _compares(key, group) else replace(table, figures={}, note="")
        columns = _ordered({column for _, column in found}, table.columns)
        of_paper = {row for row, cells in table.figures.items() if set(cells) & set(columns)}
        rows = _ordered({row for row, _ in found} | of_paper, table.rows)
        head = [""]
        for column in columns:
            head += [markdown_text(table.columns.get(column, column)), *(["paper"] if table.in_paper(column) else [])]
        lines = []
        for row in rows:
            line = [markdown_text(table.rows.get(row, row))]
            for column in columns:
                line.append(_shown(found.get((row, column))))
                line += [_of_paper(table, row, column)] if table.in_paper(column) else []
            lines.append(line)
        texts += _text(f"**Table {key}**: {table.title}{f' ({markdown_text(group)})' if group else ''}", head, lines)
        if of_paper and table.note:
            texts.append(table.note)
    return "\n\n".join(texts)


def paper_markdown(tables: Mapping[str, PaperTable] = TABLES) -> str:
    """The paper's tables, and the numbers and settings of its text, as printed.

    Example:
        >>> print(paper_markdown().splitlines()[2])
        | data | classes | training images | objects | evaluation images | objects |
    """
    head = ["data", "classes", "training images", "objects", "evaluation images", "objects"]
    sizes = [
        [data.title, data.classes, data.train_images, data.train_objects, data.test_images, data.test_objects]
        for data in DATA_SETS.values()
    ]
    texts = _text("**Table 1**: Data sets", head, sizes)
    for key, table in tables.items():
        columns = [column for column in table.columns if table.in_paper(column)]
        rows = [
            [name, *(_of_paper(table, row, column) for column in columns)]
            for row, name in table.rows.items()
            if row in table.figures
        ]
        name = f"Table {key}" if key.isdigit() else "In the text"
        texts += _text(f"**{name}**: {table.title}", ["", *(table.columns[column] for column in columns)], rows)
        texts += [table.note] if table.note else []
    numbers = [[number.what, number.value] for number in TEXT_VALUES.values()]
    return "\n\n".join([*texts, *_text("**In the text**: numbers and settings", ["number", "paper"], numbers)])


def _read_folder(path: Path, metric: str, cells: list[TableCell], skipped: list[str]) -> None:
    for file in sorted(path.rglob("*.json")):
        with file.open(encoding="utf-8", errors="replace") as text:
            found = f"mmdetpre {ProbeResult.kind}" in text.read(200)
        if found:
            cells += _probe_cells(read_probe(file), str(file), metric)
    try:
        runs = find_runs([path])
    except FileNotFoundError:
        return
    for work_dir in runs:
        run = read_run(work_dir)
        kinds = run.metrics.get(_TOP1, {})
        match = _CONFIG.fullmatch(run.config)
        if match is None or not kinds:
            skipped.append(f"{work_dir} has no {_TOP1}")
            continue
        data = match["data"] + (match["sample"] or "")
        table, group = ("6", "trained as a config") if match["linear"] else ("5", "")
        value = kinds.get("test", kinds.get("last", next(iter(kinds.values()))))
        loaded = Path(run.backbone).parent.name if run.backbone else "scratch"
        init = run.init or match["init"] or match["other"] or loaded
        cells.append(TableCell(table, group, init, data, value, None, None, str(work_dir)))


def _probe_cells(result: ProbeResult, source: str, metric: str) -> list[TableCell]:
    low, high = getattr(result, f"{metric}_interval")
    numbers = 100 * getattr(result, metric), 100 * low, 100 * high, source
    init, data = result.init or "unnamed", result.data or "unnamed"
    probe = _PROBES[result.probe] + ("" if metric == METRICS[0] else ", balanced accuracy")
    cells = [TableCell("7", f"{init}, {probe}", result.layer, data, *numbers)]
    if result.layer == "conv5_pooled":
        cells.append(TableCell("6", f"stored features, {probe}", init, data, *numbers))
    return cells


def _with_keys(cell: TableCell, rename: Mapping[str, str]) -> TableCell:
    table = TABLES[cell.table]
    row = key_of(rename.get(cell.row, cell.row), table.rows)
    column = key_of(rename.get(cell.column, cell.column), table.columns)
    group = cell.group
    for old, new in rename.items():
        if cell.table == "7" and group.startswith(f"{old}, "):  # it begins with the initialization
            group = f"{new}, {group.removeprefix(f'{old}, ')}"
    return replace(cell, group=group, row=row, column=column)


def _ordered(found: set[str], known: Mapping[str, str]) -> list[str]:
    return [key for key in known if key in found] + sorted(found - set(known))


def _shown(cell: TableCell | None) -> str:
    if cell is None:
        return EMPTY
    interval = "" if cell.low is None else f" [{cell.low:.1f}, {cell.high:.1f}]"
    return f"{cell.value:.1f}{interval}"


def _of_paper(table: PaperTable, row: str, column: str) -> str:
    figure = table.figures.get(row, {}).get(column)
    return EMPTY if figure is None else f"{figure:.1f}"


def _figure(cell: TableCell, tables: Mapping[str, PaperTable]) -> float | None:
    figures = tables[cell.table].figures if _compares(cell.table, cell.group) else {}
    return figures.get(cell.row, {}).get(cell.column)


def _compares(table: str, group: str) -> bool:
    """Whether the paper's figures stand beside a table: those of Table 7 are of the OpenImages detector."""
    init = key_of(group.split(", ")[0], INITS)
    return table != "7" or init not in INITS or init == "openimages"


def _text(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = markdown_table(head, [[cell or EMPTY for cell in row] for row in rows], escape=False)
    return [f"{title}\n\n{table}"]
