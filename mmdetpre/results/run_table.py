"""One table of many training runs: its initialization, whether that was loaded, and its scores.

Reads what mmengine and `mmdetpre.LoadBackboneHook` leave in a work dir; nothing is built or loaded. A folder per start
of the training (``<time>/vis_data/scalars.json``) belongs to one run as long as training was resumed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mmdetpre.utils import bounded_files
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import markdown_table
from mmdetpre.utils.text_files import read_lines, read_text

NOT_METRICS = ("data_time", "time", "step")
EMPTY = "—"


@dataclass(frozen=True)
class TrainingRun:
    """The newest run in a work dir.

    Attributes:
        work_dir: Where it is.
        config: Name of its config.
        backbone: File that the backbone was loaded from; empty without a report.
        verdict: Of that load.
        digest: Of the weights that were loaded.
        metrics: Metric -> ``last``, ``best`` (the maximum; of a loss or an error the minimum) and ``test`` -> value.
            ``test`` is that of the folder `test`, if newer than the last start of the training. Kinds that were not
            measured are missing.
        init: Name of the initialization in the config; empty for a file without one.
    """

    work_dir: Path
    config: str
    backbone: str = ""
    verdict: str = ""
    digest: str = ""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    init: str = ""


@dataclass(frozen=True)
class RunTable(Result):
    """Training runs, one a row.

    Attributes:
        runs: The runs.
        columns: Metric and kind of each column.
    """

    kind: ClassVar[str] = "run table"
    alone: ClassVar[bool] = True

    runs: tuple[TrainingRun, ...]
    columns: tuple[tuple[str, str], ...]

    def rows(self) -> list[list[Cell]]:
        """One line per run."""
        names = [f"{name} {kind}" for name, kind in self.columns]
        rows: list[list[Cell]] = [["config", "backbone", "verdict", "digest", *names, "work dir"]]
        for run in self.runs:
            values = [run.metrics.get(name, {}).get(kind) for name, kind in self.columns]
            rows.append([run.config, run.backbone, run.verdict, run.digest[:12], *values, str(run.work_dir)])
        return rows

    def __str__(self) -> str:
        """Markdown; what is missing is a dash."""
        head, *rows = self.rows()
        return markdown_table(head, [[_shown(cell) for cell in row] for row in rows])


def find_runs(roots: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Work dirs in and below folders, sorted; ``test`` inside of a work dir belongs to it.

    Raises:
        FileNotFoundError: If a folder is not there, or there is no run at all.
    """
    folders = [Path(root) for root in roots]
    for root in folders:
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder.")
    found = {path.parents[2] for root in folders for path in root.rglob("vis_data/config.py")}
    runs = sorted(path for path in found if not (path.name == "test" and path.parent in found))
    if not runs:
        raise FileNotFoundError(
            f"no run in {', '.join(map(str, folders))}: a work dir of mmengine holds <time>/vis_data/config.py."
        )
    return runs


def read_run(work_dir: str | os.PathLike[str]) -> TrainingRun:
    """Read the newest run of a work dir.

    Raises:
        ValueError: If a file is not valid JSON.
    """
    work_dir = Path(work_dir)
    configs = sorted(work_dir.glob("*.py"), key=lambda path: path.stat().st_mtime)
    starts: list[Path] = []
    first = 0.0
    for folder in sorted(path.parents[1] for path in work_dir.glob("*/vis_data/config.py")):
        lines = _scalars(folder)
        begins = lines[0].get("step", 0) if lines else 0
        # A resumed run continues at later steps and loads no backbone.
        if not starts or _report(work_dir, folder).exists() or (lines and begins <= first):
            starts, first = [], begins
        first = first or begins
        starts.append(folder)
    report = _read(_report(work_dir, starts[0])) if starts and _report(work_dir, starts[0]).exists() else None
    metrics: dict[str, dict[str, float]] = {}
    for folder in starts:
        for line in _scalars(folder):
            if "lr" not in line and "loss" not in line:
                for name, value in _numbers(line):
                    _add(metrics, name, value)
    # A test of what was trained on since then says nothing about the run as it stands. Both may be of one second.
    latest = starts[-1].name if starts else ""
    tests = [p for p in work_dir.glob("test/*/*.json") if p.stem == p.parent.name and p.stem >= latest]
    if tests:
        for name, value in _numbers(_read(max(tests))):
            metrics.setdefault(name, {})["test"] = value
    config = configs[-1].stem if configs else work_dir.name
    if report is None:
        return TrainingRun(work_dir, config, metrics=metrics)
    loaded = [report[key] for key in ("source", "verdict", "digest")]
    return TrainingRun(work_dir, config, loaded[0], loaded[1], loaded[2], metrics, report.get("init", ""))


def run_table(runs: Sequence[TrainingRun], metrics: Sequence[str] | None = None) -> RunTable:
    """Lay out runs, one a row.

    Args:
        runs: What `read_run` gave.
        metrics: Names of metrics, or their endings (``mAP``); by default all that any run has.

    Raises:
        ValueError: If no run has a metric that is asked for.

    Example:
        >>> run = TrainingRun(Path("a"), "sniper_voc", "b.pth", "complete", "0123456789abcdef", {"mAP": {"last": 0.5}})
        >>> print(run_table([run, TrainingRun(Path("b"), "sniper_voc")]))
        | config | backbone | verdict | digest | mAP last | work dir |
        | --- | --- | --- | --- | --- | --- |
        | sniper_voc | b.pth | complete | 0123456789ab | 0.500 | a |
        | sniper_voc | — | — | — | — | b |
    """
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    wanted = known if metrics is None else [name for asked in metrics for name in _matching(asked, known)]
    columns = ((name, kind) for name in wanted for kind in ("last", "best", "test"))
    # a kind that no run measured gets no column
    return RunTable(tuple(runs), tuple(c for c in columns if any(c[1] in run.metrics.get(c[0], {}) for run in runs)))


def _scalars(folder: Path) -> list[dict[str, Any]]:
    path = folder / "vis_data" / "scalars.json"
    return [_parse(line.text, path) for line in read_lines(path)] if path.exists() else []


def _report(work_dir: Path, folder: Path) -> Path:
    return work_dir / f"backbone_load_{folder.name}.json"


def _read(path: Path) -> dict[str, Any]:
    return _parse(read_text(path), path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return dict(bounded_files.parse_json(text, str(path)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not JSON as mmengine writes it ({error}): remove its run, or repair it.") from None


def _numbers(line: dict[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in line.items():
        if name not in NOT_METRICS and isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)


def _add(metrics: dict[str, dict[str, float]], name: str, value: float) -> None:
    kinds = metrics.setdefault(name, {})
    better = min if any(word in name.lower() for word in ("loss", "error")) else max
    kinds["last"] = value
    kinds["best"] = better(kinds.get("best", value), value)


def _matching(asked: str, known: Sequence[str]) -> list[str]:
    found = [name for name in known if name == asked or name.endswith(f"/{asked}")]
    if not found:
        raise ValueError(f"no run has the metric {asked!r}; there is {', '.join(known) or 'none at all'}.")
    return found


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.2f}"
    return EMPTY if cell in (None, "") else str(cell)
