"""The matrix of files that are not the right one, for every family; the page has the table that this test computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmdetpre.transfer import BackboneNotLoaded, LoadReport, load_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox
from mmdetpre.utils.tables import markdown_table

pytest.importorskip("timm")
State = dict[str, Tensor]
CONVNEXT = dict(type="ConvNeXt", arch=dict(depths=[1, 2, 1, 1], channels=[4, 8, 12, 16]))
SWIN = dict(type="SwinTransformer", arch=dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]), window_size=4)
VIT = dict(type="VisionTransformer", img_size=32, patch_size=8,
           arch=dict(embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=128))  # fmt: skip
RESNET = dict(type="ResNet", depth=18, base_channels=8, stem_channels=8)
MOBILE = dict(type="MobileNetV2", widen_factor=0.25)
REG = dict(type="RegNet", arch=dict(w0=8, wa=12.0, wm=2.0, group_w=8, depth=6, bot_mul=1.0))
LITE = dict(type="TIMMBackbone", model_name="efficientnet_lite0", features_only=True)
BASE = {
    "ResNet": RESNET,
    "ConvNeXt": CONVNEXT,
    "Swin": SWIN,
    "ViT": VIT,
    "EfficientNet": dict(type="EfficientNet", arch="b0"),
    "EfficientNet-Lite": LITE,
    "MobileNetV2": MOBILE,
    "RegNet": REG,
}
"""The model that each file is loaded into."""


def changed(config: dict, **options) -> dict:
    arch = (
        {**config["arch"], **options.pop("arch")} if isinstance(options.get("arch"), dict) else options.pop("arch", 0)
    )
    return {**config, **({"arch": arch} if arch else {}), **options}


OTHER_FORM: dict[str, dict[str, dict]] = {
    "another depth": {
        "ResNet": changed(RESNET, depth=34),
        "ConvNeXt": changed(CONVNEXT, arch=dict(depths=[1, 1, 1, 1])),
        "Swin": changed(SWIN, arch=dict(depths=[1, 1, 2, 1])),
        "ViT": changed(VIT, arch=dict(num_layers=3)),
        "EfficientNet": dict(type="EfficientNet", arch="b1"),
        "EfficientNet-Lite": changed(LITE, model_name="efficientnet_lite1"),
        "RegNet": changed(REG, arch=dict(depth=7)),
    },
    "another width": {
        "ResNet": changed(RESNET, base_channels=16, stem_channels=16),
        "ConvNeXt": changed(CONVNEXT, arch=dict(channels=[8, 8, 12, 16])),
        "Swin": changed(SWIN, arch=dict(embed_dims=16)),
        "ViT": changed(VIT, arch=dict(embed_dims=128, num_heads=2)),
        "EfficientNet": dict(type="EfficientNet", arch="b2"),
        "EfficientNet-Lite": changed(LITE, model_name="efficientnet_lite2"),
        "MobileNetV2": changed(MOBILE, widen_factor=0.5),
        "RegNet": changed(REG, arch=dict(w0=16, wa=16.0)),
    },
    "another patch": {"ConvNeXt": changed(CONVNEXT, stem_patch_size=2), "ViT": changed(VIT, patch_size=4)},
    "another window": {"Swin": changed(SWIN, window_size=7)},
    "another size of images": {"ViT": changed(VIT, img_size=64)},
    "layer scale": {"ViT": changed(VIT, layer_scale_init_value=1e-5)},
    "another family": {name: RESNET if name != "ResNet" else CONVNEXT for name in BASE},
}
"""Whose weights the file holds, by family; other families have no such thing."""
PREFIX = "teacher.backbone."


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def weights(state: State) -> list[str]:
    return [name for name, tensor in state.items() if tensor.dim() in (2, 4) and tensor.is_floating_point()]


def without_norm(state: State) -> State:
    """Without the scale and shift of one norm within the network."""
    norms = [name for name, tensor in state.items() if tensor.dim() == 1 and name.endswith("weight")]
    lost = norms[len(norms) // 2].rpartition(".")[0]
    return {name: tensor for name, tensor in state.items() if not name.startswith(f"{lost}.")}


def quantized(state: State) -> State:
    name = weights(state)[1]
    return state | {name: (state[name] * 20).to(torch.int8)}


def with_scales(state: State) -> State:
    name = weights(state)[1]
    return state | {name: (state[name] * 20).to(torch.int8), name.removesuffix("weight") + "SCB": torch.ones(3)}


def adapters(state: State) -> State:
    name = weights(state)[1].removesuffix(".weight")
    return {f"base_model.model.{name}.lora_{part}.weight": torch.ones(2, 2) for part in "AB"}


def with_adapters(state: State) -> State:
    name = weights(state)[1].removesuffix(".weight")
    moved = {k.replace(f"{name}.weight", f"{name}.base_layer.weight"): v for k, v in state.items()}
    return moved | {f"{name}.lora_{part}.default.weight": torch.ones(2, 2) for part in "AB"}


def cast(kind: torch.dtype) -> Callable[[State], State]:
    return lambda state: {k: v.to(kind) if v.is_floating_point() else v for k, v in state.items()}


def not_a_number(state: State) -> State:
    name = weights(state)[1]
    return state | {name: torch.full_like(state[name], float("nan"))}


CHANGES: dict[str, Callable[[State], State]] = {
    "the right one": lambda state: state,
    "compiled (`_orig_mod.`)": lambda state: prefixed(state, "_orig_mod."),
    "behind a prefix, with a head": lambda state: prefixed(state, "backbone.") | {"head.fc.weight": torch.ones(2)},
    "fp16": cast(torch.float16),
    "bf16": cast(torch.bfloat16),
    "fp8": cast(torch.float8_e4m3fn),
    "teacher and student": lambda state: prefixed(state, "student.backbone.") | prefixed(state, PREFIX),
    "a norm is missing": without_norm,
    "quantized (int8)": quantized,
    "quantized, with scales": with_scales,
    "LoRA adapters alone": adapters,
    "LoRA adapters beside the weights": with_adapters,
    "NaN": not_a_number,
    "other weights only": lambda state: {"text.embedding.weight": torch.ones(3, 3)},
}
VERDICTS = {
    "the right one": "complete",
    "compiled (`_orig_mod.`)": "complete",
    "in several files with an index": "complete",
    "behind a prefix, with a head": "expected",
    "fp16": "expected",
    "bf16": "expected",
    "fp8": "expected",
    "a norm is missing": "incomplete",
    "another depth": "incomplete",
    "another width": "incomplete",
    "another patch": "incomplete",
    "another window": "incomplete",
    "another size of images": "incomplete",
    "layer scale": "incomplete",
    "another family": "refused",
    "one of several files": "refused",
    "teacher and student": "refused",
    "quantized (int8)": "refused",
    "quantized, with scales": "refused",
    "LoRA adapters alone": "refused",
    "LoRA adapters beside the weights": "refused",
    "NaN": "refused",
    "other weights only": "refused",
    "an empty file": "refused",
    "a folder without weights": "refused",
    "an index without its files": "refused",
}
"""Declared for every family that has such a thing."""


def sharded(state: State, folder: Path, lost: bool = False) -> Path:
    """The weights in two files, and their index."""
    names = list(state)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in halves.items():
        if not (lost and file.startswith("model-00002")):
            save_file({name: state[name].contiguous().clone() for name in part}, folder / file)
    found = {name: file for file, part in halves.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": found}))
    return index


def file_of(fault: str, family: str, state: State, build: Callable[[dict], nn.Module], folder: Path) -> Path:
    """The file of a row of the matrix."""
    if fault == "an empty file":
        (folder / "model.safetensors").write_bytes(b"")
        return folder / "model.safetensors"
    if fault == "a folder without weights":
        (folder / "config.json").write_text("{}")
        return folder
    if fault in ("in several files with an index", "one of several files", "an index without its files"):
        index = sharded(state, folder, lost=fault.startswith("an index"))
        return folder / "model-00001-of-00002.safetensors" if fault.startswith("one of") else index
    state = build(OTHER_FORM[fault][family]).state_dict() if fault in OTHER_FORM else CHANGES[fault](state)
    torch.save(state, folder / "model.pth")
    return folder / "model.pth"


def outcome(module: nn.Module, path: Path, **options) -> LoadReport:
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        return load_backbone(module, path, **options)
    except BackboneNotLoaded as error:
        assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
        assert error.report.reasons and not error.report.digest
        return error.report


def applies(fault: str, family: str) -> bool:
    return fault not in OTHER_FORM or family in OTHER_FORM[fault]


@pytest.fixture(scope="module")
def build(filled: Callable) -> Callable[[dict], nn.Module]:
    return lambda config: filled(build_in_toolbox("mmpretrain", dict(config)))


@pytest.mark.parametrize("family", BASE)
def test_every_fault_ends_in_its_declared_verdict(family: str, build: Callable, tmp_path: Path) -> None:
    state = build(BASE[family]).state_dict()
    module = build_in_toolbox("mmpretrain", dict(BASE[family]))
    for number, fault in enumerate(VERDICTS):
        if not applies(fault, family):
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        report = outcome(module, file_of(fault, family, state, build, folder))
        assert report.verdict == VERDICTS[fault], f"{fault}: {report}"
        if fault in OTHER_FORM:
            word = "wrong family" if fault == "another family" else "wrong "
            assert report.reasons[0].startswith(word) and " set " in report.reasons[0], report.reasons
            assert family.split("-")[0] in report.reasons[0] or fault != "another family"


def test_a_teacher_is_taken_when_it_is_named(build: Callable, tmp_path: Path) -> None:
    for family, config in BASE.items():
        state = build(config).state_dict()
        torch.save(CHANGES["teacher and student"](state), tmp_path / "both.pth")
        report = outcome(build_in_toolbox("mmpretrain", dict(config)), tmp_path / "both.pth", prefix="teacher.backbone")
        assert report.verdict == "expected", (family, str(report))


def test_messages_name_the_one_setting(build: Callable, tmp_path: Path) -> None:
    found = {}
    for fault, families in OTHER_FORM.items():
        for family, config in families.items():
            torch.save(build(config).state_dict(), tmp_path / "model.pth")
            report = outcome(build_in_toolbox("mmpretrain", dict(BASE[family])), tmp_path / "model.pth")
            found[fault, family] = report.reasons[0]
    assert "set window_size=7" in found["another window", "Swin"]
    assert (
        "set patch_size=4" in found["another patch", "ViT"]
        and "stem_patch_size=2" in found["another patch", "ConvNeXt"]
    )
    assert "set img_size=64 (its positions are resized" in found["another size of images", "ViT"]
    assert "set layer_scale_init_value=1e-5" in found["layer scale", "ViT"]
    assert "set arch='b1'" in found["another depth", "EfficientNet"]
    assert "set widen_factor=0.5" in found["another width", "MobileNetV2"]
    assert "depths=[1, 1, 1, 1]" in found["another depth", "ConvNeXt"]
    assert "set model_name='efficientnet_lite1'" in found["another depth", "EfficientNet-Lite"]
    assert "set arch to that of the file" in found["another depth", "RegNet"]
    assert max(map(len, found.values())) < 350, max(found.values(), key=len)
    assert "the file holds a ResNet-18" in found["another family", "Swin"]
    assert (
        "the model is a Swin" in found["another family", "Swin"] and "type='ResNet'" in found["another family", "Swin"]
    )


def test_what_is_altered_is_told(build: Callable, tmp_path: Path) -> None:
    state = build(VIT).state_dict()
    for fault, words in (
        ("LoRA adapters alone", "holds LoRA adapters (2 tensors"),
        ("quantized, with scales", "is quantized (1 tensors of scales"),
        ("quantized (int8)", "not floating-point numbers, the first is"),
        ("other weights only", "No backbone found in the file: a ViT has a tensor"),
        ("teacher and student", "prefix='student.backbone.' or prefix='teacher.backbone.'"),
    ):
        report = outcome(build_in_toolbox("mmpretrain", dict(VIT)), file_of(fault, "ViT", state, build, tmp_path))
        assert words in report.reasons[0], report.reasons


def test_the_page_has_this_matrix(repository: Path) -> None:
    text = (repository / "docs" / "moving_a_backbone.md").read_text(encoding="utf-8")
    rows = [
        [fault, *(verdict if applies(fault, family) else "-" for family in BASE)] for fault, verdict in VERDICTS.items()
    ]
    table = markdown_table(["the file", *BASE], rows, escape=False)
    assert table in text, f"docs/moving_a_backbone.md should have\n{table}"
