"""Every model of the configs on every backbone: it is built, and trains a batch of each size of its loader."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, RUNNERS, DefaultScope

from mmdetpre.backbones import Backbone, backbone_names, named_backbone, on_backbone, with_chosen_backbone
from mmdetpre.config_files import find_config

NAMES = ["convnext_tiny", "dinov2_small", "efficientnet_lite0", "mobilenet_v2"]
NAMES += ["resnet18", "resnet50", "swin_tiny", "vit_small"]
CONFIGS = ["sniper_coco", "retinanet_chips_coco", "faster_rcnn_r50_fpn_chips_coco", "deeplab_voc", "caltech256"]
MORE = ["sniper_imagenet_loc", "sniper_coco_deform_roi", "rpn_coco", "sniper_coco_sample"]
MORE += [
    "deeplabv3_voc",
    "deeplabv3plus_voc",
    "caltech256_linear",
]
NARROW_VIT = dict(
    backbone=dict(arch=dict(embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32)),
    channels=(16,) * 4,
    out_indices=(0, 1, 2, 3),
    frozen_stages=(-1, None, 1, 2, 3, 4),
)
NARROW: dict[str, dict[str, Any]] = {
    "resnet18": dict(backbone=dict(base_channels=4, stem_channels=4), channels=(4, 8, 16, 32)),
    "resnet50": dict(backbone=dict(base_channels=4, stem_channels=4), channels=(16, 32, 64, 128)),
    "swin_tiny": dict(
        backbone=dict(embed_dims=8, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2)), channels=(8, 16, 32, 64)
    ),
    "convnext_tiny": dict(
        backbone=dict(arch=dict(depths=[1, 1, 2, 1], channels=[8, 16, 32, 64])), channels=(8, 16, 32, 64)
    ),
    "vit_small": NARROW_VIT,
    "dinov2_small": NARROW_VIT,
    "mobilenet_v2": dict(backbone=dict(widen_factor=0.25), channels=(8, 8, 24, 1280)),
    "efficientnet_lite0": {},  # timm has no narrower one
}


def read(name: str) -> Config:
    return Config.fromfile(find_config(name))


def narrow_backbone(name: str) -> Backbone:
    """The backbone of a name with few channels and layers."""
    full = named_backbone(name)
    changes = dict(NARROW[name])
    changes["backbone"] = {**full.backbone, **changes.get("backbone", {})}
    return replace(full, **changes)


def test_the_names_are_those_of_the_table() -> None:
    assert backbone_names() == NAMES == sorted(NARROW)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [*CONFIGS, *(pytest.param(one, marks=pytest.mark.slow) for one in MORE)])
def test_every_model_trains_and_tests_on_every_backbone(config: str, name: str, narrow_config: ModuleType) -> None:
    cfg = read(config)
    loaders, scope = cfg, cfg.default_scope
    cfg.model = narrow_config.narrow(cfg)
    changed = on_backbone(cfg, narrow_backbone(name))
    model, optimizer = (json.dumps(part.to_dict(), sort_keys=True) for part in (changed.model, changed.optim_wrapper))
    for images in sorted(narrow_config.batch_sizes(loaders, "train")):
        narrow_config.run_case("train", json.dumps([scope, model, optimizer]), images)
    narrow_config.run_case("test", json.dumps([scope, model, None]), 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", CONFIGS)
def test_full_size_models_have_the_channels_and_strides_that_they_say(config: str, name: str) -> None:
    changed = on_backbone(read(config), new := named_backbone(name))
    with DefaultScope.overwrite_default_scope(changed.default_scope):
        backbone = MODELS.build(changed.model.backbone)
    backbone.eval()
    side = 2 * math.lcm(*new.strides)
    maps = backbone(torch.zeros(1, 3, side, side))
    stages = [new.out_indices.index(one) for one in changed.model.backbone.out_indices]
    if config == "caltech256":
        assert [one.shape[1] for one in maps] == [new.channels[-1]] == [changed.model.head.in_channels]
        return
    dense = "dilations" in changed.model.backbone
    strides = [new.strides[2] if dense and stage == 3 else new.strides[stage] for stage in stages]
    assert [tuple(one.shape[1:]) for one in maps] == [
        (new.channels[stage], side // stride, side // stride) for stage, stride in zip(stages, strides, strict=True)
    ]


def test_the_name_is_one_config_line_and_one_option(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        f"_base_ = {str(find_config('sniper_coco_sample'))!r}\nmodel = dict(backbone=dict(name='swin_tiny'))\n"
    )
    option = read("sniper_coco_sample")
    option.merge_from_dict({"model.backbone.name": "swin_tiny"})
    two_lines = with_chosen_backbone(Config.fromfile(tmp_path / "mine.py"))
    assert two_lines.to_dict() == with_chosen_backbone(option).to_dict()
    assert two_lines.model.backbone.type == "mmdetpre.SwinTransformer" and "name" not in two_lines.model.backbone
    assert option.model.backbone.type == "ResNet"
    wrapped = Config(dict(model=dict(type="mmdetpre.MultiScaleTTA", module=option.model), default_scope="mmdet"))
    assert with_chosen_backbone(wrapped).model.module.backbone.type == "mmdetpre.SwinTransformer"
    with pytest.raises(TypeError, match="name"), DefaultScope.overwrite_default_scope("mmdet"):
        MODELS.build(option.model.backbone)  # who does not know the key stops, and builds no ResNet


def test_a_name_that_is_not_known_lists_the_choices(tmp_path: Path) -> None:
    cfg = read("sniper_coco")
    assert with_chosen_backbone(cfg)._cfg_dict == cfg._cfg_dict
    cfg.model.backbone.name = "swin"
    with pytest.raises(ValueError, match=f"'swin' is not known; choose one of {', '.join(NAMES)}, or a file"):
        with_chosen_backbone(cfg)
    (tmp_path / "mine.py").write_text("backbone = dict(type='X')\nwidths = [1]\n")
    cfg.model.backbone.name = str(tmp_path / "mine.py")
    with pytest.raises(ValueError, match="mine.py has widths; a backbone is described by backbone, channels"):
        with_chosen_backbone(cfg)
    (tmp_path / "mine.py").write_text("backbone = dict(type='X')\nchannels = strides = [1]\npreprocessing = dict()\n")
    with pytest.raises(ValueError, match="channels of the backbone 'mine' has 1 entries, not 4"):
        with_chosen_backbone(cfg)


def test_models_that_are_not_known_are_refused() -> None:
    swin = on_backbone(read("sniper_coco"), named_backbone("swin_tiny"))
    swin.model.backbone.name = "resnet50"
    with pytest.raises(ValueError, match=r"changes the ResNet of a config, and this one has mmdetpre\.SwinTransformer"):
        with_chosen_backbone(swin)
    cfg = read("deeplab_voc")
    cfg.model.auxiliary_head = dict(type="FCNHead")
    with pytest.raises(ValueError, match="does not know how to change the backbone of EncoderDecoder"):
        on_backbone(cfg, named_backbone("swin_tiny"))
    cfg = read("sniper_coco")
    cfg.model.backbone.frozen_stages = 0
    with pytest.raises(ValueError, match="convnext_tiny cannot freeze its stem alone"):
        on_backbone(cfg, named_backbone("convnext_tiny"))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_config_freezes_is_frozen(name: str) -> None:
    for config, frozen in {"caltech256_linear": 1.0, "sniper_voc": 0.0, "sniper_coco": None}.items():
        cfg = read(config)
        if frozen == 0:
            cfg.backbone_init = "scratch"
        cfg = on_backbone(with_chosen_backbone(cfg), narrow_backbone(name))
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            backbone = MODELS.build(cfg.model.backbone)
        backbone.train()
        values = [not value.requires_grad for value in backbone.parameters()]
        share = sum(values) / len(values)
        assert share == frozen if frozen is not None else 0 < share < 1, config
        if frozen == 1:
            modes = {
                type(one).__name__: one.training for one in backbone.modules() if "BatchNorm" in type(one).__name__
            }
            assert not any(modes.values())


@pytest.mark.parametrize(
    ("name", "kinds"), [("swin_tiny", 2), ("convnext_tiny", 12), ("vit_small", 20), ("dinov2_small", 20)]
)
def test_rates_and_decay_are_those_of_the_family(name: str, kinds: int) -> None:
    cfg = on_backbone(read("sniper_coco"), named_backbone(name))
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=16)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(cfg.model)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    groups = {id(group["params"][0]): group for group in wrapper.param_groups if group.get("params")}
    assert len({(group["lr"], group["weight_decay"]) for group in groups.values()}) == kinds
    rate = cfg.optim_wrapper.optimizer.lr
    for key, value in model.named_parameters():
        if not value.requires_grad:
            continue
        group = groups[id(value)]
        plain = any(part in key for part in ("norm", ".ln", "position_bias", "pos_embed", "cls_token"))
        if key.startswith("backbone."):
            assert not plain or group["weight_decay"] == 0, key
            assert group["lr"] <= rate
        else:
            assert group["lr"] == pytest.approx(rate)


def test_optimizers_that_fit_stay() -> None:
    for config, name in {"sniper_coco": "resnet50", "caltech256_linear": "swin_tiny"}.items():
        cfg = read(config)
        changed = on_backbone(cfg, named_backbone(name))
        assert changed.optim_wrapper == cfg.optim_wrapper and changed.auto_scale_lr == cfg.auto_scale_lr
    sample = on_backbone(read("sniper_coco_sample"), named_backbone("vit_small"))
    assert sample.optim_wrapper.optimizer == read("sniper_coco_sample").optim_wrapper.optimizer
    assert sample.optim_wrapper.constructor == "mmdetpre.LayerDecayConstructor"


def test_names_of_initializations_stand_for_this_backbone() -> None:
    table = on_backbone(read("sniper_coco"), named_backbone("efficientnet_lite0")).backbone_inits
    assert table.imagenet_cls == dict(checkpoint="zoo:efficientnet-lite0/imagenet")
    assert table.openimages == dict(checkpoint="work_dirs/sniper_openimages_efficientnet_lite0/backbone_final.pth")
    stock = on_backbone(read("retinanet_chips_coco"), named_backbone("swin_tiny"))
    assert (
        stock.backbone_init == dict(name="imagenet_cls") and "swin_tiny" in stock.backbone_inits.imagenet_cls.checkpoint
    )
    assert "backbone_inits" not in on_backbone(read("retinanet_chips_coco_sample"), named_backbone("swin_tiny"))
    linear = read("caltech256_linear")
    assert on_backbone(linear, named_backbone("resnet50")).backbone_inits.imagenet_cls.checkpoint.endswith("resnet50")
    assert on_backbone(linear, named_backbone("swin_tiny")).backbone_inits.imagenet_cls.checkpoint.endswith(".pth")


def test_preprocessing_follows_the_backbone() -> None:
    for config, key in {"sniper_coco": "bgr_to_rgb", "deeplab_voc": "bgr_to_rgb", "caltech256": "to_rgb"}.items():
        found = on_backbone(read(config), named_backbone("efficientnet_lite0")).model.data_preprocessor
        assert (found["mean"], found["std"], found[key]) == ([127.0] * 3, [128.0] * 3, True)
    assert on_backbone(read("deeplab_voc"), named_backbone("swin_tiny")).model.data_preprocessor.size_divisor == 32


@pytest.mark.parametrize("config", ["sniper_coco", "sniper_coco_sample", "retinanet_chips_coco", "rpn_coco"])
def test_strides_of_14_keep_the_anchors_in_pixels(config: str) -> None:
    """Anchors of the same sizes, one every 14 pixels, and images of whole patches."""
    generators = []
    for name in ("vit_small", "dinov2_small"):
        changed = on_backbone(read(config), named_backbone(name)).model
        head = changed.get("rpn_head") or changed.bbox_head
        generators.append(TASK_UTILS.build(dict(head.anchor_generator, _scope_="mmdet")))
        divisor = changed.data_preprocessor.pad_size_divisor
        sizes = [part["size"] for part in changed.data_preprocessor.get("batch_augments") or []]
        assert divisor % named_backbone(name).strides[0] == 0
        assert all(side % named_backbone(name).strides[0] == 0 for size in sizes for side in size)
    sixteen, fourteen = generators
    assert [b[0] / a[0] for a, b in zip(sixteen.strides, fourteen.strides, strict=True)] == [14 / 16] * len(
        sixteen.strides
    )
    for a, b in zip(sixteen.base_anchors, fourteen.base_anchors, strict=True):
        sides = [(anchors[:, 2:] - anchors[:, :2]) for anchors in (a, b)]
        assert torch.allclose(*sides, rtol=0.08)  # whole pixels of a base side of 14 instead of 16
    (first, *_) = fourteen.grid_priors([(2, 2)] * len(fourteen.strides), device="cpu")
    centers = (first[:, :2] + first[:, 2:]) / 2
    step = fourteen.strides[0][0]
    assert torch.allclose(centers.amax(0) - centers.amin(0), torch.tensor([step, step], dtype=torch.float), atol=1.0)


def test_strides_that_make_no_pyramid_are_refused() -> None:
    odd = replace(named_backbone("swin_tiny"), name="mine", strides=(4, 8, 12, 32))
    with pytest.raises(ValueError, match="mine have strides 4, 8, 12, 32: scaled by powers of two"):
        on_backbone(read("retinanet_chips_coco"), odd)


def test_a_training_by_name_leaves_the_config_of_the_model_it_trained(sample_config: Any) -> None:
    few = dict(train_dataloader__dataset__dataset__max_images=1, train_dataloader__batch_size=1)
    cfg = sample_config(**few, train_cfg=dict(max_epochs=1, val_interval=9))
    cfg.model.backbone.name = "swin_tiny"
    runner = RUNNERS.build(cfg)
    runner.train()
    left = Config.fromfile(next(Path(runner.work_dir).glob("*.py")))
    assert left.model.backbone.type == "mmdetpre.SwinTransformer" and "name" not in left.model.backbone
    assert (Path(runner.work_dir) / "backbone_final.pth").exists()


def test_a_head_without_convolutions_has_the_channels_of_its_map() -> None:
    head = on_backbone(read("deeplab_voc_sample"), named_backbone("efficientnet_lite0")).model.decode_head
    assert head.channels == head.in_channels == 112 + 320
    with DefaultScope.overwrite_default_scope("mmseg"):
        assert MODELS.build(head).conv_seg.in_channels == 432
