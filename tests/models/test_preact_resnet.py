from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn

from mmdetpre.models.mxnet_deform_conv import MXNetDeformConv
from mmdetpre.models.preact_resnet import InputNorm, PreActBottleneck, PreActResNet

DCN = dict(type="DCN", deform_groups=4)
SNIPER = dict(
    base_channels=8,
    out_indices=(2, 3),
    strides=(1, 2, 2, 1),
    dilations=(1, 1, 1, 2),
    dcn=DCN,
    stage_with_dcn=(False, False, False, True),
    frozen_stages=1,
    norm_eval=False,
)


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.2)
    return module


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 60


def by_hand(x: Tensor, state: dict[str, Tensor], name: str, eps: float = 2e-5) -> Tensor:
    """Batch normalisation with stored statistics, written out."""
    mean, variance, scale, shift = (
        state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + eps) * scale + shift


@pytest.mark.parametrize(("project", "stride", "dilation"), [(True, 2, 1), (True, 1, 2), (False, 1, 1), (False, 1, 2)])
def test_a_unit_is_what_its_formula_says(project: bool, stride: int, dilation: int) -> None:
    norm = dict(type="BN", eps=2e-5)
    unit = fill(PreActBottleneck(8 if project else 16, 4, stride, dilation, project, None, norm)).double().eval()
    state = unit.state_dict()
    x = images(2, 8 if project else 16, 9, 10).double()
    active = by_hand(x, state, "bn1").clamp(min=0)
    out = F.conv2d(active, state["conv1.weight"])
    out = F.conv2d(by_hand(out, state, "bn2").clamp(min=0), state["conv2.weight"], None, stride, dilation, dilation)
    out = F.conv2d(by_hand(out, state, "bn3").clamp(min=0), state["conv3.weight"])
    before = x.clone()
    shortcut = F.conv2d(active, state["shortcut.weight"], stride=stride) if project else x
    assert torch.allclose(unit(x), out + shortcut, rtol=1e-12, atol=1e-9)
    assert torch.equal(x, before), "the raw input is the shortcut of later units and must not be rectified in place"


def test_the_net_is_its_parts_in_order_and_its_outputs_are_not_rectified() -> None:
    net = fill(PreActResNet(50, base_channels=4)).double().eval()
    state = net.state_dict()
    x = images(1, 3, 64, 96).double()
    mean, var, bias = (state[f"input_norm.{part}"].view(1, 3, 1, 1) for part in ("running_mean", "running_var", "bias"))
    y = F.conv2d((x - mean) / torch.sqrt(var + 2e-5) + bias, state["conv1.weight"], stride=2, padding=3)
    y = F.max_pool2d(by_hand(y, state, "bn1").clamp(min=0), 3, 2, 1)
    outs = net(x)
    for stage, units in enumerate((3, 4, 6, 3), 1):
        layer = net.get_submodule(f"layer{stage}")
        assert len(layer) == units
        for unit in layer:
            y = unit(y)
        assert torch.allclose(outs[stage - 1], y, rtol=1e-10)
        assert (outs[stage - 1] < 0).any()


def test_shapes_of_the_release() -> None:
    net = PreActResNet(101, **SNIPER)
    c4, c5 = net(images(1, 3, 64, 96))
    assert c4.shape == (1, 128, 4, 6) and c5.shape == (1, 256, 4, 6)
    assert [len(net.get_submodule(f"layer{stage}")) for stage in (1, 2, 3, 4)] == [3, 4, 23, 3]
    assert net.bn1.eps == 2e-5 and net.layer4[2].bn3.momentum == 0.005
    for unit in net.layer4:
        assert unit.conv2.dilation == (2, 2) and unit.conv2.stride == (1, 1) and unit.conv2.deform_groups == 4
        assert unit.conv2.conv_offset.weight.shape == (72, 64, 3, 3) and unit.conv2.conv_offset.dilation == (2, 2)
    assert net.layer4[0].shortcut.stride == (1, 1) and net.layer2[0].shortcut.stride == (2, 2)


def test_every_parameter_that_is_not_frozen_gets_a_gradient() -> None:
    net = fill(PreActResNet(50, **SNIPER | {"frozen_stages": -1})).train()
    sum((out * images(*out.shape)).sum() for out in net(images(2, 3, 64, 64))).backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert without == []


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_stages_keep_parameters_and_statistics(frozen: int) -> None:
    net = fill(PreActResNet(50, **SNIPER | {"frozen_stages": frozen})).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    optimizer = torch.optim.SGD([parameter for parameter in net.parameters() if parameter.requires_grad], lr=0.1)
    sum(out.mean() for out in net(images(2, 3, 64, 64))).backward()
    optimizer.step()
    parts = ("input_norm.", "conv1.", "bn1.", *(f"layer{stage}." for stage in range(1, frozen + 1)))
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not [name for name in changed if name.startswith(parts)]
    assert {"layer3.0.bn2.running_mean", "layer3.0.bn2.weight", "layer4.2.conv2.conv_offset.bias"} <= changed
    assert not any(parameter.requires_grad for name, parameter in net.named_parameters() if name.startswith(parts))


