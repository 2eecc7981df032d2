"""Small backbones with trained-looking statistics, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import ResNet
from torch import Tensor, nn


def _fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every tensor values that no initializer gives: statistics, scales and offsets too."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(17)
        elif name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        else:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return module


@pytest.fixture(scope="session")
def fill() -> Callable[..., nn.Module]:
    """Function that fills a module with values that no initializer gives."""
    return _fill


@pytest.fixture
def resnet() -> Callable[..., ResNet]:
    """Function that builds a thin ResNet of mmdet with random weights; ``seed=None`` leaves it as built."""

    def make(depth: int = 18, seed: int | None = 0, **options) -> ResNet:
        module = ResNet(depth, **{"base_channels": 8, "stem_channels": 8, **options})
        return module if seed is None else _fill(module, seed)

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Function that saves a dictionary of tensors with a prefix, as a checkpoint of mmengine."""

    def write(tensors: dict[str, Tensor], prefix: str = "", name: str = "file.pth", **entries) -> str:
        path = tmp_path / name
        torch.save({"state_dict": {prefix + key: value for key, value in tensors.items()}, **entries}, path)
        return str(path)

    return write


def _detectron2_names(names: list[str]) -> list[str]:
    """Names as detectron2 writes them, from its documented modules: stem, res2..res5, shortcut, norm."""
    result = []
    for name in names:
        parts = name.split(".")
        if parts[0] in ("conv1", "bn1"):
            new = ["stem", "conv1", *(["norm"] if parts[0] == "bn1" else []), parts[1]]
        else:
            new = [f"res{int(parts[0][-1]) + 1}", parts[1]]
            if parts[2] == "downsample":
                new += ["shortcut", *(["norm"] if parts[3] == "1" else []), parts[4]]
            else:
                new += [f"conv{parts[2][-1]}", *(["norm"] if parts[2].startswith("bn") else []), parts[3]]
        result.append(".".join(new))
    return result


@pytest.fixture(scope="session")
def detectron2_names() -> Callable[[list[str]], list[str]]:
    """Function that gives detectron2's names for mmdet's."""
    return _detectron2_names
