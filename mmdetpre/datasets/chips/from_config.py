"""From a training config to the chip data set it names, for tools that look at the data without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdetpre.datasets.chips.dataset import ChipDataset
from mmdetpre.datasets.from_config import open_dataset


def load_chip_dataset(config: str | Path, options: Mapping[str, Any] | None = None) -> ChipDataset:
    """The data set of a config's ``train_dataloader``, with its annotations read.

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
    dataset = open_dataset(config, "train", options, scope="mmdet", full_init=False)
    if not isinstance(dataset, ChipDataset):
        raise ValueError(
            f"train_dataloader.dataset of {config} is a {type(dataset).__name__}: only a mmdetpre.ChipDataset is"
            " cut into chips. Wrap it: dataset=dict(type='mmdetpre.ChipDataset', dataset=..., chips=..., pipeline=...)."
        )
    dataset.full_init()
    return dataset
