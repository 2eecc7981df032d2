"""A model of any toolbox from its config, without weights, and how it wants its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmdetpre.backbones.change import with_chosen_backbone
from mmdetpre.transfer.preprocessing import Preprocessing, from_config
from mmdetpre.utils.read_config import ConfigSource, read_config

_PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bgr", origin="the config has no data_preprocessor")


@dataclass(frozen=True)
class ConfigModel:
    """A model that was built from a config.

    Args:
        cfg: The config.
        scope: Its default scope.
        model: In eval mode, on the CPU, with the weights it begins with.
        preprocessing: How it wants its images.
    """

    cfg: Config
    scope: str
    model: nn.Module
    preprocessing: Preprocessing


def build_model(config: ConfigSource, device: str = "cpu", options: Mapping[str, Any] | None = None) -> ConfigModel:
    """Build the model of a config of mmdet, mmsegmentation or mmpretrain.

    Args:
        config: Path of the config, or the config.
        device: Where the model is to run; on a CPU, normalization over several GPUs becomes that of one.
        options: Values of the config to override, by dotted key.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    cfg = with_chosen_backbone(read_config(config, options))
    scope = cfg.get("default_scope", "mmengine")
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg.model)
    return with_preprocessing(cfg, scope, model, device)


def with_preprocessing(cfg: Config, scope: str, model: nn.Module, device: str = "cpu") -> ConfigModel:
    """A model that was built from a config, in eval mode, with how the config prepares its images.

    Args:
        cfg: The config.
        scope: Default scope of its types, such as "mmdet".
        model: The model that was built from it.
        device: Device to move the model to.
    """
    model = revert_sync_batchnorm(model) if torch.device(device).type == "cpu" else model
    return ConfigModel(cfg, scope, model.eval(), from_config(cfg) or _PLAIN)
