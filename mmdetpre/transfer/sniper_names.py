"""Names of the original SNIPER release (MXNet, pre-activation ResNet) and what they are in `mmdetpre.PreActResNet`.

Tensors need no change but that of the name: convolutions have one layout in both libraries, and deformable convolutions
order their offsets alike (group, kernel position, then vertical and horizontal).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmdetpre.transfer.key_map import KeyMap, KeyMapError

NAMING = "SNIPER's release"
FIXED_SCALE = "the scale of the input normalization is fixed to 1 (fix_gamma), whatever the file holds"
CLOSING = "normalization and classifier of the ImageNet network, which SNIPER leaves out"
HEADS = "heads of the detector in the file"

PARTS = {
    "arg": {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"},
    "aux": {"moving_mean": "running_mean", "moving_var": "running_var"},
}
_LAYER = re.compile(r"^(arg|aux):(\w+?)_(weight|bias|gamma|beta|moving_mean|moving_var)$")
_UNIT = re.compile(r"^stage([1-4])_unit([1-9]\d*)_(bn[123]|conv[123]|sc|offset)$")
_STEM = {"bn_data": "input_norm", "conv0": "conv1", "bn0": "bn1"}
_HEAD = re.compile(
    r"^arg:(rpn_\w+|conv_new_\d+|fc_new_\d+|offset|cls_score|bbox_pred|rfcn_cls|rfcn_bbox|mask_\w+)_(weight|bias)(_test)?$"
)
_CLOSING = re.compile(r"^(arg|aux):(bn1|fc1)_(weight|bias|gamma|beta|moving_mean|moving_var)$")


def sniper_name(name: str) -> str | None:
    """Name in `mmdetpre.PreActResNet` of one array of the release; None if the backbone does not have it.

    Example:
        >>> sniper_name("arg:stage3_unit23_bn2_gamma"), sniper_name("aux:bn_data_moving_mean")
        ('layer3.22.bn2.weight', 'input_norm.running_mean')
        >>> sniper_name("arg:stage4_unit1_offset_bias"), sniper_name("arg:fc_new_1_bias")
        ('layer4.0.conv2.conv_offset.bias', None)
    """
    match = _LAYER.match(name)
    if match is None or match[3] not in PARTS[match[1]] or name == "arg:bn_data_gamma":
        return None
    layer, part = match[2], PARTS[match[1]][match[3]]
    if layer in _STEM:
        return f"{_STEM[layer]}.{part}"
    unit = _UNIT.match(layer)
    if unit is None:
        return None
    inner = {"sc": "shortcut", "offset": "conv2.conv_offset"}.get(unit[3], unit[3])
    return f"layer{unit[1]}.{int(unit[2]) - 1}.{inner}.{part}"


def map_sniper_names(names: Iterable[str]) -> tuple[KeyMap, list[tuple[str, str]]]:
    """Find the backbone among the names of a ``.params`` file.

    Returns:
        The names by that of `mmdetpre.PreActResNet`, those that no rule knows under their own name; and (name, rule) of
        what the backbone need not take.

    Raises:
        KeyMapError: If the file holds no pre-activation ResNet of these names, or one array twice.

    Example:
        >>> map_sniper_names(["arg:stage1_unit1_conv1_weight", "arg:cls_score_bias"])[1]
        [('arg:cls_score_bias', 'heads of the detector in the file')]
    """
    names = list(names)
    if "arg:stage1_unit1_conv1_weight" not in names:
        some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        raise KeyMapError(
            "No backbone found in the file: a pre-activation ResNet of MXNet has an array"
            f" 'arg:stage1_unit1_conv1_weight'. The file has {some or 'no arrays'}."
        )
    found: dict[str, str] = {}
    expected = []
    for name in names:
        rule = _rule(name)
        if rule:
            expected.append((name, rule))
            continue
        own = sniper_name(name) or name
        if own in found:
            raise KeyMapError(f"{found[own]!r} and {name!r} both mean {own!r}: remove one of them from the file.")
        found[own] = name
    return KeyMap(NAMING, "", found, (), False), expected


def _rule(name: str) -> str | None:
    if name == "arg:bn_data_gamma":
        return FIXED_SCALE
    return HEADS if _HEAD.match(name) else CLOSING if _CLOSING.match(name) else None
