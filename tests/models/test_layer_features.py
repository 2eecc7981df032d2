"""Layers by name: what the network computes, for whole images, and clear words where there is no such layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmdetpre.models.layer_features import LayerReader, layer_names

SNIPER_LAYERS = [
    "conv5", "conv5_pooled", "conv_proj", "conv_proj_4x4", "conv_proj_2x2", "conv_proj_pooled", "fc1", "fc2",
]  # fmt: skip
BACKBONE = dict(type="mmdet.ResNet", depth=18, base_channels=8, stem_channels=8, norm_eval=False)


def build(scope: str, config: dict) -> nn.Module:
    init_default_scope(scope)
    torch.manual_seed(0)
    return MODELS.build(config).eval()


@pytest.fixture(scope="module")
def sniper_config() -> Config:
    root = Path(__file__).parents[2] / "configs" / "det"
    return Config.fromfile(root / "sniper_coco_sample.py")


@pytest.fixture
def sniper(sniper_config: Config) -> nn.Module:
    return build("mmdet", sniper_config.model)


def of_full_form(config: Config) -> dict:
    """The sample's SNIPER with the stride and the bins of the full model: 224 pixels give a map of 14x14."""
    model = config.copy().model
    model.backbone.strides, model.rpn_head.anchor_generator.strides = (1, 2, 2, 1), [16]
    model.roi_head.bbox_roi_extractor.update(featmap_strides=[16])
    model.roi_head.bbox_roi_extractor.roi_layer.output_size = model.roi_head.bbox_head.roi_feat_size = 14
    return model


def test_layers_of_sniper_are_what_it_computes(sniper_config: Config) -> None:
    model = build("mmdet", of_full_form(sniper_config))
    assert layer_names(model) == SNIPER_LAYERS
    images = torch.randn(2, 3, 224, 224)
    found = LayerReader(model, SNIPER_LAYERS)(images)
    with torch.no_grad():
        maps = model.backbone(images)
        blob = F.relu(model.roi_head.conv_proj(torch.cat(maps, 1)))
        fc1 = F.relu(model.roi_head.bbox_head.shared_fcs[0](blob.flatten(1)))
        fc2 = F.relu(model.roi_head.bbox_head.shared_fcs[1](fc1))
    assert torch.equal(found["conv5"], maps[1])
    assert torch.equal(found["conv5_pooled"], maps[1].mean(dim=(2, 3)))
    assert blob.shape == (2, 64, 14, 14) and torch.equal(found["conv_proj"], blob)
    torch.testing.assert_close(found["conv_proj_2x2"], F.avg_pool2d(blob, 7))
    assert found["conv_proj_4x4"].shape == (2, 64, 4, 4) and found["conv_proj_pooled"].shape == (2, 64)
    torch.testing.assert_close(found["conv_proj_pooled"], blob.mean(dim=(2, 3)))
    assert torch.equal(found["fc1"], fc1) and torch.equal(found["fc2"], fc2)
    assert list(found) == SNIPER_LAYERS and all(value.dtype == torch.float32 for value in found.values())


def test_other_sizes_are_pooled_as_one_region(sniper: nn.Module) -> None:
    images = torch.randn(2, 3, 96, 64)
    found = LayerReader(sniper, ["conv_proj", "fc1", "roi_head.bbox_head.fc_cls"])(images)
    with torch.no_grad():
        outputs = sniper.roi_head._bbox_forward(
            sniper.extract_feat(images), torch.tensor([[0.0, 0, 0, 64, 96], [1, 0, 0, 64, 96]])
        )
    assert torch.equal(found["conv_proj"], outputs["bbox_feats"])
    assert torch.equal(found["roi_head.bbox_head.fc_cls"], outputs["cls_score"])
    assert found["fc1"].shape == (2, 256) and (found["fc1"] >= 0).all()


def test_modules_by_dotted_name_are_taken_before_what_follows(sniper: nn.Module) -> None:
    images = torch.randn(1, 3, 64, 64)
    names = ["fc1", "roi_head.bbox_head.shared_fcs.0", "backbone.layer3", "rpn_head.rpn_conv", "neck"]
    found = LayerReader(sniper, names)(images)
    before = found["roi_head.bbox_head.shared_fcs.0"]
    assert (before < 0).any() and torch.equal(before.relu(), found["fc1"])
    assert torch.equal(found["backbone.layer3"], sniper.backbone(images)[0])
    assert found["neck"].shape[1] == 192 and list(found) == names
    again = LayerReader(sniper, ["fc1"])(images)
    assert torch.equal(again["fc1"], found["fc1"]) and not sniper.neck._forward_hooks


