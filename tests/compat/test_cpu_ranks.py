"""Several ranks train and validate on processors alone, by the launchers of ``mim``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dist import init_dist

from mmdetpre.compat import cpu_ranks
from mmdetpre.compat.cpu_ranks import asked_for, join_ranks, rank_of
from mmdetpre.compat.toolbox_commands import toolbox_name

SLURM = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_LOCALID": "1", "SLURM_JOB_NODELIST": "node[1-2]"}


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["/x/train.py", "c.py", "--launcher", "slurm"], True),
        (["/x/test.py", "c.py", "a.pth", "--launcher=pytorch", "--tta"], True),
        (["/x/train.py", "c.py"], False),
        (["/x/train.py", "c.py", "--launcher", "none"], False),
        (["/x/train.py", "--launcher"], False),
        (["/x/study.py", "--launcher", "pytorch"], False),
    ],
)
def test_only_a_launcher_of_a_toolbox_asks_for_ranks(words: list[str], asked: bool) -> None:
    assert asked_for(words) is asked


def test_ranks_of_torchrun_come_before_those_of_slurm() -> None:
    given = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "5"}
    assert rank_of(given | SLURM) == given


def test_slurm_ranks_meet_at_the_first_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\n[ \"$*\" = 'show hostnames node[1-2]' ] && printf 'node1\\nnode2\\n'\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert rank_of(SLURM) == {
        "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node1", "MASTER_PORT": "29500",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"cannot name the nodes other.*Set MASTER_ADDR"):
        rank_of(SLURM | {"SLURM_JOB_NODELIST": "other"})


def test_no_launcher_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rank_of({}) is None
    monkeypatch.setattr(sys, "argv", ["train.py", "c.py", "--launcher", "pytorch"])
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert join_ranks() is False


def test_where_a_gpu_is_the_host_starts_its_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "c.py", "--launcher", "pytorch"])
    monkeypatch.setattr(cpu_ranks, "rank_of", lambda environment: {"RANK": "0"})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert join_ranks() is False


@pytest.mark.parametrize("given", [None, "5"])
def test_ranks_wait_as_long_as_those_with_gpus(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one that computes the scores of all images; torch gives up after ten minutes with NCCL."""
    groups = []
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *args, **kwargs: groups.append(kwargs))
    monkeypatch.setattr("torch.cuda.set_device", lambda device: None)
    monkeypatch.setattr(cpu_ranks, "when_imported", lambda module, then: None)
    monkeypatch.setattr(sys, "argv", ["train.py", "c.py", "--launcher", "pytorch"])
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    if given:
        monkeypatch.setenv(cpu_ranks.TIMEOUT, given)
    assert join_ranks() is True
    root = Path(__file__).parents[2] / "configs" / "_base_"
    for runtime in ("runtime", "runtime_mmseg", "runtime_mmpretrain"):
        init_dist("pytorch", **Config.fromfile(root / f"{runtime}.py").env_cfg.dist_cfg)
    own, *others = [group["timeout"].total_seconds() for group in groups]
    assert own == (5 if given else 7200) and others == [7200] * 3


@pytest.mark.slow
def test_mim_trains_on_two_ranks(tiny_sample: Path, tmp_path: Path, repository: Path, run_warm: Callable) -> None:
    """As a user types it (one rank in a fork, see `run_warm`), and the chips of both ranks are those of one."""
    options = {
        "randomness.seed": 0, "train_cfg.max_epochs": 1, "train_cfg.val_interval": 1, "train_dataloader.num_workers": 0,
        "train_dataloader.persistent_workers": False, "train_dataloader.batch_size": 2,
        "train_dataloader.dataset.dataset.max_images": 5,
    }  # fmt: skip
    for part in ("train_dataloader.dataset", "val_dataloader", "test_dataloader"):
        options[f"{part}.dataset.data_root"] = f"{tiny_sample}/"  # type: ignore[assignment]
    config = repository / "configs" / "det" / "sniper_openimages_sample.py"
    given = [f"{key}={value}" for key, value in options.items()]
    seen = {}
    for ranks in (1, 2):
        out = tmp_path / f"ranks{ranks}"
        launch = ["--launcher", "pytorch", "--gpus", str(ranks)] if ranks > 1 else []
        done = run_warm(
            ["mim", "train", toolbox_name("mmdet"), config, "--work-dir", out, *launch, "--cfg-options", *given]
        )
        assert done.returncode == 0, done.stdout + done.stderr
        log = next(out.glob("2*/*.log")).read_text()
        assert re.search(r"openimages/AP50", log)
        assert list(out.glob("epoch_1.pth"))
        steps = re.search(r"(\d+) steps, (\d+) chips each", log)
        assert steps
        seen[ranks] = (int(steps[1]), int(steps[2]))
    assert seen[2][1] == 2 * seen[1][1]
    assert seen[2][0] == -(-seen[1][0] // 2)
