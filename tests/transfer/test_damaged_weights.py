"""Damaged checkpoints of every format end with weights or with an error of ours that names the file."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdetpre.checkpoints.newest_whole import damage
from mmdetpre.transfer import CheckpointError, KeyMapError, read_checkpoint, write_backbone
from mmdetpre.transfer.inspect_backbone import describe_checkpoint


def mxnet_params(tensors: dict[str, torch.Tensor]) -> bytes:
    """A .params file as MXNet 1.x writes it."""
    content = struct.pack("<QQQ", 0x112, 0, len(tensors))
    for tensor in tensors.values():
        shape = struct.pack(f"<I{tensor.dim()}q", tensor.dim(), *tensor.shape)
        content += struct.pack("<Ii", 0xF993FAC9, 0) + shape + struct.pack("<iii", 1, 0, 0) + tensor.numpy().tobytes()
    names = [f"arg:{name}".encode() for name in tensors]
    return content + struct.pack("<Q", len(names)) + b"".join(struct.pack("<Q", len(n)) + n for n in names)


def write(path: Path, kind: str, state: dict[str, torch.Tensor]) -> None:
    floats = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    config = "model = dict(data_preprocessor=dict(mean=[1, 2, 3], std=[1, 1, 1]), backbone=dict(type='ResNet'))"
    content = {"state_dict": state, "meta": {"cfg": config, "epoch": 3}}
    if kind in ("zip", "legacy"):
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    elif kind == "safetensors":
        path = path.rename(path.with_suffix(".safetensors")) if path.exists() else path
        write_backbone(path.with_suffix(".safetensors"), state, {"epoch": 3})
    elif kind == "pickle":
        arrays = {name: np.asarray(tensor) for name, tensor in floats.items()}
        path.write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}, protocol=2))
    else:
        path.write_bytes(mxnet_params(floats))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "pickle", "mxnet"])
def test_damaged_files_are_refused_by_name(resnet: Callable, tmp_path: Path, kind: str, hold: Callable) -> None:
    path = tmp_path / ("file.safetensors" if kind == "safetensors" else "file.pth")
    # A part of a ResNet, so that names, numbers and headers are hit as often as weights.
    state = resnet(base_channels=1, stem_channels=1).state_dict()
    write(path, kind, {name: tensor for name, tensor in state.items() if name.startswith(("conv1", "bn1", "layer1.0"))})
    assert read_checkpoint(path).tensors

    def read() -> None:
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError:
            raise
        try:
            describe_checkpoint(path)
        except KeyMapError:  # what is left has no backbone, which the message says
            assert checkpoint.source == str(path)

    hold(read, path, allowed=(CheckpointError,))
    if kind == "zip":
        hold(lambda: damage(path), path)
