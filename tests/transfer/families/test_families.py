"""Random weights of a network there, through a file, into the backbone here: the same outputs, the same digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmdetpre.transfer import (
    export_backbone,
    load_backbone,
    loaded_digest,
    map_names,
    read_checkpoint,
    weights_digest,
    write_backbone,
)
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.families import FAMILIES
from mmdetpre.transfer.families.family import form_differences
from mmdetpre.transfer.families.swin import _channels_first, _positions_first
from mmdetpre.transfer.key_map import find_prefixes
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.utils.tables import markdown_table

pytest.importorskip("timm")
TOLERANCE = 1e-4
"""Greatest difference of an output, as a part of its greatest value: libraries sum in another order."""


def saved(state: dict[str, Tensor], path: Path) -> Path:
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path)
    return path


@torch.no_grad()
def test_outputs_are_those_of_the_source(pair: tuple[str, str, str], cases: dict, tmp_path: Path) -> None:
    name, library, toolbox = pair
    case = cases[name]
    source, target = case.sources[library](), case.targets[toolbox]()
    target.eval()
    path = saved(source.network.state_dict(), tmp_path / "model.safetensors")
    report = load_backbone(target, path)
    assert report.verdict == "expected" and not report.missing and not report.unexpected, str(report)
    assert report.digest == loaded_digest(target, report)
    image = torch.randn(1, 3, case.side, case.side, generator=torch.Generator().manual_seed(1))
    stages = source.stages(image)
    found = target(image)
    assert len(found) >= len(case.outputs)
    for index, output in zip(case.outputs, found, strict=False):
        wanted = case.after(target, index, stages[index]) if toolbox != "timm" else stages[index]
        assert output.shape == wanted.shape
        assert float((output - wanted).abs().max() / wanted.abs().max()) < TOLERANCE, (index, str(report))


def test_a_round_trip_keeps_the_digest(case_name: str, cases: dict, filled: Callable, tmp_path: Path) -> None:
    """detector -> segmentor -> classifier -> detector: one digest, and not one bit changed.

    A toolbox that has no backbone of the family builds that of another one, by its scope.
    """
    targets = cases[case_name].targets
    any_ = next(iter(targets.values()))

    def build(toolbox: str) -> nn.Module:
        # mmsegmentation's MobileNetV2 ends before the last convolution, which would be lost on the way.
        own = toolbox in targets and (case_name, toolbox) != ("MobileNetV2", "mmseg")
        return targets[toolbox]() if own else any_(toolbox)

    first = filled(build("mmdet"))
    digest = write_backbone(tmp_path / "mmdet.pth", first.state_dict())
    path = tmp_path / "mmdet.pth"
    for toolbox in ("mmseg", "mmpretrain", "mmdet"):
        module = build(toolbox)
        report = load_backbone(module, path)
        assert report.verdict == "complete" and report.digest == digest, str(report)
        path = tmp_path / f"from_{toolbox}.pth"
        assert write_backbone(path, module.state_dict()) == digest
    there = module.state_dict()
    for key, tensor in first.state_dict().items():  # as bytes: 0 and -0 are equal, and are not the same
        assert torch.equal(*(one.reshape(-1).view(torch.uint8) for one in (tensor, there[key]))), key


def test_mmsegmentations_mobilenet_takes_what_it_has(cases: dict, filled: Callable, tmp_path: Path) -> None:
    targets = cases["MobileNetV2"].targets
    write_backbone(tmp_path / "whole.pth", filled(targets["mmdet"]()).state_dict())
    assert load_backbone(targets["mmseg"](), tmp_path / "whole.pth").verdict == "expected"


def test_libraries_agree_on_the_digest(cases: dict, filled: Callable, tmp_path: Path) -> None:
    """A file of timm goes into the backbone of a toolbox, and what is exported there into timm's network again."""
    case, wrapped = cases["ConvNeXt"], cases["ConvNeXt in timm"]
    source = case.sources["timm"]()
    middle, last = case.targets["mmpretrain"](), wrapped.targets["timm"]()
    path = saved(source.network.state_dict(), tmp_path / "timm.safetensors")
    load_backbone(middle, path)
    write_backbone(tmp_path / "middle.pth", middle.state_dict())
    report = load_backbone(last, tmp_path / "middle.pth")
    assert report.digest == load_backbone(wrapped.targets["timm"](), path).digest
    told = export_backbone(tmp_path / "middle.pth", tmp_path / "again.safetensors")
    assert told["digest"] != report.digest  # it has output norms, which timm's stages lack
    write_backbone(tmp_path / "last.pth", last.state_dict())
    names = torch.load(tmp_path / "last.pth")["state_dict"]
    assert "stages_0.blocks.0.gamma" in names  # as timm has them, without the wrapper


