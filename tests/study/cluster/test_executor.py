"""What Snakemake is told on a cluster, and what is refused before anything is sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from mmdetpre.study.cluster.executor import executor_arguments, executor_of, require_executor
from mmdetpre.study.spec import Study, read_study

CONFIG = "configs/cls/caltech256_sample.py"
STUDY = {
    "name": "mine",
    "out": "work_dirs/mine",
    "seeds": [0],
    "inits": {"scratch": None},
    "tasks": {"caltech256": {"kind": "classification", "config": CONFIG, "scratch_config": CONFIG}},
}


def study(tmp_path: Path, launcher: str, **change: object) -> Study:
    content = STUDY | {"launch": {"launcher": launcher, "gpus": 2}} | change
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    return read_study(tmp_path / "study.yaml")


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Function that puts a ``scontrol`` in front, which knows these settings of a cluster."""

    def write(**settings: object) -> None:
        lines = "\n".join(f"{name:23} = {value}" for name, value in settings.items())
        (tmp_path / "scontrol").write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
        (tmp_path / "scontrol").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return write


@pytest.mark.parametrize(
    ("arguments", "executor"),
    [
        ([], None),
        (["--jobs", "3"], None),
        (["--executor", "slurm"], "slurm"),
        (["--executor=slurm", "-j8"], "slurm"),
        (["-e", "kubernetes"], "kubernetes"),
        (["--executor", "local"], None),
    ],
)
def test_the_executor(arguments: list[str], executor: str | None) -> None:
    assert executor_of(arguments) == executor


def test_squeue_is_asked_unless_somebody_says_otherwise(scontrol) -> None:
    scontrol(MinJobAge="300 sec", AccountingStorageType="accounting_storage/slurmdbd")
    assert executor_arguments("slurm", []) == [
        *("--jobs", "100", "--latency-wait", "60"),
        *("--slurm-status-command", "squeue", "--slurm-pass-command-as-script"),
    ]
    given = ["--executor", "slurm", "--jobs", "3", "-w", "9", "--slurm-status-command=sacct"]
    assert executor_arguments("slurm", given) == ["--slurm-pass-command-as-script"]


def test_a_slurm_that_forgets_its_jobs(scontrol) -> None:
    scontrol(MinJobAge="60 sec", AccountingStorageType="accounting_storage/slurmdbd")
    assert "sacct" in executor_arguments("slurm", [])
    scontrol(MinJobAge="60 sec", AccountingStorageType="accounting_storage/none")
    with pytest.raises(ValueError, match=r"forgets a job 60 s after its end \(MinJobAge\) and has no database"):
        executor_arguments("slurm", [])


def test_jobs_that_would_ask_for_jobs_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the study's extra needs Python 3.11")
    for launcher in ("none", "pytorch"):
        require_executor("slurm", study(tmp_path, launcher))
    with pytest.raises(ValueError, match=r"(?s)launcher is slurm: .*set launcher to pytorch.*start .* on a login node"):
        require_executor("slurm", study(tmp_path, "slurm"))


@pytest.mark.parametrize("out", ["a'; touch harm; '", "a\\b"])
def test_a_folder_that_the_commands_do_not_survive(tmp_path: Path, out: str) -> None:
    """Snakemake writes such a path in double quotes, in which a shell runs `$(...)`."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the study's extra needs Python 3.11")
    with pytest.raises(ValueError, match="out is .*: the commands that Snakemake sends .* do not survive"):
        require_executor("slurm", study(tmp_path, "none", out=f"work_dirs/{out}"))


def test_an_executor_that_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no executor cloudless here: pip install snakemake-executor-plugin-cloudless"):
        require_executor("cloudless", study(tmp_path, "none"))
