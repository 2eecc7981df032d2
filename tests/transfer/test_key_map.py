from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.backbones import ResNet, ResNetV1d
from mmpretrain.models.backbones import ResNet as PretrainResNet
from mmseg.models.backbones import ResNetV1d as SegV1d
from torchvision.models import resnet18, resnet50

from mmdetpre.transfer.key_map import KeyMapError, guess_prefix, map_names

PLAIN = list(ResNet(50, base_channels=4, stem_channels=4).state_dict())
BACKBONE = map_names(PLAIN)


@settings(max_examples=20)
@given(st.permutations(PLAIN), st.sampled_from(["", "backbone.", "module.backbone.", "a.b.c."]))
def test_prefix_and_order_do_not_matter(names: list[str], prefix: str) -> None:
    found = map_names([prefix + name for name in names])
    assert found.prefix == prefix and set(found.names) == set(BACKBONE.names)
    assert all(own == prefix + BACKBONE.names[canonical] for canonical, own in found.names.items())


def test_torchvision_has_mmdets_names() -> None:
    for model, depth in ((resnet18, 18), (resnet50, 50)):
        names = map_names(model().state_dict()).names
        ours = map_names(ResNet(depth).state_dict()).names
        assert set(names) - set(ours) == {"fc.weight", "fc.bias"} and set(ours) <= set(names)


def test_detectron2_names(detectron2_names: Callable) -> None:
    names = detectron2_names([name for name in PLAIN if not name.endswith("num_batches_tracked")])
    assert "res2.0.shortcut.norm.running_mean" in names and "stem.conv1.norm.weight" in names
    found = map_names([f"backbone.bottom_up.{name}" for name in names] + ["proposal_generator.rpn_head.conv.weight"])
    assert found.naming == "detectron2" and found.prefix == "backbone.bottom_up."
    assert set(found.names) == {name for name in BACKBONE.names if not name.endswith("num_batches_tracked")}
    assert found.outside == ("proposal_generator.rpn_head.conv.weight",)


def test_offsets_beside_the_convolution() -> None:
    extra = ["res5.0.conv2_offset.weight", "res5.0.conv2_offset.bias"]
    found = map_names(["res2.0.conv1.weight", "res5.0.conv2.weight", *extra])
    assert found.names["layer4.0.conv2.conv_offset.weight"] == extra[0]


def test_deep_stems_of_the_toolboxes_mean_the_same() -> None:
    options = dict(depth=50, base_channels=4, stem_channels=4)
    mmdet = map_names(ResNetV1d(**options).state_dict())
    mmseg = map_names(SegV1d(**options).state_dict())
    mmpretrain = map_names(PretrainResNet(**options, deep_stem=True, avg_down=True).state_dict())
    assert set(mmdet.names) == set(mmseg.names) == set(mmpretrain.names)
    assert mmdet.pooled_shortcut and mmseg.pooled_shortcut and mmpretrain.pooled_shortcut
    assert mmpretrain.naming == "mmpretrain V1d" and "stem.bn3.running_mean" in mmpretrain.names


def test_timm_deep_stem() -> None:
    mmdet = map_names(ResNetV1d(depth=50).state_dict())
    timm = []
    for name in ResNetV1d(depth=50).state_dict():
        parts = name.split(".")
        if parts[0] == "stem":
            name = f"bn1.{parts[2]}" if parts[1] == "7" else f"conv1.{parts[1]}.{parts[2]}"
        timm.append(name)
    found = map_names([*timm, "fc.weight"])
    assert found.naming == "timm V1d" and set(found.names) == {*mmdet.names, "fc.weight"} and found.pooled_shortcut


def test_other_architectures_match_by_their_own_names() -> None:
    target = ["patch_embed.projection.weight", "stages.0.blocks.0.norm1.weight", "stages.0.blocks.1.norm1.weight"]
    found = map_names([f"module.backbone.{name}" for name in target] + ["head.fc.weight"], target=target)
    assert found.prefix == "module.backbone." and set(found.names) == set(target) and found.naming == "as is"
    both = [f"{prefix}{name}" for prefix in ("student.", "teacher.") for name in target]
    with pytest.raises(KeyMapError, match="prefix='student.' or prefix='teacher.'"):
        map_names(both, target=target)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([*PLAIN, *(f"teacher.backbone.{name}" for name in PLAIN)], "prefix='' or prefix='teacher.backbone.'"),
        ([*PLAIN, "res2.0.conv1.weight"], "names its blocks twice"),
        (["layer1.0.conv1.weight", "a.conv2_offset.weight", "a.conv2.conv_offset.weight"], "both mean"),
        (["conv1_w", "res2_0_branch2a_w"], "Caffe2"),
        (["epoch"], "No backbone found"),
        ([], "no tensors"),
    ],
)
def test_ambiguity_is_an_error(names: list[str], message: str) -> None:
    with pytest.raises(KeyMapError, match=message):
        map_names(names)


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["features.0.weight", "classifier.weight"], ""),
        (["module.model.features.0.weight", "module.model.classifier.weight"], "module.model."),
        (["model.features.0.weight", "criterion.weight"], ""),
        (["detector.backbone.0.weight", "detector.head.weight"], "detector.backbone."),
        (["backbone.bottom_up.0.weight", "backbone.fpn_lateral2.weight", "roi.weight"], "backbone.bottom_up."),
    ],
)
def test_where_a_backbone_of_no_family_seems_to_be(names: list[str], prefix: str) -> None:
    assert guess_prefix(names) == prefix


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["student.backbone.a.weight", "teacher.backbone.a.weight"],
            "with prefix='student.backbone.' or prefix='teacher",
        ),
        (["arg:conv0_weight"], "MXNet's names"),
        (["4.0.conv1.weight", "0.weight"], "numbers of nn.Sequential"),
    ],
)
def test_names_that_allow_no_guess(names: list[str], said: str) -> None:
    with pytest.raises(KeyMapError, match=said):
        guess_prefix(names)
