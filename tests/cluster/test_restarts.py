"""Runs that lose a rank, are killed while they save, or are put back into the queue, end as an uninterrupted one."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def resumed_from(work_dir: Path) -> list[str]:
    """Names of the checkpoints that the runs of a work dir went on from, in their order."""
    names = []
    for log in sorted(work_dir.glob("2*/2*.log")):
        lines = [line for line in log.read_text().splitlines() if "Load checkpoint from" in line]
        names += [line.rsplit("/", 1)[1] for line in lines]
    return names


def from_the_page(repository: Path, part: str, changes: dict[str, str]) -> str:
    """The commands of the block of docs/cluster.md that holds a text, for this machine."""
    page = (repository / "docs" / "cluster.md").read_text()
    (block,) = [block for block in re.findall(r"```shell\n(.*?)```", page, re.DOTALL) if part in block]
    for old, new in changes.items():
        assert old in block, f"{old} is not in the page's block"
        block = block.replace(old, new)
    return block


def changed_config(sniper_run: Path, folder: Path, hook: dict) -> Path:
    """The config of the run on two nodes, with a hook that interferes."""
    config = folder / "changed.py"
    config.write_text(
        f"_base_ = {str(sniper_run / 'sniper_openimages_sample.py')!r}\n"
        "custom_imports = dict(imports=['mmdetpre', 'killed_ranks'])\n"
        f"custom_hooks = [{hook}]\n"
        f"backbone_init = dict(checkpoint={str(sniper_run / 'backbone.pth')!r})\n"
    )
    return config


@pytest.mark.slow
def test_torchrun_restarts_after_a_killed_rank_and_after_a_killed_save(
    sniper_run: Path, tmp_path: Path, repository: Path, run_with_slurm: Callable, same_weights: Callable
) -> None:
    killed = dict(type="KilledRank", folder=str(tmp_path), rank=1, iteration=3, checkpoint="iter_6.pth")
    config, work = changed_config(sniper_run, tmp_path, killed), tmp_path / "work"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    changes = {"HOST:29400": f"{host} --local-addr 127.0.0.1", "--nproc-per-node 8": "--nproc-per-node 1"}
    changes |= {"configs/det/sniper_coco.py": f"{config} --work-dir {work}"}
    on_a_node = from_the_page(repository, "torchrun --nnodes", changes)
    (tmp_path / "node.sh").write_text(on_a_node)
    run_with_slurm("bash", "-c", 'bash "$0" & other=$!; bash "$0" && wait $other', tmp_path / "node.sh")
    assert (tmp_path / "rank").exists() and (tmp_path / "save").exists(), "both were killed"
    assert resumed_from(work) == ["iter_2.pth", "iter_4.pth"]
    same_weights(work / "epoch_1.pth", sniper_run / "work" / "epoch_1.pth")
    assert not list(work.glob(".*")), "what was half written is removed"


@pytest.mark.slow
def test_a_job_that_is_put_back_into_the_queue_goes_on(
    sniper_run: Path, tmp_path: Path, repository: Path, slurm: Any, run_with_slurm: Callable, same_weights: Callable
) -> None:
    waits = dict(type="WaitingRank", mark=str(tmp_path / "waits"), until=str(tmp_path / "go"), iteration=5)
    config, work = changed_config(sniper_run, tmp_path, waits), tmp_path / "work"
    changes = {"NAME": slurm.gpu, "--gpus 16 --gpus-per-node 8 --cpus-per-task 9": "--gpus 2 --gpus-per-node 1"}
    changes |= {"--ntasks-per-node=8 --gres=gpu:8 --cpus-per-task=9": "--ntasks-per-node=1 --gres=gpu:1"}
    changes |= {"configs/det/sniper_coco.py": f"{config} --work-dir {work}"}
    (tmp_path / "job.sh").write_text(from_the_page(repository, "#SBATCH", changes))
    log = f"--output={tmp_path}/job.log"
    number = run_with_slurm("sbatch", "--parsable", "--cpus-per-task=2", log, tmp_path / "job.sh").strip()
    slurm.wait((tmp_path / "waits").exists, "the sixth step", 400)
    slurm.run("scontrol", "requeue", number)
    (tmp_path / "go").touch()
    slurm.wait(lambda: slurm.state(number) in ("COMPLETED", "FAILED"), "the end of the requeued job", 400)
    assert slurm.state(number) == "COMPLETED", (tmp_path / "job.log").read_text()
    assert resumed_from(work) == ["iter_4.pth"]
    same_weights(work / "epoch_1.pth", sniper_run / "work" / "epoch_1.pth")
