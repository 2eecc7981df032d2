"""A study of a user's own data: what was found in them, and the folder that runs it."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mmdetpre.config_files import CONFIG_ROOT, find_config
from mmdetpre.study.custom_data.classes import read_own_classes
from mmdetpre.study.custom_data.configs import (
    classification_config,
    detection_config,
    detection_scratch_config,
    reference_config,
)
from mmdetpre.study.custom_data.detection_data import DetectionData, data_title, task_names
from mmdetpre.study.custom_data.inits import OwnInit, key_problem, read_own_inits, split_source
from mmdetpre.study.custom_data.models import MODELS, ModelChoice
from mmdetpre.study.custom_data.propose_model import propose_model
from mmdetpre.study.custom_data.recipe import detection_recipe
from mmdetpre.study.custom_data.study_yaml import OwnPretraining, OwnTask, study_settings, study_text
from mmdetpre.study.custom_data.summary import (
    describe_boxes,
    describe_classes,
    describe_cpu,
    describe_inits,
    describe_model,
)
from mmdetpre.transfer.backbone_file import export_backbone
from mmdetpre.utils.class_list import class_names_text
from mmdetpre.utils.config_writer import ConfigFile
from mmdetpre.utils.plain_text import path_problem
from mmdetpre.utils.whole_file import write_text


@dataclass(frozen=True)
class Settings:
    """What a user asks for; the arguments of ``mmdetpre study init``.

    Attributes:
        out: Folder to write; it must not exist.
        det: Detection data, a task each.
        pretrain: Key -> detection data that an initialization of that key is pre-trained on by the study, from
            ``imagenet_cls`` where that is given, else from the first of ``inits``, else from scratch.
        cls: Folder of class folders; None: no classification.
        cls_per_class: Training images of each class.
        inits: ``KEY=FILE`` of each.
        model: Key of `mmdetpre.study.custom_data.models.MODELS`; None: as the initializations and the machine say.
        seeds: Number of seeds of the study.
        epochs: Of both tasks; None: fitted to the data.
        split_seed: Seed of the splits.
        trainable_stages: What of the backbone is trained, ``all`` or a number of last stages; a row of the tables each.
        leave_out_bad: Continue without what cannot be used.
    """

    out: Path
    det: Sequence[DetectionData] = ()
    pretrain: Mapping[str, DetectionData] = field(default_factory=dict)
    cls: Path | None = None
    cls_per_class: int | None = None
    inits: Sequence[str] = ()
    model: str | None = None
    seeds: int = 3
    epochs: int | None = None
    split_seed: int = 0
    trainable_stages: Sequence[str | int] = ()
    leave_out_bad: bool = False


def init_study(settings: Settings) -> str:
    """Look at a user's data and write the folder of a study of them: ``study.yaml``, ``configs/`` and ``data/``.

    Nothing is written before everything was checked, and the folder appears at once.

    Returns:
        What was found, human-readable.

    Raises:
        FileExistsError: If the folder exists.
        FileNotFoundError, ValueError: If something is wrong with the data, the initializations or the settings.

    Example:
        >>> print(init_study(Settings(Path("my_study"), cls=Path("my_folder"), model="sample")))  # doctest: +SKIP
    """
    _check(settings)
    out = settings.out
    if os.path.lexists(out):
        raise FileExistsError(f"{out} exists and is left as it is: give another --out.")
    gpu = torch.cuda.is_available()
    choice, why = (MODELS[settings.model], "") if settings.model is not None else propose_model(settings.inits, gpu=gpu)
    inits = _inits(settings, choice)
    files: dict[str, str | ConfigFile] = {}
    found = [describe_model(choice, why)]
    tasks: list[OwnTask] = []
    for name, data in zip(task_names("own_det", [data.title for data in settings.det]), settings.det, strict=True):
        tasks.append(_detection(settings, choice, name, data, files, found))
    pretrainings = _pretrainings(settings, choice, inits, files, found)
    if settings.cls is not None:
        title = data_title(settings.cls)
        classes = read_own_classes(
            settings.cls, settings.cls_per_class, settings.split_seed, leave_out_bad=settings.leave_out_bad
        )
        epochs = settings.epochs or choice.classification_amount.epochs_for(len(classes.train))
        steps = epochs * choice.classification_amount.steps_per_epoch(len(classes.train))
        tasks.append(OwnTask("own_cls", "classification", title, epochs, steps))
        files["data/own_cls_train.txt"] = _lines(classes.train)
        files["data/own_cls_test.txt"] = _lines(classes.test)
        files["configs/own_cls.py"] = classification_config(choice, classes, epochs)
        found.append(describe_classes(title, classes, epochs))
    files |= {f"configs/init_{init.key}.py": init.detector for init in inits if init.detector}
    content = study_settings(
        name=out.name,
        out=Path(os.path.abspath(out), "results"),
        seeds=settings.seeds,
        inits=inits,
        pretrainings=pretrainings,
        tasks=tasks,
        choice=choice,
        trainable_stages=settings.trainable_stages,
    )
    files["study.yaml"] = study_text(content, choice)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=_parent(out)) as folder:
        study = Path(folder, "study")
        for name, file in files.items():
            (study / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(file, ConfigFile):
                file.write(study / name)
            else:
                write_text(study / name, file)
        for init in inits:
            if init.part is not None:
                prefix, entry = init.part
                export_backbone(init.checkpoint, study / init.weights, prefix=prefix, entry=entry)
        os.rename(study, out)
    found.append(describe_inits(inits, choice, pretrainings, probed=settings.cls is not None))
    if choice.for_gpus and not gpu:
        found.append(describe_cpu(choice, tasks, runs=(len(inits) + len(pretrainings) + 1) * settings.seeds))
    return "\n\n".join([*found, _next_steps(settings, files)])


def _detection(
    settings: Settings,
    choice: ModelChoice,
    name: str,
    data: DetectionData,
    files: dict[str, str | ConfigFile],
    found: list[str],
) -> OwnTask:
    """Read detection data, and add its files and what was found."""
    train, test = data.read(settings.split_seed, leave_out_bad=settings.leave_out_bad)
    recipe = detection_recipe(train, choice, settings.epochs)
    files[f"data/{name}_train.json"] = json.dumps(train.to_coco())
    files[f"data/{name}_test.json"] = json.dumps(test.to_coco())
    files[f"data/{name}_classes.txt"] = class_names_text(train.classes)
    files[f"configs/{name}.py"] = detection_config(choice, recipe, train, test, name)
    if choice.frozen:
        files[f"configs/{name}_scratch.py"] = detection_scratch_config(choice, name)
    found.append(describe_boxes(data.title, train, test, recipe))
    return OwnTask(name, "detection", data.title, recipe.epochs, recipe.steps, len(recipe.chips.scales))


def _pretrainings(
    settings: Settings,
    choice: ModelChoice,
    inits: Sequence[OwnInit],
    files: dict[str, str | ConfigFile],
    found: list[str],
) -> list[OwnPretraining]:
    given = {init.key: init for init in inits}
    first = given.get("imagenet_cls") or next(iter(given.values()), None)
    pretrainings = []
    for key, data in settings.pretrain.items():
        if problem := key_problem(key, given):
            raise ValueError(f"--pretrain {key}={data.source}: {problem}")
        task = _detection(settings, choice, f"pretrain_{key}", data, files, found)
        pretrainings.append(OwnPretraining(key, task, first))
    return pretrainings


def _inits(settings: Settings, choice: ModelChoice) -> list[OwnInit]:
    published = choice.zoo is not None
    if choice.backbone is None or not settings.inits:
        return read_own_inits(settings.inits, find_config(choice.reference), published=published)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, f"{choice.backbone}.py")
        reference_config(choice).write(reference)
        return read_own_inits(settings.inits, reference, published=published)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def _check(settings: Settings) -> None:
    data = [*settings.det, *settings.pretrain.values()]
    inits = [split_source(init.partition("=")[2])[0] for init in settings.inits]
    paths = [settings.out.absolute(), settings.cls, CONFIG_ROOT.resolve(), *inits]
    for path in [*paths, *(path for one in data for path in one.paths())]:
        if path is not None and (problem := path_problem(path)):
            raise ValueError(f"The path {str(path)!r} {problem}: rename it, or give another one.")
    if not settings.det and settings.cls is None:
        raise ValueError("no data: give --det DATA (COCO JSON, VOC XML, YOLO ...), --cls FOLDER, or both.")
    if settings.model is not None and settings.model not in MODELS:
        raise ValueError(f"--model is {settings.model!r}: choose one of {', '.join(MODELS)}.")
    for name in ("seeds", "epochs"):
        if (value := getattr(settings, name)) is not None and value < 1:
            raise ValueError(f"--{name} is {value}: give 1 or more.")
    if settings.cls_per_class is not None and settings.cls is None:
        raise ValueError("--cls-per-class needs --cls.")
    if not settings.inits and any(one != "all" for one in settings.trainable_stages):
        raise ValueError("--trainable-stages needs --init: from scratch all of the backbone is trained.")
    if any(one.test_images is not None and one.test is None for one in data):
        raise ValueError("--det-test-images needs --det-test.")


def _parent(out: Path) -> Path:
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    return out.absolute().parent


def _next_steps(settings: Settings, files: Iterable[str]) -> str:
    out = str(settings.out)
    quoted = {name: shlex.quote(os.path.join(out, name)) for name in ("chips", "study.yaml")}
    detectors = (name for name in files if name.startswith("configs/own_det") and not name.endswith("_scratch.py"))
    look = "".join(
        f"Look at the chips:  mmdetpre chips {shlex.quote(os.path.join(out, name))} --out-dir {quoted['chips']}\n"
        for name in detectors
    )
    return (
        f"Written to {out}:\n"
        + "".join(f"  {name}\n" for name in sorted(files))
        + f"{look}Run the study:      mmdetpre study run {quoted['study.yaml']}"
    )
