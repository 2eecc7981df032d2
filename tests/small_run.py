"""A small training, to be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn


class Line(BaseModel):
    """A model with one layer, whose loss can be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.bad_at: set[int] = set()
        self.bad_value = float("nan")
        self.calls = 0

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
        inputs = torch.stack(list(inputs)).float().reshape(-1, 1)
        found = self.layer(inputs)
        if mode != "loss":
            return found
        self.calls += 1
        factor = self.bad_value if self.calls in self.bad_at else 1.0
        return {
            "loss_near": ((found - inputs) ** 2).mean() * factor,
            "loss_far": found.mean() * 0 + 1,
            "acc": found.mean(),
        }


class Numbers(torch.utils.data.Dataset):
    """Numbered samples."""

    def __init__(self, count: int = 8) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"inputs": torch.tensor([index / self.count]), "data_samples": Sample(f"photos/{index}.jpg")}


class Sample:
    """What names the image."""

    def __init__(self, img_path: str) -> None:
        self.img_path = img_path


def small_runs(tmp_path: Path) -> Callable[..., Runner]:
    """Function that builds a run of 2 epochs with 4 iterations each; keywords replace arguments of Runner."""

    def make(checkpoint: dict | None = None, workers: int = 0, **options: Any) -> Runner:
        loader = dict(
            dataset=options.pop("dataset", None) or Numbers(),
            batch_size=2,
            num_workers=workers,
            sampler=dict(type="DefaultSampler", shuffle=False),
            collate_fn=dict(type="pseudo_collate"),
        )
        settings = dict(
            work_dir=str(tmp_path / "work"),
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.02, momentum=0.9)),
            default_hooks=dict(
                checkpoint=dict(
                    type="mmdetpre.WholeCheckpointHook", **{"interval": 1, "max_keep_ckpts": 2, **(checkpoint or {})}
                )
            ),
            custom_hooks=[dict(type="mmdetpre.FiniteLossHook")],
            default_scope="mmengine",
            experiment_name=f"{tmp_path.name}_{make.count}",
            randomness=dict(seed=0),
            log_level="WARNING",
        )
        make.count += 1
        cfg = {"optim_wrapper": settings["optim_wrapper"]}
        return Runner(options.pop("model", None) or Line(), **{**settings, "cfg": cfg, **options})

    make.count = 0
    return make
