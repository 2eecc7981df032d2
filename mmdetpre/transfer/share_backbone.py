"""Exports a backbone for others: safetensors, verified in the three toolboxes, and a model card."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdetpre.transfer.backbone_file import checkpoint_facts, export_backbone
from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.model_card import ModelCard, check_labels
from mmdetpre.transfer.preprocessing import of_checkpoint
from mmdetpre.transfer.share_target import CARD, FILE, ShareTarget
from mmdetpre.transfer.toolboxes import TOOLBOXES
from mmdetpre.transfer.verify_transfer import Arrival, all_identical, arrivals_table, toolbox_backbones, verify_transfer
from mmdetpre.utils.plain_config import PlainConfig


@dataclass(frozen=True)
class Shared:
    """What was written.

    Attributes:
        where: Folder, or address of the commit.
        metadata: Of the file.
        proof: How it arrived in each toolbox, or why that was not tried.
    """

    where: str
    metadata: BackboneMetadata
    proof: Sequence[Arrival] | str


def share_backbone(
    checkpoint: str | os.PathLike[str],
    target: ShareTarget,
    *,
    prefix: str | None = None,
    entry: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    backbone: PlainConfig | None = None,
    license: str = "",
    datasets: Sequence[str] = (),
    study: str = "",
    card: bool = True,
) -> Shared:
    """Export a backbone as safetensors, verify the file in the three toolboxes, and hand it over with its card.

    Of paths of this machine only the names of files remain in the metadata.

    Args:
        checkpoint: Path or address.
        target: Of `mmdetpre.transfer.share_target.share_target`.
        prefix, entry, metadata: As for `mmdetpre.transfer.export_backbone`.
        backbone: Config of the backbone, for one that no toolbox builds by its form.
        license, datasets, study: See `mmdetpre.transfer.model_card.ModelCard`.
        card: Whether there is a card.

    Raises:
        FileExistsError: If weights or card are there, and may not be replaced.
        BackboneNotLoaded, CheckpointError, KeyMapError, OSError: As reading, `verify_transfer` and writing do.
        ValueError: If the toolboxes do not agree on the file, or license or data sets have another form.

    Example:
        >>> import torch
        >>> from mmdetpre.transfer.share_target import FolderTarget
        >>> folder = Path(tempfile.mkdtemp())
        >>> torch.save({"net.a.weight": torch.ones(2, 2)}, folder / "a.pth")
        >>> shared = share_backbone(folder / "a.pth", FolderTarget(folder / "shared"), prefix="net")
        >>> shared.metadata["architecture"], sorted(path.name for path in Path(shared.where).iterdir())
        ('unknown family', ['README.md', 'model.safetensors'])
    """
    check_labels(license, datasets)
    target.check(card)
    read = read_checkpoint(checkpoint, entry)
    facts = {**checkpoint_facts(read), **(metadata or {})}
    told = {key: without_folders(value) if isinstance(value, str) else value for key, value in facts.items()}
    with tempfile.TemporaryDirectory() as folder:
        path, readme = Path(folder, FILE), Path(folder, CARD)
        export_backbone(read, path, prefix=prefix, metadata=told)
        written = read_checkpoint(path)
        naming, proof, backbones = _verified(written, path, backbone)
        known = of_checkpoint(written, naming)
        if card:
            text = ModelCard(
                title=target.title,
                weights=target.weights,
                file=target.file,
                metadata=written.backbone_metadata,
                preprocessing=str(replace(known, origin="")) if known else "",
                naming=naming,
                proof=proof,
                backbones=backbones,
                license=license,
                datasets=datasets,
                study=study,
            ).text()
            readme.write_text(text, encoding="utf-8")
        where = target.take(path, readme if card else None)
    return Shared(where, written.backbone_metadata, proof)


def without_folders(text: str) -> str:
    """A text of metadata without the folders of this machine.

    Example:
        >>> without_folders("/mnt/me/my runs/last.pth"), without_folders("CocoDataset /data/coco/ ann.json")
        ('last.pth', 'CocoDataset coco ann.json')
    """
    if text.startswith(("/", "~")):
        return Path(text).name
    return re.sub(r"(?<!\S)[/~]\S*", lambda found: Path(found[0]).name, text)


def _verified(
    read: Checkpoint, path: Path, backbone: PlainConfig | None
) -> tuple[str, Sequence[Arrival] | str, Mapping[str, PlainConfig]]:
    """Whose names the file has; how it arrived in each toolbox, or why that was not tried; and what these built."""
    names = map_names(read.tensors, prefix="")
    naming = "the network that it is of" if names.naming == "as is" else names.naming
    if backbone is not None:
        own = {key: value for key, value in backbone.items() if key not in ("init_cfg", "pretrained")}
        backbones = dict.fromkeys(TOOLBOXES, own)
    else:
        backbones = toolbox_backbones(read, names)
    if not backbones:
        which = described(names, read.tensors)
        return naming, f"no toolbox builds it by its form alone ({which}); --into CONFIG names its backbone.", {}
    try:
        proof = verify_transfer(path, prefix="", backbone=backbone)
    except ModuleNotFoundError as error:
        return naming, f"{error.name} is not installed where the file was written.", backbones
    if not all_identical(proof):
        raise ValueError(f"The toolboxes do not agree on this file, and nothing was written:\n{arrivals_table(proof)}")
    return naming, proof, backbones
