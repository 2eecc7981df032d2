"""Small networks of each family as each library has them, and the backbones of OpenMMLab that take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
import torchvision
from torch import Tensor, nn

try:
    import timm
except ModuleNotFoundError:
    timm = None  # the tests skip themselves
vision = torchvision.models
Stages = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Target:
    """A backbone of a toolbox.

    Attributes:
        package: Of the toolbox.
        config: Of the backbone.
    """

    package: str
    config: dict

    def __call__(self, package: str = "") -> nn.Module:
        """The backbone, also in another toolbox, which knows it by its scope."""
        from mmdetpre.transfer.toolboxes import build_in_toolbox

        config = dict(self.config)
        if package and "." not in config["type"]:
            config["type"] = f"{self.package}.{config['type']}"
        return build_in_toolbox(package or self.package, config)


def at(package: str, **config) -> Target:
    return Target(package, config)


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Values that no initialization gives, of a size that no output explodes or vanishes by."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.dim() == 1 and name.endswith("weight"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.4 + 0.8)
        else:
            scale = 0.1 if tensor.dim() < 2 else 1.5 / tensor[0].numel() ** 0.5
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
    module.eval()  # that of OpenMMLab gives nothing back
    return module


@dataclass(frozen=True)
class Source:
    """A network of another library, and the outputs of its stages."""

    network: nn.Module
    stages: Stages


@dataclass(frozen=True)
class Case:
    """One family, narrow and shallow.

    Attributes:
        sources: Library -> its network.
        targets: Toolbox -> its backbone.
        outputs: Indices of the stages that the targets return.
        side: Of the image.
        after: What the target does to the output of a stage of the source, by index.
    """

    sources: dict[str, Callable[[], Source]]
    targets: dict[str, Target]
    outputs: tuple[int, ...]
    side: int = 64
    after: Callable[[nn.Module, int, Tensor], Tensor] = lambda module, index, output: output


def through(first: Callable[[nn.Module, Tensor], Tensor], parts: Callable[[nn.Module], list[nn.Module]]) -> Callable:
    """Outputs of parts that follow one another."""

    def outputs(network: nn.Module, image: Tensor) -> list[Tensor]:
        found, value = [], first(network, image)
        for part in parts(network):
            value = part(value)
            found.append(value)
        return found

    return outputs


def source(network: nn.Module, outputs: Callable[[nn.Module, Tensor], list[Tensor]]) -> Source:
    fill(network)
    return Source(network, lambda image: outputs(network, image))


def features(network: nn.Module, indices: tuple[int, ...]) -> Source:
    """torchvision's networks whose ``features`` hold everything."""

    def outputs(network: nn.Module, image: Tensor) -> list[Tensor]:
        whole = through(lambda network, image: image, lambda network: list(network.features))(network, image)
        return [whole[index] for index in indices]

    return source(network, outputs)


WIDTHS, DEPTHS = (4, 8, 12, 16), (1, 2, 1, 1)
CONVNEXT = dict(type="mmpretrain.ConvNeXt", arch=dict(depths=list(DEPTHS), channels=list(WIDTHS)),
                out_indices=(0, 1, 2, 3), gap_before_final_norm=False)  # fmt: skip
STAGED = through(lambda network, image: network.stem(image), lambda network: list(network.stages))


def vision_convnext() -> Source:
    config = vision.convnext.CNBlockConfig
    blocks = [config(a, b, d) for a, b, d in zip(WIDTHS, (*WIDTHS[1:], None), DEPTHS, strict=True)]
    return features(vision.ConvNeXt(blocks, num_classes=3), (1, 3, 5, 7))


def small_convnext(name: str = "convnext_tiny", **options) -> Source:
    return source(timm.create_model(name, depths=DEPTHS, dims=WIDTHS, num_classes=3, **options), STAGED)


SWIN = dict(embed_dims=8, depths=list(DEPTHS), num_heads=[1, 1, 2, 2])
SMALL_SWIN = dict(embed_dim=8, depths=DEPTHS, num_heads=(1, 1, 2, 2), window_size=4, img_size=128)


def small_swin() -> Source:
    network = timm.create_model("swin_tiny_patch4_window7_224", num_classes=3, **SMALL_SWIN)
    return source(network, through(lambda one, image: one.patch_embed(image), lambda one: list(one.layers)))


VIT = dict(embed_dims=128, num_layers=3, num_heads=2, feedforward_channels=512)
SMALL_VIT = dict(embed_dim=128, depth=3, num_heads=2, img_size=56, num_classes=3)


def small_vit(name: str, *, normed: bool = True, **options) -> Source:
    def outputs(network: nn.Module, image: Tensor) -> list[Tensor]:
        found, value = [], network.norm_pre(network._pos_embed(network.patch_embed(image)))
        for block in network.blocks:
            value = block(value)
            found.append(value)
        last = network.norm(found[-1]) if normed else found[-1]
        return [as_map(value, network.num_prefix_tokens) for value in (*found[:-1], last)]

    return source(timm.create_model(name, **{**SMALL_VIT, **options}), outputs)


