"""The unmodified ``mim``, with a stranger's checkpoint: its config is not executed, and it removes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdetpre.checkpoints.torch_file import read_torch_file
from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.operators.stand_in import operators_in_use

CONFIG = "configs/det/sniper_openimages_sample.py"


class Trap:
    """Touches a file where a pickle is executed."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def mim(repository: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("mim")), *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


@pytest.mark.slow
def test_resume_and_test_of_a_foreign_checkpoint(
    repository: Path, tiny_sample: Path, tmp_path: Path, marker: Path, run_warm: Callable
) -> None:
    work = tmp_path / "work"
    options = ["--cfg-options", "train_cfg.max_epochs=1"]
    for part in ("train", "val", "test"):
        inner = "dataset.dataset" if part == "train" else "dataset"
        options += [f"{part}_dataloader.{inner}.data_root={tiny_sample}/", f"{part}_dataloader.num_workers=0"]
        options += [f"{part}_dataloader.persistent_workers=False"]
    common = [CONFIG, "--work-dir", work]
    done = run_warm(["mim", "train", toolbox_name("mmdet"), *common, *options], cwd=repository)
    assert done.returncode == 0, done.stderr[-2000:]
    assert _says_whose_operators_run(done, work)
    content = read_torch_file(work / "epoch_1.pth")
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()\n"
    content["meta"].update(config=code, cfg=code + content["meta"]["cfg"])
    content["message_hub"]["runtime_info"].update(cfg=code, best_ckpt=str(repository))
    torch.save(content, work / "epoch_1.pth")
    # The same command also initialises the backbone from a pickle that would run code, which is refused by name.
    torch.save({"state_dict": {}, "x": Trap(marker)}, tmp_path / "trap.pth")
    trap = dict(_delete_=True, type="Pretrained", checkpoint=str(tmp_path / "trap.pth"))
    config = tmp_path / "trapped.py"
    config.write_text(f"_base_ = [{str(repository / CONFIG)!r}]\nmodel = dict(backbone=dict(init_cfg={trap!r}))\n")
    arguments = ["--work-dir", tmp_path / "trapped", *options]
    done = run_warm(["mim", "train", toolbox_name("mmdet"), config, *arguments], cwd=repository)
    said = done.stdout + done.stderr
    assert done.returncode and "trap.pth is not read, and nothing of it was run" in said, said[-2000:]
    options[1] = "train_cfg.max_epochs=2"
    done = run_warm(["mim", "train", toolbox_name("mmdet"), *common, "--resume", *options], cwd=repository)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (work / "epoch_2.pth").is_file() and "resumed epoch: 1" in done.stdout + done.stderr
    torch.save(content, work / "foreign.pth")
    done = mim(
        repository,
        "test",
        toolbox_name("mmdet"),
        *common[:1],
        "--checkpoint",
        work / "foreign.pth",
        *common[1:],
        "--gpus",
        0,
        *options,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert _says_whose_operators_run(done, work)


def _says_whose_operators_run(done: subprocess.CompletedProcess[str], work: Path) -> bool:
    """Once on the console and once in the log of the newest run, of the training as of the test."""
    newest = max(work.glob("*/*.log"), key=lambda file: file.stat().st_mtime)
    line = f"Operators: {operators_in_use()}"
    return (done.stdout + done.stderr).count(line) == newest.read_text().count(line) == 1
