"""Builds backbones as the toolboxes do: through their registries, in their scope."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torch import nn

from mmdetpre.utils.plain_config import PlainConfig

if TYPE_CHECKING:
    from mmengine.config import Config

TOOLBOXES = {"mmdet": "mmdet", "mmsegmentation": "mmseg", "mmpretrain": "mmpretrain"}
"""Toolbox -> its package."""


def build_in_toolbox(package: str, config: PlainConfig) -> nn.Module:
    """Build a model as the toolbox would.

    Args:
        package: Of `TOOLBOXES`; or ``mmengine``, which knows the types of a config by their scope.
        config: Of the model. It is built only: ``init_cfg`` acts in ``init_weights``.
    """
    from mmengine.registry import DefaultScope
    from mmengine.utils import import_modules_from_strings

    registry = import_modules_from_strings(f"{package}.registry").MODELS
    with DefaultScope.overwrite_default_scope(package):
        return registry.build(config)


def backbone_of_config(path: str | os.PathLike[str]) -> tuple[Config, PlainConfig]:
    """A config of any toolbox, and its backbone.

    Args:
        path: Of the config.

    Raises:
        ValueError: If it names no backbone.
        OSError: If there is no such config.
    """
    from mmengine.config import Config

    config = Config.fromfile(path)
    return config, require_backbone(config, path)


def require_backbone(config: Config, name: object) -> PlainConfig:
    """The backbone of a config.

    Args:
        config: Of any toolbox.
        name: What messages call it.

    Raises:
        ValueError: If it names no backbone.
    """
    backbone = (config.get("model") or {}).get("backbone")
    if backbone is None:
        raise ValueError(f"{name} has no model.backbone: give the config of a detector, segmentor or classifier.")
    return backbone
