"""Weights as other people's programs leave them: wrapped, nested, averaged, of old versions, and of other kinds."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from mmdetpre.transfer import (
    BackboneNotLoaded,
    CheckpointError,
    KeyMapError,
    Preprocessing,
    export_backbone,
    load_backbone,
    map_names,
    read_checkpoint,
)
from mmdetpre.transfer.inspect_backbone import describe_checkpoint
from mmdetpre.transfer.preprocessing import CAFFE, IMAGENET, of_checkpoint

TOOLS = Path(__file__).parents[2] / "tools/model_converters"
CONFIG = """
default_scope = "mmdet"
model = dict(
    type="FCOS",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
                           bgr_to_rgb=True),
    backbone=dict(type="ResNet", depth={depth}, base_channels=8, stem_channels=8, norm_eval=False),
)
"""


def slow(how: str) -> Any:
    """torch.compile takes ten seconds to import what it never uses here."""
    return pytest.param(how, marks=pytest.mark.slow)


class Detector(nn.Module):
    """A model around a backbone, as it is when training wraps it."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone


def wrapped_names(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    """The state with names as FSDP leaves them, which cannot be started on one CPU."""
    result = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if how == "fsdp":  # each block is wrapped, and the whole
            inner = [*parts[:2], "_fsdp_wrapped_module", *parts[2:]] if parts[0].startswith("layer") else parts
            result[".".join(["_fsdp_wrapped_module", "backbone", *inner])] = tensor
        else:  # all at once, and each layer in DataParallel
            inner = [parts[0], "module", *parts[1:]]
            inner = ["_checkpoint_wrapped_module", *inner] if parts[0] == "layer2" else inner
            result[".".join(["module", "_orig_mod", "module", "backbone", "_orig_mod", *inner])] = tensor
    return result


@pytest.mark.parametrize(
    "how", [*map(slow, ("compile", "compile inside")), "recomputed", "parallel", "fsdp", "mixture"]
)
def test_wrapped_weights_are_complete(resnet: Callable, save: Callable, how: str) -> None:
    source, target = resnet(), resnet(seed=1)
    state = source.state_dict()
    assert len(state) == 120
    if how == "compile":
        tensors = torch.compile(Detector(source)).state_dict()
    elif how == "compile inside":
        tensors = Detector(torch.compile(source)).state_dict()
    elif how == "recomputed":
        for stage in range(1, 5):
            layer = getattr(source, f"layer{stage}")
            for i, block in enumerate(layer):
                layer[i] = checkpoint_wrapper(block)
        tensors = dict(Detector(source).named_parameters()) | dict(Detector(source).named_buffers())
        tensors |= {k: v for k, v in nn.Module.state_dict(Detector(source)).items() if "_wrapped" in k}
    elif how == "parallel":
        tensors = nn.DataParallel(Detector(nn.DataParallel(source))).state_dict()
    else:
        tensors = wrapped_names(state, how)
    assert set(tensors) != {f"backbone.{name}" for name in state}
    path = save(tensors)
    report = load_backbone(target, path)
    assert report.verdict == "complete" and len(report.matched) == 120 and not report.unexpected
    assert all(torch.equal(tensor, state[name]) for name, tensor in target.state_dict().items())
    assert "tensors: 120, and 0 outside" in describe_checkpoint(path)


def test_a_prefix_may_name_the_wrappers(resnet: Callable, save: Callable) -> None:
    both = {
        f"_orig_mod.{who}.backbone.{k}": v for who in ("student", "teacher") for k, v in resnet().state_dict().items()
    }
    path = save(both)
    for prefix in ("teacher.backbone", "_orig_mod.teacher.backbone."):
        assert load_backbone(resnet(seed=1), path, prefix).verdict == "expected"


def test_wrapped_weights_through_the_tools(
    resnet: Callable, save: Callable, tmp_path: Path, run_tool_here: Callable
) -> None:
    state = wrapped_names(resnet().state_dict(), "fsdp")
    path = save(state)
    (tmp_path / "config.py").write_text(CONFIG.format(depth=18))
    into = ("--into", tmp_path / "config.py")
    found = run_tool_here(TOOLS / "inspect_backbone.py", path, *into)
    assert found.returncode == 0 and "Backbone: COMPLETE" in found.stdout, found.stdout + found.stderr
    out = tmp_path / "out.pth"
    done = run_tool_here(TOOLS / "import_checkpoint.py", path, out, "--from", "torchvision")
    assert done.returncode == 0 and "Backbone: COMPLETE" in done.stdout, done.stderr
    assert set(read_checkpoint(out).tensors) == set(resnet().state_dict())
    verified = run_tool_here(TOOLS / "verify_transfer.py", path)
    assert verified.returncode == 0 and "Identical in all three" in verified.stdout, verified.stderr


@pytest.mark.parametrize("prefix", ["", "encoder."])
@pytest.mark.parametrize("depth", [18, 50])
def test_a_backbone_in_a_sequence_is_none(resnet: Callable, save: Callable, prefix: str, depth: int) -> None:
    sequence = nn.Sequential(*resnet(depth).children())  # conv1, bn1, relu, maxpool, layer1, ...
    path = save(sequence.state_dict(), prefix)
    with pytest.raises(BackboneNotLoaded) as caught:
        load_backbone(resnet(depth, seed=1), path)
    text = str(caught.value)
    assert "No backbone found" in text and "nn.Sequential" in text and "torch.save(resnet.state_dict(), path)" in text
    with pytest.raises(KeyMapError, match=r"No backbone found.*nn\.Sequential"):
        describe_checkpoint(path)


def test_other_architectures_are_still_found_by_their_names() -> None:
    target = [f"features.{i}.{part}" for i in range(8) for part in ("weight", "bias")]
    assert map_names([f"net.{name}" for name in target[:10]], target=target).prefix == "net."
    with pytest.raises(KeyMapError, match="No backbone found"):
        map_names(["a.features.0.weight", "b.features.0.weight"], target=target)


@pytest.mark.parametrize(
    ("content", "entry"),
    [
        (lambda w: {"model": {"state_dict": w}, "epoch": 3}, "model.state_dict"),
        (lambda w: {"state_dict": {"model": {"state_dict": w}}}, "state_dict.model.state_dict"),
        (lambda w: {"checkpoint": {"model": w, "epoch": 3}}, "checkpoint.model"),
        (lambda w: {"net": w, "epoch": 3}, "net"),
        (
            lambda w: {"ema": {"module": w}, "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}}},
            "ema.module",
        ),
        (lambda w: {"model": w, "model_ema": w}, "model"),
        (lambda w: {"state_dict": w, "state_dict_ema": w}, "state_dict"),
        (lambda w: {"teacher": w, "optimizer": w, "lr_scheduler": w}, "teacher"),
    ],
)
def test_nested_entries(resnet: Callable, tmp_path: Path, content: Callable, entry: str) -> None:
    torch.save(content(resnet().state_dict()), tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert found.entry == entry and len(found.tensors) == 120
    assert load_backbone(resnet(seed=1), tmp_path / "a.pth").verdict == "complete"
    told = export_backbone(tmp_path / "a.pth", tmp_path / "out.pth")
    assert told["entry"] == entry


def test_entries_within_entries_are_chosen_by_their_path(resnet: Callable, tmp_path: Path) -> None:
    teacher, student = resnet(seed=2), resnet(seed=3)
    torch.save({"model": {"teacher": teacher.state_dict(), "student": student.state_dict()}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="entry='model.teacher', of model.teacher, model.student"):
        read_checkpoint(tmp_path / "a.pth")
    target = resnet(seed=1)
    assert load_backbone(target, tmp_path / "a.pth", entry="model.student").verdict == "complete"
    assert torch.equal(target.conv1.weight, student.conv1.weight)
    with pytest.raises(CheckpointError, match="no entry 'model.nobody'; it has model, model.teacher, model.student"):
        read_checkpoint(tmp_path / "a.pth", entry="model.nobody")
    with pytest.raises(CheckpointError, match="no tensors in 'model'. Its own entries with tensors are model.teacher"):
        read_checkpoint(tmp_path / "a.pth", entry="model")


def test_averaged_weights_beside_the_trained_ones_are_said(resnet: Callable, tmp_path: Path) -> None:
    raw, averaged = resnet(seed=2), resnet(seed=3)
    torch.save({"state_dict": raw.state_dict(), "state_dict_ema": averaged.state_dict()}, tmp_path / "a.pth")
    target = resnet(seed=1)
    report = load_backbone(target, tmp_path / "a.pth")
    assert torch.equal(target.conv1.weight, raw.conv1.weight) and "other weights in state_dict_ema" in str(report)
    assert "other entries: state_dict_ema" in describe_checkpoint(tmp_path / "a.pth")
    load_backbone(target, tmp_path / "a.pth", entry="state_dict_ema")
    assert torch.equal(target.conv1.weight, averaged.conv1.weight)


def test_a_mean_teacher_is_two_backbones(resnet: Callable, save: Callable, tmp_path: Path, run_tool_here) -> None:
    names = resnet().state_dict()
    path = save({f"{who}.backbone.{k}": v for who in ("teacher", "student") for k, v in names.items()})
    refused = run_tool_here(TOOLS / "inspect_backbone.py", path)
    assert refused.returncode == 1 and "prefix='student.backbone.' or prefix='teacher.backbone.'" in refused.stderr
    found = run_tool_here(TOOLS / "inspect_backbone.py", path, "--prefix", "teacher.backbone")
    assert found.returncode == 0 and "tensors: 120, and 120 outside" in found.stdout


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def saved(write: Callable[[Any], Any]) -> bytes:
    content = io.BytesIO()
    write(content)
    return content.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


MODULE = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
PTH = saved(lambda file: torch.save(MODULE.state_dict(), file))
ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + bytes(64)
OTHER_KINDS = {
    "TorchScript": (lambda: saved(lambda f: torch.jit.save(torch.jit.script(MODULE), f)), "TorchScript archive"),
    ".pt2": (
        lambda: saved(lambda f: torch.export.save(torch.export.export(MODULE, (torch.ones(1, 3, 2, 2),)), f)),
        "exported program",
    ),
    ".npz": (lambda: saved(lambda f: np.savez(f, a=np.ones(3))), "archive of NumPy arrays (.npz)"),
    ".npy": (lambda: saved(lambda f: np.save(f, np.ones(3))), "one NumPy array"),
    "zipped": (lambda: zipped({"run/epoch_12.pth": PTH}), "zip archive with run/epoch_12.pth inside: unpack it"),
    "zip of photos": (
        lambda: zipped({"a/1.jpg": b"", "a/2.jpg": b""}),
        "zip archive of a/1.jpg, a/2.jpg, and no check",
    ),
    "Keras": (lambda: zipped({"config.json": b"{}", "model.weights.h5": b""}), "a Keras model"),
    "tar": (lambda: tarred("epoch_12.pth", PTH), "tar archive"),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(40), "gzip archive"),
    "ONNX": (lambda: ONNX, "ONNX model"),
    "h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5 file, as Keras and TensorFlow"),
    "TFLite": (lambda: b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite"),
    "LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "pointer of Git LFS"),
    "page": (lambda: b"\n<!DOCTYPE html><html>404</html>", "a web page"),
    "index": (lambda: json.dumps({"metadata": {}, "weight_map": {}}).encode(), "index of weights in several files"),
    "empty": (lambda: b"", "it is empty"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_files_are_called_what_they_are(tmp_path: Path, kind: str) -> None:
    make, words = OTHER_KINDS[kind]
    path = tmp_path / "file.pth"
    path.write_bytes(make())
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "damaged" not in str(caught.value)


def test_other_files_through_the_tools(tmp_path: Path, run_tool_here: Callable) -> None:
    path = tmp_path / "script.pt"
    path.write_bytes(OTHER_KINDS["TorchScript"][0]())
    for tool, more in (("inspect_backbone", ()), ("import_checkpoint", (tmp_path / "a.pth",)), ("verify_transfer", ())):
        found = run_tool_here(TOOLS / f"{tool}.py", path, *more)
        assert found.returncode == 1 and "TorchScript" in found.stderr and found.stderr.count("\n") == 1, tool


CAFFE_2X = """
img_norm_cfg = dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], to_rgb=False)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    {normalize},
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels']),
]
data = dict(train=dict(type='RepeatDataset', times=3, dataset=dict(type='CocoDataset', ann_file='train.json')))
model = dict(type='FasterRCNN', backbone=dict(type='ResNet', depth=50, norm_cfg=norm_cfg, style='caffe'))
"""
IN_FULL = "dict(type='Normalize', mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], to_rgb=False)"


@pytest.mark.parametrize("normalize", [IN_FULL, "dict(type='Normalize', **img_norm_cfg)", "dict(type='Pad', size=32)"])
def test_preprocessing_of_mmdet_2(
    resnet: Callable, save: Callable, tmp_path: Path, normalize: str, run_tool_here: Callable
) -> None:
    text = CAFFE_2X.format(normalize=normalize)
    meta = {"config": text, "mmdet_version": "2.25.0", "epoch": 12}
    path = save(resnet(50).state_dict(), "backbone.", meta=meta)
    found = of_checkpoint(read_checkpoint(path), "torchvision")
    assert found is not None and found.to_dict() == CAFFE.to_dict()
    usual = Preprocessing(IMAGENET.mean, IMAGENET.std, "rgb", "pytorch")
    with pytest.raises(BackboneNotLoaded) as caught:
        load_backbone(resnet(50, seed=1), path, preprocessing=usual)
    assert caught.value.report.verdict == "refused" and "style: file caffe, model pytorch" in str(caught.value)
    assert load_backbone(resnet(50, seed=1, style="caffe"), path, preprocessing=CAFFE).verdict == "complete"
    (tmp_path / "config.py").write_text(CONFIG.format(depth=50))
    refused = run_tool_here(TOOLS / "inspect_backbone.py", path, "--into", tmp_path / "config.py")
    assert refused.returncode == 1 and "channel order: file bgr, model rgb" in refused.stdout
    told = export_backbone(path, tmp_path / "out.pth")
    assert told["preprocessing"]["style"] == "caffe" and told["mmdet_version"] == "2.25.0"
    assert told["source_dataset"] == "CocoDataset train.json"
    no_import = run_tool_here(TOOLS / "import_checkpoint.py", path, tmp_path / "b.pth")
    assert no_import.returncode == 1 and "is a checkpoint of OpenMMLab, which needs no import" in no_import.stderr


def test_channel_order_of_a_config_before_version_3(save: Callable, resnet: Callable) -> None:
    for text, order in (("", "rgb"), (", to_rgb=True", "rgb"), (", to_rgb=False", "bgr")):
        config = f"data = dict(train=dict(pipeline=[dict(type='Normalize', mean=[1, 2, 3], std=[1, 1, 1]{text})]))"
        found = of_checkpoint(read_checkpoint(save(resnet().state_dict(), meta={"config": config})), "torchvision")
        assert found is not None and found.channel_order == order and found.mean == (1, 2, 3)


def test_a_config_in_a_checkpoint_is_read_and_never_run(save: Callable, resnet: Callable, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    call = f"os.mkdir({str(trap)!r})"
    text = f"import os\nimg_norm_cfg = dict(mean=[1, 2, 3], std=[{call}, 1, 1])\n{call}\n"
    with pytest.raises(BackboneNotLoaded, match="preprocessing in a way that cannot be read"):
        load_backbone(resnet(), save(resnet().state_dict(), meta={"config": text}))
    assert not trap.exists()
