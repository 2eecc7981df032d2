"""From a training config to the chip data set it names, for tools that look at the data without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdetpre.datasets.chips.dataset import ChipDataset
from mmdetpre.registry import DATASETS


def load_chip_dataset(config: str | Path, options: Mapping[str, Any] | None = None) -> ChipDataset:
    """The data set of a config's ``train_dataloader``, with its annotations read.

    Types without a scope are looked up in mmdet, as training does; mmengine keeps that scope for the process.

    Args:
        config: Path of a training config.
        options: Values to override, by dotted key.

    Raises:
        FileNotFoundError: If the config or the data are not there.
        ValueError: If the config has no training data, if they are not a chip data set, or if they are damaged.

    Example:
        >>> dataset = load_chip_dataset("configs/det/sniper_openimages_sample.py")  # doctest: +SKIP
        >>> dataset.chip_settings.chip_size  # doctest: +SKIP
        128
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(options or {}))
    init_default_scope("mmdet")
    loader = cfg.get("train_dataloader")
    if not loader or "dataset" not in loader:
        found = "no train_dataloader" if not loader else "a train_dataloader without a dataset"
        raise ValueError(f"{config} has {found}: give a training config, such as configs/det/sniper_openimages.py.")
    dataset = DATASETS.build(loader.dataset)
    if not isinstance(dataset, ChipDataset):
        raise ValueError(
            f"train_dataloader.dataset of {config} is a {type(dataset).__name__}: only a mmdetpre.ChipDataset is"
            " cut into chips. Wrap it: dataset=dict(type='mmdetpre.ChipDataset', dataset=..., chips=..., pipeline=...)."
        )
    dataset.full_init()
    return dataset
