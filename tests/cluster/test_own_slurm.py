"""The Slurm that the tests of this folder run on is a real one, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def test_ranks_of_two_nodes_have_their_numbers_and_names_that_can_be_reached(slurm: Any) -> None:
    told = "echo $SLURM_PROCID $SLURM_LOCALID $SLURMD_NODENAME $(scontrol show hostnames $SLURM_JOB_NODELIST)"
    lines = slurm.run("srun", "--nodes=2", "--ntasks-per-node=2", "--gres=gpu:2", "bash", "-c", told).splitlines()
    both = "127.0.0.2 127.0.0.3"
    assert sorted(lines) == [f"{k} {k % 2} 127.0.0.{2 + k // 2} {both}" for k in range(4)]


def test_the_partition_without_gpus_has_none(slurm: Any) -> None:
    with pytest.raises(RuntimeError, match="Requested node configuration is not available"):
        slurm.run("srun", f"--partition={slurm.cpu}", "--gres=gpu:1", "true")
    assert slurm.run("srun", f"--partition={slurm.cpu}", "--gres=none", "--ntasks=2", "echo", "a") == "a\na"


def test_all_that_was_started_ends_with_a_job_still_at_work(slurm: Any, tmp_path: Path, repository: Path) -> None:
    """`slurm` is asked for so that this is skipped where there is none."""
    jobs = "srun sleep 987 & sbatch --parsable --output=/dev/null --wrap 'sleep 987'"
    code = f"{jobs}; until squeue -h -t R -o %i | grep -q 2; do sleep 0.1; done; echo $SLURM_CONF; exit 3"
    started = subprocess.run(
        [sys.executable, str(repository / "tests" / "own_slurm.py"), "bash", "-c", code], capture_output=True, text=True
    )
    assert started.returncode == 3, started.stderr
    folder = Path(started.stdout.split()[-1]).parent
    assert not folder.exists()
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in running if b"987" in line or str(folder).encode() in line]
