"""The page of a report: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mmdetpre.paper.values import TEXT_VALUES
from mmdetpre.study.records import DAMAGED, DONE, FAILED, NOT_RUN, Outcome, Run
from mmdetpre.study.report.cell_values import PRETRAINING
from mmdetpre.study.report.conclusions import ALONE, HELPS, HURTS, NO_INTERVAL, OPEN, REFERENCE, Answer
from mmdetpre.study.report.contents import Report
from mmdetpre.study.report.data_sizes import COLUMNS
from mmdetpre.study.report.figures import data_uri
from mmdetpre.study.report.how_to_read import READING
from mmdetpre.study.report.result_tables import NOT_PLANNED, ResultTable
from mmdetpre.study.report.text_format import counted, duration, listed, plain, signed

VERDICTS = {HELPS: "helps", HURTS: "hurts", OPEN: "open", NO_INTERVAL: "open", ALONE: "open", REFERENCE: "reference"}
"""Verdict -> class of the style sheet; causes of a missing value are ``empty``."""
_GOOD = ("complete", "expected")
_TIED = re.compile(r"(?<=\d) (?=%|seeds?\b|points?\b|not run\b|failed\b)")
"""Spaces at which a line must not break."""


def page(report: Report) -> str:
    """The report as HTML5; pictures are data URIs."""
    outcome = report.outcome
    by_number: dict[str, list[ResultTable]] = {}
    for table in report.tables:
        by_number.setdefault(table.number, []).append(table)
    tables = {
        f"table-{number}" + (f"-{i}" if i > 1 else ""): table
        for number, group in by_number.items()
        if number != PRETRAINING
        for i, table in enumerate(group, 1)
    }
    return _template().render(
        report=report,
        outcome=outcome,
        title=outcome.plan.get("title") or outcome.plan.get("name") or "Study",
        facts=_facts(outcome),
        reading=READING,
        charts={answer.task: chart(answer) for answer in report.answers},
        tables=tables,
        pretraining=by_number.get(PRETRAINING, []),
        size_columns=COLUMNS,
        paper_text=TEXT_VALUES,
        missing={state: outcome.in_state(state) for state in (FAILED, DAMAGED, NOT_RUN)},
        done=outcome.in_state(DONE),
        causes=_causes(outcome),
        go_on=go_on(outcome),
        groups=_groups(outcome),
    )


def chart(answer: Answer) -> dict[str, Any]:
    """Where the dots and lines of an answer lie, in percent of the width, on one scale that holds zero.

    Returns:
        ``zero``; ``rows`` by start, each with ``dot`` and, where there is an interval, ``left`` and ``width``; and
        whether there are ``intervals``. Empty if nothing is compared.
    """
    found = {effect.start: effect.entry.difference for effect in answer.effects if effect.entry.difference}
    if not found:
        return {}
    ends = [0.0]
    for d in found.values():
        ends += [d.value if d.low is None else d.low, d.value if d.high is None else d.high]
    low, high = min(ends), max(ends)
    margin = 0.04 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = {}
    for start, d in found.items():
        rows[start] = {"dot": place(d.value)}
        if d.low is not None and d.high is not None:
            rows[start] |= {"left": place(d.low), "width": round(place(d.high) - place(d.low), 2)}
    return {"zero": place(0.0), "rows": rows, "intervals": any("width" in row for row in rows.values())}


def go_on(outcome: Outcome) -> str:
    """Command that runs what is missing."""
    return shlex.join(["mmdetpre", "study", "run", str(outcome.plan.get("file") or "STUDY.yaml")])


def again(outcome: Outcome, run: Run) -> str:
    """Command that runs one run."""
    return shlex.join(["mim", "run", "mmdetpre", "run_job", str(outcome.folder), run.id])


def anchor(run: str) -> str:
    """Id of a run in the page.

    Example:
        >>> anchor("voc_detection/my start/seed0")
        'run-voc_detection/my%20start/seed0'
    """
    return f"run-{quote(run)}"


def why_not_run(outcome: Outcome, run: Run) -> str:
    """What stopped a run that was not made: the failures that it waits for, also through other runs."""
    failures: dict[str, str] = {}
    waits, seen = list(run.needs), set()
    while waits:
        need = outcome.runs.get(waits.pop(0))
        if need is None or need.id in seen:
            continue
        seen.add(need.id)
        if need.state in (FAILED, DAMAGED):
            failures[need.id] = need.state
        elif need.state == NOT_RUN:
            waits += need.needs
    if failures:
        return f"waiting for {listed([f'{name} ({state})' for name, state in failures.items()])}"
    return "the study was stopped, or is still running"


def _causes(outcome: Outcome) -> dict[str, list[Run]]:
    """Runs that were not made, by what stopped them."""
    causes: dict[str, list[Run]] = {}
    for run in outcome.in_state(NOT_RUN):
        causes.setdefault(why_not_run(outcome, run), []).append(run)
    return causes


def _filled(table: ResultTable) -> bool:
    return any(entry.values or entry.paper is not None for entry in table.entries.values())


def _scored(table: ResultTable, row: str) -> list[str]:
    """Columns in which a row has a number, here or in the paper."""
    return [
        column
        for (name, column), entry in table.entries.items()
        if name == row and (entry.values or entry.paper is not None)
    ]


def _pretraining_of(outcome: Outcome, start: str) -> tuple[str, list[str]]:
    """State and ids of the pre-training runs of a start that left no score."""
    runs = [run for run in outcome.runs.values() if run.task == PRETRAINING and run.start == start]
    if not runs:
        return NOT_PLANNED, []
    return ("not measured" if runs[0].state == DONE else runs[0].state), [run.id for run in runs]


def _unfinished(table: ResultTable, outcome: Outcome) -> list[Run]:
    return [outcome.runs[run] for run in dict.fromkeys(run for e in table.entries.values() for run in e.missing)]


def _facts(outcome: Outcome) -> dict[str, str]:
    runs, done = list(outcome.runs.values()), outcome.in_state(DONE)
    states = {state: len(outcome.in_state(state)) for state in (DONE, FAILED, DAMAGED, NOT_RUN)}
    others = listed([f"{count} {state}" for state, count in states.items() if count and state != DONE])
    seconds = [float(run.content["seconds"]) for run in runs if isinstance(run.content.get("seconds"), int | float)]
    ended = sorted(str(run.content["finished"]) for run in runs if run.content.get("finished"))
    facts = {
        "Runs": f"{states[DONE]} of {len(runs)} finished" + (f"; {others}" if others else ""),
        "Seeds": listed([str(seed) for seed in outcome.plan.get("seeds") or ()]),
        "Compared with": outcome.title_of_start(outcome.reference),
        "Time of the runs": duration(sum(seconds)) if seconds else "",
        "Last run ended": ended[-1].replace("T", " ") if ended else "",
        "Device": _all_of(done, "device"),
        "Operators": _all_of(done, "operators"),
        "Versions": _versions(done),
    }
    return {name: text for name, text in facts.items() if text}


def _all_of(runs: list[Run], key: str) -> str:
    return listed(sorted({str(run.content[key]) for run in runs if run.content.get(key)}))


def _versions(runs: list[Run]) -> str:
    found = {_pairs(run.content["versions"]) for run in runs if run.content.get("versions")}
    return found.pop() if len(found) == 1 else f"{len(found)} sets, named at each run" if found else ""


def _pairs(values: Any, link: str = " ") -> str:
    """A mapping as ``key value, ...``; anything else as it is."""
    if not isinstance(values, Mapping):
        return str(values)
    return ", ".join(f"{key}{link}{value}" for key, value in values.items())


def _groups(outcome: Outcome) -> list[tuple[str, list[Run]]]:
    """Runs by task, in the order of the plan; pre-trainings first, figures last."""
    order = dict.fromkeys([PRETRAINING, *outcome.tasks, *(run.task for run in outcome.runs.values())])
    order = dict.fromkeys([*(task for task in order if task != "figures"), "figures"])
    titles = {PRETRAINING: "Pre-training", "proposals": "Region proposals for negative chips", "figures": "Figures"}
    titles |= {
        task: f"{facts.get('title') or task}: {facts.get('kind') or task}" for task, facts in outcome.tasks.items()
    }
    groups = [(titles.get(task, task), [run for run in outcome.runs.values() if run.task == task]) for task in order]
    return [(title, runs) for title, runs in groups if runs]


def _provenance(outcome: Outcome, run: Run) -> dict[str, Any]:
    """What is known of a run, label -> text; texts in ``code`` are to be read by a machine."""
    content = run.content
    checkpoint, load = content.get("checkpoint") or {}, content.get("load") or {}
    return {
        "facts": {
            "start": outcome.title_of_start(run.start) if run.start else "",
            "seed": "" if run.seed is None else str(run.seed),
            "finished": str(content.get("finished") or "").replace("T", " "),
            "took": duration(float(content["seconds"])) if isinstance(content.get("seconds"), int | float) else "",
            "device": str(content.get("device") or ""),
            "operators": str(content.get("operators") or ""),
            "versions": _pairs(content.get("versions") or {}),
        },
        "code": {
            "config": str(content.get("config") or ""),
            "config digest": str(content.get("config_digest") or ""),
            "options": _pairs(content.get("options") or {}, "="),
            "log": str(content.get("log") or ""),
            "checkpoint": str(checkpoint.get("file") or ""),
            "checkpoint sha256": str(checkpoint.get("sha256") or ""),
            "backbone from": str(load.get("source") or ""),
            "backbone digest": str(load.get("digest") or ""),
        },
        "verdict": str(load.get("verdict") or ""),
        "good": load.get("verdict") in _GOOD,
        "commands": [shlex.join(map(str, command)) for command in content.get("commands") or ()],
        "notes": [str(note) for note in content.get("notes") or ()],
    }


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "plain": plain,
        "signed": signed,
        "counted": counted,
        "anchor": anchor,
        "picture": data_uri,
        "verdict": lambda word: VERDICTS.get(word, "empty"),
        "tied": lambda text: _TIED.sub("\N{NO-BREAK SPACE}", text),
        "thousands": lambda number: f"{number:,}",
    }
    environment.filters |= {"unfinished": _unfinished, "scored": _scored, "pretraining_of": _pretraining_of}
    environment.tests["filled"] = _filled
    environment.globals |= {"again": again, "why_not_run": why_not_run, "provenance": _provenance}
    return environment.get_template("report.html.jinja")
