"""Vision Transformers with learned positions, DINO and DINOv2 among them: canonical names are those of mmpretrain."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor

from mmdetpre.transfer.families.family import (
    UNUSED_NORM,
    Family,
    Form,
    Layout,
    Naming,
    Option,
    Rules,
    Shapes,
    depths,
    only,
)
from mmdetpre.utils.plain_config import PlainConfig

VARIANTS = {(12, 192): "tiny", (12, 384): "small", (12, 768): "base", (24, 1024): "large", (32, 1280): "huge"}
VARIANTS |= {(40, 1408): "giant", (40, 1536): "giant"}
ARCHS = {"tiny": "deit-tiny", "small": "deit-small", "giant": "eva-g"}
"""What mmpretrain calls a variant, where that is another name."""
HEAD_WIDTH = 64
"""Channels of a head in all usual variants; no tensor tells it."""
INSIDE = r"ln[12]\.|attn\.(qkv|proj|[qk]_norm|gamma1)\.|attn\.rel_pos_[hw]$|ffn\.(layers|gamma2)\."
MASK = "stands for masked patches in pre-training"
DECODER = "decoder of the pre-training"
FFN = [
    (r"\.mlp\.(fc1|0|linear_1|w12|weights_in)\.", ".ffn.layers.0.0."),
    (r"\.mlp\.(fc2|3|linear_2|w3|weights_out)\.", ".ffn.layers.1."),
]


def _token_with_position(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The position of the class token added to it, as timm has it: registers stand between it and the patches."""
    token, positions = tensors.get("cls_token"), tensors.get("pos_embed")
    if token is None or positions is None or not _has_class_position(positions.shape):
        return tensors
    moved = (token.float() + positions[:, :1].float()).to(token.dtype)
    return {**tensors, "cls_token": moved, "pos_embed": positions[:, 1:]}


def _has_class_position(shape: Sequence[int]) -> bool:
    """Whether one position more than a square of patches is there."""
    return len(shape) == 3 and shape[1] > 1 and isqrt(shape[1] - 1) ** 2 == shape[1] - 1


def _with_class_position(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """That of the class token is 0 where `_token_with_position` has added it to the token."""
    return torch.cat([torch.zeros_like(tensor[:, :1]), tensor], 1) if tensor.shape[1] + 1 == shape[1] else tensor


REGISTERS = ((r"^pos_embed$", Layout(lambda own: own, _with_class_position)),)
TIMM: Rules = [
    (r"^reg_token$", "register_tokens"),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^norm\.", "ln1."),
    (r"^norm_pre\.", "pre_norm."),
    (r"^blocks\.(\d+)\.norm([12])\.", r"layers.\1.ln\2."),
    (r"^blocks\.", "layers."),
    (r"\.ls1\.gamma$", ".attn.gamma1.weight"),
    (r"\.ls2\.gamma$", ".ffn.gamma2.weight"),
    *FFN,
]
HUGGING_FACE: Rules = [
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.", "patch_embed."),
    (r"^embeddings\.", ""),
    (r"^layernorm\.", "ln1."),
    (r"^encoder\.layer\.", "layers."),
    (r"\.(norm1|layernorm_before)\.", ".ln1."),
    (r"\.(norm2|layernorm_after)\.", ".ln2."),
    *((rf"\.attention\.attention\.{part}\.(\w+)$", rf".attn.qkv.\1|{index}")
      for index, part in enumerate(("query", "key", "value"))),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".ffn.layers.0.0."),
    (r"\.output\.dense\.", ".ffn.layers.1."),
    (r"\.layer_scale1\.lambda1$", ".attn.gamma1.weight"),
    (r"\.layer_scale2\.lambda1$", ".ffn.gamma2.weight"),
    *FFN,
]  # fmt: skip
HUGGING_FACE_ANCHORS = ("embeddings.position_embeddings", "encoder.layer.0.attention.attention.query.weight")
NAMINGS = (
    Naming(
        "mmpretrain",
        ("pos_embed", "layers.0.attn.qkv.weight"),
        [(r"\.ffn\.w12\.", ".ffn.layers.0.0."), (r"\.ffn\.w3\.", ".ffn.layers.1.")],
    ),
    Naming(
        "mmseg",
        ("pos_embed", "layers.0.attn.attn.in_proj_weight"),
        [(r"\.attn\.attn\.in_proj_", ".attn.qkv."), (r"\.attn\.attn\.out_proj\.", ".attn.proj.")],
    ),
    Naming(
        "the authors",  # of DINOv2; without registers, their names are timm's
        ("pos_embed", "blocks.0.attn.qkv.weight", "register_tokens"),
        TIMM,
        REGISTERS,
        _token_with_position,
    ),
    Naming("timm", ("pos_embed", "blocks.0.attn.qkv.weight"), TIMM),
    Naming(
        "torchvision",
        ("encoder.pos_embedding", "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"),
        [
            (r"^class_token$", "cls_token"),
            (r"^conv_proj\.", "patch_embed.projection."),
            (r"^encoder\.pos_embedding$", "pos_embed"),
            (r"^encoder\.ln\.", "ln1."),
            (r"^encoder\.layers\.encoder_layer_", "layers."),
            (r"\.ln_([12])\.", r".ln\1."),
            (r"\.self_attention\.in_proj_", ".attn.qkv."),
            (r"\.self_attention\.out_proj\.", ".attn.proj."),
            *FFN,
        ],
    ),
    Naming(
        "Hugging Face",
        (*HUGGING_FACE_ANCHORS, "embeddings.register_tokens"),
        HUGGING_FACE,
        REGISTERS,
        _token_with_position,
    ),
    Naming("Hugging Face", HUGGING_FACE_ANCHORS, HUGGING_FACE),
)


