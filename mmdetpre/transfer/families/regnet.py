"""RegNetX and RegNetY: canonical names are those of ``mmdet.RegNet``, which is a ResNet by its names."""

from __future__ import annotations

from mmdetpre.transfer.families.family import Family, Form, Naming, Option, Shapes, depths
from mmdetpre.utils.plain_config import PlainConfig

ANCHOR = "layer1.0.conv1.weight"
VARIANTS: dict[tuple[tuple[int, ...], int], str] = {
    ((1, 2, 7, 12), 384): "400mf",
    ((1, 3, 7, 5), 672): "800mf",
    ((2, 4, 10, 2), 912): "1.6gf",
    ((2, 6, 15, 2), 1008): "3.2gf",
    ((2, 5, 14, 2), 1360): "4.0gf",
    ((2, 4, 10, 1), 1624): "6.4gf",
    ((2, 5, 15, 1), 1920): "8.0gf",
    ((2, 5, 11, 1), 2240): "12gf",
}
"""Those of the X kind that OpenMMLab has: depths, and width of the last stage (torchvision's 400mf has 400)."""
PARTS = {"a": 1, "b": 2, "c": 3}
NAMINGS = (
    Naming(
        "timm",
        ("stem.conv.weight", "s1.b1.conv1.conv.weight"),
        [
            (r"^stem\.conv\.", "conv1."),
            (r"^stem\.bn\.", "bn1."),
            (r"^s(\d)\.b(\d+)\.", lambda match: f"layer{match[1]}.{int(match[2]) - 1}."),
            (r"\.conv([123])\.conv\.", r".conv\1."),
            (r"\.conv([123])\.bn\.", r".bn\1."),
        ],
    ),
    Naming(
        "torchvision",
        ("stem.0.weight", "trunk_output.block1.block1-0.f.a.0.weight"),
        [
            (r"^stem\.0\.", "conv1."),
            (r"^stem\.1\.", "bn1."),
            (r"^trunk_output\.block(\d)\.block\d-(\d+)\.", r"layer\1.\2."),
            (r"\.proj\.0\.", ".downsample.conv."),
            (r"\.proj\.1\.", ".downsample.bn."),
            *((rf"\.f\.{part}\.0\.", f".conv{number}.") for part, number in PARTS.items()),
            *((rf"\.f\.{part}\.1\.", f".bn{number}.") for part, number in PARTS.items()),
            (r"\.f\.se\.", ".se."),
        ],
    ),
    Naming(
        "detectron2",  # and pycls, of which it has them
        ("stem.conv.weight", "s1.b1.f.a.weight"),
        [
            (r"^stem\.conv\.", "conv1."),
            (r"^stem\.bn\.", "bn1."),
            (r"^s(\d)\.b(\d+)\.", lambda match: f"layer{match[1]}.{int(match[2]) - 1}."),
            (r"\.proj\.", ".downsample.conv."),
            (r"^(layer\d\.\d+)\.bn\.", r"\1.downsample.bn."),
            *((rf"\.f\.{part}\.", f".conv{number}.") for part, number in PARTS.items()),
            *((rf"\.f\.{part}_bn\.", f".bn{number}.") for part, number in PARTS.items()),
            (r"\.f\.se\.f_ex\.0\.", ".se.fc1."),
            (r"\.f\.se\.f_ex\.2\.", ".se.fc2."),
        ],
    ),
    Naming(
        "Hugging Face",  # of the Y kind; that of the X kind reads as a ResNet
        ("encoder.stages.0.layers.0.layer.2.attention.0.weight", "embedder.embedder.convolution.weight"),
        [
            (r"^embedder\.embedder\.convolution\.", "conv1."),
            (r"^embedder\.embedder\.normalization\.", "bn1."),
            (r"^encoder\.stages\.(\d)\.layers\.", lambda match: f"layer{int(match[1]) + 1}."),
            (r"\.shortcut\.convolution\.", ".downsample.conv."),
            (r"\.shortcut\.normalization\.", ".downsample.bn."),
            (r"\.layer\.2\.attention\.0\.", ".se.fc1."),
            (r"\.layer\.2\.attention\.2\.", ".se.fc2."),
            *((rf"\.layer\.{place}\.convolution\.", f".conv{number}.") for place, number in ((0, 1), (1, 2), (3, 3))),
            *((rf"\.layer\.{place}\.normalization\.", f".bn{number}.") for place, number in ((0, 1), (1, 2), (3, 3))),
        ],
    ),
)  # fmt: skip


def read_form(shapes: Shapes) -> Form | None:
    """Depths, widths, channels of a group and squeeze-and-excitation of a ResNet whose bottleneck is none."""
    first, last = shapes.get(ANCHOR), shapes.get("layer1.0.conv3.weight")
    middle = shapes.get("layer1.0.conv2.weight")
    if first is None or middle is None or last is None or first[0] != last[0]:
        return None
    if shapes.get("conv1.weight", (0,))[-1] != 3:  # a wide ResNeXt, which begins with 7x7
        return None
    counts = depths(shapes, r"^layer(\d)\.(\d+)\.conv1\.weight$")
    widths = tuple(shapes.get(f"layer{stage}.0.conv1.weight", first)[0] for stage in range(1, len(counts) + 1))
    squeezed = "layer1.0.se.fc1.weight" in shapes
    variant = "" if squeezed else VARIANTS.get((counts, widths[-1]), "")
    arch = f"arch='regnetx_{variant}'" if variant else "arch to that of the file, or model_name of a TIMMBackbone"
    return Form(
        "RegNetY" if squeezed else "RegNetX",
        variant,
        (
            Option("depth", counts, arch),
            Option("width", widths, arch),
            Option("group width", middle[1], arch),
            Option("squeeze-and-excitation", squeezed, "type='mmpretrain.TIMMBackbone' (for RegNetY)"),
        ),
    )


def configs(form: Form) -> dict[str, PlainConfig]:
    """``RegNet`` of mmdet and mmpretrain, for the X kind."""
    if not form.variant:
        return {}
    config = dict(arch=f"regnetx_{form.variant}", out_indices=(0, 1, 2, 3), norm_eval=False, init_cfg=None)
    own = {"mmdet": "mmdet", "mmsegmentation": "mmdet", "mmpretrain": "mmpretrain"}
    return {toolbox: dict(type=f"{package}.RegNet", **config) for toolbox, package in own.items()}


REGNET = Family(
    name="RegNet", type="RegNet", anchor=ANCHOR, namings=NAMINGS, form=read_form, configs=configs
)  # fmt: skip
