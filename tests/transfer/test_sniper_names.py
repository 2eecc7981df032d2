from __future__ import annotations

import re

import pytest
import torch
from mmcv.ops import DeformConv2d

from mmdetpre.models.preact_resnet import PreActResNet
from mmdetpre.transfer import KeyMapError
from mmdetpre.transfer.sniper_names import CLOSING, FIXED_SCALE, HEADS, map_sniper_names, sniper_name

RELEASE = PreActResNet(
    101, base_channels=4, dcn=dict(type="DCN", deform_groups=4), stage_with_dcn=(False, False, False, True)
).state_dict()


def release_names() -> list[str]:
    """Names of the release's arrays by the rules of its network definition, not by those of the module under test."""
    names = ["arg:bn_data_gamma", "arg:bn_data_beta", "arg:conv0_weight", "arg:bn0_gamma", "arg:bn0_beta"]
    names += [f"aux:{norm}_moving_{part}" for norm in ("bn_data", "bn0") for part in ("mean", "var")]
    for stage, units in enumerate((3, 4, 23, 3), 1):
        for unit in range(1, units + 1):
            name = f"stage{stage}_unit{unit}"
            for layer in (1, 2, 3):
                names += [f"arg:{name}_bn{layer}_gamma", f"arg:{name}_bn{layer}_beta", f"arg:{name}_conv{layer}_weight"]
                names += [f"aux:{name}_bn{layer}_moving_mean", f"aux:{name}_bn{layer}_moving_var"]
            names += [f"arg:{name}_sc_weight"] if unit == 1 else []
            names += [f"arg:{name}_offset_weight", f"arg:{name}_offset_bias"] if stage == 4 else []
    return names


DETECTOR = [
    f"arg:{layer}_{part}"
    for layer in (
        *("rpn_conv_3x3", "rpn_cls_score", "rpn_bbox_pred", "conv_new_1", "offset", "fc_new_1", "fc_new_2"),
        *("cls_score", "bbox_pred"),
    )
    for part in ("weight", "bias")
] + ["arg:bbox_pred_weight_test", "arg:bbox_pred_bias_test"]


def test_every_array_of_the_release_has_its_place_in_the_backbone() -> None:
    found, expected = map_sniper_names(release_names())
    assert set(found.names) == {name for name in RELEASE if not name.endswith("num_batches_tracked")}
    assert expected == [("arg:bn_data_gamma", FIXED_SCALE)]
    assert found.names["layer4.2.conv2.conv_offset.bias"] == "arg:stage4_unit3_offset_bias"
    assert found.names["layer1.0.bn1.running_var"] == "aux:stage1_unit1_bn1_moving_var"


def test_heads_are_expected_and_unknown_names_are_kept_as_they_are() -> None:
    classifier = ["arg:bn1_gamma", "aux:bn1_moving_mean", "arg:fc1_weight"]
    unknown = ["arg:stage5_unit1_conv1_weight", "arg:stage1_unit1_conv4_weight", "aux:conv0_weight", "epoch"]
    found, expected = map_sniper_names([*release_names(), *DETECTOR, *classifier, *unknown])
    assert [name for name, rule in expected if rule == HEADS] == DETECTOR
    assert [name for name, rule in expected if rule == CLOSING] == classifier
    assert {canonical for canonical, name in found.names.items() if canonical == name} == set(unknown)


def test_the_rois_offsets_are_no_part_of_the_backbone() -> None:
    assert sniper_name("arg:offset_weight") is None
    assert sniper_name("arg:stage4_unit1_offset_weight") == "layer4.0.conv2.conv_offset.weight"


@pytest.mark.parametrize(
    "names", [[], ["arg:res2a_branch2a_weight"], [re.sub("^(arg|aux):", "", name) for name in release_names()]]
)
def test_other_files_are_named(names: list[str]) -> None:
    with pytest.raises(KeyMapError, match="No backbone found.*stage1_unit1_conv1_weight"):
        map_sniper_names(names)


@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("position", [0, 5])
@pytest.mark.parametrize(("axis", "shift"), [(0, (1, 0)), (1, (0, 1))])
def test_offset_channels_mean_what_they_mean_in_the_release(group: int, position: int, axis: int, shift: tuple) -> None:
    """MXNet's order is (group, kernel position, then dy and dx): channel (group * 9 + position) * 2 + axis."""
    layer = DeformConv2d(4, 1, 3, padding=1, deform_groups=2)
    layer.weight.data.zero_()
    layer.weight.data[0, 2 * group, position // 3, position % 3] = 1
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    offset = torch.zeros(1, 2 * 9 * 2, 8, 8)
    offset[0, (group * 9 + position) * 2 + axis] = 1
    dy, dx = position // 3 - 1 + shift[0], position % 3 - 1 + shift[1]
    found = layer(x, offset)[0, 0, 2:5, 2:5]
    assert torch.equal(found, x[0, 2 * group, 2 + dy : 5 + dy, 2 + dx : 5 + dx])
