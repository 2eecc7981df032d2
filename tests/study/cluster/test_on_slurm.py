"""A small study on a real Slurm: what that does not take, a run that somebody cancels, and going on after it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdetpre.sample import make_sample

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake 9, which runs a study, needs Python 3.11"),
]
ARGUMENTS = ["--", "--executor", "slurm", "--jobs", "2", "--slurm-init-seconds-before-status-checks", "2"]
ODD = 'a "b" $(touch harm) `touch harm`'
"""A folder that shells must not read."""


@pytest.fixture
def env(slurm, tmp_path: Path) -> dict[str, str]:
    """The executor hides SLURM_CONF from the ``srun`` within a job: one that knows it stands in front."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="OneDL's mim allows no executor for Slurm")
    found = slurm.env
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    real = slurm.run("sh", "-c", "command -v srun")
    srun.write_text(f"#!/bin/sh\nexport SLURM_CONF='{found['SLURM_CONF']}'\nexec {real} \"$@\"\n")
    srun.chmod(0o755)
    return found | {"PATH": f"{tmp_path}/bin:{found['PATH']}"}


def test_a_study_on_slurm(
    repository: Path, slurm, write_classifiers: Callable, env: dict[str, str], tmp_path: Path
) -> None:
    data = make_sample(tmp_path / "data", layout="caltech256", train=20, validation=20, progress=False)
    out = tmp_path / ODD

    def command(**settings: Any) -> list[str]:
        long = {"train_cfg.max_epochs": 40, "default_hooks.checkpoint.interval": 5}  # enough to be canceled
        file = write_classifiers(tmp_path, data, {"long": long, "short": {}}, out=str(out), slurm=settings)
        return [sys.executable, str(repository / "tools/study/study.py"), "run", str(file), *ARGUMENTS]

    def start(**settings: Any) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(**settings), cwd=repository, env=env, capture_output=True, text=True, timeout=1200
        )

    done = start(partition="nowhere", gpus=0)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("sbatch: error: invalid partition specified: nowhere") == 1, done.stdout + done.stderr
    assert "failed: long/scratch/seed0, short/scratch/seed0" in done.stdout

    asked = dict(partition=slurm.cpu, gpus=0, cpus=2, memory="3G", time="1h", extra=["--nice=7"])
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(command(**asked), cwd=repository, env=env, stdout=log, stderr=subprocess.STDOUT)
    checkpoint = out / "runs/long/scratch/seed0/epoch_5.pth"
    slurm.wait(lambda: checkpoint.exists() or process.poll() is not None, "a checkpoint", 900)
    jobs = slurm.run("squeue", "--noheader", "--states=R", "--format=%i %k %P %C %m %l %b")
    (job,) = re.findall(r"^(\d+) rule_transfer_wildcards_long_scratch_seed0 cpu 2 3G 1:00:00 N/A$", jobs, re.MULTILINE)
    slurm.run("scancel", job)
    assert process.wait(1200) == 1
    log.seek(0)
    said = log.read()
    assert f"study: long/scratch/seed0 failed: Slurm job {job} ended as CANCELLED: somebody, or Snakemake" in said
    assert "study: short/scratch/seed0 is in the queue: Slurm job" in said and "short/scratch/seed0: short" in said
    assert "1 of 2 runs are done.\nfailed: long/scratch/seed0\n" in said
    assert json.loads((out / "failed/long/scratch/seed0.json").read_text())["error"].startswith(
        f"Slurm job {job} ended"
    )

    done = start(**asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 runs are done.\nReport:" in done.stdout
    record = json.loads((out / "records/long/scratch/seed0.json").read_text())
    first = record["commands"][0]  # on a fast machine the training ends within the time that Slurm gives a canceled job
    assert "--resume" in first or first[:2] == ["mim", "test"], "nothing is trained twice"
    assert not (out / "runs/long/scratch/seed0.old1").exists()
    assert not (out / "failed/long/scratch/seed0.json").exists()
    assert not list(tmp_path.rglob("harm")) and not (repository / "harm").exists()
