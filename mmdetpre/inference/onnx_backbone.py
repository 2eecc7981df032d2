"""A backbone as an ONNX file: image in, maps of its stages out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmdetpre.backbones.change import with_chosen_backbone
from mmdetpre.inference.onnx_detector import as_input
from mmdetpre.inference.onnx_file import RGBInput, check_onnx, write_onnx
from mmdetpre.transfer import load_backbone, read_checkpoint
from mmdetpre.transfer.backbone_file import checkpoint_facts
from mmdetpre.transfer.preprocessing import from_config
from mmdetpre.transfer.share_backbone import without_folders
from mmdetpre.transfer.verify_transfer import output_tensors
from mmdetpre.utils.read_config import ConfigSource, read_config

SIDES = ("height", "width")
DYNAMIC = {"batch": 0, **dict(zip(SIDES, (2, 3), strict=True))}
"""What may have any size -> its dimension."""


def export_backbone_onnx(
    config: ConfigSource,
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    size: tuple[int, int] = (224, 224),
    *,
    dynamic: Sequence[str] = tuple(DYNAMIC),
    prefix: str | None = None,
    entry: str | None = None,
    image: np.ndarray | None = None,
    overwrite: bool = False,
) -> tuple[float, dict[str, tuple[int, ...]]]:
    """Write the backbone of a config, with the weights of a checkpoint, as ONNX.

    The file takes ``image``, (N, 3, H, W) float32 RGB from 0 to 255, and gives ``output_0``, ``output_1``, ...: what
    the backbone gives with the ``out_indices`` of the config, in eval mode.

    Args:
        config: Config of any toolbox with ``model.backbone``; it also says mean, deviation and order of channels.
        checkpoint: Path or address of a checkpoint or backbone file.
        path: The file.
        size: Height and width of the image that the exporter sees.
        dynamic: Of `DYNAMIC`, what may have any size.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.
        image: (h, w, 3) uint8 RGB, of any size, that is compared as well as noise.
        overwrite: Replace an existing file.

    Returns:
        The largest difference between onnxruntime and PyTorch, relative; name -> shape of the outputs at this size.

    Raises:
        BackboneNotLoaded, CheckpointError: As `mmdetpre.transfer.load_backbone`.
        FileExistsError, OSError: See `mmdetpre.inference.onnx_file.check_onnx`.
        ValueError: If the config has no backbone, or the exporter cannot write it, or the outputs differ.
    """
    check_onnx(path, overwrite)
    cfg = with_chosen_backbone(read_config(config))
    settings = (cfg.get("model") or {}).get("backbone")
    if settings is None:
        raise ValueError(f"{config} has no model.backbone: give the config of a detector, segmentor or classifier.")
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope", "mmengine")):
        backbone: nn.Module = MODELS.build(settings)
    read = read_checkpoint(checkpoint, entry)
    preprocessing = from_config(cfg)
    report = load_backbone(backbone, read, prefix, preprocessing=preprocessing)
    mean, std = (preprocessing.mean, preprocessing.std) if preprocessing else (None, None)
    bgr = preprocessing is None or preprocessing.channel_order == "bgr"
    module = RGBInput(_Tensors(backbone.eval()), mean or (0.0,) * 3, std or (1.0,) * 3, bgr=bgr)
    images = [_noise(2 if "batch" in dynamic else 1, size)]
    if dynamic:  # whether what may have any size may
        grown = (size[0] + 32, size[1] + 64)
        images.append(_noise(1, [grown[i] if name in dynamic else size[i] for i, name in enumerate(SIDES)]))
    if image is not None:
        images.append(as_input(image, size))
    with torch.no_grad():
        shapes = {f"output_{i}": tuple(one.shape) for i, one in enumerate(module(images[0]))}
    metadata = {
        **{key: without_folders(str(value)) for key, value in checkpoint_facts(read).items()},
        "digest": report.digest,
        "input": "image: Nx3xHxW float32, RGB, 0 to 255; normalized inside",
        "preprocessing": json.dumps(preprocessing.to_dict() if preprocessing else None),
    }
    axes = {DYNAMIC[name]: name for name in dynamic}
    difference = write_onnx(module, images, path, list(shapes), dynamic=axes, metadata=metadata, overwrite=overwrite)
    return difference, shapes


class _Tensors(nn.Module):
    """A backbone whose outputs are tensors in one tuple."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Any, ...]:
        return tuple(output_tensors(self.backbone(x)))


def _noise(count: int, size: Sequence[int]) -> Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
