from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from mmdet.models.backbones import ResNet, ResNetV1d
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter

from mmdetpre.models.preact_resnet import PreActResNet
from mmdetpre.transfer import BackboneNotLoaded, CheckpointError, KeyMapError, load_backbone, read_checkpoint
from mmdetpre.transfer.import_backbone import import_backbone
from mmdetpre.transfer.preprocessing import CAFFE, IMAGENET
from mmdetpre.transfer.sniper_names import CLOSING, FIXED_SCALE, HEADS
from mmdetpre.transfer.verify_transfer import all_identical, verify_transfer

STAGES = {f"layer{stage}": str(stage) for stage in (1, 2, 3, 4)}
SNIPER = dict(
    base_channels=8,
    strides=(1, 2, 2, 1),
    dilations=(1, 1, 1, 2),
    dcn=dict(type="DCN", deform_groups=4),
    stage_with_dcn=(False, False, False, True),
)
CONFIG = """
default_scope = "mmdet"
model = dict(
    type="FCOS",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[{mean}], std=[1.0, 1.0, 1.0], bgr_to_rgb=True),
    backbone=dict(type="{kind}", depth=50, base_channels=8, frozen_stages=1),
)
"""


def image(size: int = 64) -> Tensor:
    return torch.randn(1, 3, size, size + 32, generator=torch.Generator().manual_seed(3))


def outputs(module: nn.Module) -> list[Tensor]:
    module.eval()
    with torch.no_grad():
        return list(module(image()))


def equal(module: nn.Module, other: list[Tensor]) -> bool:
    ours = outputs(module)
    return len(ours) == len(other) and all(torch.equal(a, b) for a, b in zip(ours, other, strict=True))


def release_arrays(net: PreActResNet) -> dict[str, np.ndarray]:
    """The arrays that MXNet would have saved for a backbone: names by the release's network definition."""
    arrays = {"arg:bn_data_gamma": np.full(3, 0.25, np.float32)}  # ignored there: fix_gamma
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var"}
    for name, tensor in net.state_dict().items():
        *layer, part = name.split(".")
        if part == "num_batches_tracked":
            continue
        kind = "aux" if part.startswith("running") else "arg"
        if layer[0].startswith("layer"):
            start = f"stage{layer[0][-1]}_unit{int(layer[1]) + 1}_"
            inner = {"shortcut": "sc", "conv_offset": "offset"}.get(layer[-1], layer[-1])
        else:
            start, inner = "", {"input_norm": "bn_data", "conv1": "conv0", "bn1": "bn0"}[layer[0]]
        part = parts[part] if inner.startswith("bn") else part
        arrays[f"{kind}:{start}{inner}_{part}"] = tensor.numpy()
    return arrays


