"""What Snakemake knows of the runs that it sends to a cluster: a line for each, and the errors, which it hides.

Snakemake's own output is kept in a log, as `mmdetpre.study.workflow` starts it; errors of jobs are not in there, for
``--quiet rules`` leaves them out.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from mmdetpre.study.live_report import LiveReport
from mmdetpre.study.progress import progress_line
from mmdetpre.study.records import FAILURE_FORMAT, read_outcome
from mmdetpre.utils.bounded_files import read_end, read_json
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.whole_file import write_json

_SENT = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\d+)")
_REFUSED = re.compile(r"SLURM sbatch failed\. The error message was '(.*?)'\.\n", re.DOTALL)
_ENDED = re.compile(r"SLURM-job '(\w+)' failed, SLURM status is: '(\w+)'")
_ADVICE = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
_GOES_ON = "it resumes from its last checkpoint when the study is started again"
_OUTSIDE = {
    "CANCELLED": f"somebody, or Snakemake, canceled it; {_GOES_ON}",
    "TIMEOUT": f"{_GOES_ON}; a longer limit is `time` of `slurm` in the study's file",
    "OUT_OF_MEMORY": "a larger request is `memory` of `slurm` in the study's file",
    "NODE_FAIL": f"the node broke; {_GOES_ON}",
}
"""What ends a job from outside -> what to know of it."""
_QUOTED = 12  # last lines of the log of a job that ended before its run could say why


class JobMessages(logging.Handler):
    """Prints what becomes of the runs, and leaves a failure where a run could not leave its own.

    Args:
        out: Folder of the study.
        parallel: Runs that are made at the same time, for the time left.
        stream: Where it prints.
        report: The report, which is written again when a run is done; None: it is not.
    """

    def __init__(self, out: Path, parallel: int, stream: TextIO, report: LiveReport | None = None) -> None:
        super().__init__(logging.INFO)
        self.out, self.parallel, self.stream, self.report = out, parallel, stream, report
        self._runs: dict[int, str] = {}
        self._before: dict[str, int | None] = {}
        self._told: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take a message of Snakemake's logger."""
        try:
            self._take(record)
        except (OSError, ValueError, KeyError):  # a full disk: as any handler does
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "JOB_INFO":
            self._begin(record)
        elif event == "JOB_FINISHED":
            self._finished(self._runs.get(getattr(record, "job_id", -1)))
        elif event == "JOB_ERROR":
            self._failed(record)
        elif sent := _SENT.match(record.getMessage()):
            self._say(f"{self._runs.get(int(sent[1]), 'a run')} is in the queue: Slurm job {sent[2]}")

    def _begin(self, record: logging.LogRecord) -> None:
        run = dict(getattr(record, "wildcards", None) or {}).get("run")
        if run:
            self._runs[int(record.__dict__["jobid"])] = run
            self._before[run] = _changed(self._failure(run))

    def _finished(self, run: str | None) -> None:
        if run:
            self._say(progress_line(read_outcome(self.out), run, self.parallel).removeprefix("study: "))
            if self.report:
                self.report.update()

    def _failed(self, record: logging.LogRecord) -> None:
        told: Mapping[str, Any] = record.__dict__
        run = self._runs.get(int(told["jobid"]))
        if run is None:
            return
        failure = self._failure(run)
        outside = _outside(told)
        if outside is None and _changed(failure) not in (None, self._before.get(run)):  # the run itself said why
            error = printable(read_json(failure).get("error"))
        else:
            error = outside or _reason(told)
            write_json(failure, self._content(run, error, told))
        self._told[error] = self._told.get(error, 0) + 1
        if self._told[error] == 1:
            self._say(f"{run} failed: {error}")
        else:
            self._say(f"{run} failed in the same way")

    def _content(self, run: str, error: str, told: Mapping[str, Any]) -> dict[str, Any]:
        planned = read_outcome(self.out).runs[run]
        return {
            "format": FAILURE_FORMAT,
            "run": run,
            "task": planned.task,
            "start": planned.init,
            "seed": planned.seed,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "exit": 1,
            "error": error,
            "log": next(iter(told.get("log") or ()), ""),
        }

    def _failure(self, run: str) -> Path:
        return self.out / "failed" / f"{run}.json"

    def _say(self, text: str) -> None:
        print(f"study: {text}", file=self.stream, flush=True)


def _outside(told: Mapping[str, Any]) -> str | None:
    """What Slurm did: it did not take a job, or ended it; None where the job ended by itself."""
    message = str(told.get("rule_msg") or "")
    if refused := _REFUSED.search(message):
        return f"Slurm did not take it: {printable(refused[1])}\nWhat runs ask for is `slurm` in the study's file."
    ended = _ENDED.search(message)
    if ended is None or ended[2] not in _OUTSIDE:
        return None
    return f"Slurm job {ended[1]} ended as {ended[2]}: {_OUTSIDE[ended[2]]}."


def _reason(told: Mapping[str, Any]) -> str:
    """Why a job ended whose run could not say anything: what the executor says, and the end of the job's log."""
    message = str(told.get("rule_msg") or "").replace(_ADVICE, "").strip()
    ended = _ENDED.search(message)
    said = f"Slurm job {ended[1]} ended as {ended[2]}" if ended else printable(message) or "Its job failed"
    logs = [Path(name) for name in told.get("log") or ()]
    lines = [line for log in logs if log.is_file() for line in _end(log)]
    return "\n".join([said, *(f"Its log: {log}" for log in logs), *lines])


def _changed(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


def _end(log: Path) -> list[str]:
    return printable(read_end(log).decode("utf-8", "replace")).splitlines()[-_QUOTED:]
