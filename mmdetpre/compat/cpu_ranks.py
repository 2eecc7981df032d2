"""Several ranks on processors alone: ``--launcher pytorch`` and ``--launcher slurm`` where no GPU is.

mmengine starts its process group with ``torch.cuda.set_device``, and hands the rank's GPU to the model's wrapper, so on
a machine without one both end with an error of CUDA. It starts no group, though, where one is there already.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from mmdetpre.compat.training_faults import TOOLS
from mmdetpre.utils.when_imported import when_imported

LAUNCHERS = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
}
"""Variables in which a launcher gives the rank, the number of ranks, and the rank on this machine."""
TIMEOUT = "MMDETPRE_CPU_RANKS_TIMEOUT"
"""Variable of the environment: seconds that ranks wait for each other, `PATIENCE` by default."""
PATIENCE = 7200
"""As ``env_cfg.dist_cfg.timeout`` of the configs, which is not read yet when ranks on processors meet."""


def asked_for(arguments: Sequence[str]) -> bool:
    """Whether a command line is that of a toolbox's ``train.py`` or ``test.py`` with a launcher.

    Example:
        >>> asked_for(["tools/train.py", "config.py", "--launcher", "pytorch"])
        True
        >>> asked_for(["tools/train.py", "config.py", "--launcher=none"])
        False
    """
    if Path(arguments[0]).name not in TOOLS:
        return False
    words = " ".join(arguments[1:]).replace("--launcher=", "--launcher ").split()
    launchers = [value for key, value in zip(words, words[1:], strict=False) if key == "--launcher"]
    return launchers[-1:] in (["pytorch"], ["slurm"])


def rank_of(environment: Mapping[str, str]) -> dict[str, str] | None:
    """What torch's ``env://`` wants to know of this rank; None where no launcher started it.

    Args:
        environment: Variables that torchrun, or ``srun``, set.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``.

    Raises:
        ValueError: If Slurm's list of nodes cannot be read.

    Example:
        >>> rank_of({"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0", "MASTER_ADDR": "a"})["RANK"]
        '1'
    """
    for rank, size, local in LAUNCHERS.values():
        if rank in environment and size in environment:
            return {
                "RANK": environment[rank],
                "WORLD_SIZE": environment[size],
                "LOCAL_RANK": environment.get(local, "0"),
                "MASTER_ADDR": environment.get("MASTER_ADDR") or _first_node(environment),
                "MASTER_PORT": environment.get("MASTER_PORT", "29500"),
            }
    return None


def _first_node(environment: Mapping[str, str]) -> str:
    nodes = environment.get("SLURM_JOB_NODELIST") or environment.get("SLURM_NODELIST")
    if not nodes:
        return "127.0.0.1"
    done = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True)
    if done.returncode or not done.stdout.split():
        raise ValueError(f"scontrol cannot name the nodes {nodes}: {done.stderr.strip()}. Set MASTER_ADDR.")
    return done.stdout.split()[0]


def join_ranks() -> bool:
    """Start a group by gloo if this process is a rank of a toolbox's training or test, and no GPU is there.

    Returns:
        Whether it was started.

    Raises:
        ValueError: As `rank_of`.

    Example:
        >>> join_ranks()
        False
    """
    if not asked_for(sys.argv) or (own := rank_of(os.environ)) is None:
        return False
    import torch
    from torch import distributed

    if torch.cuda.is_available() or distributed.is_initialized() or not distributed.is_available():
        return False
    os.environ.update(own)
    distributed.init_process_group("gloo", timeout=timedelta(seconds=float(os.environ.get(TIMEOUT, PATIENCE))))
    when_imported("mmengine.model.wrappers.distributed", _wrap_without_device)
    return True


def _wrap_without_device(module: ModuleType) -> None:
    """A wrapper of a model on processors has no ``device_ids``."""
    wrapper = module.MMDistributedDataParallel
    before = wrapper.__init__

    @functools.wraps(before)
    def without_device(self: Any, *args: Any, **kwargs: Any) -> None:
        before(self, *args, **{**kwargs, "device_ids": None})

    wrapper.__init__ = without_device
