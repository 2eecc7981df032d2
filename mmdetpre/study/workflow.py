"""From the file of a study to its report: data first, then all runs by Snakemake, then the page."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from mmdetpre.compat.warm_start import warm_start
from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.cluster.executor import (
    executor_arguments,
    executor_of,
    jobs_at_a_time,
    requests,
    require_executor,
    shares_no_folder,
)
from mmdetpre.study.expected_time import at_a_time, expect
from mmdetpre.study.kinds import rules
from mmdetpre.study.lock import locked
from mmdetpre.study.plan import PlannedRun, make_plan, plan_table, write_plan
from mmdetpre.study.records import DONE, FAILED, PLAN_FORMAT, Outcome, read_outcome
from mmdetpre.study.report.write import report_folder
from mmdetpre.study.runs.run_folder import environment as run_environment
from mmdetpre.study.spec import Study, read_study
from mmdetpre.study.tracker import open_experiment, require_tracker
from mmdetpre.utils.bounded_files import read_end, read_json
from mmdetpre.utils.own_files import require_inside
from mmdetpre.utils.plain_text import one_line, printable
from mmdetpre.utils.whole_file import write_json

_LOCK = "study.lock"
_OURS = (
    *(_LOCK, "study.json", "data.json", "times.json", "workflow.json", "Snakefile", "given", "kept"),
    *("locks", "logs", "records", "failed", "figures", "report"),
)
_QUOTED = 25  # lines of its log that are shown where Snakemake fails
SNAKEFILE = CONFIG_ROOT.parent / "tools" / "study" / "Snakefile"


def run_study(
    file: str | Path,
    *,
    cores: int,
    dry_run: bool = False,
    paper: str | Path | None = None,
    snakemake_arguments: Sequence[str] = (),
    leave_out_bad: bool = False,
    photos: bool = True,
    timing: bool = True,
) -> int:
    """Run what is missing of a study and write its report.

    Finished runs whose study file, configs and earlier runs are unchanged are kept; a training that was stopped resumes
    from its last checkpoint. A failed run does not stop the others.

    Args:
        file: File of the study.
        cores: Processor cores to use; runs of one thread each share them.
        dry_run: List the runs, do nothing, and do not look at the data.
        paper: JSON file with figures of the paper, for the report.
        snakemake_arguments: Passed on, such as ``--executor slurm --jobs 20``.
        leave_out_bad: Continue with broken test images, which tests skip.
        photos: Whether the page of the report shows figures with photos of the data.
        timing: Time a few steps of each training that has no record yet, to say how long the study takes.

    Returns:
        Exit code: 0 if all runs are done, else 1.

    Raises:
        FileNotFoundError: If a config or data are missing; before anything is trained.
        ValueError: If the file is wrong, or another process runs this study.
    """
    _require_snakemake()
    study, executor = read_study(file), executor_of(snakemake_arguments)
    if executor:
        require_executor(executor, study)
    require_tracker(study.tracker)
    plan = make_plan(study)
    if dry_run:
        print(plan_table(plan))
    here = not (dry_run or executor)
    with _only_one(study.out), warm_start(run_environment(study.threads)) if here else nullcontext():
        write_plan(study, plan)
        if not dry_run:
            _prepare(study, leave_out_bad)
            open_experiment(study.tracker, study.name, study.out)
            expected = "" if executor else f", {expect(study, plan, cores, timing=timing)}"
            print(f"study: {len(plan)} runs{expected}; what each says is in {study.out / 'logs'}", flush=True)
        shown = {"paper": paper and os.path.abspath(paper), "photos": photos}
        code = _snakemake(study, plan, cores, snakemake_arguments, None if dry_run else shown)
        if dry_run:
            return code
        _tell_snakemake(study.out, code)
        return _report(study, paper, photos)


def _prepare(study: Study, leave_out_bad: bool) -> None:
    """Make the sample where the study uses it, count the data and decode every image."""
    from mmdetpre.sample import make_sample
    from mmdetpre.sample.folder import default_folder
    from mmdetpre.study.data_check import check_data, write_data

    for layout in study.sample_layouts:
        root = default_folder(layout)
        if not (root / "sample.json").is_file():
            make_sample(root, layout=layout)
    write_data(study.out, check_data(study, leave_out_bad=leave_out_bad))


def _snakemake(
    study: Study,
    plan: Mapping[str, PlannedRun],
    cores: int,
    given: Sequence[str],
    report: Mapping[str, object] | None,
) -> int:
    """Let Snakemake make the runs, and the report after them as ``report`` says; None: a dry run."""
    import torch

    dry_run = report is None
    executor, gpus = executor_of(given), torch.cuda.is_available()
    # In a file, for Snakemake would guess the types of --config.
    values = {
        "root": os.getcwd(),
        "out": str(study.out),
        "parallel": at_a_time(study, cores),
        "rules": rules(study.gpus),
    }
    values |= {"report": report}
    if executor:  # where --cores would be the sum of what all jobs ask for
        mode = executor_arguments(executor, given)
        values |= {"requests": requests(study, plan, executor), "elsewhere": not dry_run}
        values |= {"parallel": jobs_at_a_time(given)}
    else:
        mode = ["--cores", str(cores), *(["--resources", f"gpu={study.gpus}"] if gpus else [])]
    snakefile = SNAKEFILE
    if shares_no_folder(given):  # what is sent must lie in the folder
        snakefile = study.out / SNAKEFILE.name
        shutil.copyfile(SNAKEFILE, snakefile)
        values |= {"carried": study.kubernetes.root, "plan": read_json(study.out / "study.json")}
    values_file = study.out / "workflow.json"
    write_json(values_file, values)
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--directory", study.out, *mode,
        "--keep-going", "--rerun-incomplete", "--nolock", "--force-use-threads",
        "--rerun-triggers", "mtime", "input", "--configfile", values_file.absolute(),
        "--quiet", "host", "rules", "reason", *(["--dry-run"] if dry_run else []), *given,
    ]  # fmt: skip
    with ExitStack() as held:
        log = None if dry_run else held.enter_context(_snakemake_log(study.out).open("w", encoding="utf-8"))
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen([str(word) for word in command], env=environment, stderr=log)
        try:
            return process.wait()
        except KeyboardInterrupt:  # Snakemake was interrupted too: let it end its runs
            return process.wait() or 130


def _snakemake_log(out: Path) -> Path:
    """What Snakemake says of its own work."""
    path = out / "logs" / "snakemake.log"
    require_inside(path, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _tell_snakemake(out: Path, code: int) -> None:
    """Where Snakemake failed and no run did, the end of its log."""
    log = _snakemake_log(out)
    if code and log.is_file() and not read_outcome(out).in_state(FAILED):
        text = printable(read_end(log).decode("utf-8", "replace"))
        print("\n".join(text.splitlines()[-_QUOTED:]), file=sys.stderr)
        print(f"study: Snakemake failed; its log: {log}", file=sys.stderr)


def _report(study: Study, paper: str | Path | None, photos: bool) -> int:
    from mmdetpre.study.report.write import write_report

    page = write_report(study.out, paper, photos)
    outcome = read_outcome(study.out)
    done = outcome.in_state(DONE)
    print(f"\n{len(done)} of {len(outcome.runs)} runs are done.{_left(outcome)}\nReport: {page}")
    return 0 if len(done) == len(outcome.runs) else 1


def _left(outcome: Outcome) -> str:
    """Runs that failed or were not made, by name."""
    left: dict[str, list[str]] = {}
    for run in outcome.runs.values():
        if run.state != DONE:
            left.setdefault(run.state, []).append(run.id)
    lines = [f"\n{state}: {', '.join(names)}" for state, names in left.items()]
    return "".join(lines) + ("\nStart the study again to make them." if lines else "")


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """Mark the folder as a study's, and hold its lock; a killed study can be started again at once."""
    _require_study_folder(out)

    def busy() -> None:
        raise ValueError(f"Another process runs the study in {out}: wait for it, or stop it first.")

    with locked(out / _LOCK, busy) as descriptor:
        if not os.fstat(descriptor).st_size:
            os.write(descriptor, f"{PLAN_FORMAT}\n".encode())
        yield


def _require_study_folder(out: Path) -> None:
    """Refuse a folder that holds files which no study wrote, a page of a user's own for example."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: give the study another folder, `out` in its file.")
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    empty = found == [_LOCK] and not (out / _LOCK).stat().st_size  # of a study that had just been started
    if found and not empty and not any(map(_is_marked, (out / "study.json", out / _LOCK))):
        listed = ", ".join(map(one_line, found[:5])) + (", ..." if len(found) > 5 else "")
        raise FileExistsError(
            f"{out} holds files that no study wrote ({listed}) and is left as it is: give the study another folder,"
            " `out` in its file."
        )
    for name in _OURS:
        require_inside(out / name, out)
    report_folder(out)


def _is_marked(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return PLAN_FORMAT in file.read(4096).decode("utf-8", "replace")


def _require_snakemake() -> None:
    if importlib.util.find_spec("snakemake") is None:
        if sys.version_info < (3, 11):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise ValueError(f"A study is run by Snakemake 9, which needs Python 3.11 or newer; this is {version}.")
        raise ValueError("A study is run by Snakemake, which is not installed: pip install 'mmdetpre[study]'.")
