"""How Snakemake sends the runs of a study to a cluster: its executor, what that is told, and what runs ask for."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmdetpre.study.plan import PlannedRun
    from mmdetpre.study.spec import Study

from mmdetpre.study.kinds import KINDS

SLURM, KUBERNETES = "slurm", "kubernetes"
_MOST_JOBS = 100  # runs in the queue at a time, where nobody says
_SHORTEST_MEMORY = 200  # seconds; the executor asks at least every three minutes what became of its jobs


def executor_of(arguments: Sequence[str]) -> str | None:
    """The executor that arguments of Snakemake name; None: runs are made on this machine.

    Example:
        >>> executor_of(["--executor", "slurm", "--jobs", "8"]), executor_of(["-eslurm"]), executor_of(["-n"])
        ('slurm', 'slurm', None)
    """
    found = None
    for word, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if word in ("--executor", "-e"):
            found = following
        elif match := re.fullmatch(r"(?:--executor=|-e=?)(.+)", word):
            found = match[1]
    return None if found in (None, "local", "dryrun", "touch") else found


def require_executor(executor: str, study: Study) -> None:
    """Refuse what cannot work.

    Args:
        executor: Name of the executor.
        study: The study whose runs it gets.

    Raises:
        ValueError: If the executor is not installed, runs would ask Slurm for jobs from within a job, or a shell would
            read more than a path in the path of the study's folder.
    """
    plugin = f"snakemake_executor_plugin_{executor.replace('-', '_')}"
    if importlib.util.find_spec(plugin) is None:
        package = "'mmdetpre[study]'" if executor == SLURM else plugin.replace("_", "-")
        raise ValueError(f"Snakemake has no executor {executor} here: pip install {package}")
    if study.launcher == "slurm":
        raise ValueError(
            f"{study.path}: launch: launcher is slurm: each training would be a Slurm job of its own, and with"
            f" --executor {executor} each run is a job already. Runs of one node: set launcher to pytorch, with the"
            " gpus of one node. Trainings on several nodes: leave out --executor, and start the study on a login node."
        )
    if found := set(str(study.out.absolute())) & set("'\\"):
        raise ValueError(
            f"{study.path}: out is {study.out.absolute()}: the commands that Snakemake sends to other machines do not"
            f" survive a {min(found)} in its path, give another folder."
        )
    if executor == KUBERNETES and study.out.is_absolute():
        raise ValueError(
            f"{study.path}: out is {study.out}, which the pods do not have: give a relative folder. They make it below"
            f" {study.kubernetes.root} (`root` of `kubernetes`)."
        )


def executor_arguments(executor: str, given: Sequence[str]) -> list[str]:
    """What Snakemake is told on a cluster beside what it was given.

    Args:
        executor: Name of the executor.
        given: Arguments of the user, which win.

    Raises:
        ValueError: If Slurm would forget jobs before the executor asks for them.

    Example:
        >>> executor_arguments("kubernetes", ["--jobs=3"])
        ['--latency-wait', '60']
    """
    names = {word.split("=")[0] for word in given}
    chosen: dict[str, list[str]] = {}
    if not any(re.match(r"--jobs$|-j", name) for name in names):
        chosen["--jobs"] = [str(_MOST_JOBS)]
    if not names & {"--latency-wait", "--output-wait", "-w"}:
        chosen["--latency-wait"] = ["60"]  # a shared folder shows a file later on other machines
    if executor == SLURM:
        if "--slurm-status-command" not in names:
            chosen["--slurm-status-command"] = [_status_command()]
        chosen["--slurm-pass-command-as-script"] = []  # no shell reads the paths in it twice
    return [word for name, values in chosen.items() if name not in names for word in (name, *values)]


def _status_command() -> str:
    """``squeue``: ``sacct`` needs a database, and calls a canceled job ``CANCELLED by 0``, which nobody expects."""
    if shutil.which("scontrol") is None:
        return "squeue"
    done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True)
    settings = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", done.stdout, re.MULTILINE))
    seconds = re.match(r"\d+", settings.get("MinJobAge", ""))
    if seconds is None or int(seconds[0]) >= _SHORTEST_MEMORY:
        return "squeue"
    if "slurmdbd" in settings.get("AccountingStorageType", ""):
        return "sacct"
    raise ValueError(
        f"This Slurm forgets a job {seconds[0]} s after its end (MinJobAge) and has no database, so that a study could"
        f" wait for ever: ask for MinJobAge={_SHORTEST_MEMORY} or more (Slurm's own is 300), or leave out --executor."
    )


def jobs_at_a_time(arguments: Sequence[str]) -> int:
    """Runs that arguments of Snakemake let into the queue at a time.

    Example:
        >>> jobs_at_a_time(["--executor", "slurm", "--jobs", "8"]), jobs_at_a_time(["-j4"]), jobs_at_a_time(["-j"])
        (8, 4, 100)
    """
    found = re.findall(r"(?:--jobs|-j)[ =]?(\d+)(?= |$)", " ".join(arguments))
    return max(1, int(found[-1])) if found else _MOST_JOBS


def shares_no_folder(arguments: Sequence[str]) -> bool:
    """Whether runs are made on machines that do not see the study's folder, so that archives carry what they need.

    Example:
        >>> shares_no_folder(["--executor=kubernetes"]), shares_no_folder(["--executor", "slurm"])
        (True, False)
    """
    return executor_of(arguments) == KUBERNETES


def requests(study: Study, plan: Mapping[str, PlannedRun], executor: str) -> dict[str, dict[str, int | str]]:
    """What each run asks a cluster for: its id -> resources, in the words of Snakemake's executor.

    Args:
        study: The study.
        plan: Its runs.
        executor: Name of the executor; one that is not known is asked as Slurm is.
    """
    request = study.kubernetes if executor == KUBERNETES else study.slurm
    most = study.gpus if request.gpus is None else request.gpus
    return {run.id: request.resources(_gpus(run, most), _cores(study, plan, run)) for run in plan.values()}


def _gpus(run: PlannedRun, most: int) -> int:
    own = KINDS[run.kind].gpus
    return most if own is None else min(own, most)


def _cores(study: Study, plan: Mapping[str, PlannedRun], run: PlannedRun) -> int:
    """Cores that a run can use: one per process of its loaders and its training, on each rank."""
    config: Mapping[str, Any] = plan.get(str(run.settings.get("tested")), run).config or {}
    loaders = (config.get(f"{part}_dataloader") or {} for part in ("train", "val", "test"))
    workers = max((int(loader.get("num_workers") or 0) for loader in loaders), default=0)
    ranks = study.gpus if config and study.launcher != "none" else 1
    return max(study.threads, ranks * (1 + workers))
