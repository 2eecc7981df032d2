"""Configs of the toolboxes as tools read them: the file, then what the command line overrides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config

_PARTS = ("train", "val", "test")
_IMAGE_LOADERS = ("LoadChip", "LoadImageFromFile")
ConfigSource: TypeAlias = str | os.PathLike[str] | Config
"""Path of a config, or the config."""


def read_config(config: ConfigSource, options: Mapping[str, Any] | None = None) -> Config:
    """A config with some of its values overridden, as a training with ``--cfg-options`` takes it.

    Args:
        config: Its path; or a config, which is copied.
        options: Values to override, by dotted key.

    Raises:
        FileNotFoundError: If there is no such file.

    Example:
        >>> read_config(Config({"model": {"depth": 18}}), {"model.depth": 50}).model.depth
        50
    """
    if isinstance(config, Config):
        cfg = deepcopy(config)
    elif not Path(config).is_file():
        raise FileNotFoundError(f"There is no config {os.fspath(config)}.")
    else:
        cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(options or {}))
    move_data(cfg)
    set_image_backend(cfg)
    return cfg


def move_data(cfg: Any) -> None:
    """Have ``data_root`` move all data of a config.

    mmengine resolves the variables of a config when it reads the file, before ``--cfg-options``. So the configs also
    name the ``default_data_root`` that they were written with: in data sets and metrics, paths below it become paths
    below ``data_root``. Those that were changed one by one stay.

    Args:
        cfg: The config; its dataloaders and evaluators are changed.

    Example:
        >>> cfg = Config({"default_data_root": "data/coco/", "data_root": "/big/coco"})
        >>> cfg.test_evaluator = {"ann_file": "data/coco/annotations/val.json"}
        >>> move_data(cfg)
        >>> cfg.test_evaluator.ann_file
        '/big/coco/annotations/val.json'
    """
    before, now = (str(cfg.get(key) or "").rstrip("/") for key in ("default_data_root", "data_root"))
    if not before or not now or before == now:
        return
    for key in [key for key in cfg if key.endswith(("_dataloader", "_evaluator"))]:
        cfg[key] = _moved(cfg[key], before, now)
    cfg["default_data_root"] = cfg["data_root"]


def set_image_backend(cfg: Any) -> None:
    """Have ``img_backend_args`` say what all images of a config are read by: in its data sets and their pipelines.

    One set of arguments for all dataloaders, or ``dict(train=..., val=..., test=...)``. Data sets of this package read
    the sizes of images by them, and their annotations as before; those of the toolboxes read no image by themselves.

    Args:
        cfg: The config; its dataloaders are changed.

    Raises:
        ValueError: If what it holds names no backend.

    Example:
        >>> cfg = Config({"img_backend_args": {"backend": "mmdetpre.Remote", "cache_gb": 200}})
        >>> cfg.test_dataloader = {"dataset": {"pipeline": [{"type": "LoadImageFromFile"}, {"type": "Resize"}]}}
        >>> set_image_backend(cfg)
        >>> cfg.test_dataloader.dataset.pipeline[0]["backend_args"]
        {'backend': 'mmdetpre.Remote', 'cache_gb': 200}
    """
    given = cfg.get("img_backend_args")
    if not given:
        return
    for part in _PARTS:
        args = given if "backend" in given else given.get(part)
        if args is None:
            continue
        if not isinstance(args, Mapping) or "backend" not in args:
            raise ValueError(
                f"img_backend_args is {given}: write dict(backend=NAME, ...), or one such dict per dataloader,"
                f" dict({', '.join(f'{name}=dict(...)' for name in _PARTS)})."
            )
        if cfg.get(f"{part}_dataloader"):
            cfg[f"{part}_dataloader"] = _with_images_of(cfg[f"{part}_dataloader"], dict(args))


def _with_images_of(value: Any, args: dict[str, Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_with_images_of(one, args) for one in value)
    if not isinstance(value, Mapping):
        return value
    changed = {key: _with_images_of(one, args) for key, one in value.items()}
    kind = str(value.get("type", "")).rpartition(".")[2]
    if kind in _IMAGE_LOADERS:
        changed["backend_args"] = dict(args)
    elif kind.startswith("Packed") and kind.endswith("Dataset"):
        changed["img_backend_args"] = dict(args)
    return changed


def _moved(value: Any, before: str, now: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _moved(one, before, now) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_moved(one, before, now) for one in value)
    if isinstance(value, str) and (value == before or value.startswith(f"{before}/")):
        return now + value[len(before) :]
    return value
