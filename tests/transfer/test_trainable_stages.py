"""What is frozen stays as it is in a step of training, and only that, in every family of backbones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmdetpre.transfer.trainable_stages import freeze_stages

VIT = dict(embed_dims=16, num_layers=8, num_heads=2, feedforward_channels=32)
BACKBONES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "resnet": (dict(type="mmdet.ResNet", depth=18, base_channels=4, stem_channels=4, norm_eval=False), ("layer4.",)),
    "preact": (dict(type="mmdetpre.PreActResNet", depth=50, base_channels=4), ("layer4.",)),
    "regnet": (
        dict(
            type="mmdet.RegNet",
            arch=dict(w0=8, wa=8.0, wm=2.0, group_w=8, depth=8, bot_mul=1.0),
            out_indices=(2,),
            norm_eval=False,
        ),
        ("layer4.",),
    ),
    "swin": (
        dict(type="mmdetpre.SwinTransformer", embed_dims=8, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2)),
        ("stages.3.", "norm3."),
    ),
    "convnext": (
        dict(type="mmdetpre.ConvNeXt", arch=dict(depths=[1, 1, 2, 1], channels=[8, 16, 32, 64]), out_indices=(1, 3)),
        ("stages.3.", "downsample_layers.3.", "norm3."),
    ),
    "vit": (
        dict(type="mmpretrain.VisionTransformer", arch=VIT, img_size=64, patch_size=16, out_type="featmap"),
        ("layers.6.", "layers.7.", "ln1."),
    ),
    "dinov2": (
        dict(type="mmpretrain.VisionTransformer", arch=VIT, img_size=70, patch_size=14, layer_scale_init_value=1.0),
        ("layers.6.", "layers.7.", "ln1."),
    ),
    "efficientnet": (
        dict(type="mmpretrain.EfficientNet", arch="b0", out_indices=(6,)),
        ("layers.5.", "layers.6."),
    ),
    "efficientnet_lite": (
        dict(type="mmdetpre.TIMMBackbone", model_name="tf_efficientnet_lite0", features_only=True),
        ("timm_model.blocks.5.", "timm_model.blocks.6."),
    ),
    "mobilenet_v2": (
        dict(type="mmdet.MobileNetV2", widen_factor=0.1, out_indices=(7,)),
        ("layer6.", "layer7.", "conv2."),
    ),
    "timm": (
        dict(type="mmpretrain.TIMMBackbone", model_name="convnext_atto"),
        ("timm_model.stages.3.", "timm_model.head."),
    ),
}
"""Config, and how the names of the last stage begin."""


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    module: nn.Module = MODELS.build(copy.deepcopy(BACKBONES[name][0]))
    for part in module.modules():  # a scale of 1e-6 would hide that a layer is trained
        for key, value in part.named_parameters(recurse=False):
            if key == "gamma":
                nn.init.ones_(value)
    return module


def changed_by_a_step(module: nn.Module) -> set[str]:
    """Names of tensors that a step of training with weight decay changes, statistics among them."""
    side = 70 if BACKBONES["dinov2"][0]["img_size"] == getattr(module, "img_size", [0])[0] else 64
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.1)
    out = module(torch.randn(2, 3, side, side))
    maps = [one for one in (out if isinstance(out, list | tuple) else [out]) if isinstance(one, Tensor)]
    head = nn.Parameter(torch.ones(()))
    loss = torch.stack([(one * torch.randn_like(one)).sum() * head for one in maps]).sum()
    loss.backward()
    optimizer.step()
    return {name for name, value in module.state_dict().items() if not torch.equal(before[name], value)}


@pytest.mark.parametrize("name", BACKBONES)
def test_only_the_last_stage_changes(name: str) -> None:
    module = build(name)
    freeze_stages(module, 1)
    last = BACKBONES[name][1]
    of_last = {key for key, _ in module.named_parameters() if key.startswith(last)}
    assert {key for key, value in module.named_parameters() if value.requires_grad} == of_last != set()
    changed = changed_by_a_step(module)
    assert changed and all(key.startswith(last) for key in changed)
    assert any(key.startswith(last[0]) for key in changed)


@pytest.mark.parametrize("name", BACKBONES)
def test_nothing_changes_in_what_is_frozen(name: str) -> None:
    module = build(name)
    freeze_stages(module, 0)
    assert changed_by_a_step(module) == set()
    assert not any(part.training for part in module.modules())


def test_a_copy_stays_frozen_by_itself() -> None:
    """As EMAHook makes one; its ``train`` is of the copy, not of the first."""
    module = build("resnet")
    freeze_stages(module, 1)
    twin = copy.deepcopy(module)
    module.eval()
    wrapped = nn.Sequential(twin)
    assert wrapped.train() is wrapped
    assert (twin.layer1[0].bn1.training, twin.layer4[0].bn1.training) == (False, True)
    assert not module.layer4[0].bn1.training
    assert module.train() is module and module.layer4[0].bn1.training and not module.bn1.training


def test_numbers_count_from_the_end_and_what_was_frozen_stays() -> None:
    module = build("resnet")
    module.layer4.requires_grad_(False)
    freeze_stages(module, 3)
    trained = {key.split(".")[0] for key, value in module.named_parameters() if value.requires_grad}
    assert trained == {"layer2", "layer3"}
    freeze_stages(whole := build("resnet"), 4)
    assert {key.split(".")[0] for key, one in whole.named_parameters() if not one.requires_grad} == {"conv1", "bn1"}


@pytest.mark.parametrize("number", [5, -1, True, "all", 1.0])
def test_other_numbers_are_refused(number: Any) -> None:
    with pytest.raises(ValueError, match=r"trainable_stages is .*: give the number of last stages to train, 0"):
        freeze_stages(build("resnet"), number)


def test_a_network_without_known_stages_is_refused() -> None:
    with pytest.raises(ValueError, match="does not know the stages of Sequential, which has 0 numbered parts"):
        freeze_stages(nn.Sequential(nn.Linear(1, 1)), 1)
