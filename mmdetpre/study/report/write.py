"""The report of a study: one page to look at, its tables in Markdown, and all numbers as JSON.

The page is written for somebody who wants to know what helped: the answer first, then Tables 1 to 7 and Figures 1 to 9
of the paper with the study's own numbers, what is missing and what to type to go on, and where each number comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmdetpre.paper.values import TEXT_VALUES
from mmdetpre.study.records import DONE, Run
from mmdetpre.study.report.contents import Report, read_report
from mmdetpre.study.report.data_sizes import DataSize
from mmdetpre.study.report.result_tables import Entry, ResultTable
from mmdetpre.utils.own_files import require_own, write_own

FORMAT = "mmdetpre.study.report/1"


def write_report(out: str | Path, paper: str | Path | None = None) -> Path:
    """Write ``report/index.html``, ``tables.md`` and ``report.json`` in the folder of a study, over older ones.

    The same records give the same bytes.

    Args:
        out: The folder; also that of a study that is still running or was stopped.
        paper: JSON file with figures of the paper.

    Returns:
        Path of the page.

    Raises:
        FileExistsError: If the folder of the report holds files of a user's own.
        FileNotFoundError: If there is no study in the folder, or no such file.
        ValueError: If the plan of the study or the file of figures is damaged, or Jinja not installed.

    Example:
        >>> write_report("work_dirs/study_sample")  # doctest: +SKIP
        PosixPath('work_dirs/study_sample/report/index.html')
    """
    from mmdetpre.study.report.markdown import markdown

    try:
        from mmdetpre.study.report.page import page
    except ModuleNotFoundError as error:
        raise ValueError(f"The page is made with Jinja ({error}): pip install 'mmdetpre[study]'.") from error
    folder = report_folder(out)
    report = read_report(out, paper)
    content = json.dumps(as_dict(report), indent=1, ensure_ascii=False, allow_nan=False)
    texts = {"tables.md": markdown(report), "report.json": f"{content}\n", "index.html": page(report)}
    write_own(folder, texts)
    return folder / "index.html"


def report_folder(out: str | Path) -> Path:
    """Folder of a study's report.

    Raises:
        FileExistsError: If it holds a page or tables of a user's own.
        ValueError: If a link leads out of the study's folder.
    """
    folder = Path(out) / "report"
    require_own(folder, ("tables.md", "report.json", "index.html"))
    return folder


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain values, ready for JSON. Percent and points as they were measured, not rounded."""
    outcome = report.outcome
    return {
        "format": FORMAT,
        "study": outcome.plan.get("name"),
        "title": outcome.plan.get("title"),
        "seeds": outcome.plan.get("seeds"),
        "reference": outcome.reference,
        "starts": outcome.starts,
        "answers": [
            {
                "task": answer.task,
                "title": answer.title,
                "kind": answer.kind,
                "sentences": list(answer.sentences),
                "quantity": answer.quantity,
                "reference": answer.reference,
                "verdicts": {effect.start: effect.verdict for effect in answer.effects},
            }
            for answer in report.answers
        ],
        "data": [_size(row) for row in report.sizes],
        "tables": [_table(table) for table in report.tables],
        "pretraining_size": report.size,
        "paper_text": {key: asdict(number) for key, number in TEXT_VALUES.items()},
        "figures": [dict(asdict(figure), image=_relative(figure.image, outcome.folder)) for figure in report.figures],
        "runs": {run.id: _run(run) for run in outcome.runs.values()},
        "problems": outcome.problems,
    }


def _size(row: DataSize) -> dict[str, Any]:
    return dict(asdict(row), roles=list(row.roles), sizes=dict(row.sizes))


def _table(table: ResultTable) -> dict[str, Any]:
    return {
        "table": table.number,
        "group": table.group,
        "own": table.own,
        "title": table.title,
        "lower_is_better": table.lower_is_better,
        "columns": [dict(asdict(column), tasks=list(column.tasks)) for column in table.columns],
        "rows": dict(table.rows),
        "cells": [{"row": row, "column": column, **_entry(entry)} for (row, column), entry in table.entries.items()],
        "notes": list(table.notes),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "start": entry.start,
        "mean": entry.spread.mean if entry.spread else None,
        "deviation": entry.spread.deviation if entry.spread else None,
        "count": entry.spread.count if entry.spread else 0,
        "values": [asdict(value) for value in entry.values],
        "state": entry.state,
        "missing_runs": list(entry.missing),
        "paper": entry.paper,
        "why_no_paper": entry.why_no_paper,
        "difference": dict(asdict(entry.difference), counts=list(entry.difference.counts))
        if entry.difference
        else None,
    }


def _run(run: Run) -> Mapping[str, Any]:
    kept = {} if run.state != DONE else {k: v for k, v in run.content.items() if k not in ("cells", "format", "run")}
    told = kept or {key: run.content[key] for key in ("error", "exit", "log", "seconds") if key in run.content}
    return {"task": run.task, "start": run.start, "seed": run.seed, "needs": list(run.needs), "state": run.state} | {
        key: value for key, value in told.items() if key not in ("task", "start", "seed")
    }


def _relative(path: Path | None, folder: Path) -> str | None:
    return None if path is None else path.relative_to(folder).as_posix()