OUTPUT_NORMS = ("norm0.", "norm1.", "norm2.")
HUGGING_FACE = {
    "ConvNeXt": [
        ("downsample_layers.0.0.", "embeddings.patch_embeddings."),
        ("downsample_layers.0.1.", "embeddings.layernorm."),
        *((f"downsample_layers.{i}.", f"encoder.stages.{i}.downsampling_layer.") for i in (1, 2, 3)),
        *((f"stages.{i}.", f"encoder.stages.{i}.layers.") for i in range(4)),
        (".gamma", ".layer_scale_parameter"),
        (".depthwise_conv.", ".dwconv."),
        (".norm.", ".layernorm."),
        (".pointwise_conv", ".pwconv"),
        ("norm3.", "layernorm."),
    ],
    "ViT": [
        ("pos_embed", "embeddings.position_embeddings"),
        ("cls_token", "embeddings.cls_token"),
        ("patch_embed.projection.", "embeddings.patch_embeddings.projection."),
        *((f"layers.{i}.ln1.", f"encoder.layer.{i}.layernorm_before.") for i in range(3)),
        *((f"layers.{i}.ln2.", f"encoder.layer.{i}.layernorm_after.") for i in range(3)),
        ("ln1.", "layernorm."),
        *((f"layers.{i}.", f"encoder.layer.{i}.") for i in range(3)),
        (".attn.proj.", ".attention.output.dense."),
        (".ffn.layers.0.0.", ".intermediate.dense."),
        (".ffn.layers.1.", ".output.dense."),
        (".attn.qkv.", ".attention.attention.QKV."),
    ],
    "Swin": [
        ("patch_embed.projection.", "embeddings.patch_embeddings.projection."),
        ("patch_embed.norm.", "embeddings.norm."),
        *((f"stages.{i}.", f"encoder.layers.{i}.") for i in range(4)),
        (".norm1.", ".layernorm_before."),
        (".norm2.", ".layernorm_after."),
        (".attn.w_msa.relative", ".attention.self.relative"),
        (".attn.w_msa.proj.", ".attention.output.dense."),
        (".ffn.layers.0.0.", ".intermediate.dense."),
        (".ffn.layers.1.", ".output.dense."),
        ("norm3.", "layernorm."),
        (".attn.w_msa.qkv.", ".attention.self.QKV."),
    ],
    "DINOv2": [
        ("pos_embed", "embeddings.position_embeddings"),
        ("cls_token", "embeddings.cls_token"),
        ("patch_embed.projection.", "embeddings.patch_embeddings.projection."),
        *((f"layers.{i}.ln{j}.", f"encoder.layer.{i}.norm{j}.") for i in range(3) for j in (1, 2)),
        ("ln1.", "layernorm."),
        *((f"layers.{i}.", f"encoder.layer.{i}.") for i in range(3)),
        (".attn.proj.", ".attention.output.dense."),
        (".ffn.layers.0.0.", ".mlp.fc1."),
        (".ffn.layers.1.", ".mlp.fc2."),
        (".attn.gamma1.weight", ".layer_scale1.lambda1"),
        (".ffn.gamma2.weight", ".layer_scale2.lambda1"),
        (".attn.qkv.", ".attention.attention.QKV."),
    ],
    "ResNet": [
        ("conv1.weight", "embedder.embedder.convolution.weight"),
        ("bn1.", "embedder.embedder.normalization."),
        *((f"layer{i}.", f"encoder.stages.{i - 1}.layers.") for i in (1, 2, 3, 4)),
        *((f".conv{i}.", f".layer.{i - 1}.convolution.") for i in (1, 2)),
        *((f".bn{i}.", f".layer.{i - 1}.normalization.") for i in (1, 2)),
        (".downsample.0.", ".shortcut.convolution."),
        (".downsample.1.", ".shortcut.normalization."),
    ],
    "RegNetX": [
        ("conv1.weight", "embedder.embedder.convolution.weight"),
        *((f"layer{i}.", f"encoder.stages.{i - 1}.layers.") for i in (1, 2, 3, 4)),
        *((f".conv{i}.", f".layer.{i - 1}.convolution.") for i in (1, 2, 3)),
        *((f".bn{i}.", f".layer.{i - 1}.normalization.") for i in (1, 2, 3)),
        (".downsample.0.", ".shortcut.convolution."),
        (".downsample.1.", ".shortcut.normalization."),
        ("bn1.", "embedder.embedder.normalization."),
    ],
    "EfficientNet": [
        ("stem.conv.", "embeddings.convolution."),
        ("stem.bn.", "embeddings.batchnorm."),
        ("last.conv.", "encoder.top_conv."),
        ("last.bn.", "encoder.top_bn."),
        *((f".expand.{part}.", f".expansion.expand_{part}.") for part in ("conv", "bn")),
        (".depthwise.conv.", ".depthwise_conv.depthwise_conv."),
        (".depthwise.bn.", ".depthwise_conv.depthwise_norm."),
        *((f".project.{part}.", f".projection.project_{part}.") for part in ("conv", "bn")),
        (".se.", ".squeeze_excite."),
        ("blocks.", "encoder.blocks."),
    ],
    "MobileNetV2": [
        ("stem.", "conv_stem.first_conv."),
        *((f"blocks.{i}.", f"layer.{i - 1}." if i else "conv_stem.") for i in range(17)),
        ("last.", "conv_1x1."),
        (".expand.", ".expand_1x1."),
        (".depthwise.", ".conv_3x3."),
        (".project.", ".reduce_1x1."),
        (".conv.", ".convolution."),
        (".bn.", ".normalization."),
    ],
}
"""From canonical names to those of transformers 4.57, with which this table was compared once."""
HUGGING_FACE["DINOv2 with a gate (giant)"] = [
    (old, new.replace("fc1", "weights_in").replace("fc2", "weights_out")) for old, new in HUGGING_FACE["DINOv2"]
]


