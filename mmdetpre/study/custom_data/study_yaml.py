"""The ``study.yaml`` of a user's own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from mmdetpre.study.custom_data.inits import OwnInit
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.figures import FIGURES
from mmdetpre.study.kinds import task_kinds
from mmdetpre.study.spec import SCRATCH
from mmdetpre.transfer.trainable_stages import KEY as TRAINABLE

_COMMENT = """\
# A study of your own data, written by `mmdetpre study init`. {model}.
# Everything may be changed: inits, seeds, the configs beside this file.
#   reference   initialization that the differences are to
#   contrast    initialization that figures of two show beside it
#   launch      launcher: pytorch or slurm for several GPUs
"""


def study_text(content: Mapping[str, object], choice: ModelChoice) -> str:
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
    inits: Sequence[OwnInit],
    boxes: str | None,
    classes: str | None,
    choice: ModelChoice,
    epochs: Mapping[str, int],
    scales: int = 1,
    trainable_stages: Sequence[str | int] = (),
) -> dict[str, object]:
    """Content of the study's configuration file.

    Args:
        name: Name of the study.
        out: Folder of its results.
        seeds: Number of seeds.
        inits: Beside the one from scratch.
        boxes, classes: Titles of the detection and of the classification data; None: there are none.
        choice: Size of the model.
        epochs: Of the tasks ``own_det`` and ``own_cls``.
        scales: Scales that the detector is tested at.
        trainable_stages: What of the backbone is trained, as `mmdetpre.study.spec` has it; empty: all.
    """
    keys = [init.key for init in inits]
    reference, contrast = _compared(keys)
    tasks: dict[str, dict[str, object]] = {}
    if boxes is not None:
        scratch = "own_det_scratch" if choice.frozen else "own_det"
        tasks["own_det"] = _trained("own_det", "detection", boxes, scratch, epochs) | {"tta": scales > 1}
    if classes is not None:
        tasks["own_cls"] = _trained("own_cls", "classification", classes, "own_cls", epochs)
        tasks |= _probes(classes, choice, inits)
    if trainable_stages:
        for key in epochs:
            tasks[key] = {**tasks[key], TRAINABLE: list(trainable_stages)}
    given = {str(task["kind"]) for task in tasks.values()} - {"classification"}
    return {
        "name": name,
        "title": " and ".join(title for title in (boxes, classes) if title),
        "out": str(out),
        "seeds": list(range(seeds)),
        "reference": reference,
        "contrast": contrast,
        "launch": {"launcher": "none", "gpus": 1},
        "inits": {SCRATCH: {"title": "from scratch"}} | {init.key: _init(init) for init in inits},
        "tasks": tasks,
        "figures": [number for number, figure in FIGURES.items() if figure.kind in given],
    }


def _init(init: OwnInit) -> dict[str, str]:
    found = {"title": init.title, "checkpoint": init.weights}
    return found | ({"config": f"configs/init_{init.key}.py"} if init.detector else {})


def _trained(name: str, kind: str, title: str, scratch: str, epochs: Mapping[str, int]) -> dict[str, object]:
    """A task that is trained, without validation: the study tests each run itself."""
    configs = {"config": f"configs/{name}.py", "scratch_config": f"configs/{scratch}.py"}
    return {"kind": kind, "title": title, **configs, "options": {"train_cfg.val_begin": epochs[name] + 1}}


def _probes(title: str, choice: ModelChoice, inits: Sequence[OwnInit]) -> dict[str, dict[str, object]]:
    """A task for each kind of probe that any initialization can have."""
    size = {} if choice.probe_crop is None else {"crop": choice.probe_crop, "resize_edge": choice.probe_crop}
    tasks: dict[str, dict[str, object]] = {}
    for name, kind in task_kinds().items():
        able = [init.key for init in inits if init.detector or not kind.of_detector]
        if not kind.toolbox and able:
            only = {"inits": able} if kind.of_detector else {}
            probe: dict[str, object] = {
                "kind": name,
                "title": title,
                "column": "own_cls",
                "data_config": "configs/own_cls.py",
            }
            tasks[f"own_cls_{name}"] = probe | size | only
    return tasks


def _compared(keys: Sequence[str]) -> tuple[str, str]:
    """The reference, ImageNet classification or the first initialization, and another; a single one and scratch."""
    if len(keys) < 2:
        return SCRATCH, (keys or [SCRATCH])[0]
    reference = "imagenet_cls" if "imagenet_cls" in keys else keys[0]
    return reference, [key for key in keys if key != reference][-1]
