"""A small study, run whole: data, trainings, tests, a run that fails, the report, and only what changed run again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mmdetpre.compat.warm_start import ADDRESS
from mmdetpre.sample import make_sample

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake 9, which runs a study, needs Python 3.11")


ODD = """a 'b' "c" {d} 1.0"""
"""A folder that works all the same."""


@pytest.fixture
def start(repository: Path, run_warm: Callable) -> Callable[..., CompletedProcess]:
    """Function that starts the tool, and its runs, in forks of a process with the imports."""

    def start(*arguments: str | Path) -> CompletedProcess:
        return run_warm([sys.executable, repository / "tools/study/study.py", *arguments], cwd=repository)

    return start


@pytest.fixture
def write_study(write_classifiers: Callable[..., Path]) -> Callable[..., Path]:
    """Function that writes a study of two classifiers, on one CPU core each."""

    def write(folder: Path, data: Path, classes_of_bad: int, out: str = "out") -> Path:
        bad = {"model.head.num_classes": classes_of_bad}
        return write_classifiers(folder, data, {"good": {}, "bad": bad}, out=str(folder / out))

    return write


@pytest.mark.slow
def test_a_study_from_its_file_to_its_report(
    write_study: Callable, start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_sample(tmp_path / "data", layout="caltech256", train=20, validation=20, progress=False)
    out = tmp_path / ODD
    study = write_study(tmp_path, data, classes_of_bad=3, out=ODD)

    with monkeypatch.context() as alone:
        alone.delenv(ADDRESS)  # as a user starts it: a process, which makes the one that its runs fork from
        done = start("run", study, "--cores", "2")
    assert done.returncode == 1
    assert "1 of 2 runs are done.\nfailed: bad/scratch/seed0" in done.stdout
    assert re.search(r"^study: 1 of 2 done.*, good/scratch/seed0: good \d+\.\d \(\d.*\)", done.stdout, re.MULTILINE)
    assert "study: bad/scratch/seed0 failed: " in done.stdout and "Execute" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 60 and "\r" not in done.stderr
    assert "Building DAG" in (out / "logs/snakemake.log").read_text()
    assert f"Report: {out}/report/index.html" in done.stdout
    failure = json.loads((out / "failed/bad/scratch/seed0.json").read_text())
    assert "ValueError" in failure["error"] and "num_classes" in failure["error"]
    page = (out / "report/index.html").read_text()
    assert "bad/scratch/seed0" in page and "num_classes" in page
    record = out / "records/good/scratch/seed0.json"
    (cell,) = json.loads(record.read_text())["cells"]
    assert (cell["table"], cell["row"], cell["column"]) == ("5", "scratch", "good") and 0 <= cell["value"] <= 100

    before = record.stat().st_mtime_ns
    study = write_study(tmp_path, data, classes_of_bad=5, out=ODD)
    done = start("run", study, "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 runs are done.\nReport:" in done.stdout
    assert record.stat().st_mtime_ns == before, "what did not change is not run again"
    assert not (out / "failed/bad/scratch/seed0.json").exists()

    done = start("run", study, "--dry-run")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def test_the_dry_run_of_the_paper_needs_no_data(start: Callable, repository: Path, tmp_path: Path) -> None:
    text = (repository / "tools/study/paper.yaml").read_text().replace("work_dirs/study_paper", str(tmp_path / "out"))
    study = tmp_path / "paper.yaml"
    study.write_text(text)
    done = start("run", study, "--dry-run")
    assert done.returncode == 0, done.stderr
    table = dict(
        line.split() for line in done.stdout.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
    )
    assert (
        table["pretraining"] == "3" and table["transfer"] == "27" and table["probe"] == "18" and table["figure"] == "38"
    )
    assert table["proposals"] == "7" and table["pretraining_test"] == "3"
    for name in ("voc_detection/coco/seed0", "flowers102_layers/openimages", "figures/9"):
        assert name in done.stdout
    assert not (tmp_path / "out/records").exists()


def test_missing_data_end_a_study_before_any_training(write_study: Callable, start: Callable, tmp_path: Path) -> None:
    study = write_study(tmp_path, tmp_path / "none", classes_of_bad=5)
    done = start("run", study)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Nothing was trained" in done.stderr and str(tmp_path / "none") in done.stderr
    assert not (tmp_path / "out/runs").exists()


def test_two_processes_do_not_run_one_study(write_study: Callable, start: Callable, tmp_path: Path) -> None:
    import fcntl

    study = write_study(tmp_path, tmp_path / "none", classes_of_bad=5)
    (tmp_path / "out").mkdir()
    with (tmp_path / "out/study.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = start("run", study)
    assert done.returncode == 1 and "Another process runs the study" in done.stderr


def test_a_run_that_the_plan_does_not_have(run_tool: Callable, repository: Path, tmp_path: Path) -> None:
    done = run_tool(repository / "tools/study/run_job.py", tmp_path, "cls/none")
    assert done.returncode == 1 and done.stderr.startswith("run_job: There is no run cls/none")


def test_help_and_lists(write_study: Callable, start: Callable, tmp_path: Path) -> None:
    study = write_study(tmp_path, tmp_path / "none", classes_of_bad=5)
    assert "mmdetpre study run sample" in start("--help").stdout
    assert "2 runs" in start("plan", study).stdout
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("model = dict(depth=18)\nwork_dir = 'a'\n")
    second.write_text("model = dict(depth=50)\nwork_dir = 'b'\n")
    assert re.search(r"^model.depth +18 +50$", start("diff", first, second).stdout, re.MULTILINE)
    done = start("check", study)
    assert done.returncode == 1 and str(tmp_path / "none") in done.stderr
    done = start("plan", tmp_path / "nothing.yaml")
    assert done.returncode == 1 and done.stderr.startswith("study plan: There is no file")
