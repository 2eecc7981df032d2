"""Swin Transformer: canonical names and order are those of OpenMMLab, which all three toolboxes share.

When four patches become one, OpenMMLab takes channels before positions (``nn.Unfold``), the authors, timm, torchvision
and Hugging Face positions before channels; what follows, a norm and a matrix, has its inputs in that order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isqrt

from torch import Tensor

from mmdetpre.transfer.families.family import (
    COMPUTED,
    OUTPUT_NORM,
    UNUSED_NORM,
    Family,
    Form,
    Layout,
    Naming,
    Option,
    Shapes,
    depths,
    renamed,
)
from mmdetpre.utils.plain_config import PlainConfig

TABLE = "attn.w_msa.relative_position_bias_table"
VARIANTS: dict[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 6, 2), 96): "tiny",
    ((2, 2, 18, 2), 96): "small",
    ((2, 2, 18, 2), 128): "base",
    ((2, 2, 18, 2), 192): "large",
}


def _channels_first(own: Tensor) -> Tensor:
    """(..., column of the patch, row, channel) -> (..., channel, row, column)."""
    return own.unflatten(-1, (2, 2, -1)).transpose(-1, -3).flatten(-3)


def _positions_first(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    return tensor.unflatten(-1, (-1, 2, 2)).transpose(-1, -3).reshape(shape)


def _square(own: Tensor) -> Tensor:
    return own.reshape(isqrt(own.numel()), -1)


MERGING = ((r"\.downsample\.(norm\.(weight|bias)|reduction\.weight)$", Layout(_channels_first, _positions_first)),)
INDEX = (r"\.relative_position_index$", Layout(_square, lambda tensor, shape: tensor.reshape(shape)))
ATTENTION = [
    (r"\.attn\.(relative_position_|qkv\.|proj\.)", r".attn.w_msa.\1"),
    (r"\.mlp\.(fc1|0)\.", ".ffn.layers.0.0."),
    (r"\.mlp\.(fc2|3)\.", ".ffn.layers.1."),
]


def _last(names: Sequence[str], pattern: str) -> int:
    """Greatest number of a stage."""
    return max(int(match[1]) for name in names if (match := re.match(pattern, name)))


def _authors(names: Sequence[str]) -> list[str]:
    """The authors merge patches at the end of a stage, and timm did; now it does so at the beginning of the next."""
    names = renamed(names, [(r"^layers_(\d)\.", r"layers.\1.")])  # features_only
    shift = 0 if any(name.startswith("layers.0.downsample.") for name in names) else 1
    return renamed(
        names,
        [
            (r"^layers\.(\d)\.downsample\.", lambda match: f"stages.{int(match[1]) - shift}.downsample."),
            (r"^layers\.", "stages."),
            (r"^patch_embed\.proj\.", "patch_embed.projection."),
            (r"^norm\.", f"norm{_last(names, r'layers[.]([0-9])')}."),
            *ATTENTION,
        ],
    )


def _torchvision(names: Sequence[str]) -> list[str]:
    last = _last(names, r"features\.(\d+)\.\d+\.attn")
    return renamed(
        names,
        [
            (r"^features\.0\.0\.", "patch_embed.projection."),
            (r"^features\.0\.2\.", "patch_embed.norm."),
            (r"^features\.([246])\.", lambda match: f"stages.{int(match[1]) // 2 - 1}.downsample."),
            (r"^features\.([1357])\.", lambda match: f"stages.{int(match[1]) // 2}.blocks."),
            (r"^norm\.", f"norm{last // 2}."),
            *ATTENTION,
        ],
    )


def _hugging_face(names: Sequence[str]) -> list[str]:
    last = _last(names, r"encoder\.layers\.(\d)")
    return renamed(
        names,
        [
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
            (r"^embeddings\.norm\.", "patch_embed.norm."),
            (r"^encoder\.layers\.", "stages."),
            (r"^hidden_states_norms\.stage(\d)\.", lambda match: f"norm{int(match[1]) - 1}."),
            (r"^layernorm\.", f"norm{last}."),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            *((rf"\.attention\.self\.{part}\.(\w+)$", rf".attn.w_msa.qkv.\1|{index}")
              for index, part in enumerate(("query", "key", "value"))),
            (r"\.attention\.self\.relative", ".attn.w_msa.relative"),
            (r"\.attention\.output\.dense\.", ".attn.w_msa.proj."),
            (r"\.intermediate\.dense\.", ".ffn.layers.0.0."),
            (r"\.output\.dense\.", ".ffn.layers.1."),
        ],
    )  # fmt: skip


NAMINGS = (
    Naming("OpenMMLab", (f"stages.0.blocks.0.{TABLE}",)),
    *(Naming("timm", (f"layers{dot}0.blocks.0.attn.relative_position_bias_table",), _authors, MERGING) for dot in "._"),
    Naming("torchvision", ("features.1.0.attn.relative_position_bias_table",), _torchvision, (*MERGING, INDEX)),
    Naming(
        "Hugging Face",
        ("encoder.layers.0.blocks.0.attention.self.relative_position_bias_table",),
        _hugging_face,
        MERGING,
    ),
)


def read_form(shapes: Shapes) -> Form | None:
    """Depths, width, heads per stage, window and patch."""
    first = shapes.get(f"stages.0.blocks.0.{TABLE}")
    if first is None:
        return None
    counts = depths(shapes, r"^stages\.(\d+)\.blocks\.(\d+)\.norm1\.weight$")
    width = shapes.get("stages.0.blocks.0.norm1.weight", (0,))[0]
    heads = tuple(shapes.get(f"stages.{stage}.blocks.0.{TABLE}", first)[1] for stage in range(len(counts)))
    window = (isqrt(first[0]) + 1) // 2
    patch = shapes.get("patch_embed.projection.weight", (0, 0, 0, 0))[-1]
    variant = VARIANTS.get((counts, width), "")
    size = f"embed_dims={width}, depths={list(counts)}, num_heads={list(heads)}"
    arch = f"arch={variant!r} (mmdet, mmseg: {size})" if variant else f"arch=dict({size}) (mmdet, mmseg: {size})"
    return Form(
        "Swin",
        variant,
        (
            Option("depth", counts, arch),
            Option("width", width, arch),
            Option("heads", heads, arch),
            Option("window", window, f"window_size={window}"),
            Option("patch", patch, f"patch_size={patch}"),
        ),
    )


def configs(form: Form) -> dict[str, PlainConfig]:
    """The backbone of each toolbox."""
    size = dict(embed_dims=form["width"], depths=list(form["depth"]), num_heads=list(form["heads"]))
    usual = dict(window_size=form["window"], patch_size=form["patch"], out_indices=tuple(range(len(form["depth"]))))
    own = usual | size | dict(strides=(form["patch"], *[2] * (len(form["depth"]) - 1)))
    return {
        "mmdet": dict(type="mmdet.SwinTransformer", **own),
        "mmsegmentation": dict(type="mmseg.SwinTransformer", **own),
        "mmpretrain": dict(type="mmpretrain.SwinTransformer", arch=size, pad_small_map=True, **usual),
    }


SWIN = Family(
    name="Swin",
    type="SwinTransformer",
    anchor=f"stages.0.blocks.0.{TABLE}",
    namings=NAMINGS,
    form=read_form,
    missing=[(r"^norm[012]\.", OUTPUT_NORM), (r"\.relative_position_index$", COMPUTED)],
    unexpected=[(r"^norm[0-3]\.", UNUSED_NORM), (r"\.(relative_position_index|attn_mask)$", COMPUTED)],
    configs=configs,
)
