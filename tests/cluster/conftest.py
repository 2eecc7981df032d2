from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmdetpre.transfer import write_backbone
from mmdetpre.transfer.preprocessing import from_config
from mmdetpre.utils.locks import file_lock

HERE = Path(__file__).parent
TINY = """\
_base_ = {base!r}
data_root = {data!r}
randomness = dict(seed=0)
train_dataloader = dict(num_workers=0, persistent_workers=False, batch_size=4)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
default_hooks = dict(logger=dict(interval=1))
"""
OFTEN = """\
train_cfg = dict(max_epochs=1, val_interval=1)
train_dataloader.update(batch_size=2, dataset=dict(dataset=dict(max_images=10)))
default_hooks.update(mid_epoch=dict(interval=2))
"""


@pytest.fixture(scope="session")
def tiny_caltech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mmdetpre.sample import make_sample

    root = tmp_path_factory.mktemp("data") / "sample_caltech256"
    return make_sample(root, layout="caltech256", train=24, validation=6, progress=False)


@pytest.fixture(scope="session")
def tiny_config(repository: Path) -> Callable[..., Path]:
    """Function that writes a config of the sample, cut down to one short epoch, and a backbone file beside it."""

    def write(folder: Path, base: str, data: Path, more: str = "") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{Path(base).stem}.py"
        path.write_text(TINY.format(base=str(repository / "configs" / base), data=str(data)) + more)
        cfg = Config.fromfile(path)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            weights = MODELS.build(cfg.model.backbone).state_dict()
        for name in weights:
            if name.endswith("running_mean"):
                weights[name].normal_(std=0.1)  # as after some training
        write_backbone(folder / "backbone.pth", weights, preprocessing=from_config(cfg))
        return path

    return write


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of this run of the suite."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def sniper_run(slurm: Any, shared_folder: Path, tiny_sample: Path, tiny_config: Callable, repository: Path) -> Path:
    """SNIPER, trained and validated by ``mim_slurm_train.sh`` on two nodes of one rank: its folder, made once.

    It holds ``sniper_openimages_sample.py``, ``backbone.pth`` and ``work``.
    """
    folder = shared_folder / "cluster"
    with file_lock(shared_folder / "cluster.lock"):
        if not (folder / "done").exists():
            config = tiny_config(folder, "det/sniper_openimages_sample.py", tiny_sample, OFTEN)
            script = repository / "tools" / "benchmarks" / "mmdetection" / "mim_slurm_train.sh"
            asked = dict(PARTITION=slurm.gpu, GPUS="2", GPUS_PER_NODE="1", WORK_DIR=str(folder / "work"))
            run(slurm, [script, config, folder / "backbone.pth"], **asked)
            (folder / "done").touch()
    return folder


def run(slurm: Any, command: list[object], **environment: str) -> str:
    """Run a command where Slurm is; what it printed."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    env = {**slurm.env, "PYTHONPATH": path, **environment}
    done = subprocess.run([*map(str, command)], env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def run_with_slurm(slurm: Any) -> Callable[..., str]:
    """Function that runs a command where Slurm is, with more variables of the environment."""
    return lambda *command, **environment: run(slurm, list(command), **environment)


@pytest.fixture(scope="session")
def scores_of() -> Callable[[Path, str], dict[str, float]]:
    """Function that reads the last scores under a work dir, of ``train`` or ``test``, with all their digits."""

    def read(work_dir: Path, prefix: str) -> dict[str, float]:
        found: list[dict[str, float]] = []
        for path in sorted(work_dir.glob("2*/vis_data/scalars.json")) or sorted(work_dir.glob("2*/2*.json")):
            found += [json.loads(line) for line in path.read_text().splitlines()]
        return {key: value for key, value in found[-1].items() if re.match(prefix, key)}

    return read


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Path, Path], None]:
    """Function that holds the weights of two checkpoints against each other, bit by bit."""

    def hold(one: Path, other: Path) -> None:
        a, b = (torch.load(path, map_location="cpu", weights_only=False)["state_dict"] for path in (one, other))
        assert a.keys() == b.keys()
        assert [name for name in a if not torch.equal(a[name], b[name])] == []

    return hold
