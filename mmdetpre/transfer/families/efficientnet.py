"""EfficientNet, whose blocks have squeeze-and-excitation, and EfficientNet-Lite, whose blocks have none."""

from __future__ import annotations

from math import ceil

from torch import nn

from mmdetpre.transfer.families.family import Family, Form, Shapes
from mmdetpre.transfer.families.inverted_residuals import (
    ANCHOR,
    NAMINGS,
    UNEXPECTED,
    blocks_of,
    options_of,
    squeezed,
)
from mmdetpre.utils.plain_config import PlainConfig

SCALES = {
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8), "b5": (1.6, 2.2),
    "b6": (1.8, 2.6), "b7": (2.0, 3.1), "b8": (2.2, 3.6),
}  # fmt: skip
"""Factors of width and depth."""
LITE_SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2), "lite3": (1.2, 1.4), "lite4": (1.4, 1.8)}
BOTH_SIDES, ONE_SIDE = "pads both sides alike", "pads as TensorFlow does"
PADDING = {
    "torchvision": BOTH_SIDES,
    "timm": "pads both sides alike, or as TensorFlow does if its model is called tf_*",
    "EfficientNet-PyTorch": ONE_SIDE,
    "Hugging Face": ONE_SIDE,
}
REPEATS = (1, 2, 2, 3, 3, 4, 1)
KERNELS = (3, 3, 5, 3, 5, 5, 3)


def _scaled(depth: float, lite: bool) -> tuple[int, ...]:
    """Kernels of the blocks of a variant; a lite one scales neither its first nor its last stage."""
    ends = (0, len(REPEATS) - 1) if lite else ()
    counts = (count if stage in ends else ceil(depth * count) for stage, count in enumerate(REPEATS))
    return tuple(kernel for kernel, count in zip(KERNELS, counts, strict=True) for _ in range(count))


def _width(channels: int, factor: float) -> int:
    rounded = max(8, int(channels * factor + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * factor else rounded


def _variant(blocks: list[tuple[int, int]], scales: dict[str, tuple[float, float]], lite: bool) -> str:
    kernels, last = tuple(kernel for kernel, _ in blocks), blocks[-1][1]
    return next(
        (name for name, (width, depth) in scales.items()
         if kernels == _scaled(depth, lite) and last == _width(320, width)), "",
    )  # fmt: skip


def read_form(shapes: Shapes) -> Form | None:
    """Depth and width; the variant also by the kernels of the blocks."""
    blocks = blocks_of(shapes)
    if blocks is None or not squeezed(shapes):
        return None
    variant = _variant(blocks, SCALES, lite=False)
    return Form("EfficientNet", variant, options_of(shapes, blocks, f"arch={variant or 'that of the file'!r}"))


def read_lite_form(shapes: Shapes) -> Form | None:
    """As `read_form`; without squeeze-and-excitation and with convolutions of 5x5."""
    blocks = blocks_of(shapes)
    if blocks is None or squeezed(shapes) or all(kernel == 3 for kernel, _ in blocks):
        return None
    variant = _variant(blocks, LITE_SCALES, lite=True)
    name = f"model_name='efficientnet_{variant}'" if variant else "model_name to that of the file"
    return Form("EfficientNet-Lite", variant.removeprefix("lite"), options_of(shapes, blocks, name))


def padding_differences(library: str, module: nn.Module) -> dict[str, str]:
    """How the file's network pads convolutions with a stride and how the module does, if that is not the same.

    TensorFlow, and OpenMMLab and timm's ``tf_`` models after it, pad more on one side; the norms of these also have an
    ``eps`` of 1e-3 instead of 1e-5. In OpenMMLab ``conv_cfg=None, norm_cfg=dict(type="BN")`` pads both sides alike.

    Args:
        library: Whose names the file has.
        module: The backbone.
    """
    kinds = {type(part).__name__ for part in module.modules()}
    ours = ONE_SIDE if kinds & {"Conv2dAdaptivePadding", "Conv2dSame"} else BOTH_SIDES
    theirs = PADDING.get(library)
    return {} if theirs in (None, ours) else {"file": str(theirs), "model": ours}


def configs(form: Form) -> dict[str, PlainConfig]:
    """``EfficientNet`` of mmdet and mmpretrain, which pads as TensorFlow does, all weights loaded."""
    if not form.variant:
        return {}
    config = dict(type="mmpretrain.EfficientNet", arch=form.variant, out_indices=(1, 2, 3, 4, 5, 6))
    mmdet = {**config, "type": "mmdet.EfficientNet"}
    return {"mmdet": mmdet, "mmsegmentation": config, "mmpretrain": config}


def lite_configs(form: Form) -> dict[str, PlainConfig]:
    """timm's network in every toolbox: OpenMMLab has none of this family."""
    if not form.variant:
        return {}
    config = dict(type="mmpretrain.TIMMBackbone", model_name=f"tf_efficientnet_lite{form.variant}", features_only=True)
    return dict.fromkeys(("mmdet", "mmsegmentation", "mmpretrain"), config)


EFFICIENTNET = Family(
    name="EfficientNet",
    type="EfficientNet",
    anchor=ANCHOR,
    namings=NAMINGS,
    form=read_form,
    unexpected=UNEXPECTED,
    configs=configs,
    behavior=padding_differences,
)
EFFICIENTNET_LITE = Family(
    name="EfficientNet-Lite",
    type="mmpretrain.TIMMBackbone",
    anchor=ANCHOR,
    namings=(),
    form=read_lite_form,
    unexpected=UNEXPECTED,
    configs=lite_configs,
    behavior=padding_differences,
)
