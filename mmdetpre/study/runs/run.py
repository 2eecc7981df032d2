"""One run of a study: do it, then leave a record, or say why it failed."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from mmdetpre.study.kinds import KINDS, function
from mmdetpre.study.layout import job_path
from mmdetpre.study.lock import locked
from mmdetpre.study.progress import progress_line
from mmdetpre.study.records import FAILURE_FORMAT, RUN_FORMAT, read_outcome
from mmdetpre.study.runs.result import RunResult
from mmdetpre.study.runs.run_folder import Job, RunFailed
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.own_files import require_inside
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.whole_file import write_json


def run_job(out: Path, run: str, root: Path | None = None, parallel: int = 1, errors: TextIO | None = None) -> int:
    """Do one run of a study and write its record, or its failure.

    A run whose folder holds the same training, unfinished, resumes it; a folder of another config is moved aside. A run
    that is still alive in another process is waited for.

    Args:
        out: Folder of the study.
        run: Id of the run.
        root: Folder that the study was started in; the current one if not given. The process may be elsewhere.
        parallel: Runs that are made at the same time, for the time left.
        errors: Where it is said that the run failed; standard error if not given.

    Returns:
        Exit code: 0, or 1 if the run failed.

    Raises:
        FileNotFoundError: If the plan does not have this run.
        ValueError: If the plan is damaged, or links lead out of the study's folder.
    """
    root = Path.cwd() if root is None else root
    out = root / out
    path = job_path(out, run)
    if not path.is_file():
        raise FileNotFoundError(f"There is no run {run} in {out}: `mmdetpre study plan` lists those that there are.")
    content = _planned(path, ("id", "kind", "task", "start", "seed", "settings"))
    plan = _planned(out / "study.json", ("threads", "launch"))
    failure, record = out / "failed" / f"{run}.json", out / "records" / f"{run}.json"
    log, lock_file = out / "logs" / f"{run}.log", out / "locks" / f"{run}.lock"
    for file in (failure, record, log, lock_file):
        require_inside(file, out)
    began, errors = time.monotonic(), errors or sys.stderr

    def wait() -> None:
        print(f"study: {run} is still running in another process: waiting for it.", file=errors, flush=True)

    with locked(lock_file, wait) as lock:
        launch, tracker = tuple(plan["launch"]), plan.get("tracker")
        job = Job(root, out, content, log, lock, int(plan["threads"]), launch, tracker, str(plan.get("name")))
        base = {"run": run, "task": content["task"], "start": content["start"], "seed": content["seed"]}
        try:
            result: RunResult = function(KINDS[job.kind].work)(job)
        except (RunFailed, OSError, ValueError, KeyError) as error:
            text = printable(error if isinstance(error, RunFailed) else f"{type(error).__name__}: {error}")
            write_json(failure, {"format": FAILURE_FORMAT, **base, **_made(job, began), "exit": 1, "error": text})
            print(f"study: {run} failed: {text}\nIts log: {job.log}", file=errors, flush=True)
            return 1
        write_json(record, {"format": RUN_FORMAT, **base, **_made(job, began), **result.to_dict()}, default=str)
        failure.unlink(missing_ok=True)
    print(_progress(out, run, parallel), flush=True)
    return 0


def _progress(out: Path, run: str, parallel: int) -> str:
    try:
        return progress_line(read_outcome(out), run, parallel)
    except (OSError, ValueError) as error:  # of the plan, while another process writes it; the record is there
        return f"study: {run} is done. Its progress is not known: {error}"


def _made(job: Job, began: float) -> dict[str, Any]:
    """When and by what a run was made."""
    import torch

    from mmdetpre.compat.host_versions import installed_versions
    from mmdetpre.operators.stand_in import operators_in_use

    gpus = torch.cuda.device_count()
    device = f"{gpus} x {torch.cuda.get_device_name()}" if gpus else f"CPU, {os.cpu_count()} cores"
    settings = job.settings
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "seconds": round(time.monotonic() - began, 1),
        "commands": job.commands,
        "config": settings.get("source") or settings.get("data_config"),
        "config_digest": settings.get("config_digest"),
        "options": settings.get("options") or {},
        "versions": {"python": platform.python_version(), **installed_versions()},
        "device": device,
        "operators": operators_in_use(),
        "log": str(job.log),
    }


def _planned(path: Path, needed: Sequence[str]) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or (missing := [key for key in needed if key not in content]):
        lacks = f" (it lacks {missing[0]})" if isinstance(content, dict) else ""
        raise ValueError(f"{path} is not part of a study's plan{lacks}: start the study again.")
    return content