def write_params(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """A .params file, version 2, dense, float32 or float16."""
    with path.open("wb") as file:
        file.write(struct.pack("<QQQ", 0x112, 0, len(arrays)))
        for array in arrays.values():
            file.write(struct.pack(f"<IiI{array.ndim}q", 0xF993FAC9, 0, array.ndim, *array.shape))
            file.write(struct.pack("<iii", 2, 0, {"float32": 0, "float16": 2}[array.dtype.name]) + array.tobytes())
        file.write(struct.pack("<Q", len(arrays)))
        for name in arrays:
            file.write(struct.pack("<Q", len(name)) + name.encode())
    return path


@pytest.fixture
def release(fill: Callable, tmp_path: Path) -> tuple[PreActResNet, Path]:
    """A random backbone of the release's kind, and its .params file with heads."""
    net = fill(PreActResNet(50, **SNIPER))
    heads = {"arg:cls_score_weight": np.zeros((3, 4), np.float32), "arg:bbox_pred_bias_test": np.zeros(4, np.float32)}
    return net, write_params(tmp_path / "SNIPER-0007.params", release_arrays(net) | heads)


def test_the_sniper_release_arrives_to_the_bit(release: tuple, tmp_path: Path) -> None:
    net, path = release
    report, told = import_backbone(path, tmp_path / "out.pth", metadata={"source_dataset": "drawn"})
    assert report.verdict == "expected" and report.loaded and report.target.endswith("deformable in stage 4)")
    assert ("arg:bn_data_gamma", FIXED_SCALE) in report.expected
    assert sum(rule == HEADS for _, rule in report.expected) == 2 and not report.unexpected
    assert told["library"] == "mxnet" and told["source_dataset"] == "drawn"
    assert told["preprocessing"] == dict(
        mean=[123.68, 116.779, 103.939], std=[1.0] * 3, channel_order="rgb", style="pytorch"
    )
    fresh = PreActResNet(50, **SNIPER)
    loaded = load_backbone(fresh, tmp_path / "out.pth")
    assert loaded.verdict == "expected" and loaded.digest == report.digest == told["digest"]
    state = fresh.state_dict()
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(state[name], tensor), name
    assert equal(fresh, outputs(net))
    assert all_identical(verify_transfer(tmp_path / "out.pth"))


def test_half_precision_of_the_release_is_written_as_float32(release: tuple, tmp_path: Path) -> None:
    net, _ = release
    arrays = release_arrays(net)
    halves = {name: array.astype(np.float16) if "stage" in name else array for name, array in arrays.items()}
    report, _ = import_backbone(write_params(tmp_path / "half.params", halves), tmp_path / "out.pth")
    tensors = read_checkpoint(tmp_path / "out.pth").tensors
    assert report.conversions and {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert np.array_equal(tensors["layer3.0.conv1.weight"], halves["arg:stage3_unit1_conv1_weight"].astype(np.float32))


def test_a_release_without_offsets_and_with_its_classifier(fill: Callable, tmp_path: Path) -> None:
    plain = fill(PreActResNet(50, base_channels=8))
    classifier = {"arg:bn1_gamma": np.ones(4, np.float32), "arg:fc1_bias": np.ones(4, np.float32)}
    path = write_params(tmp_path / "resnet-0000.params", release_arrays(plain) | classifier)
    report, _ = import_backbone(path, tmp_path / "out.pth")
    assert sum(rule == CLOSING for _, rule in report.expected) == 2
    fresh = PreActResNet(50, base_channels=8)
    load_backbone(fresh, tmp_path / "out.pth")
    assert equal(fresh, outputs(plain))
    deformable = load_backbone(PreActResNet(50, **SNIPER), tmp_path / "out.pth")
    assert deformable.verdict == "expected" and any("offsets begin at 0" in rule for _, rule in deformable.expected)


def test_pre_and_post_activation_are_never_taken_for_each_other(
    release: tuple, resnet: Callable, save: Callable
) -> None:
    _, path = release
    import_backbone(path, path.with_name("out.pth"))
    with pytest.raises(BackboneNotLoaded, match="wrong kind.*set type='mmdetpre.PreActResNet'"):
        load_backbone(resnet(50), path.with_name("out.pth"))
    with pytest.raises(BackboneNotLoaded, match="wrong kind.*set type='ResNet'"):
        load_backbone(PreActResNet(50, base_channels=8), save(resnet(50).state_dict()))


def damaged(arrays: dict[str, np.ndarray], how: str) -> dict[str, np.ndarray]:
    if how == "unknown":
        return arrays | {"arg:stage9_unit1_conv1_weight": np.ones(2, np.float32)}
    if how == "missing":
        return {name: array for name, array in arrays.items() if name != "arg:stage2_unit2_conv2_weight"}
    if how == "statistics":
        return {name: array for name, array in arrays.items() if not name.startswith("aux:")}
    if how == "shape":
        return arrays | {"arg:stage2_unit2_conv2_weight": np.ones((16, 16, 1, 1), np.float32)}
    return arrays | {"arg:stage2_unit2_bn2_beta": np.full(16, np.nan, np.float32)}


@pytest.mark.parametrize(
    ("how", "verdict", "message"),
    [
        ("unknown", "incomplete", "left over in the file, 1: arg:stage9_unit1_conv1_weight"),
        ("missing", "incomplete", "missing in the file, 1: layer2.1.conv2.weight"),
        ("statistics", "incomplete", "no running_mean and running_var"),
        ("shape", "incomplete", r"layer2.1.conv2.weight \[16, 16, 1, 1\] -> \[16, 16, 3, 3\]"),
        ("nan", "refused", "NaN or infinity.*arg:stage2_unit2_bn2_beta"),
    ],
)
def test_damaged_releases_are_not_written(release: tuple, tmp_path: Path, how: str, verdict: str, message: str) -> None:
    path = write_params(tmp_path / "bad.params", damaged(release_arrays(release[0]), how))
    with pytest.raises(BackboneNotLoaded, match=message) as error:
        import_backbone(path, tmp_path / "out.pth")
    assert error.value.report.verdict == verdict and not (tmp_path / "out.pth").exists()
    if verdict == "incomplete":
        report, _ = import_backbone(path, tmp_path / "out.pth", policy="warn")
        assert report.verdict == "incomplete" and (tmp_path / "out.pth").exists()


def test_a_release_that_is_cut_off(release: tuple, tmp_path: Path) -> None:
    path = release[1]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        CheckpointError, match="SNIPER-0007.params cannot be read as an MXNet .params file: it is cut off"
    ):
        import_backbone(path, tmp_path / "out.pth")


@pytest.mark.parametrize(("depth", "library"), [(18, "torchvision"), (50, "torchvision"), (18, "timm")])
def test_torchvision_computes_the_same_afterwards(fill: Callable, tmp_path: Path, depth: int, library: str) -> None:
    theirs = fill(getattr(torchvision.models, f"resnet{depth}")(num_classes=3))
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    report, told = import_backbone(tmp_path / "theirs.pth", tmp_path / "ours.pth", library)
    assert report.verdict == "expected" and [name for name, _ in report.expected] == ["fc.weight", "fc.bias"]
    assert told["preprocessing"] == IMAGENET.to_dict() and told["library"] == library
    ours = ResNet(depth)
    assert load_backbone(ours, tmp_path / "ours.pth").verdict == "complete"
    assert equal(ours, list(outputs_of(theirs).values()))


def outputs_of(model: nn.Module) -> dict[str, Tensor]:
    model.eval()
    with torch.no_grad():
        return IntermediateLayerGetter(model, STAGES)(image())


def detectron2_name(name: str) -> str:
    """By detectron2's modules: stem.conv1, res2 .. res5, shortcut, and each convolution's norm inside of it."""
    first, *rest = name.split(".")
    if first in ("conv1", "bn1"):
        return f"backbone.bottom_up.stem.conv1.{'norm.' if first == 'bn1' else ''}{rest[0]}"
    unit, layer, *rest = rest
    inner = {"downsample": "shortcut"}.get(layer, f"conv{layer[-1]}")
    norm = layer.startswith("bn") or (layer == "downsample" and rest[0] == "1")
    return f"backbone.bottom_up.res{int(first[-1]) + 1}.{unit}.{inner}.{'norm.' if norm else ''}{rest[-1]}"


@pytest.mark.parametrize("taken_over", [False, True])
def test_detectron2_computes_the_same_afterwards(resnet: Callable, tmp_path: Path, taken_over: bool) -> None:
    style = "pytorch" if taken_over else "caffe"
    source = resnet(50, style=style)
    arrays = {
        detectron2_name(name): tensor.numpy()
        for name, tensor in source.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    arrays["proposal_generator.rpn_head.conv.bias"] = np.zeros(3, np.float32)
    if taken_over:
        arrays["pixel_mean"] = np.array(IMAGENET.mean, np.float32).reshape(3, 1, 1)
        arrays["pixel_std"] = np.array(IMAGENET.std, np.float32).reshape(3, 1, 1)
    (tmp_path / "theirs.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "drawn"}))
    report, told = import_backbone(tmp_path / "theirs.pkl", tmp_path / "ours.pth")
    usual = IMAGENET if taken_over else CAFFE
    assert report.verdict == "expected" and told["library"] == "detectron2"
    assert told["preprocessing"]["mean"] == pytest.approx(usual.mean) and told["preprocessing"]["style"] == style
    assert told["preprocessing"]["channel_order"] == usual.channel_order
    ours = resnet(50, seed=None, style=style)
    load_backbone(ours, tmp_path / "ours.pth")
    assert equal(ours, outputs(source))
    # The file is one of mmdet's: its names are mmdet's own.
    assert set(read_checkpoint(tmp_path / "ours.pth").tensors) <= set(source.state_dict())


def test_timm_with_a_deep_stem_computes_the_same_afterwards(fill: Callable, tmp_path: Path) -> None:
    source = fill(ResNetV1d(depth=50, base_channels=8, stem_channels=8))
    timm = {"fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)}
    for name, tensor in source.state_dict().items():
        stem, index, *rest = name.split(".")
        if stem == "stem":
            name = f"bn1.{rest[0]}" if index == "7" else f"conv1.{index}.{rest[0]}"
        timm[name] = tensor
    torch.save(timm, tmp_path / "resnet50d.pth")
    report, told = import_backbone(tmp_path / "resnet50d.pth", tmp_path / "ours.pth")
    assert told["library"] == "timm" and report.verdict == "expected"
    ours = ResNetV1d(depth=50, base_channels=8, stem_channels=8)
    assert load_backbone(ours, tmp_path / "ours.pth").verdict == "complete"
    assert equal(ours, outputs(source))


def test_into_a_config(release: tuple, tmp_path: Path, fill: Callable) -> None:
    path = write_params(tmp_path / "plain.params", release_arrays(fill(PreActResNet(50, base_channels=8))))
    fits, other, post = (tmp_path / f"{name}.py" for name in ("fits", "other", "post"))
    fits.write_text(CONFIG.format(mean="123.68, 116.779, 103.939", kind="mmdetpre.PreActResNet"))
    other.write_text(CONFIG.format(mean="0, 0, 0", kind="mmdetpre.PreActResNet"))
    post.write_text(CONFIG.format(mean="123.68, 116.779, 103.939", kind="ResNet"))
    report, _ = import_backbone(path, tmp_path / "out.pth", into=fits)
    assert report.verdict == "expected" and "model" in report.preprocessing
    for config, reason in ((other, "other preprocessing: mean"), (post, "wrong kind")):
        with pytest.raises(BackboneNotLoaded, match=reason):
            import_backbone(path, tmp_path / "not.pth", into=config)
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match="has no model.backbone"):
        import_backbone(path, tmp_path / "not.pth", into=tmp_path / "none.py")
    assert not (tmp_path / "not.pth").exists()


def test_a_user_can_say_how_images_were_prepared(resnet: Callable, save: Callable, tmp_path: Path) -> None:
    path = save(resnet().state_dict())
    given = dict(mean=(127.5, 127.5, 127.5), channel_order="bgr")
    _, told = import_backbone(path, tmp_path / "out.pth", "timm", preprocessing=given)
    assert told["preprocessing"] == {**IMAGENET.to_dict(), "mean": [127.5] * 3, "channel_order": "bgr"}


@pytest.mark.parametrize(
    ("library", "error", "message"),
    [
        ("auto", KeyMapError, "--from torchvision or --from timm"),
        ("detectron2", KeyMapError, "is not from detectron2: it is a torch file with names as in torchvision"),
        ("mxnet", KeyMapError, "is not from mxnet.*Use --from torchvision or timm"),
        ("keras", ValueError, "imported from auto, torchvision, timm, huggingface, detectron2, mxnet"),
    ],
)
def test_what_the_names_do_not_tell(
    resnet: Callable, save: Callable, tmp_path: Path, library: str, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        import_backbone(save(resnet().state_dict()), tmp_path / "out.pth", library)
    assert not (tmp_path / "out.pth").exists()


def test_checkpoints_of_openmmlab_need_no_import(resnet: Callable, save: Callable, tmp_path: Path) -> None:
    path = save(resnet().state_dict(), "backbone.", meta={"cfg": "model = dict()"})
    with pytest.raises(KeyMapError, match="needs no import: use export_backbone.py"):
        import_backbone(path, tmp_path / "out.pth")


def test_no_resnet_of_a_usual_depth(resnet: Callable, save: Callable, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in resnet().state_dict().items() if not name.startswith("layer2.1.")}
    with pytest.raises(ValueError, match=r"holds ResNet with \(2, 1, 2, 2\) blocks.*--into CONFIG"):
        import_backbone(save(state), tmp_path / "out.pth", "timm")


def test_an_existing_file_stays(release: tuple, tmp_path: Path) -> None:
    (tmp_path / "out.pth").write_text("mine")
    with pytest.raises(FileExistsError):
        import_backbone(release[1], tmp_path / "out.pth")
    assert (tmp_path / "out.pth").read_text() == "mine"
    import_backbone(release[1], tmp_path / "out.pth", overwrite=True)
    assert read_checkpoint(tmp_path / "out.pth").backbone_metadata["library"] == "mxnet"
    with pytest.raises(ValueError, match="policy='hope'"):
        import_backbone(release[1], tmp_path / "out.pth", policy="hope")


@pytest.mark.parametrize(
    ("name", "architecture", "kind"),
    [
        ("convnext_atto", "ConvNeXt-atto", "mmpretrain.ConvNeXt"),
        ("mobilenetv2_050", "MobileNetV2-0.5", "mmdet.MobileNetV2"),
    ],
)
def test_families_are_imported_without_a_config(tmp_path: Path, name: str, architecture: str, kind: str) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model(name)
    for key, tensor in network.state_dict().items():
        if key.endswith("running_mean"):
            tensor.normal_()
    torch.save(network.state_dict(), tmp_path / "in.pth")
    report, told = import_backbone(tmp_path / "in.pth", tmp_path / "out.pth")
    assert report.verdict == "expected" and report.target == f"{kind} ({architecture})" and told["library"] == "timm"
    written = torch.load(tmp_path / "out.pth")["meta"]["mmdetpre_backbone"]
    assert written["architecture"] == architecture and written["digest"] == told["digest"] == report.digest
    assert written["preprocessing"]["channel_order"] == "rgb"
    assert all_identical(verify_transfer(tmp_path / "out.pth"))
