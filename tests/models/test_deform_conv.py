from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from mmcv.cnn import build_conv_layer
from mmcv.ops import DeformConv2dPack
from mmengine.registry import init_default_scope

from mmdetpre.models.deform_conv import DeformConv


def layers() -> tuple[DeformConv, DeformConv2dPack]:
    torch.manual_seed(0)
    ours = DeformConv(8, 6, 3, padding=2, dilation=2, deform_groups=2)
    torch.nn.init.normal_(ours.conv_offset.weight, std=0.1)
    theirs = DeformConv2dPack(8, 6, 3, padding=2, dilation=2, deform_groups=2)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_it_is_mmcvs_layer() -> None:
    ours, theirs = layers()
    x = torch.randn(2, 8, 9, 7)
    outputs = [layer(x) for layer in (ours, theirs)]
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    for (name, ours_p), theirs_p in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_p.grad, theirs_p.grad, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("batch", [1, 31, 33, 56, 60, 61, 64, 67])
def test_a_batch_of_any_size_is_the_single_maps_side_by_side(batch: int) -> None:
    ours, theirs = layers()
    x = torch.randn(batch, 8, 5, 4)
    single = copy.deepcopy(theirs)
    expected = torch.cat([single(one) for one in x.split(1)])
    found = ours(x)
    torch.testing.assert_close(found, expected)
    weights = torch.rand_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, ours_p), theirs_p in zip(ours.named_parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(ours_p.grad, theirs_p.grad, rtol=1e-4, atol=1e-4, msg=name)
    if batch > 32 and batch % 32:
        with pytest.raises(AssertionError, match="im2col_step"):
            theirs(x)  # the day this passes, the portions are not needed any more


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (2, 9), (7, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_map_smaller_than_the_kernel(size: tuple[int, int], stride: int, groups: int) -> None:
    torch.manual_seed(0)
    ours = DeformConv(8, 6, 3, padding=2, dilation=2, stride=stride, groups=groups, deform_groups=2)
    torch.nn.init.normal_(ours.conv_offset.weight, std=0.3)
    x = torch.randn(2, 8, *size)
    options = dict(stride=stride, padding=2, dilation=2)
    expected = torchvision.ops.deform_conv2d(x, ours.conv_offset(x), ours.weight, **options)
    torch.testing.assert_close(ours(x), expected)


def test_bfloat16_is_near_float32_and_gives_gradients() -> None:
    ours, theirs = layers()
    x = torch.randn(2, 8, 9, 7)
    expected = copy.deepcopy(ours)(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = ours(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - expected).norm() < 0.02 * expected.norm()
    found.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ours.parameters())
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(RuntimeError, match="BFloat16"):
        theirs(x)  # the day this passes, the layer is not needed any more


def test_channels_last_gives_the_same() -> None:
    ours, _ = layers()
    x = torch.randn(2, 8, 9, 7)
    expected = copy.deepcopy(ours)(x)
    found = ours.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ours.parameters())


def test_a_config_of_any_toolbox_finds_it() -> None:
    for scope in ("mmdet", "mmseg", "mmpretrain"):
        init_default_scope(scope)
        assert type(build_conv_layer(dict(type="mmdetpre.DCN"), 2, 2, 3)) is DeformConv
