"""One run of a study: do it, then leave a record, or say why it failed."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from mmdetpre.bounded_files import read_end, read_json
from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.own_files import require_inside
from mmdetpre.plain_text import one_line, printable
from mmdetpre.study.outcome import FAILURE_FORMAT, RUN_FORMAT, read_outcome
from mmdetpre.study.plan import job_path, work_dir
from mmdetpre.study.progress import progress_line
from mmdetpre.whole_file import write_json

_STATE = "study_run.json"
TOOLS = CONFIG_ROOT.parent / "tools"
_SEARCHED, _QUOTED = 300, 25  # lines of a log that are looked through for an error, and that go into a failure


class RunFailed(Exception):
    """A command of the run failed; the message is what a person needs."""


@dataclass
class Job:
    """A run in progress.

    Attributes:
        root: Folder that the study was started in, which relative paths of its plan and configs are of.
        out: Folder of the study.
        run: Content of its job file.
        log: Where all output goes.
        lock: Descriptor that the commands inherit, so that the lock outlives a killed study.
        threads: Processor threads.
        launch: Arguments of ``mim train`` and ``mim test``.
        commands: What was run.
        made_of: What the content of its folder follows from, see :meth:`claim`.
    """

    root: Path
    out: Path
    run: Mapping[str, Any]
    log: Path
    lock: int
    threads: int = 1
    launch: tuple[str, ...] = ()
    commands: list[list[str]] = field(default_factory=list)
    made_of: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the run."""
        return str(self.run["id"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the plan says of it."""
        return dict(self.run["settings"])

    @property
    def folder(self) -> Path:
        """Folder that it works in."""
        return work_dir(self.out, self.id)

    def claim(self, made_of: Mapping[str, Any]) -> dict[str, Any]:
        """Make the run's folder; one that was made from other inputs is moved aside.

        Args:
            made_of: What the content of the folder follows from.

        Returns:
            What :meth:`note` has noted in this folder.
        """
        self.made_of = dict(made_of)
        file = self.folder / _STATE
        require_inside(self.folder, self.out)
        state = _state(file)
        if self.folder.exists() and state.get("made_of") != made_of:
            numbered = (self.folder.with_name(f"{self.folder.name}.old{k}") for k in range(1, 10**6))
            aside = next(path for path in numbered if not path.exists())
            self.folder.rename(aside)
            print(f"study: {self.id} has other settings or weights than before; the earlier run is kept in {aside}")
            state = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        state["made_of"] = dict(made_of)
        write_json(file, state)
        return dict(state)

    def note(self, **values: Any) -> None:
        """Note something in the run's folder."""
        file = self.folder / _STATE
        write_json(file, _state(file) | values)

    def command(self, *arguments: str | Path) -> None:
        """Run a command with its output in the log.

        Raises:
            RunFailed: If it fails; with the last lines of the log.
        """
        words = [str(argument) for argument in arguments]
        self.commands.append(words)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"$ {one_line(shlex.join(words))}\n")
            log.flush()
            done = subprocess.run(
                words, cwd=self.root, stdout=log, stderr=subprocess.STDOUT, env=_environment(self.threads),
                pass_fds=[self.lock],
            )  # fmt: skip
        if done.returncode:
            lines = read_end(self.log).decode("utf-8", "replace").splitlines()
            raise RunFailed("\n".join([f"$ {one_line(shlex.join(words))} (exit {done.returncode})", *_why(lines)]))

    def tool(self, name: str, *arguments: str | Path) -> None:
        """Run one of the command line tools, such as ``analysis_tools/tsne.py``."""
        self.command(sys.executable, TOOLS / name, *arguments)


def run_job(out: Path, run: str, root: Path | None = None, parallel: int = 1, errors: TextIO | None = None) -> int:
    """Do one run of a study and write its record, or its failure.

    A run whose folder holds the beginning of the same training goes on from there; a folder of another config is moved
    aside. A run that is still alive in another process is waited for.

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
    content, plan = _planned(path), _planned(out / "study.json")
    failure, record = out / "failed" / f"{run}.json", out / "records" / f"{run}.json"
    log, locked = out / "logs" / f"{run}.log", out / "locks" / f"{run}.lock"
    for file in (failure, record, log, locked):
        require_inside(file, out)
    began = time.monotonic()
    with _locked(locked, run, errors or sys.stderr) as lock:
        job = Job(root, out, content, log, lock, int(plan["threads"]), tuple(plan["launch"]))
        base = {"run": run, "task": content["task"], "start": content["start"], "seed": content["seed"]}
        try:
            result = _work(job)
        except (RunFailed, OSError, ValueError, KeyError) as error:
            text = printable(error if isinstance(error, RunFailed) else f"{type(error).__name__}: {error}")
            _write(failure, {"format": FAILURE_FORMAT, **base, **_made(job, began), "exit": 1, "error": text})
            print(f"study: {run} failed: {text}\nIts log: {job.log}", file=errors or sys.stderr, flush=True)
            return 1
        _write(record, {"format": RUN_FORMAT, **base, **_made(job, began), **result})
        failure.unlink(missing_ok=True)
    print(_progress(out, run, parallel), flush=True)
    return 0


def _progress(out: Path, run: str, parallel: int) -> str:
    try:
        return progress_line(read_outcome(out), run, parallel)
    except (OSError, ValueError) as error:  # of the plan, while another process writes it; the record stands
        return f"study: {run} is done. How far the study is cannot be told: {error}"


def _work(job: Job) -> dict[str, Any]:
    from mmdetpre.study.figure_job import draw_figure
    from mmdetpre.study.probe_job import probe
    from mmdetpre.study.region_proposals import make_proposals
    from mmdetpre.study.training_job import score_pretraining, train_and_test

    others: dict[str, Callable[[Job], dict[str, Any]]] = {
        "figure": draw_figure,
        "linear": probe,
        "layers": probe,
        "proposals": make_proposals,
        "pretraining_test": score_pretraining,
    }
    return others.get(job.run["kind"], train_and_test)(job)


def _made(job: Job, began: float) -> dict[str, Any]:
    """When and by what a run was made."""
    import torch

    from mmdetpre.host_versions import installed_versions
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


def _planned(path: Path) -> dict[str, Any]:
    content = read_json(path)
    known = {"jobs": ("id", "kind", "task", "start", "seed", "settings"), "study.json": ("threads", "launch")}
    needed = known["study.json" if path.name == "study.json" else "jobs"]
    if not isinstance(content, dict) or (missing := [key for key in needed if key not in content]):
        lacks = f" (it lacks {missing[0]})" if isinstance(content, dict) else ""
        raise ValueError(f"{path} is no part of a study's plan{lacks}: start the study again.")
    return content


def _state(file: Path) -> dict[str, Any]:
    """What a run noted in its folder; nothing if that is damaged, then the folder is moved aside."""
    try:
        state = read_json(file) if file.is_file() else {}
    except ValueError:
        state = {}
    return state if isinstance(state, dict) else {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_json(path, content, default=str)


def _why(lines: Sequence[str]) -> list[str]:
    """What a log says of an error: from the message of the first exception on, or else its end."""
    begun = max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=-1)
    tail = list(lines[begun + 1 :][-_SEARCHED:])
    first = next((i for i, line in enumerate(tail) if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)), None)
    return tail[-_QUOTED:] if first is None else tail[first : first + _QUOTED]


def _environment(threads: int) -> dict[str, str]:
    """Threads that wait must not spin: data loading shares the cores with the training."""
    own = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, **own, "PATH": path}


@contextmanager
def _locked(path: Path, run: str, errors: TextIO) -> Iterator[int]:
    """Hold a run's lock, which its commands hold too: one that outlived a killed study is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"study: {run} is still running in another process: waiting for it.", file=errors, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
