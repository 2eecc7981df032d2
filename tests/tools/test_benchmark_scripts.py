"""The scripts of tools/benchmarks, with a `mim` that only writes down what it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdetpre.compat.toolbox_commands import toolbox_name

BENCHMARKS = Path(__file__).parents[2] / "tools" / "benchmarks"
FOLDERS = {"mmdetection": "mmdet", "mmsegmentation": "mmsegmentation", "mmpretrain": "mmpretrain"}
MIM = """#!/usr/bin/env bash
printf '%s\\n' "$@" > mim.txt
"""
HOOKED = """custom_hooks = [dict(type="mmdetpre.LoadBackboneHook")]
train_dataloader = dict(num_workers=3)
test_dataloader = dict(batch_size=1)
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess, list[str]]]:
    """Function that runs a script in a folder with a config and a backbone; returns what `mim` was given, too."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mim").write_text(MIM)
    (tmp_path / "bin" / "mim").chmod(0o755)
    (tmp_path / "my_config.py").write_text(HOOKED)
    (tmp_path / "runs" / "coco").mkdir(parents=True)
    (tmp_path / "runs" / "coco" / "backbone_final.pth").write_text("weights")

    def run(folder: str, name: str, *arguments: str, **environment: str):
        path = f"{tmp_path / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(BENCHMARKS / folder / name), *arguments],
            cwd=tmp_path,
            env=os.environ | {"PATH": path} | environment,
            capture_output=True,
            text=True,
        )
        record = tmp_path / "mim.txt"
        given = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return done, given

    return run


BACKBONE = "runs/coco/backbone_final.pth"


@pytest.mark.parametrize("folder", FOLDERS)
def test_train_and_test_of_one_backbone(script: Callable, tmp_path: Path, folder: str) -> None:
    package = FOLDERS[folder]
    work_dir = f"work_dirs/benchmarks/{package}/my_config/coco-backbone_final"
    done, given = script(folder, "mim_dist_train.sh", "my_config.py", BACKBONE, "--amp", "--cfg-options", "a=1")
    assert done.returncode == 0, done.stderr
    assert given[:3] == ["train", toolbox_name(package), "my_config.py"]
    assert given[3:7] == ["--launcher", "pytorch", "--gpus", "8"]
    assert given[7:] == [
        *("--work-dir", work_dir, "--amp", "--cfg-options", "a=1"),
        *("--cfg-options", f"backbone_init.checkpoint={BACKBONE}"),
    ]
    done, given = script(folder, "mim_dist_test.sh", "my_config.py", BACKBONE, GPUS="0")
    assert done.returncode == 1 and "train first" in done.stderr and not given
    (tmp_path / work_dir / "last_checkpoint").write_text("/there/epoch_14.pth")
    done, given = script(folder, "mim_dist_test.sh", "my_config.py", BACKBONE, "--tta", GPUS="0")
    assert given == [
        *("test", toolbox_name(package), "my_config.py", "--checkpoint", "/there/epoch_14.pth"),
        *("--launcher", "none", "--gpus", "0", "--work-dir", f"{work_dir}/test", "--tta"),
    ]
    slurm = dict(PARTITION="queue", GPUS="16", SRUN_ARGS="--qos high")
    done, given = script(folder, "mim_slurm_test.sh", "my_config.py", BACKBONE, CHECKPOINT="best.pth", **slurm)
    options = ["--launcher", "slurm", "--gpus", "16", "--gpus-per-node", "8", "--cpus-per-task", "1"]
    options += ["--partition", "queue", "--srun-args", "--qos high"]
    assert given[3:5] == ["--checkpoint", "best.pth"] and given[5 : 5 + len(options)] == options
    done, given = script(
        folder, "mim_slurm_train.sh", "my_config.py", "torchvision://resnet101", PARTITION="queue", GPUS="2"
    )
    assert given[5:13] == [*("--gpus", "2", "--gpus-per-node", "2", "--cpus-per-task", "4", "--partition", "queue")]
    assert given[13:15] == ["--srun-args", ""], "without it mim fails under click 8.3.1 and newer"
    assert f"work_dirs/benchmarks/{package}/my_config/torchvision-resnet101" in given


def test_a_run_is_never_mixed_with_another(script: Callable, tmp_path: Path) -> None:
    train = ("mmdetection", "mim_dist_train.sh", "my_config.py")
    assert script(*train, BACKBONE, WORK_DIR="run")[0].returncode == 0
    (tmp_path / "run" / "last_checkpoint").write_text("epoch_1.pth")
    done, given = script(*train, BACKBONE, WORK_DIR="run")
    assert done.returncode == 1 and "run holds a run: go on with --resume" in done.stderr and not given
    done, given = script(*train, BACKBONE, "--resume", WORK_DIR="run")
    assert done.returncode == 0 and "--resume" in given
    done, given = script(*train, "torchvision://resnet101", "--resume", WORK_DIR="run")
    assert (
        done.returncode == 1 and f"run is the run of {BACKBONE}. Choose another WORK_DIR." in done.stderr and not given
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "CONFIG BACKBONE [arguments of mim train...]"),
        (["my_config.py"], 2, "CONFIG BACKBONE [arguments of mim train...]"),
        (["--help", "x"], 2, "CONFIG BACKBONE [arguments of mim train...]"),
        (["none.py", BACKBONE], 1, "none.py is not there."),
        (["my_config.py", "none.pth"], 1, "none.pth is not there."),
        (["plain.py", BACKBONE], 1, "plain.py has no LoadBackboneHook, so runs/coco/backbone_final.pth would not be"),
    ],
)
def test_bad_arguments(script: Callable, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    (tmp_path / "plain.py").write_text('custom_hooks = [dict(type="EMAHook")]\n')
    done, given = script("mmpretrain", "mim_dist_train.sh", *arguments)
    assert done.returncode == code and message in done.stderr and not given
    assert not (tmp_path / "work_dirs").exists()


def test_requests_to_slurm_that_nodes_can_meet(script: Callable) -> None:
    def requested(**given: str) -> list[str]:
        command = script("mmdetection", "mim_slurm_train.sh", "my_config.py", BACKBONE, PARTITION="queue", **given)[1]
        return command[command.index("--gpus") : command.index("--work-dir")]

    nodes_of_four = requested(GPUS="2", GPUS_PER_NODE="4", CPUS_PER_TASK="6")
    assert nodes_of_four[:6] == ["--gpus", "2", "--gpus-per-node", "2", "--cpus-per-task", "6"]
    assert requested(GPUS="12", GPUS_PER_NODE="4")[:4] == ["--gpus", "12", "--gpus-per-node", "4"]
    processors = requested(GPUS="0", RANKS="3", SRUN_ARGS="--time=10")
    assert processors[:4] == ["--gpus", "3", "--gpus-per-node", "3"]
    assert processors[-2:] == ["--srun-args", "--gres=none --time=10"]
    assert requested(GPUS="0")[:4] == ["--gpus", "1", "--gpus-per-node", "1"]


def test_slurm_wants_a_partition(script: Callable) -> None:
    done, given = script("mmdetection", "mim_slurm_train.sh", "my_config.py", BACKBONE)
    assert done.returncode == 1 and "PARTITION=name" in done.stderr and not given


def test_every_toolbox_has_the_same_scripts() -> None:
    names = [f"mim_{launcher}_{task}.sh" for launcher in ("dist", "slurm") for task in ("test", "train")]
    for folder in FOLDERS:
        scripts = sorted((BENCHMARKS / folder).iterdir())
        assert [path.name for path in scripts] == names
        assert all(os.access(path, os.X_OK) for path in scripts)
