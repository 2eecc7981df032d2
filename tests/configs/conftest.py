from __future__ import annotations

from collections.abc import Callable

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS

from mmdetpre.transfer import BackboneInit, write_backbone
from mmdetpre.transfer.backbone_init import chosen_init
from mmdetpre.transfer.preprocessing import from_config


@pytest.fixture
def write_initial_weights() -> Callable[[Config], list[str]]:
    """Function that writes what the run before would have left, and returns its digests: none from scratch."""

    def write(cfg: Config) -> list[str]:
        init = BackboneInit().changed_by(chosen_init(cfg))
        if init.checkpoint is None:
            return []
        assert init.checkpoint.startswith("work_dirs/"), f"{init.checkpoint} is not trained from synthetic data"
        weights = MODELS.build(cfg.model.backbone).state_dict()
        for name in weights:
            if name.endswith("running_mean"):
                weights[name].normal_(std=0.1)  # as after some training
        return [write_backbone(init.checkpoint, weights, preprocessing=from_config(cfg))]

    return write
