"""Names of EfficientNet, EfficientNet-Lite and MobileNetV2, which are of the same blocks; canonical ones count these
through.

Libraries group the blocks into stages of their own, and number the layers of a block by what it has. Canonical are
``stem.conv``, ``blocks.3.expand.bn``, ``blocks.3.depthwise.conv``, ``blocks.3.se.reduce``, ``blocks.3.project.conv``
and ``last.conv``, which stands before the classifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from mmdetpre.transfer.families.family import Naming, Option, Rules, Shapes, renamed

ANCHOR = "blocks.0.depthwise.conv.weight"
LAST = "the convolution in front of the classifier, which the model does not use"
UNEXPECTED = [(r"^last\.(conv|bn)\.", LAST)]
TIMM_PLAIN = {"conv_dw": "depthwise.conv", "bn1": "depthwise.bn", "conv_pw": "project.conv", "bn2": "project.bn"}
TIMM_EXPANDING = {
    "conv_pw": "expand.conv",
    "bn1": "expand.bn",
    "conv_dw": "depthwise.conv",
    "bn2": "depthwise.bn",
    "conv_pwl": "project.conv",
    "bn3": "project.bn",
}
SQUEEZE = [
    (r"\.se\.(conv_reduce|fc1|conv1\.conv)\.", ".se.reduce."),
    (r"\.se\.(conv_expand|fc2|conv2\.conv)\.", ".se.expand."),
]
OPENMMLAB = [
    (r"\.expand_conv\.", ".expand."),
    (r"\.depthwise_conv\.", ".depthwise."),
    (r"\.linear_conv\.", ".project."),
    *SQUEEZE,
]


def _naming(library: str, anchors: tuple[str, ...], block: str, rules: Rules, inside: Callable | None = None) -> Naming:
    """A naming whose blocks are counted through.

    Args:
        library: Its name.
        anchors: As for `Naming`.
        block: Pattern of a block's names: groups ``stage`` (may be absent), ``block`` and ``rest``.
        rules: Renaming after that.
        inside: From the names inside one block to their canonical ones; None: by the rules.
    """

    def rename(names: Sequence[str]) -> list[str]:
        matches = [re.match(block, name) for name in names]
        numbers = [(int(m.groupdict().get("stage") or 0), int(m["block"])) if m else None for m in matches]
        order = {number: index for index, number in enumerate(sorted({number for number in numbers if number}))}
        rests: dict[tuple[int, int], list[str]] = {number: [] for number in order}
        for match, number in zip(matches, numbers, strict=True):
            if match and number:
                rests[number].append(match["rest"])
        roles = {
            number: dict(zip(rest, inside(rest) if inside else rest, strict=True)) for number, rest in rests.items()
        }
        flat = [
            f"blocks.{order[number]}.{roles[number][match['rest']]}" if match and number else name
            for name, match, number in zip(names, matches, numbers, strict=True)
        ]
        return renamed(flat, rules)

    return Naming(library, anchors, rename)


def _timm(names: Sequence[str]) -> list[str]:
    roles = TIMM_EXPANDING if any(name.startswith("conv_pwl.") for name in names) else TIMM_PLAIN
    parts = (name.partition(".") for name in names)
    named = [f".{roles.get(first, first)}{dot}{rest}" for first, dot, rest in parts]
    return renamed(named, [*SQUEEZE, (r"^\.", "")])


def _counted(names: Sequence[str], layer: str, *, last_open: bool = False) -> list[str]:
    """Roles of layers that are numbered: an expansion where there are enough of them, depthwise, squeeze, projection.

    Args:
        names: Inside one block.
        layer: Pattern of the beginning of a layer, with its number as group.
        last_open: Whether convolution and norm of the last one are not grouped but numbered on.
    """
    numbers = sorted({int(match[1]) for name in names if (match := re.match(layer, name))})
    squeezed = {int(match[1]) for name in names if (match := re.match(layer + r"fc[12]\.", name))}
    if last_open:
        numbers = numbers[:-1]
    plain = [number for number in numbers if number not in squeezed]
    roles = dict(zip(plain, ["expand", "depthwise", "project"][3 - len(plain) :], strict=False))
    roles |= dict.fromkeys(squeezed, "se")

    def role(match: re.Match[str]) -> str:
        number = int(match[1])
        if last_open and number == plain[-1] + 1:
            return "project.1."
        if last_open and number == plain[-1]:
            return "project.0."
        return f"{roles[number]}." if number in roles else match[0]

    return renamed([re.sub(layer, role, name) for name in names], [
        (r"^(expand|depthwise|project)\.0\.", r"\1.conv."), (r"^(expand|depthwise|project)\.1\.", r"\1.bn."),
        (r"^se\.fc1\.", "se.reduce."), (r"^se\.fc2\.", "se.expand."),
    ])  # fmt: skip


STEM = [(r"^features\.0\.0\.", "stem.conv."), (r"^features\.0\.1\.", "stem.bn.")]
TAIL = [(r"^features\.\d+\.0\.", "last.conv."), (r"^features\.\d+\.1\.", "last.bn.")]
NAMINGS = (
    _naming(
        "mmpretrain",  # and mmdet
        ("layers.0.conv.weight", "layers.1.0.depthwise_conv.conv.weight"),
        r"^layers\.(?P<stage>\d+)\.(?P<block>\d+)\.(?P<rest>.*)$",
        [(r"^layers\.0\.", "stem."), (r"^layers\.\d+\.", "last."), *OPENMMLAB],
    ),
    _naming(
        "mmdet",
        ("conv1.conv.weight", "layer1.0.depthwise_conv.conv.weight"),
        r"^layer(?P<stage>\d+)\.(?P<block>\d+)\.(?P<rest>.*)$",
        [(r"^conv1\.", "stem."), (r"^conv2\.", "last."), *OPENMMLAB],
    ),
    _naming(
        "mmpretrain",  # and mmseg
        ("conv1.conv.weight", "layer1.0.conv.0.conv.weight"),
        r"^layer(?P<stage>\d+)\.(?P<block>\d+)\.(?P<rest>.*)$",
        [(r"^conv1\.", "stem."), (r"^conv2\.", "last.")],
        lambda names: _counted(names, r"^conv\.(\d)\."),
    ),
    _naming(
        "timm",
        ("conv_stem.weight", "blocks.0.0.conv_dw.weight"),
        r"^blocks\.(?P<stage>\d+)\.(?P<block>\d+)\.(?P<rest>.*)$",
        [
            (r"^conv_stem\.", "stem.conv."),
            (r"^bn1\.", "stem.bn."),
            (r"^conv_head\.", "last.conv."),
            (r"^bn2\.", "last.bn."),
        ],
        _timm,
    ),
    _naming(
        "torchvision",
        ("features.0.0.weight", "features.1.0.block.0.0.weight"),
        r"^features\.(?P<stage>\d+)\.(?P<block>\d+)\.block\.(?P<rest>.*)$",
        [*STEM, *TAIL],
        lambda names: _counted(names, r"^(\d)\."),
    ),
    _naming(
        "torchvision",
        ("features.0.0.weight", "features.1.conv.0.0.weight"),
        r"^features\.(?P<block>\d+)\.conv\.(?P<rest>.*)$",
        [*STEM, *TAIL],
        lambda names: _counted(names, r"^(\d)\.", last_open=True),
    ),
    _naming(
        "EfficientNet-PyTorch",
        ("_conv_stem.weight", "_blocks.0._depthwise_conv.weight"),
        r"^_blocks\.(?P<block>\d+)\.(?P<rest>.*)$",
        [
            (r"^_conv_stem\.", "stem.conv."),
            (r"^_bn0\.", "stem.bn."),
            (r"^_conv_head\.", "last.conv."),
            (r"^_bn1\.", "last.bn."),
            (r"\._(expand|depthwise|project)_conv\.", r".\1.conv."),
            (r"\._bn0\.", ".expand.bn."),
            (r"\._bn1\.", ".depthwise.bn."),
            (r"\._bn2\.", ".project.bn."),
            (r"\._se_(reduce|expand)\.", r".se.\1."),
        ],
    ),
    _naming(
        "Hugging Face",
        ("embeddings.convolution.weight", "encoder.blocks.0.depthwise_conv.depthwise_conv.weight"),
        r"^encoder\.blocks\.(?P<block>\d+)\.(?P<rest>.*)$",
        [
            (r"^embeddings\.convolution\.", "stem.conv."),
            (r"^embeddings\.batchnorm\.", "stem.bn."),
            (r"^encoder\.top_conv\.", "last.conv."),
            (r"^encoder\.top_bn\.", "last.bn."),
            (r"\.expansion\.expand_", ".expand."),
            (r"\.depthwise_conv\.depthwise_conv\.", ".depthwise.conv."),
            (r"\.depthwise_conv\.depthwise_norm\.", ".depthwise.bn."),
            (r"\.projection\.project_", ".project."),
            (r"\.squeeze_excite\.", ".se."),
        ],
    ),
    Naming(
        "Hugging Face",
        ("conv_stem.first_conv.convolution.weight",),
        [
            (r"^layer\.(\d+)\.", lambda match: f"blocks.{int(match[1]) + 1}."),
            (r"^conv_stem\.first_conv\.", "stem."),
            (r"^conv_stem\.", "blocks.0."),
            (r"^conv_1x1\.", "last."),
            (r"\.expand_1x1\.", ".expand."),
            (r"\.conv_3x3\.", ".depthwise."),
            (r"\.reduce_1x1\.", ".project."),
            (r"\.convolution\.", ".conv."),
            (r"\.normalization\.", ".bn."),
        ],
    ),
)  # fmt: skip


def blocks_of(shapes: Shapes) -> list[tuple[int, int]] | None:
    """Kernel size and channels of the output of each block; None if they are not inverted residuals throughout."""
    found: list[tuple[int, int]] = []
    while (kernel := shapes.get(f"blocks.{len(found)}.depthwise.conv.weight")) is not None:
        output = shapes.get(f"blocks.{len(found)}.project.conv.weight")
        if output is None or len(kernel) != 4 or kernel[1] != 1:
            return None
        found.append((kernel[-1], output[0]))
    others = any(re.match(rf"^blocks\.({len(found)})\.", name) for name in shapes)
    return found if found and not others and "stem.conv.weight" in shapes else None


def squeezed(shapes: Shapes) -> bool:
    """Whether the blocks have squeeze-and-excitation."""
    return any(".se.reduce." in name for name in shapes)


def options_of(shapes: Shapes, blocks: list[tuple[int, int]], setting: str) -> tuple[Option, ...]:
    """Number of blocks, and width of the stem and of each stage, both of which one setting decides.

    Args:
        shapes: By canonical name.
        blocks: Of `blocks_of`.
        setting: What to write in a config.
    """
    widths = (shapes["stem.conv.weight"][0], *(width for width, _ in groupby(output for _, output in blocks)))
    return Option("depth", len(blocks), setting), Option("width", widths, setting)
