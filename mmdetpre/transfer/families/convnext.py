"""ConvNeXt and ConvNeXt V2: canonical names are those of ``mmpretrain.ConvNeXt``, which all toolboxes build."""

from __future__ import annotations

from mmdetpre.transfer.families.family import (
    MATRIX,
    OUTPUT_NORM,
    UNUSED_NORM,
    VECTOR,
    Family,
    Form,
    Naming,
    Option,
    Shapes,
    depths,
    only,
)
from mmdetpre.utils.plain_config import PlainConfig

VARIANTS: dict[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 6, 2), 40): "atto",
    ((2, 2, 6, 2), 48): "femto",
    ((2, 2, 6, 2), 64): "pico",
    ((2, 2, 8, 2), 80): "nano",
    ((3, 3, 9, 3), 96): "tiny",
    ((3, 3, 27, 3), 96): "small",
    ((3, 3, 27, 3), 128): "base",
    ((3, 3, 27, 3), 192): "large",
    ((3, 3, 27, 3), 256): "xlarge",
    ((3, 3, 27, 3), 352): "huge",
}
INSIDE = r"(gamma$|depthwise_conv\.|norm\.|pointwise_conv[12]\.|grn\.|shortcut\.)"
BLOCK = [
    (r"\.(conv_dw|dwconv)\.", ".depthwise_conv."),
    (r"\.(mlp\.fc|pwconv)([12])\.", r".pointwise_conv\2."),
    (r"\.mlp\.grn\.", ".grn."),
    (r"\.grn\.weight$", ".grn.gamma"),
    (r"\.grn\.bias$", ".grn.beta"),
]
LAYOUTS = ((r"\.pointwise_conv[12]\.weight$", MATRIX), (r"\.(gamma|beta)$", VECTOR))
NAMINGS = (
    Naming("mmpretrain", ("stages.0.0.depthwise_conv.weight",), (), LAYOUTS),
    Naming("ConvNeXt's authors", ("stages.0.0.dwconv.weight",), [*BLOCK, (r"^norm\.", "norm3.")], LAYOUTS),
    *(
        Naming(
            "timm",
            (f"stages{dot}0.blocks.0.conv_dw.weight",),
            [
                (r"^(stem|stages)_(\d)\.", r"\1.\2."),  # features_only
                (r"^stem\.", "downsample_layers.0."),
                (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
                (r"^stages\.(\d)\.blocks\.", r"stages.\1."),
                (r"^(head\.norm|norm_pre|head\.norm_pre)\.", "norm3."),
                *BLOCK,
            ],
            LAYOUTS,
        )
        for dot in "._"
    ),
    Naming(
        "torchvision",
        ("features.1.0.layer_scale", "features.1.0.block.0.weight"),
        [
            (r"^features\.0\.", "downsample_layers.0."),
            *((rf"^features\.{2 * i}\.(\d)\.", rf"downsample_layers.{i}.\1.") for i in (1, 2, 3)),
            *((rf"^features\.{2 * i + 1}\.", f"stages.{i}.") for i in (0, 1, 2, 3)),
            (r"\.layer_scale$", ".gamma"),
            (r"\.block\.0\.", ".depthwise_conv."),
            (r"\.block\.2\.", ".norm."),
            (r"\.block\.3\.", ".pointwise_conv1."),
            (r"\.block\.5\.", ".pointwise_conv2."),
            (r"^classifier\.0\.", "norm3."),
        ],
        LAYOUTS,
    ),
    Naming(
        "Hugging Face",
        ("encoder.stages.0.layers.0.dwconv.weight",),
        [
            (r"^embeddings\.patch_embeddings\.", "downsample_layers.0.0."),
            (r"^embeddings\.layernorm\.", "downsample_layers.0.1."),
            (r"^layernorm\.", "norm3."),
            (r"^hidden_states_norms\.stage(\d)\.", lambda match: f"norm{int(match[1]) - 1}."),
            (r"^encoder\.stages\.(\d)\.downsampling_layer\.", r"downsample_layers.\1."),
            (r"^encoder\.stages\.(\d)\.layers\.", r"stages.\1."),
            (r"\.layer_scale_parameter$", ".gamma"),
            (r"\.layernorm\.", ".norm."),
            *BLOCK,
        ],
        LAYOUTS,
    ),
)  # fmt: skip


def read_form(shapes: Shapes) -> Form | None:
    """Depths and widths; version 2 is known by its response normalization."""
    first = shapes.get("stages.0.0.depthwise_conv.weight")
    if first is None or not only(shapes, r"stages\.\d+\.\d+\.", INSIDE):
        return None
    counts = depths(shapes, r"^stages\.(\d+)\.(\d+)\.depthwise_conv\.weight$")
    widths = tuple(shapes.get(f"stages.{stage}.0.depthwise_conv.weight", first)[0] for stage in range(len(counts)))
    doubled = widths == tuple(widths[0] * 2**stage for stage in range(len(widths)))
    variant = VARIANTS.get((counts, widths[0]), "") if doubled else ""
    arch = f"arch={variant!r}" if variant else f"arch=dict(depths={list(counts)}, channels={list(widths)})"
    second = "stages.0.0.grn.gamma" in shapes
    patch = shapes.get("downsample_layers.0.0.weight", (0, 0, 0, 0))[-1]
    return Form(
        "ConvNeXt V2" if second else "ConvNeXt",
        variant,
        (
            Option("depth", counts, arch),
            Option("width", widths, arch),
            Option("stem patch", patch, f"stem_patch_size={patch}"),
            Option("response normalization", second, "use_grn=True, layer_scale_init_value=0." if second else
                   "use_grn=False, layer_scale_init_value=1e-6"),
        ),
    )  # fmt: skip


def configs(form: Form) -> dict[str, PlainConfig]:
    """``mmpretrain.ConvNeXt`` in every toolbox."""
    config: PlainConfig = dict(
        type="mmpretrain.ConvNeXt",
        arch=dict(depths=list(form["depth"]), channels=list(form["width"])),
        out_indices=tuple(range(len(form["depth"]))),
        stem_patch_size=form["stem patch"],
        gap_before_final_norm=False,
    )
    if form["response normalization"]:
        config |= dict(use_grn=True, layer_scale_init_value=0.0)
    return dict.fromkeys(("mmdet", "mmsegmentation", "mmpretrain"), config)


CONVNEXT = Family(
    name="ConvNeXt",
    type="mmpretrain.ConvNeXt",
    anchor="stages.0.0.depthwise_conv.weight",
    namings=NAMINGS,
    form=read_form,
    missing=[(r"^norm[012]\.", OUTPUT_NORM)],
    unexpected=[(r"^norm[0-3]\.", UNUSED_NORM)],
    configs=configs,
)
