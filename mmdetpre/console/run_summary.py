"""What a run trains or tests, on what, from which weights: a few lines from its Runner."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import Runner

from mmdetpre.operators.stand_in import operators_in_use
from mmdetpre.utils.plain_text import counted

FROM_SCRATCH = "from scratch"


def training_lines(runner: Runner) -> list[str]:
    """Model, data, chips, initialization, length and log file of a training, when its first epoch begins.

    Args:
        runner: Its data loaders and model are built, and weights are loaded.
    """
    loader = runner.train_dataloader
    lines = [f"Training {model_text(runner)}", f"Data: {data_text(loader.dataset, _given(runner, 'train'))}"]
    lines += [f"Chips: {text}" for text in [chips_text(loader)] if text]
    lines.append(f"Initialization: {initialization_text(runner)}")
    batch = getattr(getattr(loader, "batch_sampler", None), "batch_size", None) or getattr(loader, "batch_size", None)
    batches = f", {runner.world_size * batch} {'chips' if chips_text(loader) else 'images'} each" if batch else ""
    by_epoch = hasattr(runner.train_loop, "max_epochs") and getattr(runner.log_processor, "by_epoch", True)
    epochs = f"{counted(runner.max_epochs, 'epoch')}, " if by_epoch else ""
    done = f", {runner.iter} of them done" if runner.iter else ""
    lines.append(f"Length: {epochs}{counted(runner.max_iters, 'step')}{batches}{done}{_validated(runner)}")
    return [*lines, *log_lines(runner)]


def testing_lines(runner: Runner, part: str) -> list[str]:
    """Model, weights, data and log file of a test or a validation alone.

    Args:
        runner: Its data loaders and model are built, and weights are loaded.
        part: ``test`` or ``val``.
    """
    dataset = getattr(runner, f"{part}_dataloader").dataset
    what = "Testing" if part == "test" else "Validating"
    weights = f"Weights: {_shown(runner._load_from)}" if runner._load_from else "Weights: as they are"
    return [
        f"{what} {model_text(runner)}",
        weights,
        f"Data: {data_text(dataset, _given(runner, part))}",
        *log_lines(runner),
    ]


def log_lines(runner: Runner) -> list[str]:
    """Whose operators run, and where everything is logged."""
    file = getattr(runner.logger, "log_file", None)
    return [f"Operators: {operators_in_use()}", *([f"Log: {_shown(file)}"] if file else [])]


def model_text(runner: Runner) -> str:
    """Class, backbone, size and device of the model."""
    model = _unwrapped(runner.model)
    backbone = getattr(model, "backbone", None)
    depth = getattr(backbone, "depth", None)
    inner = f" on {type(backbone).__name__}{f'-{depth}' if depth else ''}" if backbone is not None else ""
    parameters = [parameter for parameter in model.parameters()]
    total = sum(parameter.numel() for parameter in parameters)
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    frozen = f", {_millions(trained)} of them trained" if trained < total else ""
    return f"{type(model).__name__}{inner}: {_millions(total)} parameters{frozen}; {_device(parameters, runner)}"


def data_text(dataset: Any, given: Mapping[str, Any]) -> str:
    """Class, images, classes and place of a data set.

    Args:
        dataset: The data set.
        given: What the config says of it: a chip data set lets go of the one inside, and a wrapper hides its place.

    Example:
        >>> inner = {"type": "CocoDataset", "data_root": "data/coco", "ann_file": "train.json"}
        >>> data_text([0] * 4, {"type": "RepeatDataset", "dataset": inner})
        'list of CocoDataset, 4 images, data/coco/train.json'
    """
    inner = given
    while isinstance(inner.get("dataset"), Mapping):
        inner = inner["dataset"]
    kind, within = type(dataset).__name__, str(inner.get("type", "")).rpartition(".")[2]
    named = kind if within in ("", kind) else f"{kind} of {within}"
    classes = len((getattr(dataset, "metainfo", None) or {}).get("classes") or ())
    of = f" of {classes} classes" if classes else ""
    place = os.path.join("", *(str(inner[key]) for key in ("data_root", "ann_file") if inner.get(key)))
    return f"{named}, {len(dataset)} images{of}{f', {_shown(place)}' if place else ''}"


def chips_text(loader: Any) -> str:
    """Chips of the epoch by scale; empty where no chips are trained."""
    sampler = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    table = getattr(sampler, "table", None)
    chips: Any = getattr(sampler, "dataset", None)
    settings = getattr(chips, "chip_settings", None)
    if table is None or settings is None:
        return ""
    counts = torch.bincount(torch.from_numpy(table.scale.astype("int64")), minlength=len(settings.scales)).tolist()
    by_scale = ", ".join(f"{count} at {_scale(scale)}" for count, scale in zip(counts, settings.scales, strict=True))
    proposals = "" if getattr(chips, "proposals", None) is None else "; negative chips from proposals"
    return f"{len(table)} of {settings.chip_size} pixels in this epoch, {by_scale}{proposals}"


def initialization_text(runner: Runner, backbone: torch.nn.Module | None = None) -> str:
    """What the weights of the model come from; `FROM_SCRATCH` where from no file.

    Args:
        runner: The runner, its weights loaded.
        backbone: The backbone of its model; None: the part of that name.
    """
    if runner._resume and runner._load_from:
        return f"resumes from {_shown(runner._load_from)}"
    if runner._resume and runner.iter:
        return f"resumes after step {runner.iter}"
    for hook in runner.hooks:
        report = getattr(hook, "report", None)
        if report is not None and hasattr(report, "verdict"):
            return f"backbone from {_shown(report.source)}, {report.verdict}: {len(report.matched)} tensors"
    if runner._load_from:
        return f"model from {_shown(runner._load_from)}"
    model = _unwrapped(runner.model)
    for part, name in ((backbone or getattr(model, "backbone", None), "the backbone's"), (model, "the model's")):
        if "Pretrained" in str(getattr(part, "init_cfg", None)):
            return f"{name} init_cfg"
    return FROM_SCRATCH


def written_files(folder: str | Path, since: float) -> list[Path]:
    """Files of results at the top of a folder that are not older than a time, checkpoints first.

    Args:
        folder: Work dir of a run.
        since: Seconds since the epoch.
    """
    found = [
        path
        for path in Path(folder).iterdir()
        if path.is_file() and path.stat().st_mtime >= since and path.suffix in _RESULTS and path.name[0] != "."
    ]
    return sorted(found, key=lambda path: (path.suffix not in (".pth", ".safetensors"), path.name))


_RESULTS = {".pth", ".safetensors", ".json", ".npz", ".npy", ".pkl", ".md", ".csv", ".png", ".svg"}


def _unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    while isinstance(module := getattr(model, "module", None), torch.nn.Module):
        model = module
    return model


def _validated(runner: Runner) -> str:
    if runner.val_loop is None:
        return "; no validation"
    return f"; validation on {len(runner.val_dataloader.dataset)} images every {_interval(runner)}"


def _interval(runner: Runner) -> str:
    interval = getattr(runner.train_loop, "val_interval", 1)
    counted = "epoch" if type(runner.train_loop).__name__.startswith("Epoch") else "step"
    return counted if interval == 1 else f"{interval} {counted}s"


def _given(runner: Runner, part: str) -> Mapping[str, Any]:
    """What the config says of a data set."""
    loader = runner.cfg.get(f"{part}_dataloader") or {}
    given = loader.get("dataset") if isinstance(loader, Mapping) else None
    return given if isinstance(given, Mapping) else {}


def _device(parameters: Sequence[torch.nn.Parameter], runner: Runner) -> str:
    device = parameters[0].device if parameters else torch.device("cpu")
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    mixed = getattr(runner.optim_wrapper, "cast_dtype", None)
    return f"{runner.world_size} x {name}{f', {mixed}'.replace('torch.', '') if mixed else ''}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 100_000 else str(count)


def _scale(scale: Any) -> str:
    return "x".join("any" if side < 0 else str(side) for side in scale)


def _shown(path: Any) -> str:
    """A path as short as it can be said from here."""
    text = str(path)
    if "://" in text or not os.path.isabs(text):
        return text
    short = os.path.relpath(text)
    return text if short.startswith("..") else short
