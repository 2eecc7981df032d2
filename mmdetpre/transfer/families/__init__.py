"""The families of backbones that are known by name, one module and one row of `FAMILIES` each.

A backbone of no family is compared by equal names, as is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mmdetpre.transfer.families.convnext import CONVNEXT
from mmdetpre.transfer.families.efficientnet import EFFICIENTNET, EFFICIENTNET_LITE
from mmdetpre.transfer.families.family import Family, Form, Naming, Shapes
from mmdetpre.transfer.families.mobilenet_v2 import MOBILENET_V2
from mmdetpre.transfer.families.regnet import REGNET
from mmdetpre.transfer.families.resnet import RESNET
from mmdetpre.transfer.families.swin import SWIN
from mmdetpre.transfer.families.vit import VIT
from mmdetpre.transfer.resnet_form import ResNetForm

FAMILIES: tuple[Family, ...] = (
    REGNET,
    RESNET,
    CONVNEXT,
    SWIN,
    VIT,
    EFFICIENTNET,
    EFFICIENTNET_LITE,
    MOBILENET_V2,
)
"""Where several read the same names, the first whose form they have counts."""
UNKNOWN = "unknown family"


def find_namings(names: Iterable[str]) -> dict[str, tuple[Family, Naming]]:
    """Prefix -> family and naming of the backbone behind it.

    Example:
        >>> found = find_namings(["backbone.stages.0.0.depthwise_conv.weight", "head.fc.weight"])
        >>> [(prefix, family.name, naming.library) for prefix, (family, naming) in found.items()]
        [('backbone.', 'ConvNeXt', 'mmpretrain')]
    """
    there = dict.fromkeys(names)
    found: dict[str, tuple[Family, Naming]] = {}
    for family in FAMILIES:
        for naming in family.namings:
            first, *others = naming.anchors
            for name in there:
                if name == first or name.endswith("." + first):
                    prefix = name[: len(name) - len(first)]
                    if all(prefix + other in there for other in others):
                        found.setdefault(prefix, (family, naming))
    return found


def canonical_family(names: Collection[str]) -> Family | None:
    """Family of canonical names; of those that share their names, the first."""
    return next((family for family in FAMILIES if family.anchor in names), None)


def form_of_shapes(shapes: Shapes) -> ResNetForm | Form | None:
    """Form of a backbone from the shape of each tensor by canonical name; None if it is of no known family."""
    return next((form for family in FAMILIES if family.anchor in shapes and (form := family.form(shapes))), None)


def family_of_form(form: ResNetForm | Form) -> Family:
    """The family that a form belongs to: that of a RegNetX is RegNet.

    Example:
        >>> family_of_form(form_of_shapes({"layer1.0.conv1.weight": (8, 8, 3, 3)})).name
        'ResNet'
    """
    if isinstance(form, ResNetForm):
        return RESNET
    named: Mapping[str, Family] = {family.name: family for family in FAMILIES}
    return named.get(form.family) or next(family for family in FAMILIES if form.family.startswith(family.name))
