"""Which library published a file of weights, and how that library prepares images for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from mmdetpre.transfer.checkpoint_reader import Checkpoint
from mmdetpre.transfer.key_map import KeyMap, KeyMapError
from mmdetpre.transfer.preprocessing import IMAGENET, Preprocessing, of_detectron2

SNIPER = Preprocessing((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), "rgb", "pytorch")
"""Of the original SNIPER release: mean colour subtracted, channels put in order RGB, stride in the 3x3 convolution."""
SOURCES = ("torchvision", "timm", "huggingface", "detectron2", "mxnet")
NAMINGS = dict.fromkeys(("timm", "timm V1d", "the authors"), "timm")
NAMINGS |= {"detectron2": "detectron2", "Hugging Face": "huggingface"}
"""Ways of naming that one library alone has."""
_OPENMMLAB = {"cfg", "mmengine_version", "config", "mmdet_version", "mmseg_version", "mmcls_version", "mmcv_version"}
"""What its checkpoints note of themselves, since the first versions."""
ADDRESSES = {
    "torchvision": r"^(torchvision://|https?://download\.pytorch\.org/)",
    "timm": r"^(hf://timm/|https?://(huggingface\.co/timm/|github\.com/(rwightman|huggingface)/pytorch-image-models/))",
}


def find_source(checkpoint: Checkpoint, names: KeyMap) -> str:
    """One of `SOURCES`, identified by the kind of file, the names in it, or its address.

    Raises:
        KeyMapError: If nothing tells, as for local files of torchvision and timm, whose names are the same; or if the
            file is a checkpoint of OpenMMLab.
    """
    if checkpoint.kind == "mxnet":
        return "mxnet"
    if checkpoint.backbone_metadata or not _OPENMMLAB.isdisjoint(checkpoint.meta):
        raise KeyMapError(
            f"{checkpoint.source} is a checkpoint of OpenMMLab, which needs no import: use export_backbone.py, or load"
            " it as it is."
        )
    if names.naming in NAMINGS:
        return NAMINGS[names.naming]
    for source, address in ADDRESSES.items():
        if re.match(address, checkpoint.source):
            return source
    raise KeyMapError(
        f"{checkpoint.source} has the names of torchvision, which timm uses, too: say where it comes from with --from"
        " torchvision or --from timm."
    )


def check_source(source: str, checkpoint: Checkpoint, names: KeyMap) -> None:
    """Make sure that a file can be from the library that it is said to be from.

    Args:
        source: Name of the library.
        checkpoint: The checkpoint.
        names: How its names read.

    Raises:
        KeyMapError: If its kind or its names are another library's.
        ValueError: If the library is unknown.
    """
    if source not in SOURCES:
        raise ValueError(f"{source!r} is unknown: weights are imported from auto, {', '.join(SOURCES)}.")
    if checkpoint.kind == "mxnet":
        possible = ["mxnet"]
    else:
        possible = [NAMINGS[names.naming]] if names.naming in NAMINGS else ["torchvision", "timm"]
    if source not in possible:
        raise KeyMapError(
            f"{checkpoint.source} is not from {source}: it is a {checkpoint.kind} file with names as in {names.naming}."
            f" Use --from {' or '.join(possible)}."
        )


def source_preprocessing(source: str, tensors: Mapping[str, Tensor]) -> Preprocessing:
    """How a library prepares images.

    torchvision's and timm's networks share ImageNet's mean and deviation; timm has some that do not. Repositories of
    Hugging Face say theirs in a file beside the weights, ``preprocessor_config.json``, which is not read. For
    detectron2 see `mmdetpre.transfer.preprocessing.of_detectron2`.

    Args:
        source: One of `SOURCES`.
        tensors: All tensors of the file.

    Example:
        >>> source_preprocessing("torchvision", {}).channel_order
        'rgb'
    """
    if source == "mxnet":
        return replace(SNIPER, origin="the SNIPER release")
    if source == "detectron2":
        return of_detectron2(tensors)
    if source == "huggingface":
        return Preprocessing(origin="its preprocessor_config.json says it")
    return replace(IMAGENET, origin=f"{source}'s usual")
