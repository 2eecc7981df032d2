"""What stopped a run that was not made."""

from __future__ import annotations

from mmdetpre.study.records import DAMAGED, FAILED, NOT_RUN, Outcome, Run
from mmdetpre.study.report.text_format import listed


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
