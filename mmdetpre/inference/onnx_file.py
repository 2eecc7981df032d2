"""A network as an ONNX file, written only if onnxruntime computes what PyTorch does; a backbone as one."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdetpre.backbones.change import with_chosen_backbone
from mmdetpre.transfer import load_backbone, read_checkpoint
from mmdetpre.transfer.backbone_file import checkpoint_facts
from mmdetpre.transfer.preprocessing import Preprocessing, from_config
from mmdetpre.transfer.share_backbone import without_folders
from mmdetpre.transfer.toolboxes import build_in_toolbox, require_backbone
from mmdetpre.transfer.verify_transfer import output_tensors
from mmdetpre.utils.read_config import ConfigSource, read_config
from mmdetpre.utils.whole_file import whole_file

TOLERANCE = 1e-3
"""Greatest difference between onnxruntime and PyTorch, relative to the largest value of an output."""
Outputs = Sequence[np.ndarray]


class RGBInput(nn.Module):
    """A network that takes RGB images from 0 to 255, as its data preprocessor does before it.

    Args:
        network: The network; its input is normalized.
        preprocessing: How it wants its images; None: BGR, not normalized.

    Example:
        >>> RGBInput(nn.Identity(), Preprocessing((0, 0, 10), (1, 1, 1), "bgr"))(torch.ones(1, 3, 1, 1)).flatten()
        tensor([ 1.,  1., -9.])
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing | None) -> None:
        super().__init__()
        self.network = network
        self.bgr = preprocessing is None or preprocessing.channel_order == "bgr"
        mean, std = (preprocessing.mean, preprocessing.std) if preprocessing else (None, None)
        self.mean, self.std = torch.tensor(mean or [0.0] * 3), torch.tensor(std or [1.0] * 3)

    def forward(self, image: Tensor) -> Any:
        """Outputs of the network for images (N, 3, H, W), float32, RGB, 0 to 255."""
        x = image.flip(1) if self.bgr else image
        return self.network((x - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1))


def export_backbone_onnx(
    config: ConfigSource,
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    size: tuple[int, int],
    *,
    any_size: bool = False,
    prefix: str | None = None,
    entry: str | None = None,
    overwrite: bool = False,
) -> tuple[float, dict[str, tuple[int, ...]]]:
    """Write the backbone of a config, with the weights of a checkpoint, as ONNX.

    The file takes ``image``, (N, 3, H, W) float32 RGB from 0 to 255, and gives ``output_0``, ``output_1``, ...: what
    the backbone gives with the ``out_indices`` of the config. It is compared on noise.

    Args:
        config: Config of any toolbox with ``model.backbone``; it also says mean, deviation and order of channels.
        checkpoint: Path or address of a checkpoint or backbone file.
        path: The file.
        size: Height and width of the one image that it takes.
        any_size: Take any number of images of any size; the exporter comes to no end for Swin.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.
        overwrite: Replace an existing file.

    Returns:
        The largest difference between onnxruntime and PyTorch, relative; name -> shape of the outputs.

    Raises:
        BackboneNotLoaded, CheckpointError: As `mmdetpre.transfer.load_backbone`.
        FileExistsError, OSError, ValueError: As `check_onnx` and `write_onnx`.
        ValueError: If the config has no backbone.
    """
    check_onnx(path, overwrite)
    cfg = with_chosen_backbone(read_config(config))
    backbone = build_in_toolbox(cfg.get("default_scope", "mmengine"), require_backbone(cfg, config))
    read = read_checkpoint(checkpoint, entry)
    preprocessing = from_config(cfg)
    report = load_backbone(backbone, read, prefix, preprocessing=preprocessing)
    module = RGBInput(_Tensors(backbone), preprocessing).eval()
    noise = torch.Generator().manual_seed(0)
    shapes = [(2, 3, *size), (1, 3, 2 * size[0], 2 * size[1])] if any_size else [(1, 3, *size)]
    images = [torch.rand(shape, generator=noise) * 255 for shape in shapes]
    with torch.no_grad():
        outputs = {f"output_{i}": tuple(one.shape) for i, one in enumerate(module(images[0]))}
    metadata = {key: without_folders(str(value)) for key, value in checkpoint_facts(read).items()}
    metadata |= {"digest": report.digest, "preprocessing": json.dumps(preprocessing and preprocessing.to_dict())}
    difference = write_onnx(
        module, images, path, list(outputs), any_size=any_size, metadata=metadata, overwrite=overwrite
    )
    return difference, outputs


