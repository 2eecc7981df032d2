"""A step in bfloat16 of every model that trains in it by default, beside one in float32: losses and gradients."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmdetpre.compat.gpu_settings import GpuSettings

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FULL_SIZE = [path for folder in ("cls", "det", "seg") for path in sorted((CONFIGS / folder).glob("*.py"))]
FULL_SIZE = [path for path in FULL_SIZE if not path.stem.endswith("_sample")]
IMAGES = 4
NEAR = {"sniper_imagenet_loc": 0.06}
"""Relative difference of losses; elsewhere 0.02. R-FCN-3000 classifies the few regions that are objects, and which
proposals these are follows from rounded offsets."""


def step(model: torch.nn.Module, batch: dict, mixed: bool) -> tuple[dict, dict]:
    """Losses and gradients by name."""
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        losses = model(**model.data_preprocessor(batch, True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    return losses, {name: value.grad for name, value in model.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("path", FULL_SIZE, ids=lambda path: path.stem)
def test_a_step_in_bfloat16_is_near_one_in_float32(path: Path, narrow_config: ModuleType) -> None:
    cfg = Config.fromfile(path)
    scope = cfg.get("default_scope", "mmdet")
    if not GpuSettings.of(cfg).bfloat16:
        stock = cfg.model.type in ("RetinaNet", "FasterRCNN")
        assert stock or path.stem == "sniper_mobilenetv2_coco", "only stock detectors and MobileNetV2 stay in float32"
        return
    found = []
    with DefaultScope.overwrite_default_scope(scope):
        for mixed in (False, True):
            torch.manual_seed(0)
            model = MODELS.build(narrow_config.narrow(cfg))
            model.init_weights()
            for norm in model.modules():
                if isinstance(norm, torch.nn.BatchNorm2d) and not norm.weight.any():
                    torch.nn.init.constant_(norm.weight, 0.1)  # branches that begin at 0 take part
            batch = narrow_config.draw(model, scope, IMAGES)
            torch.manual_seed(1)  # the same anchors are sampled
            found.append(step(model.train(), batch, mixed))
    (losses, gradients), (mixed_losses, mixed_gradients) = found
    assert losses.keys() == mixed_losses.keys()
    for name in (name for name in losses if "loss" in name):
        assert mixed_losses[name].dtype == torch.float32, name
        assert mixed_losses[name].item() == pytest.approx(
            losses[name].item(), rel=NEAR.get(path.stem, 0.02), abs=1e-3
        ), name
    assert gradients.keys() == mixed_gradients.keys() and gradients
    for name, gradient in mixed_gradients.items():
        assert gradient.dtype == torch.float32 and gradient.isfinite().all(), name
        assert bool(gradient.any()) == bool(gradients[name].any()), name
    one, other = (torch.cat([value.flatten() for value in each.values()]) for each in (gradients, mixed_gradients))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.9
    assert 0.9 < float(other.norm() / one.norm()) < 1.1
