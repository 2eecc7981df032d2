"""Writes a backbone alone, with what its next user must know."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.checkpoint_reader import METADATA_KEY, Checkpoint, read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.preprocessing import Preprocessing, of_checkpoint
from mmdetpre.transfer.trained_form import form_of_backbone
from mmdetpre.utils.literal_config import literal_config
from mmdetpre.utils.whole_file import whole_file

FORMATS = (".pth", ".safetensors")


def write_backbone(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    overwrite: bool = False,
) -> str:
    """Write the weights of a backbone, whole or not at all.

    The ``.pth`` file is a checkpoint of mmengine: ``state_dict`` holds the weights without a prefix, so that
    ``init_cfg=dict(type="Pretrained", ...)`` loads it too, and ``meta["mmdetpre_backbone"]`` the metadata. Weights of a
    ``TIMMBackbone`` get timm's own names, so that timm loads them.

    Args:
        path: File to write; its ending says the format, one of `FORMATS`.
        tensors: Weights by the names of the backbone they come from, without prefix.
        metadata: Plain values: source data set, toolbox, config, epoch, ...
        preprocessing: How images were prepared for these weights.
        overwrite: Replace an existing file.

    Returns:
        The digest, which is also in the metadata.

    Raises:
        FileExistsError: If the file is there and ``overwrite`` is not set.
        ValueError: If the ending is unknown, there is no backbone among the tensors, or metadata are not plain values.
        OSError: If the file cannot be written.
    """
    path = Path(path).expanduser()
    check_writable(path, overwrite)
    names = map_names(tensors, prefix="")
    own = {
        name.removeprefix(names.prefix): tensor for name, tensor in tensors.items()
    }  # as the wrapped network has them
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in own.items()}
    digest = weights_digest(names.read(tensors))
    metadata = {
        "digest": digest,
        "architecture": described(names, tensors),
        "preprocessing": preprocessing.to_dict() if preprocessing else None,
        **(metadata or {}),
    }
    try:
        as_text = json.dumps(metadata)
    except TypeError as error:
        raise ValueError(f"metadata take plain values only, which any reader can load: {error}.") from error
    with io.BytesIO() as content:  # neither library tells errors of the disk in the system's words
        if path.suffix == ".pth":
            torch.save({"meta": {METADATA_KEY: metadata}, "state_dict": weights}, content)
        else:
            content.write(safetensors_bytes(weights, {"format": "pt", METADATA_KEY: as_text}))
        with whole_file(path, overwrite=overwrite) as part:
            part.write_bytes(content.getbuffer())
    return digest


def check_writable(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Find out before a long run what would stop `write_backbone` after it.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError, ValueError: As `write_backbone` would.
    """
    path = Path(path).expanduser()
    if path.suffix not in FORMATS:
        raise ValueError(f"{path} ends in {path.suffix!r}: a backbone file ends in {' or '.join(FORMATS)}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or allow it to be replaced with overwrite.")
    parent = path.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {parent} is a file, not a folder.")
    if path.is_dir() or not os.access(parent, os.W_OK):
        raise PermissionError(f"{path} cannot be written: {path if path.is_dir() else parent} is not writable.")


def export_backbone(
    checkpoint: str | os.PathLike[str] | Checkpoint,
    path: str | os.PathLike[str],
    *,
    prefix: str | None = None,
    entry: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    preprocessing: Preprocessing | None = None,
    overwrite: bool = False,
) -> BackboneMetadata:
    """Take the backbone out of a checkpoint and write it with metadata.

    Args:
        checkpoint: Path, address, or a checkpoint that was read already.
        path: File to write.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.
        metadata: Added to what the checkpoint itself tells, and stronger than it.
        preprocessing: Stronger than what the checkpoint tells.
        overwrite: Replace an existing file.

    Returns:
        The metadata that was written.

    Raises:
        CheckpointError, KeyMapError, OSError, ValueError: As reading, `map_names` and `write_backbone` do.
    """
    check_writable(path, overwrite)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = read_checkpoint(checkpoint, entry)
    names = map_names(checkpoint.tensors, prefix)
    inside = (name for name in checkpoint.tensors if name.startswith(names.prefix))
    tensors = {name[len(names.prefix) :]: checkpoint.tensors[name] for name in inside}
    told = cast(BackboneMetadata, {**checkpoint_facts(checkpoint), **(metadata or {})})
    known = preprocessing or of_checkpoint(checkpoint, names.naming)
    digest = write_backbone(path, tensors, told, preprocessing=known, overwrite=overwrite)
    return {**told, "digest": digest, "preprocessing": known.to_dict() if known else None}


def checkpoint_facts(checkpoint: Checkpoint) -> BackboneMetadata:
    """What a checkpoint tells about its origin: data set, toolbox, epoch, iteration, averaged weights."""
    told = {
        k: v for k, v in checkpoint.backbone_metadata.items() if k not in ("digest", "preprocessing", "architecture")
    }
    config = literal_config(checkpoint.config_text)
    facts: dict[str, object] = {"checkpoint": checkpoint.source, "entry": checkpoint.entry, **config_facts(config)}
    for key in ("epoch", "iter", "experiment_name", "mmengine_version", "mmdet_version", "mmcv_version"):
        if isinstance(value := checkpoint.meta.get(key), int | str):
            facts[key] = value
    if checkpoint.averaged and checkpoint.entry == "state_dict":
        facts["weights"] = "averaged by EMAHook"
    return cast(BackboneMetadata, {**facts, **told})


def config_facts(config: Mapping[str, Any]) -> BackboneMetadata:
    """Toolbox, source data set, and strides and dilations of the backbone that a config names."""
    facts: BackboneMetadata = {}
    if scope := config.get("default_scope"):
        facts["toolbox"] = str(scope)
    loader = config.get("train_dataloader")
    dataset = loader.get("dataset") if isinstance(loader, Mapping) else None
    if dataset is None and isinstance(data := config.get("data"), Mapping):
        dataset = data.get("train")  # before version 3 of mmdet
    while isinstance(dataset, Mapping) and isinstance(dataset.get("dataset"), Mapping):
        dataset = dataset["dataset"]
    if isinstance(dataset, Mapping) and (kind := dataset.get("type")):
        files = [str(dataset[key]) for key in ("data_root", "ann_file") if dataset.get(key)]
        facts["source_dataset"] = " ".join([str(kind), *files])
    model = config.get("model")
    backbone = model.get("backbone") if isinstance(model, Mapping) else None
    if isinstance(backbone, Mapping) and (form := form_of_backbone(backbone)):
        facts["strides"], facts["dilations"] = list(form.strides), list(form.dilations)
    return facts