def check_onnx(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Find out before a model is loaded what would stop `write_onnx` after it.

    Args:
        path: File to write.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError: If the file is there, and may not be replaced.
        ValueError: If a package is missing; says how to install it.
    """
    for name in ("onnx", "onnxruntime", "onnxscript"):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"{path} needs the package {error.name}, which is not installed: pip install 'mmdetpre[onnx]'."
            ) from error
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or add --overwrite.")


def largest_difference(expected: Outputs, found: Outputs) -> float:
    """Largest difference of any value, by the largest absolute value of its output; infinite where shapes differ.

    Args:
        expected, found: Outputs in the same order.

    Example:
        >>> largest_difference([np.array([1.0, 4.0])], [np.array([1.0, 3.0])])
        0.25
    """
    if [one.shape for one in expected] != [one.shape for one in found]:
        return float("inf")
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12)) for a, b in zip(expected, found, strict=True))


def write_onnx(
    module: nn.Module,
    images: Sequence[Tensor],
    path: str | os.PathLike[str],
    outputs: Sequence[str],
    *,
    any_size: bool = False,
    metadata: Mapping[str, str],
    reference: Callable[[Tensor], Sequence[Tensor]] | None = None,
    difference: Callable[[Outputs, Outputs], float] = largest_difference,
    overwrite: bool = False,
) -> float:
    """Write a network that takes one batch of images, whole or not at all.

    PyTorch's own exporter writes it. Then onnxruntime runs the file on the CPU, and what it computes is compared.

    Args:
        module: Takes images (N, 3, H, W) and gives tensors; in eval mode.
        images: What both compute; the first is what the exporter sees.
        path: The file.
        outputs: Names of the tensors that it gives.
        any_size: Whether number, height and width of the images may vary, else they are those of the first.
        metadata: Texts that the file holds; ``largest_difference`` is added.
        reference: What the outputs are compared with; None: the module itself.
        difference: Of the expected outputs and those of onnxruntime, relative.
        overwrite: Replace an existing file.

    Returns:
        The largest difference.

    Raises:
        FileExistsError, OSError: If the file cannot be written.
        ValueError: If the exporter cannot write the network, or the outputs differ by more than `TOLERANCE`.
    """
    import onnx
    import onnxruntime

    model = _exported(module, images[0], outputs, any_size)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        found = [session.run(None, {"image": image.numpy()}) for image in images]
    except Exception as error:  # of onnxruntime's binary module
        raise ValueError(f"onnxruntime cannot run this network. {_advice(error, any_size)}") from error
    with torch.no_grad():
        expected = [[tensor.numpy() for tensor in (reference or module)(image)] for image in images]
    largest = float(np.max([difference(*pair) for pair in zip(expected, found, strict=True)]))
    if not largest <= TOLERANCE:  # also where one is not a number
        raise ValueError(
            f"onnxruntime and PyTorch differ by {largest:.2g} of the largest value, more than {TOLERANCE:g}:"
            f" {path} is not written."
        )
    onnx.helper.set_model_props(model, {**metadata, "largest_difference": f"{largest:.3g}"})
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(model.SerializeToString())
    return largest


def _exported(module: nn.Module, image: Tensor, outputs: Sequence[str], any_size: bool) -> Any:
    # Captured apart from torch.onnx, inside of which mmdet takes branches that import what mmdet 3 no longer has.
    size = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                module, (image,), dynamic_shapes=({0: size, 2: size, 3: size},) if any_size else None
            )
            written = torch.onnx.export(
                program, (), input_names=["image"], output_names=list(outputs), dynamo=True, verbose=False
            )
    except Exception as error:  # of any operator that the network calls
        raise ValueError(f"PyTorch's exporter cannot write this network. {_advice(error, any_size)}") from error
    assert written is not None
    return written.model_proto


def _advice(error: Exception, any_size: bool) -> str:
    cause = error.__cause__ or error
    line = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    return f"{'Leave out --any-size. ' if any_size else ''}It says: {line}"


class _Tensors(nn.Module):
    """A backbone whose outputs are tensors in one tuple."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(output_tensors(self.backbone(x)))
