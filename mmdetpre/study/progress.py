"""How far a study is: the scores of a run that is done, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean

from mmdetpre.console.progress_line import duration
from mmdetpre.study.records import DONE, FAILED, NOT_RUN, Outcome, Run

_MOST = 4  # scores that a line shows


def progress_line(outcome: Outcome, run: str, parallel: int = 1) -> str:
    """One line for a run that has ended.

    Args:
        outcome: What the study left so far, this run included.
        run: Its id.
        parallel: Runs that are made at the same time.

    Returns:
        How many runs are done, this one's scores and seconds, and the time left, see `time_left`.

    Example:
        A line reads ``study: 3 of 12 done, voc/coco/seed0: ap50 45.2, ap70 20.1 (95 s); about 4:20 min left``.
    """
    done, failed = len(outcome.in_state(DONE)), len(outcome.in_state(FAILED))
    head = f"study: {done} of {len(outcome.runs)} done{f', {failed} failed' if failed else ''}"
    left = time_left(outcome, parallel)
    return f"{head}, {run}: {_told(outcome, run)}{f'; {left}' if left else ''}"


def time_left(outcome: Outcome, parallel: int = 1) -> str:
    """Time for the runs that were not made, by the seconds that finished runs took.

    A run is taken to last as those of its task did, else as a few steps of it told before the study, else as those of
    its kind (detection, probe ...). Where nothing of a kind was timed, nothing is guessed: the line says for how many
    runs that is.

    Args:
        outcome: What the study left so far.
        parallel: Runs that are made at the same time.

    Returns:
        Such as ``about 4:20 min left``; empty if no run is left.
    """
    waiting = outcome.in_state(NOT_RUN)
    if not waiting:
        return ""
    expected = _expected(outcome)
    known = [seconds for one in waiting if (seconds := expected(one)) is not None]
    unknown = len(waiting) - len(known)
    if not known:
        return f"{unknown} left, none of their kind was timed yet"
    seconds = max(sum(known) / max(parallel, 1), max(known))
    if unknown:
        return f"more than {duration(seconds)} left ({unknown} runs are of kinds that were not timed yet)"
    return f"about {duration(seconds)} left"


def _expected(outcome: Outcome) -> Callable[[Run], float | None]:
    """Seconds of a run: as those of its task took, else as was timed before the study, else as those of its kind."""
    kinds = {name: str(planned.get("kind")) for name, planned in outcome.plan["runs"].items()}
    by_task: dict[str, list[float]] = {}
    by_kind: dict[str, list[float]] = {}
    for run in outcome.in_state(DONE):
        seconds = run.content.get("seconds")
        if isinstance(seconds, int | float):
            by_task.setdefault(run.task, []).append(float(seconds))
            by_kind.setdefault(kinds.get(run.id, ""), []).append(float(seconds))

    def expected(run: Run) -> float | None:
        if run.task in by_task:
            return mean(by_task[run.task])
        if run.id in outcome.seconds:
            return outcome.seconds[run.id]
        timed = by_kind.get(kinds.get(run.id, ""))
        return mean(timed) if timed else None

    return expected


def _told(outcome: Outcome, run: str) -> str:
    found = outcome.runs[run]
    scores = [
        f"{cell.column if not cell.group else f'{cell.row} {cell.column}'} {cell.value:.1f}"
        for cell in found.cells
        if cell.value is not None
    ]
    shown = ", ".join(scores[:_MOST]) + (f" and {len(scores) - _MOST} more" if len(scores) > _MOST else "")
    if number := (found.content.get("figure") or {}).get("number"):
        shown = f"figure {number}" if number.isdigit() else number
    seconds = found.content.get("seconds")
    taken = f" ({duration(float(seconds))})" if isinstance(seconds, int | float) else ""
    return f"{shown or found.state}{taken}"
