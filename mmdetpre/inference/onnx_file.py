"""A network as an ONNX file, written only if onnxruntime computes what PyTorch does."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdetpre.utils.whole_file import whole_file

TOLERANCE = 1e-3
"""Greatest difference between onnxruntime and PyTorch, relative to the largest value of an output."""
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
Compare = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float]


class RGBInput(nn.Module):
    """A network that takes RGB images from 0 to 255, as its data preprocessor does before it.

    Args:
        network: The network; its input is normalized.
        mean, std: Per channel, in the order that the network sees.
        bgr: Whether the network sees BGR.

    Example:
        >>> RGBInput(nn.Identity(), [0, 0, 10], [1, 1, 1], bgr=True)(torch.ones(1, 3, 1, 1)).flatten().tolist()
        [1.0, 1.0, -9.0]
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float], bgr: bool = False) -> None:
        super().__init__()
        self.network, self.bgr = network, bgr
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor([float(value) for value in mean]).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([float(value) for value in std]).view(-1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Any:
        """Outputs of the network for images (N, 3, H, W), float32, RGB, 0 to 255."""
        return self.network(((image.flip(1) if self.bgr else image) - self.mean) / self.std)


def check_onnx(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Find out before a model is loaded what would stop `write_onnx` after it.

    Args:
        path: File to write.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError: If the file is there, and may not be replaced.
        ValueError: If a package is missing; says how to install it.
    """
    for name in PACKAGES:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"{path} needs the package {error.name}, which is not installed: pip install 'mmdetpre[onnx]'."
            ) from error
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or add --overwrite.")


def write_onnx(
    module: nn.Module,
    images: Sequence[Tensor],
    path: str | os.PathLike[str],
    outputs: Sequence[str],
    *,
    dynamic: Mapping[int, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    compare: Compare | None = None,
    reference: Callable[[Tensor], Sequence[Tensor]] | None = None,
    overwrite: bool = False,
) -> float:
    """Write a network that takes one batch of images, whole or not at all.

    PyTorch's own exporter writes it. Then onnxruntime runs the file on the CPU, and what it computes is compared.

    Args:
        module: Takes images (N, 3, H, W) and gives tensors.
        images: What both compute; the first is what the exporter sees. Others may differ in size where ``dynamic``.
        path: The file.
        outputs: Names of the tensors that it gives.
        dynamic: Dimension of the images -> its name, for those of any size.
        metadata: Texts that the file holds; ``largest_difference`` is added.
        compare: Difference of two lists of outputs, relative; None: the largest of all, by the largest value.
        reference: What the outputs are compared with; None: the module itself.
        overwrite: Replace an existing file.

    Returns:
        The largest difference, relative.

    Raises:
        FileExistsError, OSError: If the file cannot be written.
        ValueError: If the exporter cannot write the network, or the outputs differ by more than `TOLERANCE`.
    """
    import onnx
    import onnxruntime

    model = _exported(module, images[0], outputs, dynamic or {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    differences = []
    for image in images:
        with torch.no_grad():
            expected = [tensor.numpy() for tensor in (reference or module)(image)]
        try:
            found = session.run(None, {"image": image.numpy()})
        except Exception as error:  # of onnxruntime's binary module
            raise ValueError(f"onnxruntime cannot run it on {tuple(image.shape)}: {_first_line(error)}") from error
        differences.append((compare or largest_difference)(expected, found))
    largest = float(np.max(differences))
    if not largest <= TOLERANCE:
        raise ValueError(
            f"onnxruntime and PyTorch differ by {largest:.2g} of the largest value, more than {TOLERANCE:g}:"
            f" {path} is not written."
        )
    told = {**(metadata or {}), "largest_difference": f"{largest:.3g}"}
    onnx.helper.set_model_props(model, told)
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(model.SerializeToString())
    return largest


def largest_difference(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    """Largest difference of any value, by the largest absolute value of its output; infinite where shapes differ.

    Args:
        expected, found: Outputs in the same order.

    Example:
        >>> largest_difference([np.array([1.0, 4.0])], [np.array([1.0, 3.0])])
        0.25
    """
    if [one.shape for one in expected] != [one.shape for one in found]:
        return float("inf")
    pairs = [(a, b) for a, b in zip(expected, found, strict=True) if a.size]
    return float(np.max([np.abs(a - b).max() / max(np.abs(a).max(), 1e-12) for a, b in pairs], initial=0.0))


def _exported(module: nn.Module, image: Tensor, outputs: Sequence[str], dynamic: Mapping[int, str]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (image,),
                input_names=["image"],
                output_names=list(outputs),
                dynamic_shapes=({**dynamic},) if dynamic else None,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        advice = " Leave names out of --dynamic." if dynamic else ""
        raise ValueError(f"PyTorch's exporter cannot write this network: {_first_line(cause)}{advice}") from error
    assert program is not None
    return program.model_proto


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