def test_layers_of_the_backbone_run_the_backbone_only(sniper: nn.Module) -> None:
    sniper.neck = None
    reader = LayerReader(sniper, ["conv5_pooled", "backbone.layer2"])
    assert reader.backbone_only and set(reader(torch.zeros(1, 3, 64, 64))) == {"conv5_pooled", "backbone.layer2"}
    assert not LayerReader(sniper, ["conv5", "fc2"]).backbone_only


def test_detectors_with_a_pyramid_give_conv5_and_fcs() -> None:
    roi = dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor", out_channels=16, featmap_strides=[4, 8, 16, 32],
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=0),
        ),
        bbox_head=dict(type="Shared2FCBBoxHead", in_channels=16, fc_out_channels=32, roi_feat_size=7, num_classes=3),
    )  # fmt: skip
    config = dict(
        type="FasterRCNN",
        data_preprocessor=dict(type="DetDataPreprocessor"),
        backbone=dict(**BACKBONE, out_indices=(0, 1, 2, 3)),
        neck=dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
        rpn_head=dict(type="RPNHead", in_channels=16, feat_channels=16),
        roi_head=roi,
        train_cfg=None,
        test_cfg=dict(rpn=dict(), rcnn=dict()),
    )
    model = build("mmdet", ConfigDict(config))
    assert layer_names(model) == ["conv5", "conv5_pooled", "fc1", "fc2"]
    found = LayerReader(model, ["conv5", "fc2"])(torch.zeros(2, 3, 224, 224))
    assert found["conv5"].shape == (2, 64, 7, 7) and found["fc2"].shape == (2, 32)
    with pytest.raises(ValueError, match="'rpn_head.rpn_conv' runs 5 times per image"):
        LayerReader(model, ["rpn_head.rpn_conv"])(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="'neck' gives 5 values for 1 images, not one tensor"):
        LayerReader(model, ["neck", "fc1"])(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("scope", ["mmseg", "mmpretrain"])
def test_other_toolboxes_give_conv5_and_modules(scope: str) -> None:
    if scope == "mmseg":
        head = dict(type="FCNHead", in_channels=64, channels=8, num_classes=3, num_convs=1, in_index=3)
        backbone = dict(BACKBONE, out_indices=(0, 1, 2, 3))
        config = dict(type="EncoderDecoder", backbone=backbone, decode_head=head, test_cfg=dict(mode="whole"))
        module = "decode_head.conv_seg"
    else:
        head = dict(type="LinearClsHead", in_channels=64, num_classes=3)
        backbone = dict(BACKBONE, out_indices=(3,))
        config = dict(type="ImageClassifier", backbone=backbone, neck=dict(type="GlobalAveragePooling"), head=head)
        module = "head.fc"
    model = build(scope, config)
    found = LayerReader(model, ["conv5_pooled", module])(torch.zeros(2, 3, 64, 64))
    assert found["conv5_pooled"].shape == (2, 64) and found[module].shape[:2] == (2, 3)
    with pytest.raises(ValueError, match=r"has no layer 'fc1'. It has conv5, conv5_pooled; and its modules"):
        LayerReader(model, ["fc1"])


def test_layers_that_do_not_exist_are_told_with_those_that_do(sniper: nn.Module) -> None:
    with pytest.raises(
        ValueError, match="SNIPER has no layer 'fc3'. It has conv5, .*fc1, fc2; and its modules by dotted"
    ):
        LayerReader(sniper, ["conv5", "fc3"])
    with pytest.raises(ValueError, match="Close to it: .*backbone.layer4"):
        LayerReader(sniper, ["backbone.layer5"])
    with pytest.raises(ValueError, match="has no layer ''"):
        LayerReader(sniper, [""])
    with pytest.raises(ValueError, match="'rpn_head.loss_cls' is not run by whole images"):
        LayerReader(sniper, ["rpn_head.loss_cls"])(torch.zeros(1, 3, 64, 64))


def test_conv5_must_be_an_output_of_the_backbone() -> None:
    backbone = dict(BACKBONE, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(1, 2))
    model = build("mmpretrain", dict(type="ImageClassifier", backbone=backbone))
    with pytest.raises(ValueError, match=r"conv5 is the output of stage 4, but the backbone gives stages \[2, 3\]"):
        LayerReader(model, ["conv5_pooled"])
    assert LayerReader(model, ["backbone.layer3"])(torch.zeros(1, 3, 64, 64))["backbone.layer3"].shape == (1, 32, 4, 4)
