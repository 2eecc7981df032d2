"""What of a backbone will be trained: three switches decide it, so it is read from the module itself.

``frozen_stages`` stops gradients and statistics of whole stages, ``norm_eval`` stops the statistics of all batch
normalization, ``norm_cfg.requires_grad`` stops its scale and shift. A module tells the outcome only once it is in
training mode, for the first two act in ``train()``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdetpre.transfer.load_report import stage_of, stage_order


@dataclass
class StageState:
    """One stage of a backbone in training.

    Attributes:
        stage: As `mmdetpre.transfer.load_report.stage_of` calls it.
        parameters: Number of values in convolutions and the like.
        trained: How many of them have a gradient.
        norms: Number of batch normalization layers.
        norms_trained: How many of them learn scale and shift.
        norms_updated: How many of them update their statistics.
    """

    stage: str
    parameters: int = 0
    trained: int = 0
    norms: int = 0
    norms_trained: int = 0
    norms_updated: int = 0


def stage_states(backbone: nn.Module) -> list[StageState]:
    """State of each stage, from the stem on.

    The backbone is put into training mode to see what that does, and every module's mode is put back afterwards.

    Args:
        backbone: Any module; what is of no stage by its name is ``other``.
    """
    modes = [(module, module.training) for module in backbone.modules()]
    backbone.train()
    stages: dict[str, StageState] = {}
    for name, module in backbone.named_modules():
        stage = stage_of(name + ".")
        own = list(module.parameters(recurse=False))
        if not own and not isinstance(module, _BatchNorm):
            continue
        state = stages.setdefault(stage, StageState(stage))
        if isinstance(module, _BatchNorm):
            state.norms += 1
            state.norms_trained += any(parameter.requires_grad for parameter in own)
            state.norms_updated += module.training and module.track_running_stats
        else:
            state.parameters += sum(parameter.numel() for parameter in own)
            state.trained += sum(parameter.numel() for parameter in own if parameter.requires_grad)
    for module, mode in modes:
        module.training = mode
    return sorted(stages.values(), key=lambda state: stage_order(state.stage))


def freezing_table(backbone: nn.Module) -> str:
    """The state of each stage as text.

    Example:
        >>> print(freezing_table(nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))))
        stage      weights        batch normalization
        other      trained        1: scale and shift trained, statistics updated
    """
    lines = ["stage".ljust(11) + "weights".ljust(15) + "batch normalization"]
    for state in stage_states(backbone):
        weights = _share(state.trained, state.parameters, "trained", "frozen")
        norms = "none"
        if state.norms:
            affine = _share(state.norms_trained, state.norms, "trained", "frozen")
            statistics = _share(state.norms_updated, state.norms, "updated", "frozen")
            norms = f"{state.norms}: scale and shift {affine}, statistics {statistics}"
        lines.append(state.stage.ljust(11) + weights.ljust(15) + norms)
    return "\n".join(lines)


def _share(part: int, whole: int, yes: str, no: str) -> str:
    if not whole:
        return "none"
    return yes if part == whole else no if part == 0 else f"{part / whole:.0%} {yes}"
