"""The report of a study: one page to look at, its tables in Markdown, and all numbers as JSON.

The page is written for somebody who wants to know what helped: the answer first, then Tables 1 to 7 and Figures 1 to 9
of the paper with the study's own numbers, what is missing and how to continue, and where each number comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from mmdetpre.paper.values import TEXT_VALUES
from mmdetpre.study.records import DONE, NOT_RUN, Outcome, Run
from mmdetpre.study.report.conclusions import Answer
from mmdetpre.study.report.contents import Report, read_report
from mmdetpre.study.report.result_tables import Entry, ResultTable
from mmdetpre.study.report.why_not_run import why_not_run
from mmdetpre.utils.own_files import require_own, write_own
from mmdetpre.utils.results import Json

FORMAT = "mmdetpre.study.report/1"
_OF_ANSWER = ("task", "title", "kind", "sentences", "quantity", "reference", "needed")
_NOT_OF_RUN = ("cells", "parts", "format", "run")
_OF_TABLE = ("group", "own", "title", "lower_is_better", "columns", "rows", "notes")


def write_report(
    out: str | Path, paper: str | Path | None = None, photos: bool = True, running: int | None = None
) -> Path:
    """Write ``report/index.html``, ``tables.md`` and ``report.json`` in the folder of a study, over older ones.

    The same records give the same bytes.

    Args:
        out: The folder; also that of a study that is still running or was stopped.
        paper: JSON file with figures of the paper.
        photos: Whether the page shows figures with photos of the data, if the study's file does not forbid it.
        running: Runs that are made at the same time, of a study that is running: its page loads itself again each
            minute, and says how much time is left.

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
    report = read_report(out, paper, photos)
    content = json.dumps(as_dict(report), indent=1, ensure_ascii=False, allow_nan=False)
    texts = {"tables.md": markdown(report), "report.json": f"{content}\n", "index.html": page(report, content, running)}
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


def as_dict(report: Report) -> dict[str, Json]:
    """The report as plain values, ready for JSON. Percent and points as they were measured, not rounded.

    Its keys are those of the files of a study: ``start`` is an initialization.
    """
    outcome = report.outcome
    content = {
        "format": FORMAT,
        "study": outcome.plan.get("name"),
        "title": outcome.plan.get("title"),
        "seeds": outcome.plan.get("seeds"),
        "reference": outcome.reference,
        "starts": outcome.inits,
        "answers": [_answer(answer) for answer in report.answers],
        "data": report.sizes,
        "tables": [_table(table) for table in report.tables],
        "pretraining_size": report.size,
        "label_curves": report.curves,
        "gains": report.gains,
        "config_differences": report.configs,
        "paper_text": TEXT_VALUES,
        "figures": [replace(f, image=f.image and f.image.relative_to(outcome.folder)) for f in report.figures],
        "runs": {run.id: _run(outcome, run) for run in outcome.runs.values()},
        "problems": outcome.problems,
    }
    return {key: _plain(value) for key, value in content.items()}


def _plain(value: Any) -> Json:
    """Dataclasses, mappings and sequences as JSON has them."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.as_posix() if isinstance(value, Path) else value


def _answer(answer: Answer) -> dict[str, object]:
    verdicts = {effect.init: effect.verdict for effect in answer.effects}
    differences = {effect.init: effect.entry.difference for effect in answer.effects}
    told = {key: getattr(answer, key) for key in _OF_ANSWER}
    return told | {"verdicts": verdicts, "differences": differences}


def _table(table: ResultTable) -> dict[str, object]:
    cells = [{"row": row, "column": column, **_entry(entry)} for (row, column), entry in table.entries.items()]
    return {"table": table.number, **{key: getattr(table, key) for key in _OF_TABLE}, "cells": cells}


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "start": entry.init,
        "mean": entry.spread.mean if entry.spread else None,
        "deviation": entry.spread.deviation if entry.spread else None,
        "count": entry.spread.count if entry.spread else 0,
        "values": [{key: value for key, value in vars(one).items() if key != "resampled"} for one in entry.values],
        "state": entry.state,
        "missing_runs": entry.missing,
        "paper": entry.paper,
        "why_no_paper": entry.why_no_paper,
        "difference": entry.difference,
    }


def _run(outcome: Outcome, run: Run) -> dict[str, object]:
    kept = {k: v for k, v in run.content.items() if k not in _NOT_OF_RUN} if run.state == DONE else {}
    told = kept or {key: run.content[key] for key in ("error", "exit", "log", "seconds") if key in run.content}
    known = {"task": run.task, "start": run.init, "seed": run.seed, "needs": run.needs, "state": run.state}
    why = {"why": why_not_run(outcome, run)} if run.state == NOT_RUN else {}
    return {**told, **known, **why}