def vision_vit() -> Source:
    def outputs(network: nn.Module, image: Tensor) -> list[Tensor]:
        tokens = network._process_input(image)
        value, found = torch.cat([network.class_token, tokens], 1) + network.encoder.pos_embedding, []
        for block in network.encoder.layers:
            value = block(value)
            found.append(value)
        return [as_map(value) for value in (*found[:-1], network.encoder.ln(found[-1]))]

    return source(vision.VisionTransformer(56, 14, 3, 2, 128, 512, num_classes=3), outputs)


def as_map(tokens: Tensor, others: int = 1) -> Tensor:
    """(1, others + height * width, channels) -> (1, channels, height, width)."""
    return tokens[:, others:].transpose(1, 2).unflatten(2, (4, 4))


def vit(**options) -> Target:
    config = dict(arch=VIT, img_size=56, patch_size=14, out_indices=(0, 1, 2), out_type="featmap") | options
    return at("mmpretrain", type="VisionTransformer", **config)


def mmseg_vit() -> Target:
    return at("mmseg", type="VisionTransformer", img_size=56, patch_size=14, embed_dims=128, num_layers=3,
                 num_heads=2, out_indices=(0, 1, 2), patch_bias=True, norm_cfg=dict(type="LN", eps=1e-6),
                 final_norm=True, interpolate_mode="bicubic")  # fmt: skip


def blocks(name: str) -> Source:
    def first(network: nn.Module, image: Tensor) -> Tensor:
        return network.bn1(network.conv_stem(image))

    return source(timm.create_model(name, num_classes=3), through(first, lambda network: list(network.blocks)))


def regnet(name: str) -> Source:
    def parts(network: nn.Module) -> list[nn.Module]:
        return [network.s1, network.s2, network.s3, network.s4]

    return source(timm.create_model(name, num_classes=3), through(lambda network, image: network.stem(image), parts))


def vision_regnet(name: str) -> Source:
    def parts(network: nn.Module) -> list[nn.Module]:
        return list(network.trunk_output)

    return source(vision.get_model(name, num_classes=3), through(lambda network, image: network.stem(image), parts))


def resnet(network: nn.Module) -> Source:
    def first(network: nn.Module, image: Tensor) -> Tensor:
        return network.maxpool((getattr(network, "act1", None) or network.relu)(network.bn1(network.conv1(image))))

    def parts(network: nn.Module) -> list[nn.Module]:
        return [network.layer1, network.layer2, network.layer3, network.layer4]

    return source(network, through(first, parts))


def wrapped(name: str, **options) -> Target:
    """timm's network as a backbone of OpenMMLab."""
    return at("mmpretrain", type="TIMMBackbone", model_name=name, features_only=True, **options)


def norm(module: nn.Module, index: int, output: Tensor) -> Tensor:
    return getattr(module, f"norm{index}")(output)


def channels_last(module: nn.Module, index: int, output: Tensor) -> Tensor:
    return norm(module, index, output).permute(0, 3, 1, 2)


