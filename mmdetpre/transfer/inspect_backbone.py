"""Looks at a backbone file, alone or beside a config, a network of another library or another file; loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from mmdetpre.transfer.backbone_file import checkpoint_facts
from mmdetpre.transfer.checkpoint_reader import Checkpoint, CheckpointError, read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.digest import NOT_WEIGHTS, weights_digest
from mmdetpre.transfer.expected_differences import HEAD, unexpected_rule
from mmdetpre.transfer.freezing import freezing_table
from mmdetpre.transfer.key_map import KeyMap, KeyMapError, find_prefixes, guess_prefix, map_names
from mmdetpre.transfer.load_backbone import compare_checkpoint, load_backbone
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.preprocessing import from_config, of_checkpoint
from mmdetpre.transfer.toolboxes import backbone_of_config, build_in_toolbox


def describe_checkpoint(source: str | os.PathLike[str], prefix: str | None = None, entry: str | None = None) -> str:
    """Form, naming, prefix, digest, preprocessing and origin of the backbone in a file, as text.

    Args:
        source: Path or address, see :func:`~mmdetpre.transfer.checkpoint_reader.read_checkpoint`.
        prefix: What stands before the names of the backbone; None: auto-detected, and guessed for one of no known
            family, which the text says.
        entry: The entry with the weights; None: the usual one.

    Raises:
        CheckpointError, KeyMapError, OSError: If there is no one backbone in it.
    """
    checkpoint = read_checkpoint(source, entry)
    guessed = prefix is None and not find_prefixes(checkpoint.tensors)
    names = map_names(checkpoint.tensors, guess_prefix(checkpoint.tensors) if guessed else prefix)
    tensors = names.read(checkpoint.tensors)
    naming = f"names as in {names.naming}" if names.naming != "as is" else "names as they are"
    advice = f" (guessed, for it is of no known family: --prefix says another{_parts(names)})" if guessed else ""
    facts = {
        "backbone": described(names, checkpoint.tensors),
        "tensors": f"{len(tensors)}, and {len(names.outside)} outside of the backbone",
        "file": f"{checkpoint.kind}, {naming}, prefix {names.prefix!r}{advice}",
        "digest": weights_digest(tensors),
        "preprocessing": of_checkpoint(checkpoint, names.naming) or "not known",
        **({"other entries": ", ".join(checkpoint.others)} if checkpoint.others else {}),
        **({"repository": checkpoint.commit} if checkpoint.commit else {}),
        **checkpoint_facts(checkpoint),
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def _parts(names: KeyMap) -> str:
    """Of a whole network its parts, one of which may be the backbone."""
    if names.outside:
        return ""
    inside = (name.removeprefix(names.prefix) for name in names.names.values())
    parts = list(dict.fromkeys(f"{names.prefix}{name.partition('.')[0]}." for name in inside if "." in name))
    return f", such as {', '.join(parts[:4])}{', ...' if len(parts) > 4 else ''}" if len(parts) > 1 else ""


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
    cfg, backbone = backbone_of_config(config)
    module = build_in_toolbox(cfg.get("default_scope", "mmengine"), backbone)
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


def inspect_like(
    source: str | os.PathLike[str] | Checkpoint,
    tensors: Mapping[str, Tensor],
    target: str,
    prefix: str | None = None,
    entry: str | None = None,
) -> LoadReport:
    """Compare a file with a network of any library, or with another file: names, forms, shapes and values' soundness.

    Heads are compared on neither side. No OpenMMLab package is needed.

    Args:
        source: Path or address of the file, or a checkpoint that was read already.
        tensors: ``state_dict()`` of the network, or the tensors of the other file.
        target: What to call it in the report.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`.

    Returns:
        The report of a load that was not done.

    Raises:
        KeyMapError: If no one backbone stands in ``tensors``.
    """
    wanted = _network_names(tensors)
    checkpoint = source
    report = LoadReport(getattr(source, "source", str(source)), f"{target} ({described(wanted, tensors)})")
    try:
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = read_checkpoint(checkpoint, entry)
        names = map_names(checkpoint.tensors, prefix, wanted.names)
    except (CheckpointError, KeyMapError, OSError) as error:
        report.reasons.append(str(error))
        return report
    compare_checkpoint(report, checkpoint, names, wanted, tensors)
    return report


def equal_values(source: Checkpoint, tensors: Mapping[str, Tensor], prefix: str | None = None) -> tuple[int, int]:
    """Of how many tensors two files hold the same values: are weights loaded, or is their form alike?

    Args:
        source: A file.
        tensors: Tensors of another one, or ``state_dict()`` of a network.
        prefix: Of the file's backbone.

    Returns:
        Tensors whose values are equal as float32, and tensors of one name and shape; heads and counters do not count.

    Raises:
        KeyMapError: If no one backbone stands in one of them.
    """
    ours = _network_names(tensors)
    theirs = map_names(source.tensors, prefix, ours.names).read(source.tensors)
    pairs = [
        (theirs[name], tensor)
        for name, tensor in ours.read(tensors).items()
        if name in theirs and theirs[name].shape == tensor.shape and not name.endswith(NOT_WEIGHTS)
    ]
    return sum(torch.equal(a.float(), b.float()) for a, b in pairs), len(pairs)


def _network_names(tensors: Mapping[str, Tensor]) -> KeyMap:
    """Names of a whole network or file, without its head."""
    try:
        names = map_names(tensors)
    except KeyMapError:
        if find_prefixes(tensors):
            raise
        names = map_names(tensors, prefix="")  # of no family known: all names as they are
    return replace(names, names={name: own for name, own in names.names.items() if unexpected_rule(name) != HEAD})


def library_network(library: str, name: str) -> nn.Module:
    """A network of timm or torchvision by its name, with random weights and no classifier where that can be left out.

    Args:
        library: ``timm`` or ``torchvision``.
        name: As the library calls it: ``convnext_tiny``.

    Raises:
        ValueError: If the library is not installed, or has no such network.
    """
    try:
        if library == "timm":
            from timm import create_model

            return create_model(name, num_classes=0)
        from torchvision.models import get_model

        return get_model(name, weights=None)
    except ModuleNotFoundError as error:
        raise ValueError(f"{library} is not installed: pip install {library}.") from error
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{library} has no network {name!r}: {str(error).splitlines()[0]}.") from error
