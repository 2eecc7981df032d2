"""The folder of a run, and the commands that work in it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdetpre.compat.warm_start import run_command
from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.layout import work_dir
from mmdetpre.utils.bounded_files import read_end, read_json
from mmdetpre.utils.own_files import require_inside
from mmdetpre.utils.plain_text import one_line
from mmdetpre.utils.whole_file import write_json

TOOLS = CONFIG_ROOT.parent / "tools"
_STATE = "study_run.json"
_SEARCHED, _QUOTED = 300, 25  # lines of a log that are searched for an error, and that go into a failure


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
        tracker: Experiment tracker that a training reports to, or None.
        study: Name of the study.
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
    tracker: str | None = None
    study: str = ""
    commands: list[list[str]] = field(default_factory=list)
    made_of: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the run."""
        return str(self.run["id"])

    @property
    def kind(self) -> str:
        """Its kind, of `mmdetpre.study.kinds.KINDS`."""
        return str(self.run["kind"])

    @property
    def init(self) -> str:
        """Key of its initialization."""
        return str(self.run["start"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the plan says of it."""
        return dict(self.run["settings"])

    @property
    def folder(self) -> Path:
        """Folder that it works in."""
        return work_dir(self.out, self.id)

    def claim(self, made_of: Mapping[str, Any]) -> bool:
        """Make the run's folder; one that was made from other inputs is moved aside.

        Args:
            made_of: What the content of the folder follows from.

        Returns:
            Whether :meth:`note_trained` was called in this folder.
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
        write_json(file, state | {"made_of": self.made_of})
        return bool(state.get("trained"))

    def note_trained(self) -> None:
        """Note in the run's folder that its training has ended."""
        file = self.folder / _STATE
        write_json(file, _state(file) | {"trained": True})

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
            code = run_command(words, cwd=self.root, log=log.fileno(), env=environment(self.threads), keep=[self.lock])
        if code:
            lines = read_end(self.log).decode("utf-8", "replace").splitlines()
            raise RunFailed("\n".join([f"$ {one_line(shlex.join(words))} (exit {code})", *_why(lines)]))

    def tool(self, name: str, *arguments: str | Path) -> None:
        """Run one of the command line tools, such as ``analysis_tools/tsne.py``."""
        self.command(sys.executable, TOOLS / name, *arguments)


def _state(file: Path) -> dict[str, Any]:
    """What was noted in a run's folder; nothing if that is damaged, then the folder is moved aside."""
    try:
        state = read_json(file) if file.is_file() else {}
    except ValueError:
        state = {}
    return state if isinstance(state, dict) else {}


def _why(lines: Sequence[str]) -> list[str]:
    """What a log says of an error: from the message of the first exception on, or else its end."""
    begun = max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=-1)
    tail = list(lines[begun + 1 :][-_SEARCHED:])
    first = next((i for i, line in enumerate(tail) if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)), None)
    return tail[-_QUOTED:] if first is None else tail[first : first + _QUOTED]


def environment(threads: int | None = None) -> dict[str, str]:
    """Environment of a command. Threads that wait must not spin: data loading shares the cores with the training.

    Args:
        threads: Processor threads; None: as many as are set already.
    """
    own = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    own |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, **own, "PATH": path}