REGISTERS = "vit_small_patch14_reg4_dinov2"
GATED = dict(embed_dim=192, depth=3, num_heads=3, mlp_ratio=2.66667 * 2)
GATED_VIT = dict(embed_dims=192, num_layers=3, num_heads=3, feedforward_channels=768)
EFFICIENT = dict(type="EfficientNet", arch="b0", out_indices=(1, 2, 3, 4, 5, 6))
SYMMETRIC = dict(conv_cfg=None, norm_cfg=dict(type="BN"))
MOBILE = dict(type="MobileNetV2", widen_factor=0.5, out_indices=tuple(range(7)))
REG = dict(type="RegNet", arch="regnetx_800mf", out_indices=(0, 1, 2, 3))
LAST = (0, 1, 2, 4, 6)
CASES = {
    "ResNet": Case(
        {
            "timm": lambda: resnet(timm.create_model("resnet18", num_classes=3)),
            "torchvision": lambda: resnet(vision.resnet18(num_classes=3)),
        },
        {package: at(package, type="ResNet", depth=18, out_indices=(0, 1, 2, 3))
         for package in ("mmdet", "mmseg", "mmpretrain")} | {"timm": wrapped("resnet18", out_indices=(1, 2, 3, 4))},
        (0, 1, 2, 3),
    ),
    "ConvNeXt": Case(
        {
            "timm": small_convnext,
            "timm, convolutions": lambda: small_convnext(conv_mlp=True),
            "torchvision": vision_convnext,
        },
        {package: at(package, **CONVNEXT) for package in ("mmdet", "mmseg", "mmpretrain")},
        (0, 1, 2, 3),
        after=norm,
    ),
    "ConvNeXt in timm": Case(
        {"timm": small_convnext, "torchvision": vision_convnext},
        {"timm": wrapped("convnext_tiny", depths=DEPTHS, dims=WIDTHS)},
        (0, 1, 2, 3),
    ),
    "ConvNeXt V2": Case(
        {"timm": lambda: small_convnext("convnextv2_atto")},
        {"mmpretrain": at("mmpretrain", **CONVNEXT, use_grn=True, layer_scale_init_value=0.0)},
        (0, 1, 2, 3),
        after=norm,
    ),
    "Swin": Case(
        {
            "timm": small_swin,
            "torchvision": lambda: features(
                vision.SwinTransformer([4, 4], 8, list(DEPTHS), [1, 1, 2, 2], [4, 4], num_classes=3), (1, 3, 5, 7)
            ),
        },
        {
            "mmdet": at("mmdet", type="SwinTransformer", window_size=4, **SWIN),
            "mmseg": at("mmseg", type="SwinTransformer", window_size=4, **SWIN),
            "mmpretrain": at(
                "mmpretrain", type="SwinTransformer", arch=SWIN, window_size=4, out_indices=(0, 1, 2, 3)
            ),
        },
        (0, 1, 2, 3),
        side=128,
        after=channels_last,
    ),
    "Swin in timm": Case(
        {"timm": small_swin}, {"timm": wrapped("swin_tiny_patch4_window7_224", **SMALL_SWIN)}, (0, 1, 2, 3), side=128
    ),
    "ViT": Case(
        {"timm": lambda: small_vit("vit_small_patch16_224", patch_size=14), "torchvision": vision_vit},
        {"mmpretrain": vit(), "mmseg": mmseg_vit()},
        (0, 1, 2),
        side=56,
    ),
    "DINOv2": Case(
        {"timm": lambda: small_vit("vit_small_patch14_dinov2")},
        {"mmpretrain": vit(layer_scale_init_value=1e-5)},
        (0, 1, 2),
        side=56,
    ),
    "DINOv2 with registers": Case(
        {"timm": lambda: small_vit(REGISTERS, normed=False)},
        {"timm": wrapped(REGISTERS, **{**SMALL_VIT, "num_classes": 0})},
        (0, 1, 2),
        side=56,
    ),
    "DINOv2 with a gate (giant)": Case(
        {"timm": lambda: small_vit("vit_giant_patch14_dinov2", **GATED)},
        {"mmpretrain": vit(arch=GATED_VIT, layer_scale_init_value=1e-5, layer_cfgs=dict(ffn_type="swiglu_fused"))},
        (0, 1, 2),
        side=56,
    ),
    "EfficientNet": Case(
        {"timm": lambda: blocks("tf_efficientnet_b0")},
        {package: at(package, **EFFICIENT) for package in ("mmdet", "mmpretrain")}
        | {"timm": wrapped("tf_efficientnet_b0")},
        LAST,
    ),
    "EfficientNet, padded on both sides": Case(
        {
            "timm": lambda: blocks("efficientnet_b0"),
            "torchvision": lambda: features(vision.efficientnet_b0(num_classes=3), tuple(range(1, 8))),
        },
        {"mmpretrain": at("mmpretrain", **EFFICIENT, **SYMMETRIC)},
        LAST,
    ),
    "EfficientNet-Lite": Case(
        {"timm": lambda: blocks("efficientnet_lite0")}, {"timm": wrapped("efficientnet_lite0")}, LAST
    ),
    "MobileNetV2": Case(
        {
            "timm": lambda: blocks("mobilenetv2_050"),
            "torchvision": lambda: features(
                vision.mobilenet_v2(width_mult=0.5, num_classes=3), (1, 3, 6, 10, 13, 16, 17)
            ),
        },
        {package: at(package, **MOBILE) for package in ("mmdet", "mmseg", "mmpretrain")},
        tuple(range(7)),
    ),
    "RegNetX": Case(
        {"timm": lambda: regnet("regnetx_008"), "torchvision": lambda: vision_regnet("regnet_x_800mf")},
        {package: at(package, **REG) for package in ("mmdet", "mmpretrain")},
        (0, 1, 2, 3),
    ),
    "RegNetY": Case(
        {"timm": lambda: regnet("regnety_004"), "torchvision": lambda: vision_regnet("regnet_y_400mf")},
        {"timm": wrapped("regnety_004", out_indices=(1, 2, 3, 4))},
        (0, 1, 2, 3),
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """The cases by name, with the families that are the same but for what the name says."""
    return {name: replace(case) for name, case in CASES.items()}


@pytest.fixture(scope="session")
def filled() -> Callable[..., nn.Module]:
    """Function that gives a network values that no initialization gives."""
    return fill


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``pair``: each library of each family into each toolbox; ``case_name``: each family."""
    if "case_name" in metafunc.fixturenames:
        metafunc.parametrize("case_name", CASES)
    if "pair" in metafunc.fixturenames:
        pairs = [(name, a, b) for name, case in CASES.items() for a in case.sources for b in case.targets]
        metafunc.parametrize("pair", pairs, ids=lambda pair: "-".join(pair))