def read_form(shapes: Shapes) -> Form | None:
    """Depth, width, patch, size of the images that its positions are for, layer scale, registers."""
    positions, patches = shapes.get("pos_embed"), shapes.get("patch_embed.projection.weight")
    if positions is None or patches is None or "layers.0.attn.qkv.weight" not in shapes:
        return None
    if not only(shapes, r"layers\.\d+\.", INSIDE):
        return None
    (depth,) = depths({f"layers.0.{name[7:]}": () for name in shapes if name.startswith("layers.")},
                      r"^layers\.(0)\.(\d+)\.ln1\.weight$") or (0,)  # fmt: skip
    width, patch = patches[0], patches[-1]
    token = "cls_token" in shapes
    registers = shapes.get("register_tokens", (0, 0, 0))[1]
    extra = next((count for count in (0, 1, 2) if isqrt(positions[1] - count) ** 2 == positions[1] - count), 0)
    side = (positions[1] if len(positions) == 4 else isqrt(positions[1] - extra)) * patch
    relative = any(name.endswith("attn.rel_pos_h") for name in shapes)
    scaled = "layers.0.attn.gamma1.weight" in shapes
    hidden = shapes.get("layers.0.ffn.layers.0.0.weight", (0, 0))[0]
    gated = hidden == 2 * shapes.get("layers.0.ffn.layers.1.weight", (0, 0))[-1]
    variant = VARIANTS.get((depth, width), "")
    size = f"embed_dims={width}, num_layers={depth}, num_heads={max(1, width // HEAD_WIDTH)}"
    size += f", feedforward_channels={_channels(hidden, gated)}"
    arch = f"arch={ARCHS.get(variant, variant)!r}" if variant else f"arch=dict({size})"
    size_and_patch = f"{variant}/{patch}{f' with {registers} registers' if registers else ''}"
    return Form(
        "ViT",
        size_and_patch if variant else "",
        (
            Option("depth", depth, arch),
            Option("width", width, arch),
            Option("hidden width", hidden, arch),
            Option("patch", patch, f"patch_size={patch}"),
            Option("image size", side, f"img_size={side} (its positions are resized to every image as it runs)"),
            Option("layer scale", scaled, "layer_scale_init_value=1e-5 (of mmpretrain.VisionTransformer)" if scaled else
                   "layer_scale_init_value=0."),
            Option("gate", gated, "layer_cfgs=dict(ffn_type='swiglu_fused')" if gated else "no ffn_type in layer_cfgs"),
            Option("relative positions", relative, "type to a ViT with them, or to one without" if not relative else
                   "type='mmpretrain.ViTSAM' (no other ViT has relative positions)"),
            Option("class token", token, "out_type and with_cls_token as in the file"),
            Option("registers", registers, "type='mmpretrain.TIMMBackbone' (no other ViT has registers)"),
        ),
    )  # fmt: skip


def _channels(hidden: int, gated: bool) -> int:
    """What mmpretrain calls feedforward_channels: of a gated layer three quarters of its first matrix' rows."""
    return hidden * 3 // 4 if gated else hidden


def configs(form: Form) -> dict[str, PlainConfig]:
    """``mmpretrain.VisionTransformer`` in every toolbox; none with registers or without a class token."""
    if form["registers"] or form["relative positions"] or not form["class token"]:
        return {}
    size = dict(embed_dims=form["width"], num_layers=form["depth"], num_heads=max(1, form["width"] // HEAD_WIDTH))
    config = dict(
        type="mmpretrain.VisionTransformer",
        arch=dict(**size, feedforward_channels=_channels(form["hidden width"], form["gate"])),
        img_size=form["image size"],
        patch_size=form["patch"],
        out_indices=tuple(range(form["depth"])),
        out_type="featmap",
        layer_scale_init_value=1e-5 if form["layer scale"] else 0.0,
        **(dict(layer_cfgs=dict(ffn_type="swiglu_fused")) if form["gate"] else {}),
    )
    return dict.fromkeys(("mmdet", "mmsegmentation", "mmpretrain"), config)


VIT = Family(
    name="ViT",
    type="mmpretrain.VisionTransformer",
    anchor="layers.0.attn.qkv.weight",
    namings=NAMINGS,
    form=read_form,
    unexpected=[(r"^ln1\.", UNUSED_NORM), (r"^mask_token$", MASK), (r"^decoder_", DECODER)],
    configs=configs,
)
