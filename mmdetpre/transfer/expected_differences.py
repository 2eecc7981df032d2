"""Rules for differences between file and model that are not a mistake. What no rule names is an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from mmdetpre.transfer.families.family import Family
from mmdetpre.transfer.resnet_form import deformable_config

COUNTER = "num_batches_tracked counts training steps; no forward pass uses it"
OFFSETS = "the file's convolution is plain: the offsets begin at 0, and the deformable one computes the same"
MASKED_OFFSETS = "the file's convolution is plain: offsets begin at 0 and DCNv2's masks at 0.5, which halves its output"
RESET_OFFSETS = "reset_offsets: the file's offsets are not taken and begin at 0; the digest is that of the rest"
HEAD = "a head of the network in the file"
_HEAD = re.compile(r"^(fc|_fc|head|heads|head_dist|classifier|linear|last_linear|fc_norm|pooler)\.")
OUTSIDE = "parts of the file outside of its backbone"


def missing_rule(
    name: str, file_names: Collection[str], shape: tuple[int, ...], family: Family | None = None
) -> str | None:
    """Why the file need not have a tensor of the model; None if it should.

    Args:
        name: Canonical name of the tensor.
        file_names: Canonical names of the file.
        shape: Of the tensor in the model.
        family: Of the model, if it is known.
    """
    if name.endswith(".num_batches_tracked"):
        return COUNTER
    if is_offset(name) and f"{name.rsplit('.', 2)[0]}.weight" in file_names:
        return OFFSETS if deformable_config(shape[0])["type"] == "DCN" else MASKED_OFFSETS
    return _of_family(family.missing if family else (), name)


def is_offset(name: str) -> bool:
    """Whether a canonical name is that of a deformable convolution's offsets."""
    return re.search(r"\.conv_offset\.(weight|bias)$", name) is not None


def unexpected_rule(name: str, family: Family | None = None) -> str | None:
    """Why the model need not take a tensor of the file; None if it should.

    Args:
        name: Canonical name of the tensor.
        family: Of the model, if it is known.
    """
    if name.endswith(".num_batches_tracked"):
        return COUNTER
    if rule := _of_family(family.unexpected if family else (), name):
        return rule
    return HEAD if _HEAD.match(name) else None


def _of_family(rules: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((rule for pattern, rule in rules if re.search(pattern, name)), None)
