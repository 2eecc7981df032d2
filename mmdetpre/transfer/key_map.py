"""Names of a backbone's parameters across libraries, brought to one form: the *canonical* names.

`mmdetpre.transfer.families` has the names of each family. File and model are both brought to the canonical form and
then compared, so that a file of any of its libraries loads into any of its models. Backbones of no family keep their
names and match where they are equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmdetpre.transfer.altered_weights import why_altered
from mmdetpre.transfer.families import FAMILIES, canonical_family, find_namings
from mmdetpre.transfer.families.family import Family, KeyMapError, Layout
from mmdetpre.transfer.wrapped_names import plain_name

__all__ = ["KeyMap", "KeyMapError", "find_prefixes", "guess_prefix", "map_names"]

WRAPPERS = ("", "timm_model.", "timm_model.model.")
"""What a backbone of OpenMMLab may put before the names of the network in it: ``mmpretrain.TIMMBackbone`` does."""


WRAPPING = ("module.", "model.", "network.", "net.")
"""What training puts before the names of a whole network."""


@dataclass(frozen=True)
class KeyMap:
    """How the names of one file or model read.

    Attributes:
        naming: Whose names these are: ``torchvision`` (of a ResNet also mmdet, mmseg, timm), ``timm V1d``,
            ``mmpretrain V1d``, ``detectron2``, ``timm``, ``Hugging Face`` ...; ``as is`` for those of no family.
        prefix: What stands before the backbone's names, with its dot; may be empty.
        names: Canonical name of each tensor of the backbone -> its name in the file; of several parts, that of the
            first.
        outside: Names that do not begin with the prefix: heads, necks, optimizers' copies.
        pooled_shortcut: Whether shortcuts of a ResNet's stages 2-4 are counted as if behind an average pooling (V1d).
        parts: Canonical names of tensors that the file has in several -> their names in the file, in order.
        layouts: Canonical names of tensors that the file has in another order or shape -> which.
        whole: What turns all tensors into the canonical ones, where one depends on others.
    """

    naming: str
    prefix: str
    names: dict[str, str]
    outside: tuple[str, ...]
    pooled_shortcut: bool
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    whole: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda tensors: tensors

    def read(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Canonical tensors of the backbone.

        Args:
            tensors: Those of the file or model, by their own names.
        """
        return self.whole({canonical: self._read(canonical, name, tensors) for canonical, name in self.names.items()})

    def _read(self, canonical: str, name: str, tensors: Mapping[str, Tensor]) -> Tensor:
        parts = self.parts.get(canonical)
        tensor = torch.cat([tensors[part] for part in parts]) if parts else tensors[name]
        layout = self.layouts.get(canonical)
        try:
            return layout.read(tensor) if layout else tensor
        except RuntimeError:
            return tensor  # of a shape that this layout cannot have: it will be reported as such

    def write(self, canonical: str, tensor: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One canonical tensor as the file or model has it, by its own names.

        Args:
            canonical: Its canonical name.
            tensor: Its values.
            like: Tensors of the file or model, for their shapes.
        """
        own = self.parts.get(canonical, (self.names[canonical],))
        if layout := self.layouts.get(canonical):
            tensor = layout.write(tensor, tuple(like[own[0]].shape))
        return dict(
            zip(own, tensor.split([len(like[name]) for name in own]) if len(own) > 1 else [tensor], strict=True)
        )


def map_names(names: Iterable[str], prefix: str | None = None, target: Collection[str] = ()) -> KeyMap:
    """Find the backbone among the names of a file and bring its names to the canonical form.

    Args:
        names: All names of tensors in the file.
        prefix: What stands before the backbone's names, with or without its last dot; auto-detected if None.
        target: Canonical names of the model to load: of several backbones those of its family count, and of a backbone
            of no family the prefix is found by them.

    Raises:
        KeyMapError: If no prefix or several fit, the prefix given does not occur, two names mean the same tensor, or
            the weights are not plain: adapters, quantized.

    Example:
        >>> map_names(["backbone.conv1.weight", "backbone.layer1.0.conv1.weight", "head.fc.weight"]).prefix
        'backbone.'
    """
    names = list(names)
    if altered := why_altered(names):
        raise KeyMapError(altered)
    namings = find_namings(names)
    found = _prefixes(namings, names, target)
    if prefix is None:
        if len(found) != 1:
            raise KeyMapError(_no_single_prefix(found, names, canonical_family(target)))
        prefix = found[0]
    else:
        prefix = _given(plain_name(prefix.rstrip(".") + ".") if prefix else "", found, names)
    inside = [name for name in names if name.startswith(prefix)]
    if not inside or (found and prefix not in found):
        there = ", ".join(f"prefix={one!r}" for one in found) or "none that holds this backbone"
        raise KeyMapError(f"No backbone stands behind prefix={prefix!r}. In the file there is {there}.")
    stripped = [name[len(prefix) :] for name in inside]
    naming = namings[prefix][1] if prefix in namings else None
    by_canonical, parts = _grouped(naming.canonical(stripped) if naming else stripped, inside)
    layouts = {
        canonical: layout
        for pattern, layout in (naming.layouts if naming else ())
        for canonical in by_canonical
        if re.search(pattern, canonical)
    }
    pooled = any(re.match(r"layer[2-4]\.0\.downsample\.2\.", name) for name in stripped)
    outside = tuple(name for name in names if not name.startswith(prefix))
    if naming is None:
        return KeyMap("as is", prefix, by_canonical, outside, pooled, parts, layouts)
    return KeyMap(naming.library, prefix, by_canonical, outside, pooled, parts, layouts, naming.whole)


def find_prefixes(names: Iterable[str], target: Collection[str] = ()) -> list[str]:
    """All prefixes behind which a backbone stands, sorted.

    A backbone of a known family is found by names that all of its kind have. One of no family is found by the names of
    ``target``: a prefix counts if it turns at least half as many names into names of the target as the best prefix
    does, and that one a quarter of the target's.

    Args:
        names: All names of tensors in the file.
        target: Canonical names of the model to load; backbones of its family are preferred.
    """
    names = list(names)
    return _prefixes(find_namings(names), names, target)


def _prefixes(namings: Mapping[str, tuple[Family, object]], names: list[str], target: Collection[str]) -> list[str]:
    wanted = set(target)
    if not wanted:
        return sorted(namings)
    if own := [prefix for prefix, (family, _) in namings.items() if family.anchor in wanted]:
        return sorted(own)
    if canonical_family(wanted) is not None:  # names of its parts are not enough
        return sorted(namings)
    votes: Counter[str] = Counter()
    for name in names:
        begins = [0] + [match.end() for match in re.finditer(r"\.", name)]
        votes.update(name[:begin] for begin in begins if name[begin:] in wanted)
    best = max(votes.values(), default=0)
    if 4 * best < len(wanted):
        return sorted(namings)
    return sorted(prefix for prefix, count in votes.items() if 2 * count >= best)


def _given(prefix: str, found: list[str], names: list[str]) -> str:
    """A prefix that was given, or what a wrapper of OpenMMLab's makes of it."""
    wrapped = [prefix + wrapper for wrapper in WRAPPERS]
    if found:
        return next((one for one in wrapped if one in found), prefix)
    inside = [name for name in names if name.startswith(prefix)]
    return next((one for one in reversed(wrapped) if inside and all(name.startswith(one) for name in inside)), prefix)


def _grouped(canonical: Sequence[str], own: Sequence[str]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Canonical name -> own name, and -> own names of its parts where it has several."""
    names: dict[str, str] = {}
    parts: dict[str, dict[int, str]] = {}
    for one, name in zip(canonical, own, strict=True):
        whole, bar, part = one.partition("|")
        if not part.isdecimal():  # a name that has a bar of its own
            whole, bar = one, ""
        if bar and int(part) not in parts.setdefault(whole, {}):
            parts[whole][int(part)] = name
            if part != "0":
                continue
        if whole in names:
            raise KeyMapError(f"{names[whole]!r} and {name!r} both mean {whole!r}: remove one of them from the file.")
        names[whole] = name
    for whole, found in list(parts.items()):
        if sorted(found) != [0, 1, 2]:  # a part lacks: what is left is named as in the file
            names.pop(whole, None)
            names |= {name: name for name in found.values()}
            del parts[whole]
    return names, {whole: tuple(found[part] for part in sorted(found)) for whole, found in parts.items()}


def guess_prefix(names: Iterable[str]) -> str:
    """Where a backbone of no known family seems to be: behind ``backbone.``, else behind what all names begin with.

    Args:
        names: All names of tensors in the file.

    Raises:
        KeyMapError: If several parts are called so, or names tell that the file is to be converted first.

    Example:
        >>> guess_prefix(["model.backbone.stem.weight", "model.head.weight"]), guess_prefix(["module.stem.weight"])
        ('model.backbone.', 'module.')
        >>> guess_prefix(["stem.weight", "head.weight"])
        ''
    """
    names = list(names)
    if hint := _hint(names):
        raise KeyMapError(f"No backbone found in the file.{hint}")
    found = {match[0] for name in names if (match := re.match(r"(?:.*?\.)??backbone\.(?:bottom_up\.|net\.)?", name))}
    found = {one for one in found if not any(other != one and other.startswith(one) for other in found)}
    if len(found) > 1:
        raise KeyMapError(_no_single_prefix(sorted(found), names, None))
    if found:
        return found.pop()
    prefix = ""
    while wrapper := next((w for w in WRAPPING if all(name.startswith(prefix + w) for name in names)), ""):
        prefix += wrapper
    return prefix


def _no_single_prefix(found: list[str], names: list[str], family: Family | None) -> str:
    if found:
        choices = " or ".join(f"prefix={one!r}" for one in found)
        return f"The file holds {len(found)} backbones: say which one with {choices}."
    some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    if family and family.namings:
        anchors = dict.fromkeys(repr(naming.anchors[-1]) for naming in family.namings)
        what = f"a {family.name} has a tensor {' or '.join(list(anchors)[:6])} behind some prefix"
    else:
        known = ", ".join(sorted(one.name for one in FAMILIES))
        what = f"it is none of {known}, which are found by their names. Say where another one stands, prefix=''"
    return f"No backbone found in the file: {what}. The file has {some or 'no tensors'}.{_hint(names)}"


def _hint(names: list[str]) -> str:
    """What to do with names that are known, and are those of no network of torch as it is."""
    caffe2 = any(re.search(r"(^|\.)res2_0_branch2a_w$", name) for name in names)
    hint = (
        " These are Caffe2 names, whose batch normalization has no statistics: convert the file first."
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
    return hint
