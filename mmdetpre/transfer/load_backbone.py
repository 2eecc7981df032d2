"""Loads the weights of a backbone, accounts for every tensor, and proves that they arrived."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from mmdetpre.transfer.checkpoint_reader import Checkpoint, CheckpointError, read_checkpoint
from mmdetpre.transfer.compare_weights import compare_weights, described, form_of
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.families import family_of_form
from mmdetpre.transfer.key_map import KeyMap, KeyMapError, map_names
from mmdetpre.transfer.load_report import BackboneNotLoaded, LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing, differences, of_checkpoint
from mmdetpre.transfer.trained_form import stage_differences, trained_form

POLICIES = ("error", "warn")


def load_backbone(
    module: nn.Module,
    checkpoint: str | os.PathLike[str] | Checkpoint,
    prefix: str | None = None,
    policy: str = "error",
    *,
    entry: str | None = None,
    preprocessing: Preprocessing | None = None,
    check_preprocessing: bool = True,
    reset_offsets: bool = False,
    dry_run: bool = False,
) -> LoadReport:
    """Load a backbone from a checkpoint of any library that `mmdetpre.transfer.checkpoint_reader` knows.

    Everything is compared before the first tensor is written: if this raises, the module is as before.

    Args:
        module: The backbone, not the model around it.
        checkpoint: Path, address, or a checkpoint that was read already.
        prefix: What stands before the backbone's names in the file; auto-detected if there is only one.
        policy: ``error`` loads ``complete`` and ``expected`` files and raises on others; ``warn`` also loads
            ``incomplete`` ones. A ``refused`` file is never loaded.
        entry: Entry of the file with the weights, for files with several.
        preprocessing: How the model prepares its images; compared with what is known of the file.
        check_preprocessing: False accepts another preprocessing; the report names it all the same.
        reset_offsets: Set the offsets of deformable convolutions to 0 instead of taking those of the file, as SNIPER
            does when it is fine-tuned on another data set.
        dry_run: Only compare: load nothing, raise nothing.

    Returns:
        The report, with the digest of what the module now holds: every tensor was compared with the file's.

    Raises:
        BackboneNotLoaded: As ``policy`` says; holds the report.
        ValueError: If an argument is not among the allowed.

    Example:
        >>> report = load_backbone(model.backbone, "sniper_backbone.pth")  # doctest: +SKIP
        >>> report.verdict  # doctest: +SKIP
        'complete'
    """
    if policy not in POLICIES:
        raise ValueError(f"policy={policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")
    state = module.state_dict()
    try:
        model_names = map_names(state, prefix="")
    except KeyMapError as error:
        raise ValueError(f"{type(module).__name__} is not a backbone; pass model.backbone. {error}") from error
    source = checkpoint.source if isinstance(checkpoint, Checkpoint) else os.fspath(checkpoint)
    report = LoadReport(source, _describe(module, model_names, state))
    try:
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = read_checkpoint(checkpoint, entry)
        file_names = map_names(checkpoint.tensors, prefix, model_names.names)
        known = of_checkpoint(checkpoint, file_names.naming)
    except (CheckpointError, KeyMapError, OSError) as error:
        report.reasons.append(str(error))
        if dry_run:
            return report
        raise BackboneNotLoaded(report) from error

    _compare_preprocessing(report, known, file_names, module, preprocessing, check_preprocessing)
    digest = compare_checkpoint(report, checkpoint, file_names, model_names, state, reset_offsets=reset_offsets)
    form = form_of(model_names, state)
    behavior = family_of_form(form).behavior(file_names.naming, module) if form else {}
    report.stages = stage_differences(module, trained_form(checkpoint)) or behavior
    if dry_run:
        return report
    if report.verdict == "refused" or (policy == "error" and not report.good):
        raise BackboneNotLoaded(report)
    file_tensors = file_names.read(checkpoint.tensors)
    _load(module, report, model_names, file_tensors, state)
    # All of the file's bits are in the module, as `_load` has seen: its digest is the module's too.
    same = digest and len(report.matched) == len(file_tensors) and not report.conversions
    report.digest = digest if same else loaded_digest(module, report)
    return report


def compare_checkpoint(
    report: LoadReport,
    checkpoint: Checkpoint,
    file: KeyMap,
    model: KeyMap,
    state: Mapping[str, Tensor],
    *,
    reset_offsets: bool = False,
) -> str:
    """Compare the backbone of a checkpoint with the tensors of a network, and fill the report.

    Args:
        report: Report with source and target; reasons that it has already make it ``refused``.
        checkpoint: The checkpoint.
        file: Names of the file.
        model: Names of the network.
        state: Its tensors, by their own names.
        reset_offsets: As for `load_backbone`.

    Returns:
        Digest of the file's backbone where its metadata tell one and it is still that; else an empty text.
    """
    report.source_description = _describe_file(checkpoint, file)
    told = checkpoint.backbone_metadata.get("digest")
    found = weights_digest(file.read(checkpoint.tensors)) if told else ""
    if told not in (None, found) and told != _earlier_digest(checkpoint, file):
        report.reasons.append(
            f"the weights have changed since the file was exported: digest {found[:12]}..., by its metadata"
            f" {str(told)[:12]}.... Export the file again"
        )
    compare_weights(report, file, checkpoint.tensors, model, state, reset_offsets)
    return found if told == found else ""


def loaded_digest(module: nn.Module, report: LoadReport) -> str:
    """Digest of the tensors that a report says were loaded, as the module holds them now.

    Equal to ``report.digest`` as long as nothing has written to them.
    """
    state = module.state_dict()
    matched = set(report.matched)
    names = map_names(state, prefix="")
    return weights_digest({name: tensor for name, tensor in names.read(state).items() if names.names[name] in matched})


def _earlier_digest(checkpoint: Checkpoint, names: KeyMap) -> str:
    """As files were exported before there were families but ResNets: of names as they are."""
    tensors = {name[len(names.prefix) :]: checkpoint.tensors[name] for name in names.names.values()}
    return weights_digest(tensors, skipped=("num_batches_tracked",))


def _load(
    module: nn.Module, report: LoadReport, model: KeyMap, file: dict[str, Tensor], state: dict[str, Tensor]
) -> None:
    matched = set(report.matched)
    arriving = (canonical for canonical, own in model.names.items() if own in matched)
    weights = {own: t for canonical in arriving for own, t in model.write(canonical, file[canonical], state).items()}
    # A rule promises that offsets which the file lacks, or which are not taken, begin at zero.
    offsets = {own: torch.zeros_like(state[own]) for own, _ in report.expected if own in state and "conv_offset" in own}
    module.load_state_dict(weights | offsets, strict=False)
    after = module.state_dict()
    for own, wanted in weights.items():
        if not torch.equal(after[own].cpu(), wanted.to(after[own].dtype)):
            report.reasons.append(f"{own} was loaded and yet differs: a load_state_dict hook of the module changes it")
            report.verdict = "incomplete"
            raise BackboneNotLoaded(report)
    report.loaded = True


def _compare_preprocessing(
    report: LoadReport,
    file: Preprocessing | None,
    names: KeyMap,
    module: nn.Module,
    model: Preprocessing | None,
    refuse: bool,
) -> None:
    model = model or Preprocessing(origin="the backbone; the rest is not known")
    model = replace(model, style=model.style or getattr(module, "style", None))
    report.preprocessing = {"file": str(file) if file else "not known", "model": str(model)}
    bottleneck = "layer1.0.conv3.weight" in names.names
    for difference in differences(file, model, bottleneck):
        report.preprocessing[difference.split(":")[0]] = f"DIFFERS: {difference}"
        if refuse:
            report.reasons.append(
                f"other preprocessing: {difference}. Change data_preprocessor (for style: the backbone) of the config,"
                " or pass check_preprocessing=False"
            )


def _describe(module: nn.Module, names: KeyMap, state: dict[str, Tensor]) -> str:
    own = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
    form = form_of(names, state)
    return f"{own} ({form})" if form else own


def _describe_file(checkpoint: Checkpoint, names: KeyMap) -> str:
    parts = [described(names, checkpoint.tensors), f"names as in {names.naming}"]
    parts[1] = "compared by equal names" if names.naming == "as is" else parts[1]
    parts += [f"prefix {names.prefix!r}"] if names.prefix else []
    parts += [f"entry {checkpoint.entry!r}"] if checkpoint.entry else []
    parts += [checkpoint.commit] if checkpoint.commit else []
    if checkpoint.averaged and checkpoint.entry == "state_dict":
        parts.append("EMAHook's averaged weights; ema_state_dict has the trained ones")
    elif checkpoint.others:
        parts.append(f"the file has other weights in {', '.join(checkpoint.others)}")
    return ", ".join(parts)
