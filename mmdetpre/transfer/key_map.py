"""Names of ResNet parameters across libraries, brought to one form: the *canonical* names.

They are mmdet's and torchvision's (``conv1``, ``bn1``, ``layer1.0.conv1``), with roles instead of numbers where
libraries count differently: ``stem.conv1 .. stem.bn3`` for the three convolutions of a V1c or V1d stem, and
``downsample.conv`` and ``downsample.bn`` for the shortcut (an average pooling before it shifts its numbers). File and
model are both brought to this form and then compared, so that a file of any of these libraries loads into any of these
models. Other architectures keep their names and match where they are equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mmdetpre.transfer.wrapped_names import plain_name

ANCHORS = {"torchvision": "layer1.0.conv1.weight", "detectron2": "res2.0.conv1.weight"}
"""One name that each way of naming a ResNet must have, behind the prefix."""

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


class KeyMapError(ValueError):
    """The names of a file allow no one reading."""


@dataclass(frozen=True)
class KeyMap:
    """How the names of one file or model read.

    Attributes:
        naming: ``torchvision`` (also mmdet, mmseg, timm), ``timm V1d``, ``mmpretrain V1d``, ``detectron2``, ``as is``.
        prefix: What stands before the backbone's names, with its dot; may be empty.
        names: Canonical name of each tensor of the backbone -> its name in the file.
        outside: Names that do not begin with the prefix: heads, necks, optimizers' copies.
        pooled_shortcut: Whether shortcuts of stages 2-4 are counted as if behind an average pooling (V1d).
    """

    naming: str
    prefix: str
    names: dict[str, str]
    outside: tuple[str, ...]
    pooled_shortcut: bool


def map_names(names: Iterable[str], prefix: str | None = None, target: Collection[str] = ()) -> KeyMap:
    """Find the backbone among the names of a file and bring its names to the canonical form.

    Args:
        names: All names of tensors in the file.
        prefix: What stands before the backbone's names, with or without its last dot; auto-detected if None.
        target: Canonical names of the model to load; needed only to find the prefix of architectures but ResNets.

    Raises:
        KeyMapError: If no prefix or several fit, the prefix given does not occur, or two names mean the same tensor.

    Example:
        >>> map_names(["backbone.conv1.weight", "backbone.layer1.0.conv1.weight", "head.fc.weight"]).prefix
        'backbone.'
    """
    names = list(names)
    found = find_prefixes(names, target)
    if prefix is None:
        if len(found) != 1:
            raise KeyMapError(_no_single_prefix(found, names))
        prefix = found[0]
    elif prefix:
        prefix = plain_name(prefix.rstrip(".") + ".")
    inside = [name for name in names if name.startswith(prefix)]
    if not inside or (found and prefix not in found):
        there = ", ".join(f"prefix={one!r}" for one in found) or "none that holds this backbone"
        raise KeyMapError(f"No backbone stands behind prefix={prefix!r}. In the file there is {there}.")
    naming, canonical = _canonical([name[len(prefix) :] for name in inside])
    by_canonical: dict[str, str] = {}
    for own, name in zip(canonical, inside, strict=True):
        if own in by_canonical:
            raise KeyMapError(
                f"{by_canonical[own]!r} and {name!r} both mean {own!r}: remove one of them from the file."
            )
        by_canonical[own] = name
    stripped = {name[len(prefix) :] for name in inside}
    pooled = any(re.match(r"layer[2-4]\.0\.downsample\.2\.", name) for name in stripped)
    outside = tuple(name for name in names if not name.startswith(prefix))
    return KeyMap(naming, prefix, by_canonical, outside, pooled)


def find_prefixes(names: Iterable[str], target: Collection[str] = ()) -> list[str]:
    """All prefixes behind which a backbone stands, sorted.

    A ResNet is known by the first convolution of its first block; any other architecture by the names of ``target``: a
    prefix counts if it turns at least half as many names into names of the target as the best prefix does, and that one
    a quarter of the target's.
    """
    anchors = tuple(ANCHORS.values())
    names = list(names)
    found = set()
    for name in names:
        for anchor in anchors:
            if name == anchor or name.endswith("." + anchor):
                found.add(name[: len(name) - len(anchor)])
    wanted = set(target)
    if found or not wanted or wanted.intersection(anchors):  # a ResNet is looked for: names of its parts are not enough
        return sorted(found)
    votes: Counter[str] = Counter()
    for name in names:
        starts = [0] + [match.end() for match in re.finditer(r"\.", name)]
        votes.update(name[:start] for start in starts if name[start:] in wanted)
    best = max(votes.values(), default=0)
    if 4 * best < len(wanted):
        return []
    return sorted(prefix for prefix, count in votes.items() if 2 * count >= best)


def _no_single_prefix(found: list[str], names: list[str]) -> str:
    if found:
        choices = " or ".join(f"prefix={one!r}" for one in found)
        return f"The file holds {len(found)} backbones: say which one with {choices}."
    caffe2 = any(re.search(r"(^|\.)res2_0_branch2a_w$", name) for name in names)
    hint = (
        " These are Caffe2 names, whose batch normalisation has no statistics: convert the file first."
        if caffe2
        else ""
    )
    if any(name.startswith(("arg:", "aux:")) for name in names):
        hint = " These are MXNet's names: convert the file with tools/model_converters/import_checkpoint.py."
    if any(re.search(r"(^|\.)4\.0\.conv1\.weight$", name) for name in names):
        hint = (
            " These are the numbers of nn.Sequential(*resnet.children()), where conv1 is 0 and layer1 to layer4"
            " are 4 to 7: save the ResNet itself, torch.save(resnet.state_dict(), path), or rename them."
        )
    some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return (
        f"No backbone found in the file: a ResNet has a tensor {ANCHORS['torchvision']!r} or {ANCHORS['detectron2']!r}"
        f" behind some prefix. The file has {some or 'no tensors'}.{hint}"
    )


def _canonical(names: list[str]) -> tuple[str, list[str]]:
    """Naming and canonical names, for names without their prefix."""
    everything = set(names)
    if everything >= set(ANCHORS.values()):
        raise KeyMapError(f"The file names its blocks twice, as in {' and '.join(ANCHORS.values())}: split it.")
    naming = "as is"
    if ANCHORS["detectron2"] in everything:
        naming = "detectron2"
        for pattern, replacement in DETECTRON2_RULES:
            names = [re.sub(pattern, replacement, name) for name in names]
    elif ANCHORS["torchvision"] in everything:
        naming = "torchvision"
        if "conv1.0.weight" in everything:
            naming = "timm V1d"
            names = [_stem(re.sub(r"^bn1\.", "stem.7.", name), MMDET_STEM | TIMM_STEM) for name in names]
        elif "stem.0.conv.weight" in everything:
            naming = "mmpretrain V1d"
            names = [re.sub(r"^stem\.([012])\.(conv|bn)\.", _counted_from_one, name) for name in names]
        elif "stem.0.weight" in everything:
            names = [_stem(name, MMDET_STEM) for name in names]
        pooled = {match[1] for name in names if (match := re.match(r"(layer\d\.\d+)\.downsample\.2\.", name))}
        names = [_shortcut(name, pooled) for name in names]
    # detectron2 and mmdet 1.x keep the convolution that predicts the offsets beside the deformable one.
    return naming, [re.sub(r"\.conv2_offset\.", ".conv2.conv_offset.", name) for name in names]


def _stem(name: str, roles: dict[str, str]) -> str:
    match = re.match(r"^((?:stem|conv1)\.\d)\.(.*)$", name)
    return f"stem.{roles[match[1]]}.{match[2]}" if match and match[1] in roles else name


def _counted_from_one(match: re.Match[str]) -> str:
    return f"stem.{match[2]}{int(match[1]) + 1}."


def _shortcut(name: str, pooled: set[str]) -> str:
    match = re.match(r"^(layer\d\.\d+)\.downsample\.(\d)\.(.*)$", name)
    if not match:
        return name
    role = {0: "conv", 1: "bn"}.get(int(match[2]) - (match[1] in pooled))
    return f"{match[1]}.downsample.{role}.{match[3]}" if role else name
