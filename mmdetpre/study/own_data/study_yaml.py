"""The ``study.yaml`` of a user's own data, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.study.own_data.models import ModelChoice
from mmdetpre.study.own_data.starts import OwnStart
from mmdetpre.study.study_file import SCRATCH


def study_file(
    *,
    name: str,
    out: Path,
    seeds: int,
    starts: Sequence[OwnStart],
    boxes: str | None,
    classes: str | None,
    choice: ModelChoice,
    epochs: Mapping[str, int],
    scales: int = 1,
) -> str:
    """The study's configuration file.

    Args:
        name: Name of the study.
        out: Folder of its results.
        seeds: Number of seeds.
        starts: Beside the one from scratch.
        boxes, classes: Titles of the detection and of the classification data; None: there are none.
        choice: Size of the model.
        epochs: Of the tasks ``own_det`` and ``own_cls``.
        scales: Scales that the detector is tested at.
    """
    keys = [start.key for start in starts]
    reference, contrast = _compared(keys)
    lines = [
        f"# A study of your own data, written by `study.py init`. {choice.title}.",
        "# Everything may be changed: starts, seeds, the configs beside this file.",
        f"name: {json.dumps(name)}",
        f"title: {json.dumps(' and '.join(filter(None, (boxes, classes))), ensure_ascii=False)}",
        f"out: {json.dumps(str(out), ensure_ascii=False)}",
        f"seeds: {list(range(seeds))}",
        f"reference: {reference}  # what the differences are to",
        f"contrast: {contrast}  # what figures of two starts show beside it",
        "launch: {launcher: none, gpus: 1}  # launcher: pytorch or slurm for several GPUs",
        "starts:",
        "  scratch: {title: from scratch}",
    ]
    for start in starts:
        entry: dict[str, Any] = {"title": start.title, "checkpoint": start.checkpoint}
        if start.detector:
            entry["config"] = f"configs/start_{start.key}.py"
        lines.append(f"  {start.key}: {_flow(entry)}")
    lines.append("tasks:")
    if boxes is not None:
        scratch = "own_det_scratch" if choice.frozen else "own_det"
        lines += _task(
            "own_det",
            kind="detection",
            title=boxes,
            config="configs/own_det.py",
            scratch_config=f"configs/{scratch}.py",
            tta=scales > 1,
            options=_no_validation(epochs["own_det"]),
        )
    if classes is not None:
        config = "configs/own_cls.py"
        own: dict[str, Any] = {"title": classes, "column": "own_cls", "data_config": config}
        if choice.probe_crop is not None:
            own |= {"crop": choice.probe_crop, "resize_edge": choice.probe_crop}
        lines += _task(
            "own_cls",
            kind="classification",
            title=classes,
            config=config,
            scratch_config=config,
            options=_no_validation(epochs["own_cls"]),
        )
        if keys:
            lines += _task("own_cls_linear", kind="linear", **own)
        if detectors := [start.key for start in starts if start.detector]:
            lines += _task("own_cls_layers", kind="layers", **own, starts=detectors)
    figures = ([1, 2] if boxes is not None else []) + ([5, 6, 7, 8, 9] if classes is not None and keys else [])
    lines.append(f"figures: {figures}")
    return "\n".join(lines) + "\n"


def _compared(keys: Sequence[str]) -> tuple[str, str]:
    """The reference, ImageNet classification or the first start, and another; one start is compared with scratch."""
    if len(keys) < 2:
        return SCRATCH, (keys or [SCRATCH])[0]
    reference = "imagenet_cls" if "imagenet_cls" in keys else keys[0]
    return reference, [key for key in keys if key != reference][-1]


def _no_validation(epochs: int) -> dict[str, int]:
    """No validation at the end of a training, for the study tests each run by itself."""
    return {"train_cfg.val_begin": epochs + 1}


def _task(key: str, **entries: Any) -> list[str]:
    return [f"  {key}:", *(f"    {name}: {_value(value)}" for name, value in entries.items())]


def _flow(entries: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in entries.items()) + "}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # YAML reads JSON
