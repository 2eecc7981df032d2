"""The ``study.yaml`` of a user's own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.starts import OwnStart
from mmdetpre.study.spec import SCRATCH

_COMMENT = """\
# A study of your own data, written by `mmdetpre study init`. {model}.
# Everything may be changed: starts, seeds, the configs beside this file.
#   reference   start that the differences are to
#   contrast    start that figures of two starts show beside it
#   launch      launcher: pytorch or slurm for several GPUs
"""


def study_text(content: Mapping[str, Any], choice: ModelChoice) -> str:
    """The study's configuration file.

    Args:
        content: What `study_settings` gave.
        choice: Size of the model.

    Raises:
        ValueError: If YAML reads something else from it.
    """
    text = _COMMENT.format(model=choice.title) + yaml.safe_dump(
        content, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None
    )
    if yaml.safe_load(text) != content:
        raise ValueError("study.yaml does not hold what was to be written: give the data and the study plainer names.")
    return text


def study_settings(
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
) -> dict[str, Any]:
    """Content of the study's configuration file.

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
    detectors = [start.key for start in starts if start.detector]
    figures = ([1, 2] if boxes is not None else []) + ([5, 6, 7, 8, 9] if classes is not None and keys else [])
    return {
        "name": name,
        "title": " and ".join(title for title in (boxes, classes) if title),
        "out": str(out),
        "seeds": list(range(seeds)),
        "reference": reference,
        "contrast": contrast,
        "launch": {"launcher": "none", "gpus": 1},
        "starts": {SCRATCH: {"title": "from scratch"}} | {start.key: _start(start) for start in starts},
        "tasks": (_detection(boxes, choice, epochs, scales) if boxes is not None else {})
        | (_classification(classes, choice, epochs, keys, detectors) if classes is not None else {}),
        "figures": figures,
    }


def _start(start: OwnStart) -> dict[str, str]:
    found = {"title": start.title, "checkpoint": start.weights}
    return found | ({"config": f"configs/start_{start.key}.py"} if start.detector else {})


def _detection(title: str, choice: ModelChoice, epochs: Mapping[str, int], scales: int) -> dict[str, Any]:
    return {
        "own_det": {
            "kind": "detection",
            "title": title,
            "config": "configs/own_det.py",
            "scratch_config": f"configs/{'own_det_scratch' if choice.frozen else 'own_det'}.py",
            "tta": scales > 1,
            "options": _no_validation(epochs["own_det"]),
        }
    }


def _classification(
    title: str, choice: ModelChoice, epochs: Mapping[str, int], keys: Sequence[str], detectors: Sequence[str]
) -> dict[str, Any]:
    config = "configs/own_cls.py"
    tasks: dict[str, Any] = {
        "own_cls": {
            "kind": "classification",
            "title": title,
            "config": config,
            "scratch_config": config,
            "options": _no_validation(epochs["own_cls"]),
        }
    }
    probe: dict[str, Any] = {"title": title, "column": "own_cls", "data_config": config}
    if choice.probe_crop is not None:
        probe |= {"crop": choice.probe_crop, "resize_edge": choice.probe_crop}
    if keys:
        tasks["own_cls_linear"] = {"kind": "linear", **probe}
    if detectors:
        tasks["own_cls_layers"] = {"kind": "layers", **probe, "starts": list(detectors)}
    return tasks


def _compared(keys: Sequence[str]) -> tuple[str, str]:
    """The reference, ImageNet classification or the first start, and another; one start is compared with scratch."""
    if len(keys) < 2:
        return SCRATCH, (keys or [SCRATCH])[0]
    reference = "imagenet_cls" if "imagenet_cls" in keys else keys[0]
    return reference, [key for key in keys if key != reference][-1]


def _no_validation(epochs: int) -> dict[str, int]:
    """No validation at the end of a training, for the study tests each run by itself."""
    return {"train_cfg.val_begin": epochs + 1}
