"""The ``study.yaml`` of a user's own data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from mmdetpre.study.custom_data.inits import OwnInit
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.figures import FIGURES, GAINS, IMAGES
from mmdetpre.study.kinds import task_kinds
from mmdetpre.study.spec import SCRATCH
from mmdetpre.utils.config_writer import ConfigFile
from mmdetpre.utils.stages import TRAINABLE

_COMMENT = """\
# A study of your own data, written by `mmdetpre study init`. {model}.
# Everything may be changed: inits, seeds, the configs beside this file.
#   reference   initialization that the differences are to
#   contrast    initialization that figures of two show beside it
#   launch      launcher: pytorch or slurm for several GPUs
"""


@dataclass(frozen=True)
class OwnTask:
    """A task that is trained, or a pre-training: ``configs/NAME.py``.

    Attributes:
        name: Its key and the name of its files.
        kind: Its kind, of `mmdetpre.study.kinds.KINDS`.
        title: What its data are called.
        epochs, steps: Of one training.
        scales: Scales that a detector is tested at.
        config: Its config for a number of epochs; None: that is written elsewhere, and does not change.
    """

    name: str
    kind: str
    title: str
    epochs: int
    steps: int
    scales: int = 1
    config: Callable[[int], ConfigFile] | None = None

    def of_epochs(self, epochs: int) -> OwnTask:
        """The same with another number of epochs."""
        return replace(self, epochs=epochs, steps=self.steps // self.epochs * epochs)


@dataclass(frozen=True)
class OwnPretraining:
    """An initialization that the study trains itself.

    Attributes:
        key: Its key.
        task: The training.
        first: Weights that it begins with; None: from scratch.
    """

    key: str
    task: OwnTask
    first: OwnInit | None

    @property
    def title(self) -> str:
        """What the tables call it."""
        return f"{self.first.title if self.first else 'from scratch'}, then {self.task.title}"


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
    tasks: Sequence[OwnTask],
    choice: ModelChoice,
    pretrainings: Sequence[OwnPretraining] = (),
    trainable_stages: Sequence[str | int] = (),
) -> dict[str, object]:
    """Content of the study's configuration file.

    Args:
        name: Name of the study.
        out: Folder of its results.
        seeds: Number of seeds.
        inits: Beside the one from scratch.
        tasks: What is trained; those of a classifier are probed too.
        choice: Size of the model.
        pretrainings: Further initializations, which the study trains.
        trainable_stages: What of the backbone is trained, as `mmdetpre.study.spec` has it; empty: all.
    """
    keys = [init.key for init in inits] + [pretraining.key for pretraining in pretrainings]
    reference, contrast = _compared(keys)
    detectors = [init.key for init in inits if init.detector] + [pretraining.key for pretraining in pretrainings]
    settings: dict[str, object] = {}
    for task in tasks:
        settings[task.name] = _trained(task, choice) | ({TRAINABLE: list(trainable_stages)} if trainable_stages else {})
        if task.kind == "classification":
            settings |= _probes(task, choice, keys, detectors)
    given = {str(task["kind"]) for task in settings.values() if isinstance(task, dict)}
    return {
        "name": name,
        "title": _listed([task.title for task in tasks]),
        "out": str(out),
        "seeds": list(range(seeds)),
        "reference": reference,
        "contrast": contrast,
        "launch": {"launcher": "none", "gpus": 1},
        "inits": {SCRATCH: {"title": "from scratch"}}
        | {init.key: _init(init) for init in inits}
        | {pretraining.key: _pretraining(pretraining, choice) for pretraining in pretrainings},
        "tasks": settings,
        "figures": [
            *(number for number, figure in FIGURES.items() if figure.kind in given),
            *([IMAGES] if given & set(GAINS) else []),
        ],
    }


def _init(init: OwnInit) -> dict[str, str]:
    found = {"title": init.title, "checkpoint": init.weights}
    return found | ({"config": f"configs/init_{init.key}.py"} if init.detector else {})


def _pretraining(pretraining: OwnPretraining, choice: ModelChoice) -> dict[str, object]:
    """An initialization that is trained; stages are frozen only where it begins with weights."""
    task, first = pretraining.task, pretraining.first
    scratch = choice.frozen and first is None
    options: dict[str, object] = {"train_cfg.val_begin": task.epochs + 1}
    if first is not None:
        options["backbone_init.checkpoint"] = first.weights
    config = f"configs/{task.name}{'_scratch' if scratch else ''}.py"
    return {"title": pretraining.title, "toolbox": "mmdet", "config": config, "options": options}


def _trained(task: OwnTask, choice: ModelChoice) -> dict[str, object]:
    """A task that is trained, without validation: the study tests each run itself."""
    detection = task.kind == "detection"
    scratch = f"{task.name}_scratch" if choice.frozen and task.kind != "classification" else task.name
    configs = {"config": f"configs/{task.name}.py", "scratch_config": f"configs/{scratch}.py"}
    options = {"train_cfg.val_begin": 1 + (task.steps if task.kind == "segmentation" else task.epochs)}
    found: dict[str, object] = {"kind": task.kind, "title": task.title, **configs, "options": options}
    return found | ({"tta": task.scales > 1} if detection else {})


def _probes(
    task: OwnTask, choice: ModelChoice, keys: Sequence[str], detectors: Sequence[str]
) -> dict[str, dict[str, object]]:
    """A task for each kind of probe that any initialization can have, on the images of a classification task."""
    size = {} if choice.probe_crop is None else {"crop": choice.probe_crop, "resize_edge": choice.probe_crop}
    tasks: dict[str, dict[str, object]] = {}
    for name, kind in task_kinds().items():
        able = detectors if kind.of_detector else keys
        if not kind.toolbox and able:
            only = {"inits": list(able)} if kind.of_detector else {}
            data: dict[str, object] = {"column": task.name, "data_config": f"configs/{task.name}.py"}
            tasks[f"{task.name}_{name}"] = {"kind": name, "title": task.title} | data | size | only
    return tasks


def _listed(titles: Sequence[str]) -> str:
    *most, last = dict.fromkeys(titles)
    return f"{', '.join(most)} and {last}" if most else last


def _compared(keys: Sequence[str]) -> tuple[str, str]:
    """The reference, ImageNet classification or the first initialization, and another; a single one and scratch."""
    if len(keys) < 2:
        return SCRATCH, (keys or [SCRATCH])[0]
    reference = "imagenet_cls" if "imagenet_cls" in keys else keys[0]
    return reference, [key for key in keys if key != reference][-1]
