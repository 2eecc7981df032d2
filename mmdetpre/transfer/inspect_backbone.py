"""Looks at a backbone file, alone or against the model of a config, without loading it for good."""

from __future__ import annotations

import os

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmdetpre.transfer.backbone_file import checkpoint_facts
from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.freezing import freezing_table
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.load_backbone import load_backbone
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.preprocessing import from_config, of_checkpoint


def describe_checkpoint(source: str | os.PathLike[str], prefix: str | None = None, entry: str | None = None) -> str:
    """Form, naming, prefix, digest, preprocessing and origin of the backbone in a file, as text.

    Args:
        source: Path or address, see :func:`~mmdetpre.transfer.checkpoint_reader.read_checkpoint`.
        prefix: What stands before the names of the backbone; None: auto-detected.
        entry: The entry with the weights; None: the usual one.

    Raises:
        CheckpointError, KeyMapError, OSError: If there is no one backbone in it.
    """
    checkpoint = read_checkpoint(source, entry)
    names = map_names(checkpoint.tensors, prefix)
    tensors = names.read(checkpoint.tensors)
    facts = {
        "backbone": described(names, checkpoint.tensors),
        "tensors": f"{len(tensors)}, and {len(names.outside)} outside of the backbone",
        "file": f"{checkpoint.kind}, names as in {names.naming}, prefix {names.prefix!r}",
        "digest": weights_digest(tensors),
        "preprocessing": of_checkpoint(checkpoint, names.naming) or "not known",
        **({"other entries": ", ".join(checkpoint.others)} if checkpoint.others else {}),
        **checkpoint_facts(checkpoint),
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def inspect_into(
    source: str | os.PathLike[str] | Checkpoint,
    config: str | os.PathLike[str],
    prefix: str | None = None,
    entry: str | None = None,
    check_preprocessing: bool = True,
) -> tuple[LoadReport, str]:
    """Compare a file with the backbone of a config.

    Args:
        source: Path or address of the file, or a checkpoint that was read already.
        config: Path of a config of any toolbox, with ``model.backbone``.
        prefix, entry, check_preprocessing: As for `mmdetpre.transfer.load_backbone`.

    Returns:
        The report of a load that was not done, and the table of what of the backbone the config trains.

    Raises:
        ValueError: If the config names no backbone.
        OSError: If there is no such config.
    """
    cfg = Config.fromfile(config)
    backbone = (cfg.get("model") or {}).get("backbone")
    if backbone is None:
        raise ValueError(f"{config} has no model.backbone: give the config of a detector, segmentor or classifier.")
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope", "mmengine")):
        module = MODELS.build(backbone)  # builds only: init_cfg acts in init_weights
    report = load_backbone(
        module,
        source,
        prefix,
        entry=entry,
        preprocessing=from_config(cfg, origin="its config"),
        check_preprocessing=check_preprocessing,
        dry_run=True,
    )
    return report, freezing_table(module)
