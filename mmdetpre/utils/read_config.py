"""Configs of the toolboxes as tools read them: the file, then what the command line overrides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config

ConfigSource: TypeAlias = str | os.PathLike[str] | Config
"""Path of a config, or the config."""


def read_config(config: ConfigSource, options: Mapping[str, Any] | None = None) -> Config:
    """A config with some of its values overridden.

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
    return cfg
