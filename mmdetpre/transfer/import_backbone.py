"""Turns the published weights of other libraries into a backbone file, with an account of every tensor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmdetpre.transfer.backbone_file import check_writable, export_backbone
from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.checkpoint_origin import check_source, find_source, source_preprocessing
from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.compare_weights import compare_weights, described, form_of
from mmdetpre.transfer.families import UNKNOWN, family_of_form
from mmdetpre.transfer.families.family import Form
from mmdetpre.transfer.key_map import KeyMap, map_names
from mmdetpre.transfer.load_backbone import POLICIES, load_backbone
from mmdetpre.transfer.load_report import BackboneNotLoaded, LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing, differences, from_config
from mmdetpre.transfer.resnet_form import ResNetForm, backbone_config
from mmdetpre.transfer.sniper_names import map_sniper_names
from mmdetpre.transfer.toolboxes import backbone_of_config, build_in_toolbox


def import_backbone(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    library: str = "auto",
    *,
    into: str | os.PathLike[str] | None = None,
    prefix: str | None = None,
    entry: str | None = None,
    policy: str = "error",
    preprocessing: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> tuple[LoadReport, BackboneMetadata]:
    """Convert a file and prove the result: it is read back into a backbone before this returns.

    The weights are written in float32 under the names of the backbone that takes them: ``mmdet.ResNet``,
    ``mmdetpre.PreActResNet`` for the SNIPER release, that of the family for others, or that of ``into``. Nothing is
    written unless the verdict is good.

    Args:
        source: Path or address.
        out: File to write, ending in ``.pth`` or ``.safetensors``.
        library: ``auto``, ``torchvision``, ``timm``, ``huggingface``, ``detectron2`` or ``mxnet``.
        into: Config whose backbone takes the weights, and whose preprocessing must be the same.
        prefix, entry: As for `mmdetpre.transfer.load_backbone`; not for MXNet.
        policy: ``error``, or ``warn`` to write what fits of an ``incomplete`` file.
        preprocessing: ``dict(mean=..., std=..., channel_order=..., style=...)``: what differs from the library's usual.
        metadata: Added to the file's metadata.
        overwrite: Replace an existing file.

    Returns:
        The report, in the names of the source file where only it has them; and the metadata that was written.

    Raises:
        BackboneNotLoaded: If the verdict is not good; holds the report.
        CheckpointError, KeyMapError, OSError, ValueError: If the file cannot be read, has no one reading, or the other
            cannot be written.

    Example:
        >>> report, told = import_backbone("SNIPER-0007.params", "openimages.pth")  # doctest: +SKIP
        >>> report.verdict, told["library"]  # doctest: +SKIP
        ('expected', 'mxnet')
    """
    if policy not in POLICIES:
        raise ValueError(f"policy={policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")
    check_writable(out, overwrite)
    checkpoint = read_checkpoint(source, entry)
    expected: list[tuple[str, str]] = []
    if checkpoint.kind == "mxnet":
        names, expected = map_sniper_names(checkpoint.tensors)
    else:
        names = map_names(checkpoint.tensors, prefix)
    if library == "auto":
        library = find_source(checkpoint, names)
    check_source(library, checkpoint, names)
    known = source_preprocessing(library, checkpoint.tensors)
    if preprocessing:
        known = Preprocessing(**{**known.to_dict(), **preprocessing}, origin="as given")
    module, wanted = _target(checkpoint, names, known, into)
    report = _account(checkpoint, names, expected, module, known, wanted)
    if report.verdict == "refused" or (policy == "error" and not report.good):
        raise BackboneNotLoaded(report)
    state = module.state_dict()
    own, matched = map_names(state, prefix=""), set(report.matched)
    tensors: dict[str, Tensor] = {}
    for canonical, tensor in names.read(checkpoint.tensors).items():
        if own.names.get(canonical) in matched:
            tensors |= own.write(canonical, tensor, state)
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    told = export_backbone(
        Checkpoint(checkpoint.source, checkpoint.kind, checkpoint.entry, tensors),
        out,
        prefix="",
        metadata={"library": library, **(metadata or {})},
        preprocessing=known,
        overwrite=overwrite,
    )
    proof = load_backbone(module, out, prefix="", policy=policy, check_preprocessing=False)
    report.digest, report.loaded = proof.digest, True
    return report, told


def _target(
    checkpoint: Checkpoint, names: KeyMap, known: Preprocessing, into: str | os.PathLike[str] | None
) -> tuple[nn.Module, Preprocessing | None]:
    """The backbone that takes the weights, with random ones, and the preprocessing of its config."""
    if into is not None:
        config, backbone = backbone_of_config(into)
        module = build_in_toolbox(config.get("default_scope", "mmdet"), backbone)
        return module, from_config(config, origin=Path(into).name)
    form = form_of(names, checkpoint.tensors)
    if isinstance(form, Form) and (configs := family_of_form(form).configs(form)):
        return build_in_toolbox("mmdet", dict(configs["mmdet"])), None
    if not isinstance(form, ResNetForm) or form.depth is None:
        raise ValueError(
            f"{checkpoint.source} holds {form or UNKNOWN}, which no toolbox builds by its form alone: name a config"
            " with such a backbone, --into CONFIG."
        )
    kind = "mmdetpre.PreActResNet" if form.pre_activation else "mmdet.ResNet"
    return build_in_toolbox("mmdet", {**backbone_config(form, known.style or "pytorch"), "type": kind}), None


def _account(
    checkpoint: Checkpoint,
    names: KeyMap,
    expected: list[tuple[str, str]],
    module: nn.Module,
    known: Preprocessing,
    wanted: Preprocessing | None,
) -> LoadReport:
    """What of the file would be loaded into the module, which stays as it is."""
    state = module.state_dict()
    model = map_names(state, prefix="")
    form = form_of(model, state)
    kind = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
    report = LoadReport(checkpoint.source, f"{kind} ({form})" if form else kind)
    report.source_description = f"{described(names, checkpoint.tensors)}, names as in {names.naming}"
    report.expected = list(expected)
    report.stages = family_of_form(form).behavior(names.naming, module) if form else {}
    report.preprocessing = {"file": str(known)} | ({"model": str(wanted)} if wanted else {})
    for difference in differences(known, wanted, bottleneck="layer1.0.conv3.weight" in names.names):
        report.reasons.append(f"other preprocessing: {difference}. Change data_preprocessor (for style: the backbone)")
    return compare_weights(report, names, checkpoint.tensors, model, state)
