"""From a config to one of its data sets, for tools that look at data without training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmdetpre.datasets.label_fraction import take_fraction
from mmdetpre.utils.read_config import ConfigSource, read_config

PARTS = ("train", "val", "test")


def open_dataset(
    config: ConfigSource,
    part: str = "test",
    options: Mapping[str, Any] | None = None,
    *,
    scope: str = "mmengine",
    inner: bool = False,
    full_init: bool = True,
) -> Any:
    """The data set of one of a config's dataloaders.

    Types without a scope are looked up where training looks them up: in the config's ``default_scope``. The scope of
    the process stays as it is.

    Args:
        config: Path of a config of mmdet, mmsegmentation or mmpretrain, or the config.
        part: Which of its dataloaders: ``train``, ``val`` or ``test``.
        options: Values of the config to override, by dotted key.
        scope: Default scope of a config that names none.
        inner: Open what is inside of chips and repeats: each image once.
        full_init: Read the annotations too, even of a data set with ``lazy_init``.

    Raises:
        FileNotFoundError: If the config or data are missing.
        ValueError: If there is no such dataloader, or it has no data set.

    Example:
        >>> cfg = Config({"test_dataloader": {"dataset": {"type": "mmdet.CocoDataset", "lazy_init": True}}})
        >>> type(open_dataset(cfg, "test", full_init=False)).__name__
        'CocoDataset'
    """
    cfg = read_config(config, options)
    if part == "train":
        take_fraction(cfg)
    name = cfg.filename if isinstance(config, Config) else os.fspath(config)
    loader = cfg.get(f"{part}_dataloader")
    if isinstance(loader, list | tuple):
        raise ValueError(f"{part}_dataloader of {name} is a list of {len(loader)}: give a config with one.")
    if not loader or "dataset" not in loader:
        found = f"a {part}_dataloader without a dataset" if loader else f"no {part}_dataloader"
        given = [key for key in PARTS if (cfg.get(f"{key}_dataloader") or {}).get("dataset")]
        there = f"it has one for {', '.join(given)}" if given else "it has none"
        raise ValueError(f"{name} has {found}, {there}: give another config, or another of its parts.")
    settings = loader.dataset
    while inner and "dataset" in settings:
        settings = settings.dataset
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or scope):
        dataset = DATASETS.build(settings)
        if full_init and hasattr(dataset, "full_init"):
            dataset.full_init()
    return dataset
