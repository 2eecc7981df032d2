"""All weights of the zoo, by name."""

from __future__ import annotations

from difflib import get_close_matches

from mmdetpre.zoo.entry import PREFIX, NotInZoo, ZooEntry
from mmdetpre.zoo.packaged import PACKAGED
from mmdetpre.zoo.published import PUBLISHED

ZOO: tuple[ZooEntry, ...] = (*PACKAGED, *PUBLISHED)
_SHOWN = 8


def zoo_names(backbone: str = "") -> list[str]:
    """Names of the weights of the zoo.

    Args:
        backbone: Only those of this one, such as ``resnet50``; by default all.

    Example:
        >>> zoo_names("efficientnet-lite0")[0]
        'zoo:efficientnet-lite0/imagenet'
    """
    start = f"{PREFIX}{backbone}/" if backbone else PREFIX
    return [entry.name for entry in ZOO if entry.name.startswith(start)]


def zoo_entry(name: str) -> ZooEntry:
    """What the zoo knows of a name.

    Raises:
        NotInZoo: If it does not have it; the message lists names that are near.

    Example:
        >>> zoo_entry("zoo:efficientnet-lite0/imagenet").mean
        (127.0, 127.0, 127.0)
    """
    for entry in ZOO:
        if entry.name == name:
            return entry
    near = ", ".join(get_close_matches(name, zoo_names(), n=_SHOWN, cutoff=0.5))
    backbones = ", ".join(dict.fromkeys(known.removeprefix(PREFIX).partition("/")[0] for known in zoo_names()))
    raise NotInZoo(f"{name} is not in the zoo; {f'near are {near}' if near else f'its backbones are {backbones}'}.")
