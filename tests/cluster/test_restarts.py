"""Runs that lose a rank, are killed while they save, or are put back into the queue, end as an uninterrupted one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdetpre.checkpoints.newest_whole import damage


def resumed_from(work_dir: Path) -> list[str]:
    """Names of the checkpoints that the runs of a work dir went on from, in their order."""
    names = []
    for log in sorted(work_dir.glob("2*/2*.log")):
        lines = [line for line in log.read_text().splitlines() if "Load checkpoint from" in line]
        names += [line.rsplit("/", 1)[1] for line in lines]
    return names


@pytest.mark.slow
def test_torchrun_restarts_after_a_killed_rank_and_after_a_killed_save(
    sniper_run: Path, tiny_config: Callable, tiny_sample: Path, tmp_path: Path, run_with_slurm: Callable,
    same_weights: Callable,
) -> None:  # fmt: skip
    killed = dict(type="KilledRank", folder=str(tmp_path), rank=1, iteration=3, checkpoint="iter_6.pth")
    base = str(sniper_run / "sniper_openimages_sample.py")
    config = tmp_path / "killed.py"
    config.write_text(
        f"_base_ = {base!r}\ncustom_imports = dict(imports=['mmdetpre', 'killed_ranks'])\ncustom_hooks = [{killed}]\n"
        f"backbone_init = dict(checkpoint={str(sniper_run / 'backbone.pth')!r})\n"
    )
    script = [sys.executable, "-m", "mmdetpre.compat.toolbox_commands", "mmdet", "train"]
    train = subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip()
    launch = ["torchrun", "--nproc-per-node=2", "--max-restarts=2", "--standalone", "--local-addr=127.0.0.1"]
    work = tmp_path / "work"
    run_with_slurm(*launch, train, config, "--launcher", "pytorch", "--resume", "--work-dir", work)
    assert (tmp_path / "rank").exists() and (tmp_path / "save").exists(), "both were killed"
    assert resumed_from(work) == ["iter_2.pth", "iter_4.pth"]
    same_weights(work / "epoch_1.pth", sniper_run / "work" / "epoch_1.pth")
    assert not list(work.glob(".*")), "what was half written is removed"


@pytest.mark.slow
def test_a_job_that_is_put_back_into_the_queue_goes_on(
    sniper_run: Path, tmp_path: Path, slurm: Any, run_with_slurm: Callable, same_weights: Callable
) -> None:
    wait = dict(type="WaitingRank", mark=str(tmp_path / "waits"), until=str(tmp_path / "go"), iteration=5)
    base = str(sniper_run / "sniper_openimages_sample.py")
    config, work = tmp_path / "waiting.py", tmp_path / "work"
    config.write_text(
        f"_base_ = {base!r}\ncustom_imports = dict(imports=['mmdetpre', 'killed_ranks'])\ncustom_hooks = [{wait}]\n"
        f"backbone_init = dict(checkpoint={str(sniper_run / 'backbone.pth')!r})\n"
    )
    job = tmp_path / "job.sh"
    job.write_text(
        "#!/usr/bin/env bash\n"
        f"mim train mmdet {config} --launcher slurm --partition {slurm.gpu} --gpus 2 --gpus-per-node 1"
        f" --cpus-per-task 1 --srun-args --label --work-dir {work} --resume\n"
    )
    asked = ["--nodes=2", "--ntasks-per-node=1", "--gres=gpu:1", "--requeue", "--open-mode=append"]
    number = run_with_slurm("sbatch", "--parsable", *asked, f"--output={tmp_path}/job.log", job).strip()
    slurm.wait((tmp_path / "waits").exists, "iteration 6", 200)
    slurm.run("scontrol", "requeue", number)
    (tmp_path / "go").touch()
    slurm.wait(lambda: slurm.state(number) == "COMPLETED", "the end of the requeued job", 200)
    assert resumed_from(work) == ["iter_4.pth"]
    same_weights(work / "epoch_1.pth", sniper_run / "work" / "epoch_1.pth")
    assert damage(work / "epoch_1.pth") is None
