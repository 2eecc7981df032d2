"""Scores of a training on several ranks are those of a test of its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

OURS = dict(type="mmdetpre.SameBuffersHook")
EPOCHS, ITERATIONS = dict(by_epoch=True, max_epochs=2), dict(by_epoch=False, max_iters=4, val_interval=2)


class Numbers(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"inputs": torch.tensor([index / 8]), "data_samples": None}


class Normalized(BaseModel):
    """A model with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(1), nn.Linear(1, 1)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
        found = self.layer(self.norm(torch.stack(list(inputs)).float().reshape(-1, 1)))
        return {"loss": (found - 1).square().mean()} if mode == "loss" else list(found.flatten())


class Outputs(BaseMetric):
    """All outputs, bit by bit, as a score."""

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        self.results += [float(value).hex() for value in data_samples]

    def compute_metrics(self, results: list) -> dict[str, Any]:
        return {"outputs": results}


class Scores(Hook):
    """What each validation found."""

    def __init__(self) -> None:
        self.found: list[list[str]] = []

    def after_val_epoch(self, runner: Any, metrics: dict | None = None) -> None:
        assert metrics is not None
        self.found.append(metrics["outputs"])


@pytest.fixture
def scores(small_run: Callable, forked_ranks: Callable, tmp_path: Path) -> Callable[..., tuple[list, list]]:
    """Function that gives the scores of the validations of a training on two ranks, and of its checkpoints on one."""

    def run(length: dict, *hooks: dict, **options: Any) -> tuple[list, list]:
        loader = dict(
            dataset=Numbers(), batch_size=2, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=False)
        )
        for part in ("val", "test"):
            own = (loader | dict(collate_fn=dict(type="pseudo_collate")), {}, [Outputs()])
            options |= dict(zip((f"{part}_dataloader", f"{part}_cfg", f"{part}_evaluator"), own, strict=True))
        saved = dict(by_epoch=length["by_epoch"], interval=length.get("val_interval", 1))

        def train(rank: int) -> list:
            seen = Scores()
            own = dict(launcher="pytorch", train_cfg=length, custom_hooks=[*hooks, seen])
            small_run(saved, model=Normalized(), **own, **options).train()
            return seen.found

        found = forked_ranks(2, train)
        assert found[0] == found[1]
        tested = []
        for name in ("epoch_1", "epoch_2") if length["by_epoch"] else ("iter_2", "iter_4"):
            weights = str(tmp_path / "work" / f"{name}.pth")
            tested.append(small_run(model=Normalized(), load_from=weights, **options).test()["outputs"])
        return found[0], tested

    return run


@pytest.mark.parametrize("length", [EPOCHS, ITERATIONS], ids=["epochs", "iterations"])
@pytest.mark.parametrize("others", [[], [dict(type="EMAHook", momentum=0.3)]], ids=["plain", "averaged"])
def test_they_are_the_same_bit_by_bit(scores: Callable, length: dict, others: list) -> None:
    trained, tested = scores(length, *others, OURS)
    assert trained == tested and len(trained) == 2 and len(trained[0]) == 8


def test_without_it_they_differ(scores: Callable) -> None:
    trained, tested = scores(EPOCHS)
    differ = [a != b for a, b in zip(trained[0], tested[0], strict=True)]
    assert differ == [False, True] * 4 or differ == [False, False, True, True] * 2, "those of rank 1 do"


def test_every_runtime_has_it(repository: Path) -> None:
    for name in ("runtime", "runtime_mmseg", "runtime_mmpretrain"):
        hooks = Config.fromfile(repository / "configs" / "_base_" / f"{name}.py").default_hooks
        assert hooks.same_buffers.type == OURS["type"]
