"""The page of a report: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mmdetpre.console.progress_line import duration
from mmdetpre.paper.values import TEXT_VALUES
from mmdetpre.study.kinds import FIGURE_RUNS, PRETRAINING, PROPOSALS
from mmdetpre.study.progress import time_left
from mmdetpre.study.records import DAMAGED, DONE, FAILED, NOT_RUN, Outcome, Run
from mmdetpre.study.report.conclusions import ALONE, HELPS, HURTS, NO_INTERVAL, OPEN, REFERENCE, Answer
from mmdetpre.study.report.contents import Report
from mmdetpre.study.report.data_sizes import COLUMNS
from mmdetpre.study.report.figures import data_uri
from mmdetpre.study.report.gains import HEADS
from mmdetpre.study.report.how_to_read import READING
from mmdetpre.study.report.power import POINTS, POWER_COLUMNS
from mmdetpre.study.report.result_tables import NOT_PLANNED, ResultTable
from mmdetpre.study.report.text_format import listed, plain, signed
from mmdetpre.study.report.why_not_run import why_not_run
from mmdetpre.utils.plain_text import counted

VERDICTS = {HELPS: "helps", HURTS: "hurts", OPEN: "open", NO_INTERVAL: "open", ALONE: "open", REFERENCE: "reference"}
"""Verdict -> class of the style sheet; causes of a missing value are ``empty``."""
_GOOD = ("complete", "expected")
_TIED = re.compile(r"(?<=\d) (?=%|seeds?\b|points?\b|not run\b|failed\b)")
"""Spaces at which a line must not break."""


def page(report: Report, text: str, running: int | None = None) -> str:
    """The report as HTML5; pictures and the text of `report.json` are data URIs.

    Args:
        report: What it says.
        text: `report.json`.
        running: Runs that are made at the same time, while the study runs; else None.
    """
    outcome, left = report.outcome, {}
    if running is not None:
        left = {"Running": f"{time_left(report.outcome, running) or 'the last runs end'}; this page follows it"}
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
        facts=left | _facts(outcome),
        running=running is not None,
        all_numbers=base64.b64encode(text.encode()).decode(),
        gain_heads=HEADS,
        reading=READING,
        powers=[answer for answer in report.answers if answer.needed],
        points=POINTS,
        power_columns=POWER_COLUMNS,
        charts={answer.task: chart(answer) for answer in report.answers},
        tables=tables,
        pretraining=by_number.get(PRETRAINING, []),
        size_columns=COLUMNS,
        paper_text=TEXT_VALUES,
        missing={state: outcome.in_state(state) for state in (FAILED, DAMAGED, NOT_RUN)},
        done=outcome.in_state(DONE),
        causes=_causes(outcome),
        continue_command=continue_command(outcome),
        groups=_groups(outcome),
    )


class Mark(NamedTuple):
    """A dot, and the line of its interval where it has one, in percent of the width."""

    dot: float
    left: float | None = None
    width: float | None = None


class Chart(NamedTuple):
    """Where zero lies in percent of the width, and the mark of each initialization."""

    zero: float
    rows: Mapping[str, Mark]

    @property
    def intervals(self) -> bool:
        """Whether there are any."""
        return any(mark.left is not None for mark in self.rows.values())


def chart(answer: Answer) -> Chart | None:
    """The chart of an answer, on one scale that holds zero; None if nothing is compared."""
    found = {effect.init: effect.entry.difference for effect in answer.effects if effect.entry.difference}
    if not found:
        return None
    ends = [0.0]
    for d in found.values():
        ends += [d.value if d.low is None else d.low, d.value if d.high is None else d.high]
    low, high = min(ends), max(ends)
    margin = 0.04 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = {}
    for init, d in found.items():
        rows[init] = Mark(place(d.value))
        if d.low is not None and d.high is not None:
            rows[init] = Mark(place(d.value), place(d.low), round(place(d.high) - place(d.low), 2))
    return Chart(place(0.0), rows)


def continue_command(outcome: Outcome) -> str:
    """Command that runs what is missing."""
    return shlex.join(["mmdetpre", "study", "run", str(outcome.plan.get("file") or "STUDY.yaml")])


def rerun_command(outcome: Outcome, run: Run) -> str:
    """Command that runs one run."""
    return shlex.join(["mim", "run", "mmdetpre", "run_job", str(outcome.folder), run.id])


def anchor(run: str) -> str:
    """Id of a run in the page.

    Example:
        >>> anchor("voc_detection/my init/seed0")
        'run-voc_detection/my%20init/seed0'
    """
    return f"run-{quote(run)}"


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


def _pretraining_of(outcome: Outcome, init: str) -> tuple[str, list[str]]:
    """State and ids of the pre-training runs of an initialization that left no score."""
    runs = [run for run in outcome.runs.values() if run.task == PRETRAINING and run.init == init]
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
        "Compared with": outcome.title_of_init(outcome.reference),
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
    order = dict.fromkeys([*(task for task in order if task != FIGURE_RUNS), FIGURE_RUNS])
    titles = {PRETRAINING: "Pre-training", PROPOSALS: "Region proposals for negative chips", FIGURE_RUNS: "Figures"}
    titles |= {
        task: f"{facts.get('title') or task}: {facts.get('kind') or task}" for task, facts in outcome.tasks.items()
    }
    groups = [(titles.get(task, task), [run for run in outcome.runs.values() if run.task == task]) for task in order]
    return [(title, runs) for title, runs in groups if runs]


def _provenance(outcome: Outcome, run: Run) -> dict[str, Any]:
    """What is known of a run, label -> text; texts in ``code`` are machine-readable."""
    content = run.content
    checkpoint, load = content.get("checkpoint") or {}, content.get("load") or {}
    return {
        "facts": {
            "initialization": outcome.title_of_init(run.init) if run.init else "",
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
    environment.globals |= {"rerun_command": rerun_command, "why_not_run": why_not_run, "provenance": _provenance}
    return environment.get_template("report.html.jinja")