def as_hugging_face(name: str, tensors: dict[str, Tensor], prefix: str, rules: list | None = None) -> dict[str, Tensor]:
    """A backbone as transformers would save it: other names, three projections for one, merged patches in its order."""
    rules = rules or HUGGING_FACE[name]
    result = {}
    for key, tensor in tensors.items():
        if name == "Swin" and ".downsample." in key:
            tensor = _positions_first(tensor, tuple(tensor.shape))
        for old, new in rules:
            if key.startswith(old) if not old.startswith(".") else old in key:
                key = key.replace(old, new, 1)
        if "QKV" in key:
            parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True)
            result |= {prefix + key.replace("QKV", part): value for part, value in parts}
        else:
            result[prefix + key] = tensor
    return result


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_files_of_hugging_face(name: str, cases: dict, filled: Callable, tmp_path: Path) -> None:
    toolbox = "mmpretrain"
    module, target = filled(cases[name].targets[toolbox]()), cases[name].targets[toolbox]()
    state = {
        key: tensor for key, tensor in module.state_dict().items() if not key.startswith(("norm0", "norm1", "norm2"))
    }
    canonical = map_names(state, prefix="").read(state)
    theirs = as_hugging_face(name, state if name in ("ResNet", "RegNetX") else canonical, "model.")
    assert not set(theirs) & set(canonical)
    report = load_backbone(target, saved(theirs | {"classifier.weight": torch.ones(2)}, tmp_path / "hf.safetensors"))
    assert report.verdict == "expected" and "Hugging Face" in report.source_description, str(report)
    assert report.digest == weights_digest(canonical)
    loaded = target.state_dict()
    assert all(torch.equal(tensor, loaded[key]) for key, tensor in state.items())


