"""ResNet: canonical names are mmdet's and torchvision's (``conv1``, ``bn1``, ``layer1.0.conv1``).

Roles stand instead of numbers where libraries count differently: ``stem.conv1 .. stem.bn3`` for the three convolutions
of a V1c or V1d stem, and ``downsample.conv`` and ``downsample.bn`` for the shortcut (an average pooling before it
shifts its numbers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mmdetpre.transfer.families.family import Family, KeyMapError, Naming, Rules, renamed
from mmdetpre.transfer.resnet_form import resnet_form

ANCHOR, DETECTRON2_ANCHOR = "layer1.0.conv1.weight", "res2.0.conv1.weight"
DETECTRON2_RULES = [
    (r"^stem\.conv1\.norm\.", "bn1."),
    (r"^stem\.conv1\.", "conv1."),
    (r"^res2\.", "layer1."),
    (r"^res3\.", "layer2."),
    (r"^res4\.", "layer3."),
    (r"^res5\.", "layer4."),
    (r"^(layer\d\.\d+)\.shortcut\.norm\.", r"\1.downsample.bn."),
    (r"^(layer\d\.\d+)\.shortcut\.", r"\1.downsample.conv."),
    (r"^(layer\d\.\d+)\.conv(\d)\.norm\.", r"\1.bn\2."),
]
# timm keeps the deep stem's last norm under bn1; mmpretrain builds the stem of ConvModules.
TIMM_STEM = {"conv1.0": "conv1", "conv1.1": "bn1", "conv1.3": "conv2", "conv1.4": "bn2", "conv1.6": "conv3"}
MMDET_STEM = {
    "stem.0": "conv1",
    "stem.1": "bn1",
    "stem.3": "conv2",
    "stem.4": "bn2",
    "stem.6": "conv3",
    "stem.7": "bn3",
}
HUGGING_FACE_RULES: Rules = [
    (r"^embedder\.embedder\.convolution\.", "conv1."),
    (r"^embedder\.embedder\.normalization\.", "bn1."),
    (r"^encoder\.stages\.(\d)\.layers\.", lambda match: f"layer{int(match[1]) + 1}."),
    (r"\.shortcut\.convolution\.", ".downsample.conv."),
    (r"\.shortcut\.normalization\.", ".downsample.bn."),
    (r"\.layer\.(\d)\.convolution\.", lambda match: f".conv{int(match[1]) + 1}."),
    (r"\.layer\.(\d)\.normalization\.", lambda match: f".bn{int(match[1]) + 1}."),
]  # fmt: skip


def _resnet(stem: Callable[[Sequence[str]], list[str]]) -> Callable[[Sequence[str]], list[str]]:
    def rename(names: Sequence[str]) -> list[str]:
        if DETECTRON2_ANCHOR in names and ANCHOR in names:
            raise KeyMapError(f"The file names its blocks twice, as in {ANCHOR} and {DETECTRON2_ANCHOR}: split it.")
        names = stem(names)
        pooled = {match[1] for name in names if (match := re.match(r"(layer\d\.\d+)\.downsample\.2\.", name))}
        # detectron2 and mmdet 1.x keep the convolution that predicts the offsets beside the deformable one.
        return renamed([_shortcut(name, pooled) for name in names], [(r"\.conv2_offset\.", ".conv2.conv_offset.")])

    return rename


def _numbered(names: Sequence[str]) -> list[str]:
    return [_stem(name, MMDET_STEM) for name in names] if "stem.0.weight" in names else list(names)


def _timm(names: Sequence[str]) -> list[str]:
    return [_stem(re.sub(r"^bn1\.", "stem.7.", name), MMDET_STEM | TIMM_STEM) for name in names]


def _mmpretrain(names: Sequence[str]) -> list[str]:
    return renamed(names, [(r"^stem\.([012])\.(conv|bn)\.", lambda match: f"stem.{match[2]}{int(match[1]) + 1}.")])


def _stem(name: str, roles: dict[str, str]) -> str:
    match = re.match(r"^((?:stem|conv1)\.\d)\.(.*)$", name)
    return f"stem.{roles[match[1]]}.{match[2]}" if match and match[1] in roles else name


def _shortcut(name: str, pooled: set[str]) -> str:
    match = re.match(r"^(layer\d\.\d+)\.downsample\.(\d)\.(.*)$", name)
    if not match:
        return name
    role = {0: "conv", 1: "bn"}.get(int(match[2]) - (match[1] in pooled))
    return f"{match[1]}.downsample.{role}.{match[3]}" if role else name


RESNET = Family(
    name="ResNet",
    type="ResNet",
    anchor=ANCHOR,
    namings=(
        Naming("timm V1d", (ANCHOR, "conv1.0.weight"), _resnet(_timm)),
        Naming("mmpretrain V1d", (ANCHOR, "stem.0.conv.weight"), _resnet(_mmpretrain)),
        Naming("torchvision", (ANCHOR,), _resnet(_numbered)),
        Naming("detectron2", (DETECTRON2_ANCHOR,), _resnet(lambda names: renamed(names, DETECTRON2_RULES))),
        Naming(
            "Hugging Face",
            ("encoder.stages.0.layers.0.layer.0.convolution.weight", "embedder.embedder.convolution.weight"),
            HUGGING_FACE_RULES,
        ),
    ),
    form=resnet_form,
)
