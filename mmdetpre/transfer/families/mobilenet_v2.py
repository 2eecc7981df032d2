"""MobileNetV2: inverted residuals of 3x3 convolutions, without squeeze-and-excitation."""

from __future__ import annotations

from mmdetpre.transfer.families.family import Family, Form, Shapes
from mmdetpre.transfer.families.inverted_residuals import ANCHOR, UNEXPECTED, blocks_of, options_of, squeezed
from mmdetpre.utils.plain_config import PlainConfig

DEPTH = 17
WIDTH = 320
"""Channels of the last block's output at factor 1."""


def read_form(shapes: Shapes) -> Form | None:
    """Depth and width; the usual depth has a factor of width."""
    blocks = blocks_of(shapes)
    if blocks is None or squeezed(shapes) or any(kernel != 3 for kernel, _ in blocks):
        return None
    factor = blocks[-1][1] / WIDTH
    variant = f"{factor:g}" if len(blocks) == DEPTH else ""
    return Form("MobileNetV2", variant, options_of(shapes, blocks, f"widen_factor={factor:g}"))


def configs(form: Form) -> dict[str, PlainConfig]:
    """The backbone of each toolbox."""
    if not form.variant:
        return {}
    usual = dict(widen_factor=float(form.variant), out_indices=(1, 2, 4, 6))
    own = {"mmdet": "mmdet", "mmsegmentation": "mmseg", "mmpretrain": "mmpretrain"}
    return {toolbox: dict(type=f"{package}.MobileNetV2", **usual) for toolbox, package in own.items()}


MOBILENET_V2 = Family(
    name="MobileNetV2",
    type="MobileNetV2",
    anchor=ANCHOR,
    namings=(),
    form=read_form,
    unexpected=UNEXPECTED,
    configs=configs,
)