@pytest.mark.parametrize("theirs", ["the authors", "Hugging Face"])
def test_the_class_token_before_registers(theirs: str, cases: dict, tmp_path: Path) -> None:
    """Authors and Hugging Face give it a position of its own; timm's own converter says what becomes of it."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    source = cases["DINOv2 with registers"].sources["timm"]().network
    random = torch.Generator().manual_seed(2)
    before = torch.randn(1, 17, 128, generator=random), torch.randn(1, 1, 128, generator=random)
    file = {key: value for key, value in source.state_dict().items() if not key.startswith("head.")}
    file = {key.replace("reg_token", "register_tokens"): value for key, value in file.items()}
    file |= {"pos_embed": before[0], "cls_token": before[1], "mask_token": torch.zeros(1, 128)}
    wanted = checkpoint_filter_fn(dict(file), source)
    assert wanted["pos_embed"].shape[1] == 16
    if theirs == "Hugging Face":
        own = map_names(source.state_dict(), prefix="").read(source.state_dict())
        canonical = {key: value for key, value in own.items() if not key.startswith("head.")}
        canonical |= {"pos_embed": before[0], "cls_token": before[1]}
        rules = [*HUGGING_FACE["DINOv2"], ("register_tokens", "embeddings.register_tokens")]
        file = as_hugging_face("DINOv2", canonical, "dinov2_with_registers.", rules)
        file["dinov2_with_registers.embeddings.mask_token"] = torch.zeros(1, 128)
    target = cases["DINOv2 with registers"].targets["timm"]()
    report = load_backbone(target, saved(file, tmp_path / "model.safetensors"))
    assert report.verdict == "expected" and f"names as in {theirs}" in report.source_description, str(report)
    held = target.timm_model.model.state_dict()
    assert all(torch.equal(held[key], value) for key, value in wanted.items() if key in held)
    again = cases["DINOv2 with registers"].targets["timm"]()
    assert load_backbone(again, saved(wanted, tmp_path / "timm.safetensors")).digest == report.digest
    # Into a network with such positions: that of the class token is 0 then, and the function the same.
    names = map_names(file)
    read = names.read(file)
    written = file | {k: v for key in read for k, v in names.write(key, read[key], file).items()}
    assert all(written[key].shape == value.shape for key, value in file.items())
    assert all(torch.equal(value, read[key]) for key, value in names.read(written).items())


def as_detectron2(name: str) -> str:
    """Name of a canonical tensor of a RegNet in detectron2, and in pycls, where it is from."""
    found = re.fullmatch(r"layer(\d)\.(\d+)\.(.*)", name)
    if found is None:
        return f"stem.{name.replace('conv1', 'conv').replace('bn1', 'bn')}"
    rest = re.sub(r"^conv([123])", lambda match: f"f.{'abc'[int(match[1]) - 1]}", found[3])
    rest = re.sub(r"^bn([123])", lambda match: f"f.{'abc'[int(match[1]) - 1]}_bn", rest)
    for old, new in (("downsample.conv", "proj"), ("downsample.bn", "bn"), ("se.fc1", "f.se.f_ex.0"),
                     ("se.fc2", "f.se.f_ex.2")):  # fmt: skip
        rest = rest.replace(old, new)
    return f"s{found[1]}.b{int(found[2]) + 1}.{rest}"


DETECTRON2 = ("ResNet", "Swin", "RegNetX", "RegNetY")


@pytest.mark.parametrize("name", DETECTRON2)
def test_files_of_detectron2(
    name: str, cases: dict, filled: Callable, detectron2_names: Callable, tmp_path: Path
) -> None:
    """Its names are from its sources; of a Swin they are the authors'."""
    toolbox = "timm" if name == "RegNetY" else "mmdet"
    module, target = filled(cases[name].targets[toolbox]()), cases[name].targets[toolbox]()
    state = module.state_dict()
    canonical = map_names(state, prefix="").read(state)
    if name == "ResNet":
        file = dict(zip(detectron2_names(list(state)), state.values(), strict=True))
    elif name == "Swin":
        file = authors_swin(state)
    else:
        file = {as_detectron2(key): tensor for key, tensor in canonical.items()}
    file = {f"backbone.bottom_up.{key}": tensor for key, tensor in file.items()}
    report = load_backbone(target, saved(file | {"roi_heads.x.weight": torch.ones(2)}, tmp_path / "d2.safetensors"))
    assert report.verdict == "expected" and not report.missing and not report.unexpected, str(report)
    assert ("names as in detectron2" in report.source_description) == (name != "Swin")
    assert report.digest == weights_digest(canonical)
    loaded = target.state_dict()
    assert all(torch.equal(tensor, loaded[key]) for key, tensor in state.items())
    # Only of its ResNets is it known how images were prepared.
    assert ("caffe" in report.preprocessing["file"]) == (name == "ResNet")