def test_norm_eval_keeps_all_statistics_but_trains_scales() -> None:
    net = fill(PreActResNet(50, **SNIPER | {"norm_eval": True})).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items() if "running" in name}
    net(images(2, 3, 64, 64))[1].sum().backward()
    after = net.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert net.layer4[0].bn1.weight.grad is not None


def test_the_input_norm_has_no_scale_and_fixed_statistics() -> None:
    norm = InputNorm(3, eps=2e-5).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    norm.running_var.fill_(4)
    out = norm(images(2, 3, 8, 8))
    expected = (images(2, 3, 8, 8) - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)) / (4 + 2e-5) ** 0.5
    assert torch.allclose(out, expected, rtol=1e-5, atol=1e-5)
    assert norm.running_mean.tolist() == [1, 2, 3] and [name for name, _ in norm.named_parameters()] == ["bias"]


def test_initialization_leaves_offsets_at_zero_and_files_as_they_are(tmp_path: Path) -> None:
    fresh = PreActResNet(50, **SNIPER)
    fresh.init_weights()
    assert not fresh.layer4[0].conv2.conv_offset.weight.any() and fresh.conv1.weight.std() > 0.01
    source = fill(PreActResNet(50, **SNIPER))
    torch.save({"state_dict": source.state_dict()}, tmp_path / "net.pth")
    for kind in ("Pretrained", "mmdetpre.PretrainedBackbone"):
        init_cfg = dict(type=kind, checkpoint=str(tmp_path / "net.pth"))
        net = PreActResNet(50, **SNIPER, init_cfg=init_cfg)
        net.init_weights()
        loaded = net.state_dict()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in source.state_dict().items())


def test_activation_checkpointing_changes_nothing() -> None:
    plain = fill(PreActResNet(50, base_channels=4)).train()
    saving = fill(PreActResNet(50, base_channels=4, with_cp=True)).train()
    for net in (plain, saving):
        net(images(1, 3, 64, 64))[3].square().sum().backward()
    assert torch.equal(plain.layer1[0].conv1.weight.grad, saving.layer1[0].conv1.weight.grad)


@pytest.mark.parametrize("package", ["mmdet", "mmseg", "mmpretrain"])
def test_all_three_toolboxes_build_it(package: str) -> None:
    registry = import_modules_from_strings(f"{package}.registry").MODELS
    net = registry.build(dict(type="mmdetpre.PreActResNet", depth=50, base_channels=4))
    assert isinstance(net, PreActResNet) and len(net(torch.zeros(2, 3, 32, 32))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(depth=18), "depth=18 is unknown: PreActResNet has depth 50, 101, 152"),
        (dict(depth=50, strides=(1, 2)), "strides has 2 values for num_stages=4"),
        (dict(depth=50, dcn=DCN, stage_with_dcn=(True,)), "stage_with_dcn has 1 values"),
        (dict(depth=50, out_indices=(4,)), r"out_indices=\(4,\) does not fit"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PreActResNet(**{"base_channels": 4, **options})


def test_the_config_fragment_swaps_the_backbone(repository: Path) -> None:
    from mmdet.registry import MODELS

    model = Config.fromfile(repository / "configs/_base_/models/sniper_preact_r101_dcn.py").model
    plain = Config.fromfile(repository / "configs/_base_/models/sniper_r101_dcn.py").model
    assert model.data_preprocessor.mean == [123.68, 116.779, 103.939] and model.data_preprocessor.std == [1.0] * 3
    assert model.data_preprocessor.bgr_to_rgb is True
    assert {key: model[key] for key in plain if key not in ("backbone", "data_preprocessor")} == {
        key: plain[key] for key in plain if key not in ("backbone", "data_preprocessor")
    }
    net = MODELS.build({**model.backbone, "base_channels": 4})
    assert isinstance(net, PreActResNet) and net.depth == 101 and net.feat_dim == 128
    assert all(isinstance(unit.conv2, MXNetDeformConv) for unit in net.layer4)
    assert [out.shape[2] for out in net(torch.zeros(1, 3, 64, 64))] == [4, 4]
