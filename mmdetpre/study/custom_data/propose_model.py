"""The model of a study, proposed from the initializations that are given and the machine."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmdetpre.study.custom_data.inits import split_source
from mmdetpre.study.custom_data.models import MODELS, ModelChoice
from mmdetpre.transfer.checkpoint_reader import CheckpointError, read_checkpoint
from mmdetpre.transfer.compare_weights import described
from mmdetpre.transfer.key_map import KeyMapError, map_names
from mmdetpre.zoo import zoo_names
from mmdetpre.zoo.hub_address import SCHEME

_NAMED = re.compile(r"(?:zoo:([^/]+)/.*|torchvision://(.+))")
Told = tuple[str, list[str]]
"""What a file holds, in words, and the models of that."""


def propose_model(inits: Sequence[str], *, gpu: bool) -> tuple[ModelChoice, str]:
    """The model that the weights are of; of several, or without weights, one that the machine can train.

    Args:
        inits: ``KEY=FILE`` of each.
        gpu: Whether there is a GPU.

    Returns:
        The model, and why it is this one.

    Raises:
        ValueError: If weights are of no model, or not all of one, or cannot tell whose they are.

    Example:
        >>> propose_model(["imagenet_cls=zoo:resnet50/imagenet1k-v2"], gpu=True)[0].name
        'resnet50'
        >>> propose_model([], gpu=False)[1]
        'there is no GPU'
    """
    told = {argument: found for argument in inits if (found := _told(argument))}
    if inits and not told:
        raise ValueError(
            f"--init {inits[0]} does not tell before the study which backbone it is of: give --model, one of"
            f" {', '.join(MODELS)}."
        )
    for argument, (what, models) in told.items():
        if not models:
            known = ", ".join(f"{name} ({choice.form})" for name, choice in MODELS.items())
            raise ValueError(f"--init {argument} holds {what}, which none of --model is: {known}.")
    fitting = [name for name in MODELS if all(name in models for _, models in told.values())]
    if not fitting:
        each = "; ".join(f"{argument} holds {what}" for argument, (what, _) in told.items())
        raise ValueError(f"--init: {each}. A study compares weights of one backbone: give files of one.")
    choice = min((MODELS[name] for name in fitting), key=lambda one: (one.for_gpus != gpu, one.zoo is None))
    if not told:
        return choice, "there is a GPU" if gpu else "there is no GPU"
    argument, (what, _) = next(iter(told.items()))
    return choice, f"{argument.partition('=')[0]} holds {what}"


def require_named(inits: Sequence[str], choice: ModelChoice) -> None:
    """Refuse addresses whose names tell that they are of another model; files are loaded into the model to see.

    Args:
        inits: ``KEY=FILE`` of each.
        choice: The model.

    Raises:
        ValueError: Names the first.

    Example:
        >>> require_named(["a=torchvision://resnet50"], MODELS["resnet50"])
    """
    for argument in inits:
        told = _told(argument) if "://" in argument and choice.zoo is not None else None
        if told and choice.name not in told[1]:
            raise ValueError(
                f"--init {argument} holds {told[0]}, and --model {choice.name} is {choice.form}: a study compares"
                " weights of one backbone. Give others, or another --model."
            )


def _told(argument: str) -> Told | None:
    """Of an address only the name tells; a file that cannot be read is left to the check, which says why."""
    source, prefix, entry = split_source(argument.partition("=")[2])
    named = _NAMED.fullmatch(source)
    if named and (named[2] or source in zoo_names()):
        backbone = named[1] or named[2].replace("_", "-")
        return f"weights of {backbone}", [name for name, choice in MODELS.items() if choice.zoo == backbone]
    if "://" in source and not source.startswith(SCHEME):
        return None
    try:
        tensors = read_checkpoint(source, entry).tensors
        form = described(map_names(tensors, prefix), tensors)
    except (CheckpointError, KeyMapError, OSError):
        return "what cannot be read", list(MODELS)
    fits = (name for name, one in MODELS.items() if form == one.form or form.startswith(f"{one.form}, deformable"))
    return form, list(fits)