def authors_swin(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A detector's Swin as its authors name it, with a norm per stage."""
    file = {}
    for key, tensor in state.items():
        tensor = _positions_first(tensor, tuple(tensor.shape)) if ".downsample." in key else tensor
        for old, new in (("stages.", "layers."), ("patch_embed.projection", "patch_embed.proj"), (".w_msa.", "."),
                         (".ffn.layers.0.0.", ".mlp.fc1."), (".ffn.layers.1.", ".mlp.fc2.")):  # fmt: skip
            key = key.replace(old, new)
        file[key] = tensor
    return file


def test_a_vit_of_vitdet_is_told_from_others(cases: dict, tmp_path: Path) -> None:
    """Its relative positions, and the missing class token, are of no ViT of the toolboxes."""
    source = cases["ViT"].sources["timm"]().network
    file = {f"backbone.net.{key}": value for key, value in source.state_dict().items()}
    for key in [key for key in file if re.search(r"\.(head|norm|cls_token)\b", key)]:
        del file[key]
    for block in range(3):
        for side in "hw":
            file[f"backbone.net.blocks.{block}.attn.rel_pos_{side}"] = torch.ones(27, 64)
    path = saved(file | {"backbone.simfp_2.4.weight": torch.ones(2)}, tmp_path / "vitdet.safetensors")
    found = map_names(read_checkpoint(path).tensors)
    assert found.prefix == "backbone.net."
    said = described(found, read_checkpoint(path).tensors)
    assert said.startswith("ViT (depth 3, width 128") and said.endswith("relative positions)")
    report = load_backbone(cases["ViT"].targets["mmpretrain"](), path, policy="warn")
    assert report.verdict == "incomplete"
    assert "wrong relative positions: the file has it, the model none: set type='mmpretrain.ViTSAM'" in str(report)


def test_the_authors_names_of_convnext_and_swin(cases: dict, filled: Callable, tmp_path: Path) -> None:
    for name, renames in (
        ("ConvNeXt", [("depthwise_conv", "dwconv"), ("pointwise_conv", "pwconv"), ("norm3.", "norm.")]),
        ("Swin", [("stages.", "layers."), ("patch_embed.projection", "patch_embed.proj"), (".w_msa.", "."),
                  (".ffn.layers.0.0.", ".mlp.fc1."), (".ffn.layers.1.", ".mlp.fc2."), ("norm3.", "norm.")]),
    ):  # fmt: skip
        module, target = filled(cases[name].targets["mmpretrain"]()), cases[name].targets["mmpretrain"]()
        theirs = {}
        for key, tensor in module.state_dict().items():
            if key.startswith(OUTPUT_NORMS):
                continue
            if name == "Swin" and ".downsample." in key:
                tensor = _positions_first(tensor, tuple(tensor.shape))
            for old, new in renames:
                key = key.replace(old, new)
            theirs[key] = tensor
        report = load_backbone(target, saved(theirs, tmp_path / "model.safetensors"))
        assert report.verdict == "expected", str(report)
        assert report.digest == weights_digest(
            {
                key: tensor
                for key, tensor in module.state_dict().items()
                if not key.startswith(("norm0", "norm1", "norm2"))
            }
        )


def test_the_order_of_merged_patches_turns_back() -> None:
    tensor = torch.arange(24.0).reshape(2, 12)
    assert torch.equal(_positions_first(_channels_first(tensor), (2, 12)), tensor)
    assert not torch.equal(_channels_first(tensor), tensor)


def test_any_network_of_timm_by_equal_names(tmp_path: Path) -> None:
    """Of no known family: the wrapper of OpenMMLab takes timm's file, and the report says how it was compared."""
    import timm

    options = dict(embed_dim=64, depth=1, num_heads=1)
    network = timm.create_model("vit_small_patch16_dinov3", **options)
    path = saved(network.state_dict(), tmp_path / "model.safetensors")
    digests = set()
    for package in ("mmdet", "mmseg", "mmpretrain"):
        config = dict(type="mmpretrain.TIMMBackbone", model_name="vit_small_patch16_dinov3", **options)
        target = build_in_toolbox(package, config)
        report = load_backbone(target, path)
        assert report.verdict == "complete" and "unknown family, compared by equal names" in report.source_description
        write_backbone(tmp_path / f"{package}.pth", target.state_dict())
        digests.add(report.digest)
    assert len(digests) == 1
    assert load_backbone(build_in_toolbox("mmdet", config), tmp_path / "mmseg.pth").digest in digests


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_a_whole_row(family) -> None:
    assert family.name and family.type and family.anchor
    assert family.form({}) is None
    assert all(naming.anchors and naming.library for naming in family.namings)


def test_forms_are_named(cases: dict) -> None:
    found = {}
    for name, case in cases.items():
        module = next(iter(case.targets.values()))()
        state = module.state_dict()
        found[name] = described(map_names(state, prefix=""), state)
    assert found["EfficientNet"] == "EfficientNet-b0" and found["EfficientNet-Lite"] == "EfficientNet-Lite-0"
    assert found["MobileNetV2"] == "MobileNetV2-0.5" and found["RegNetX"] == "RegNetX-800mf"
    assert found["ConvNeXt"] == "ConvNeXt (depth 1 2 1 1, width 4 8 12 16, stem patch 4)"
    assert found["Swin"] == "Swin (depth 1 2 1 1, width 8, heads 1 1 2 2, window 4, patch 4)"
    assert found["DINOv2"].startswith("ViT (depth 3, width 128") and "layer scale" in found["DINOv2"]
    assert found["RegNetY"].startswith("RegNetY (depth 1 3 6 6")


def test_full_sizes_have_their_usual_names() -> None:
    import timm

    with torch.device("meta"):
        for name, wanted in {
            "convnext_small": "ConvNeXt-small",
            "swin_tiny_patch4_window7_224": "Swin-tiny",
            "vit_small_patch14_reg4_dinov2": "ViT-small/14 with 4 registers",
            "tf_efficientnet_b4": "EfficientNet-b4",
            "efficientnet_lite3": "EfficientNet-Lite-3",
            "mobilenetv2_140": "MobileNetV2-1.4",
            "regnetx_016": "RegNetX-1.6gf",
            "resnet50": "ResNet-50",
            "resnext101_64x4d": "ResNet-101, width 256",
            "mobilenetv3_small_050": "unknown family",
            "cait_xxs24_224": "unknown family",
            "edgenext_xx_small": "unknown family",
            "swinv2_tiny_window8_256": "unknown family",
        }.items():
            state = timm.create_model(name).state_dict()
            names = map_names(state) if find_prefixes(state) else map_names(state, prefix="")
            assert described(names, state) == wanted, name


def test_one_setting_is_named_once() -> None:
    from mmdetpre.transfer.families.convnext import read_form

    def form(depth: int, width: int):
        shapes = {f"stages.0.{i}.depthwise_conv.weight": (width, 1, 7, 7) for i in range(depth)}
        return read_form(shapes | {"downsample_layers.0.0.weight": (width, 3, 4, 4)})

    (reason,) = form_differences(form(3, 8), form(2, 4))
    assert reason == (
        "wrong depth and width: the file has 3 and 8, the model 2 and 4: set arch=dict(depths=[3], channels=[8]) in the"
        " model"
    )


def test_stages_that_a_model_leaves_out_are_named(cases: dict, tmp_path: Path) -> None:
    source = cases["ConvNeXt in timm"].sources["timm"]()
    saved(source.network.state_dict(), tmp_path / "model.safetensors")
    size = dict(depths=(1, 2, 1, 1), dims=(4, 8, 12, 16), features_only=True, out_indices=(1,))
    target = build_in_toolbox("mmdet", dict(type="mmpretrain.TIMMBackbone", model_name="convnext_tiny", **size))
    report = load_backbone(target, tmp_path / "model.safetensors", policy="warn")
    assert report.verdict == "incomplete" and not report.missing
    assert "the file has 1 2 1 1 and 4 8 12 16, the model 1 2 and 4 8: set out_indices that reach" in report.reasons[0]


def test_how_efficientnets_pad_is_told(cases: dict, tmp_path: Path) -> None:
    source = cases["EfficientNet, padded on both sides"].sources["torchvision"]()
    path = saved(source.network.state_dict(), tmp_path / "model.safetensors")
    other = load_backbone(cases["EfficientNet"].targets["mmdet"](), path)
    assert other.stages == {"file": "pads both sides alike", "model": "pads as TensorFlow does"}
    same = load_backbone(cases["EfficientNet, padded on both sides"].targets["mmpretrain"](), path)
    assert same.stages == {}


def test_the_page_says_what_was_compared(cases: dict, repository: Path) -> None:
    """The table of families, libraries and toolboxes is that of the cases above."""
    rows = []
    for name, case in cases.items():
        libraries = [library.partition(",")[0] for library in case.sources]
        more = ["Hugging Face"] if name in (*HUGGING_FACE, "DINOv2 with registers") else []
        more += ["detectron2"] if name in DETECTRON2 else []
        toolboxes = ["mmpretrain.TIMMBackbone" if toolbox == "timm" else toolbox for toolbox in case.targets]
        rows.append([name, ", ".join(dict.fromkeys(libraries + more)), ", ".join(toolboxes)])
    table = markdown_table(["family", "from networks of", "into backbones of"], rows, escape=False)
    text = (repository / "docs" / "moving_a_backbone.md").read_text(encoding="utf-8")
    assert table in text, f"docs/moving_a_backbone.md should have\n{table}"


@pytest.mark.parametrize("name", ["ConvNeXt", "Swin"])
def test_a_detectors_backbone_goes_into_a_classifier_and_back(
    name: str, cases: dict, filled: Callable, tmp_path: Path
) -> None:
    """A classifier has the norm of the last stage only."""
    config = dict(type="ConvNeXt", arch=dict(depths=[1, 2, 1, 1], channels=[4, 8, 12, 16]))
    if name == "Swin":
        config = dict(type="SwinTransformer", arch=dict(embed_dims=8, depths=[1, 2, 1, 1], num_heads=[1, 1, 2, 2]))
        config |= dict(window_size=4)
    detector, classifier = filled(cases[name].targets["mmdet"]()), build_in_toolbox("mmpretrain", config)
    state = {f"backbone.{key}": tensor for key, tensor in detector.state_dict().items()}
    torch.save({"state_dict": state | {"rpn_head.bias": torch.ones(2)}}, tmp_path / "detector.pth")
    there = load_backbone(classifier, tmp_path / "detector.pth")
    write_backbone(tmp_path / "classifier.pth", classifier.state_dict())
    back = load_backbone(cases[name].targets["mmdet"](), tmp_path / "classifier.pth")
    assert there.verdict == back.verdict == "expected" and there.digest == back.digest
    assert "norms of outputs that the model does not have" in {rule for _, rule in there.expected}
    assert {key for key, rule in back.expected if "begin as new" in rule} == {
        f"norm{stage}.{part}" for stage in range(3) for part in ("weight", "bias")
    }
