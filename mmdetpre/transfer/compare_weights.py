"""Compares the weights of a file with those of a model. Plain functions over dictionaries of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mmdetpre.transfer.expected_differences import OUTSIDE, RESET_OFFSETS, is_offset, missing_rule, unexpected_rule
from mmdetpre.transfer.families import UNKNOWN, canonical_family, family_of_form, form_of_shapes
from mmdetpre.transfer.families.family import Form, form_differences
from mmdetpre.transfer.key_map import KeyMap
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.resnet_form import ResNetForm
from mmdetpre.transfer.resnet_form import form_differences as resnet_differences


def compare_weights(
    report: LoadReport,
    file: KeyMap,
    file_tensors: Mapping[str, Tensor],
    model: KeyMap,
    model_tensors: Mapping[str, Tensor],
    reset_offsets: bool = False,
) -> LoadReport:
    """Fill a report with what matches and what does not, and set its verdict.

    Args:
        report: Report with source and target; reasons that it has already make it ``refused``.
        file: Names of the file.
        file_tensors: Its tensors, by their names in the file.
        model: Names of the model.
        model_tensors: Its tensors, by their own names; only shapes and number formats are considered.
        reset_offsets: Do not take the file's offsets of deformable convolutions.

    Returns:
        The same report.
    """
    refusals = list(report.reasons)
    other_numbers: list[tuple[str, str]] = []
    negative: list[str] = []
    some_weight = False
    family = canonical_family(model.names)
    file_form, model_form = form_of(file, file_tensors), form_of(model, model_tensors)
    file_tensors, model_tensors = file.read(file_tensors), model.read(model_tensors)
    for canonical, own in model.names.items():
        ours = model_tensors[canonical]
        if canonical not in file.names:
            rule = missing_rule(canonical, file.names, tuple(ours.shape), family)
            if rule:
                report.expected.append((own, rule))
            else:
                report.missing.append(own)
            continue
        if reset_offsets and is_offset(canonical):
            report.expected.append((own, RESET_OFFSETS))
            continue
        theirs = file_tensors[canonical]
        if ours.is_floating_point() and not theirs.is_floating_point():
            other_numbers.append((own, _format(theirs)))
        if theirs.shape != ours.shape:
            report.shape_clashes.append((own, tuple(theirs.shape), tuple(ours.shape)))
            continue
        report.matched.append(own)
        if theirs.dtype != ours.dtype:
            report.conversions.append((own, _format(theirs), _format(ours)))
        if theirs.is_floating_point() and not _finite(theirs.to(ours.dtype)):
            report.not_finite.append(file.names[canonical])
        if canonical.endswith(".running_var") and bool((theirs.float() < 0).any()):
            negative.append(file.names[canonical])
        if theirs.dim() == 4 and not is_offset(canonical):
            some_weight = some_weight or bool((theirs.float() != 0).any())
    for canonical, name in file.names.items():
        if canonical not in model.names:
            rule = unexpected_rule(canonical, family)
            if rule:
                report.expected.append((name, rule))
            else:
                report.unexpected.append(name)
    report.expected += [(name, OUTSIDE) for name in file.outside]
    report.statistics = statistics_of(file_tensors, model)
    if report.not_finite:
        refusals.append(
            f"{len(report.not_finite)} tensors hold NaN or infinity once in the model's number format, the first is"
            f" {report.not_finite[0]}: the training that made the file diverged, or its values overflow"
        )
    if negative:
        refusals.append(
            f"{len(negative)} variances of batch normalization are negative, the first is {negative[0]}, and would give"
            " NaN: the file is damaged, or these are not variances"
        )
    matched = set(report.matched)
    convolutions = [own for name, own in model.names.items() if own in matched and model_tensors[name].dim() == 4]
    if convolutions and not some_weight:
        refusals.append(
            f"all {len(convolutions)} convolutions are zero: the file was saved without its weights, or damaged"
        )
    if other_numbers:
        name, format_ = other_numbers[0]
        refusals.append(
            f"{len(other_numbers)} tensors are not floating-point numbers, the first is {name} ({format_}):"
            " the file is quantized, and means nothing without its scales. Export the weights before quantization"
        )
    forms = _form_differences(file, file_form, model, model_form)
    if other_family(file_form, model_form):
        refusals, forms = refusals + forms, []
    if refusals:
        report.verdict = "refused"
    elif report.missing or report.unexpected or report.shape_clashes or forms or _no_statistics(report):
        report.verdict = "incomplete"
    else:
        report.verdict = "expected" if report.expected or report.conversions else "complete"
    report.reasons = refusals + forms + _statistics_reason(report)
    if report.verdict == "incomplete" and not report.reasons:
        numbers = (len(report.missing), len(report.unexpected), len(report.shape_clashes))
        kinds = ("missing", "left over", "of another shape")
        counts = ", ".join(f"{number} {kind}" for number, kind in zip(numbers, kinds, strict=True) if number)
        report.reasons.append(f"the names alone do not tell why tensors differ ({counts}); they are listed below")
    return report


def form_of(names: KeyMap, tensors: Mapping[str, Tensor]) -> ResNetForm | Form | None:
    """Form of a backbone of a known family, None for others.

    Args:
        names: Names of the file or model.
        tensors: Its tensors, by their own names.
    """
    form = form_of_shapes({name: tuple(tensor.shape) for name, tensor in names.read(tensors).items()})
    return replace(form, pooled_shortcut=names.pooled_shortcut) if isinstance(form, ResNetForm) else form


def described(names: KeyMap, tensors: Mapping[str, Tensor]) -> str:
    """The form in words, human-readable, for reports and metadata.

    Args:
        names: Names of the file or model.
        tensors: Its tensors, by their own names.
    """
    return str(form_of(names, tensors) or UNKNOWN)


def other_family(file: ResNetForm | Form | None, model: ResNetForm | Form | None) -> bool:
    """Whether both are known and not of one family."""
    return file is not None and model is not None and family_of_form(file) is not family_of_form(model)


def _form_differences(
    file: KeyMap, file_form: ResNetForm | Form | None, model: KeyMap, model_form: ResNetForm | Form | None
) -> list[str]:
    if file_form is None or model_form is None:
        return []
    ours, theirs = family_of_form(model_form), family_of_form(file_form)
    if ours is not theirs:
        return [
            f"wrong family: the file holds a {file_form} (names as in {file.naming}), the model is a {model_form}: set"
            f" type={theirs.type!r} in the backbone of the config, or give a file with a {ours.name}"
        ]
    if isinstance(file_form, ResNetForm) and isinstance(model_form, ResNetForm):
        return resnet_differences(file_form, model_form)
    if isinstance(file_form, Form) and isinstance(model_form, Form):
        return form_differences(file_form, model_form, model.naming)
    return []


def statistics_of(file_tensors: Mapping[str, Tensor], model: KeyMap) -> str:
    """State of the file's batch normalization: a key of `mmdetpre.transfer.load_report.STATISTICS`.

    Args:
        file_tensors: By canonical name.
        model: Names of the model: its layers count.
    """
    wanted = [name for name in model.names if name.endswith((".running_mean", ".running_var"))]
    there = [name for name in wanted if name in file_tensors]
    if not wanted:
        return "none"
    # Layers that the file lacks altogether (another depth, another stem) do not speak about statistics.
    layers = [name for name in wanted if name in file_tensors or f"{name.rpartition('.')[0]}.weight" in file_tensors]
    if not there:
        return "missing"
    if len(there) < len(layers):
        return "partial"
    new = {"running_mean": 0, "running_var": 1}
    default = all(bool((file_tensors[name] == new[name.rpartition(".")[2]]).all()) for name in there)
    return "default" if default else "present"


def _finite(tensor: Tensor) -> bool:
    # NaN and infinity survive a sum, which is several times as fast; a finite tensor may still overflow it.
    return bool(torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all())


def _no_statistics(report: LoadReport) -> bool:
    return report.statistics in ("missing", "partial", "default")


def _statistics_reason(report: LoadReport) -> list[str]:
    advice = {
        "missing": "the file has no running_mean and running_var: it was saved without buffers. Save state_dict(), or,"
        " if its layers were folded, pass policy='warn'",
        "partial": "some layers of the file have no running_mean and running_var: save the whole state_dict()",
        "default": "every running_mean of the file is 0 and every running_var 1, as before any training: its statistics"
        " were lost on the way. If they are folded into the weights, pass policy='warn'",
    }
    return [advice[report.statistics]] if report.statistics in advice else []


def _format(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
