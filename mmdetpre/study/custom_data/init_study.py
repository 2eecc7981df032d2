"""A study of a user's own data: what was found in them, and the folder that runs it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from mmdetpre.config_files import CONFIG_ROOT, find_config
from mmdetpre.datasets.packed.cache import CACHE
from mmdetpre.study.custom_data.budget import read_duration
from mmdetpre.study.custom_data.chip_search import search_chips
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
from mmdetpre.study.custom_data.propose_model import propose_model, require_named
from mmdetpre.study.custom_data.recipe import detection_recipe
from mmdetpre.study.custom_data.segmentation.config import (
    DRAWN,
    segmentation_config,
    segmentation_scratch_config,
)
from mmdetpre.study.custom_data.segmentation.read import read_segmentation
from mmdetpre.study.custom_data.study_time import study_time
from mmdetpre.study.custom_data.study_yaml import OwnPretraining, OwnTask, study_settings, study_text
from mmdetpre.study.custom_data.summary import (
    describe_boxes,
    describe_classes,
    describe_cpu,
    describe_inits,
    describe_maps,
    describe_model,
)
from mmdetpre.study.kinds import PRETRAINING
from mmdetpre.transfer.backbone_file import export_backbone
from mmdetpre.utils.class_list import class_names_text
from mmdetpre.utils.config_writer import ConfigFile
from mmdetpre.utils.plain_text import path_problem
from mmdetpre.utils.whole_file import write_text

Files = dict[str, "str | bytes | ConfigFile"]
"""Files of a study by their names."""


@dataclass(frozen=True)
class Settings:
    """What a user asks for; the arguments of ``mmdetpre study init``.

    Attributes:
        out: Folder to write; it must not exist.
        det: Detection data, a task each.
        pretrain: Key -> detection data that an initialization of that key is pre-trained on by the study, from
            ``imagenet_cls`` where that is given, else from the first of ``inits``, else from scratch.
        seg: Folder of label maps, or COCO JSON with outlines; None: no segmentation.
        seg_images: Folder of its photos; None: found beside it.
        seg_classes: Names of the classes of label maps; None: a list beside them, or their values.
        cls: Folder of class folders; None: no classification.
        cls_per_class: Training images of each class.
        inits: ``KEY=FILE`` of each.
        model: Key of `mmdetpre.study.custom_data.models.MODELS`; None: as the initializations and the machine say.
        seeds: Number of seeds of the study; with a budget the most.
        epochs: Of both tasks; None: fitted to the data.
        split_seed: Seed of the splits.
        trainable_stages: What of the backbone is trained, ``all`` or a number of last stages; a row of the tables each.
        leave_out_bad: Continue without what cannot be used.
        timing: Time a few steps of each training, to say how long the study takes.
        budget: Time that the study may take, such as ``1h``: epochs and seeds are fitted to it.
        search: Chip settings to try for each detection data by short trainings; None: the proposed ones are taken.
    """

    out: Path
    det: Sequence[DetectionData] = ()
    pretrain: Mapping[str, DetectionData] = field(default_factory=dict)
    seg: Path | None = None
    seg_images: Path | None = None
    seg_classes: Path | None = None
    cls: Path | None = None
    cls_per_class: int | None = None
    inits: Sequence[str] = ()
    model: str | None = None
    seeds: int = 3
    epochs: int | None = None
    split_seed: int = 0
    trainable_stages: Sequence[str | int] = ()
    leave_out_bad: bool = False
    timing: bool = False
    budget: str | None = None
    search: int | None = None


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
    require_named(settings.inits, choice)
    inits = inits_of(settings.inits, choice)
    files: Files = {}
    found, times = [describe_model(choice, why)], []
    tasks: list[OwnTask] = []
    for name, data in zip(task_names("own_det", [data.title for data in settings.det]), settings.det, strict=True):
        tasks.append(_detection(settings, choice, name, data, files, found, inits if settings.search else None))
    if settings.seg is not None:
        tasks.append(_segmentation(settings, settings.seg, choice, files, found))
    pretrainings = _pretrainings(settings, choice, inits, files, found)
    if settings.cls is not None:
        title = data_title(settings.cls)
        classes = read_own_classes(
            settings.cls, settings.cls_per_class, settings.split_seed, leave_out_bad=settings.leave_out_bad
        )
        epochs = settings.epochs or choice.classification_amount.epochs_for(len(classes.train))
        steps = epochs * choice.classification_amount.steps_per_epoch(len(classes.train))
        config = partial(classification_config, choice, classes)
        tasks.append(OwnTask("own_cls", "classification", title, epochs, steps, config=config))
        files["data/own_cls_train.txt"] = _lines(classes.train)
        files["data/own_cls_test.txt"] = _lines(classes.test)
        found.append(describe_classes(title, classes, epochs))
    files |= {f"configs/init_{init.key}.py": init.detector for init in inits if init.detector}
    files = _of_epochs(settings, choice, inits, tasks, pretrainings, settings.seeds) | files  # bases first
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=_parent(out)) as folder:
        study = Path(folder, "study")
        _write(study, files)
        for init in inits:
            if init.part is not None:
                prefix, entry = init.part
                export_backbone(init.checkpoint, study / init.weights, prefix=prefix, entry=entry)
        if settings.timing or settings.budget or (choice.for_gpus and not gpu):
            timed = {task.name: task for task in tasks}
            timed |= {f"{PRETRAINING}/{one.key}": one.task for one in pretrainings}
            known = study_time(study / "study.yaml", timed, choice, gpu=gpu)
            shutil.rmtree(study / "data" / CACHE, ignore_errors=True)  # tables that name this folder
            times = [known.text()]
            if settings.budget:
                fitted = known.fitted(read_duration(settings.budget), timed, choice, settings.epochs)
                times.append(f"Budget {settings.budget}: {known.change_text(fitted, timed, choice)}.")
                tasks = [task.of_epochs(fitted.epochs[task.name]) for task in tasks]
                pretrainings = [
                    replace(one, task=one.task.of_epochs(fitted.epochs[one.task.name])) for one in pretrainings
                ]
                _write(study, _of_epochs(settings, choice, inits, tasks, pretrainings, fitted.seeds))
        os.rename(study, out)
    found.append(describe_inits(inits, choice, pretrainings, probed=settings.cls is not None))
    if choice.for_gpus and not gpu:
        found.append(describe_cpu(choice))
    return "\n\n".join([*found, *times, _next_steps(settings, files, tasks)])


def _of_epochs(
    settings: Settings,
    choice: ModelChoice,
    inits: Sequence[OwnInit],
    tasks: Sequence[OwnTask],
    pretrainings: Sequence[OwnPretraining],
    seeds: int,
) -> Files:
    """The files that follow from the numbers of epochs and seeds: configs of trainings, and the study's own."""
    out = settings.out
    files: Files = {
        f"configs/{task.name}.py": task.config(task.epochs)
        for task in (*tasks, *(one.task for one in pretrainings))
        if task.config
    }
    content = study_settings(
        name=out.name,
        out=Path(os.path.abspath(out), "results"),
        seeds=seeds,
        inits=inits,
        pretrainings=pretrainings,
        tasks=tasks,
        choice=choice,
        trainable_stages=settings.trainable_stages,
    )
    return files | {"study.yaml": study_text(content, choice)}


def _write(study: Path, files: Files) -> None:
    for name, file in files.items():
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, ConfigFile):
            file.write(study / name)
        elif isinstance(file, bytes):
            (study / name).write_bytes(file)
        else:
            write_text(study / name, file)


def _detection(
    settings: Settings,
    choice: ModelChoice,
    name: str,
    data: DetectionData,
    files: Files,
    found: list[str],
    searched: Sequence[OwnInit] | None = None,
) -> OwnTask:
    """Read detection data, and add its files and what was found.

    Args:
        settings, choice: What the user asks for, and the model.
        name: Name of the files.
        data: The data.
        files, found: What is added to.
        searched: Initializations, with the first of which chips are searched; None: the proposed ones are taken.
    """
    train, test = data.read(settings.split_seed, leave_out_bad=settings.leave_out_bad)
    if test.boxes["crowd"].all():
        raise ValueError(
            f"{data.source}: no test image has a box that counts, so that nothing would be measured: annotate more"
            " images, or give --det-test."
        )
    chips, search = None, ""
    if searched is not None and settings.search is not None:
        folder = settings.out.with_name(f"{settings.out.name}_search")
        chips, search = search_chips(folder, train, choice, settings.search, next(iter(searched), None))
        files[f"{name}_chip_search.txt"] = f"{search}\n"
    recipe = detection_recipe(train, choice, settings.epochs, chips)
    files[f"data/{name}_train.json"] = json.dumps(train.to_coco())
    files[f"data/{name}_test.json"] = json.dumps(test.to_coco())
    files[f"data/{name}_classes.txt"] = class_names_text(train.classes)
    if choice.frozen:
        files[f"configs/{name}_scratch.py"] = detection_scratch_config(choice, name)
    found.append(describe_boxes(data.title, train, test, recipe))
    found += [search] if search else []

    def config(epochs: int) -> ConfigFile:
        steps = recipe.steps // recipe.epochs * epochs
        return detection_config(choice, replace(recipe, epochs=epochs, steps=steps), train, test, name)

    return OwnTask(name, "detection", data.title, recipe.epochs, recipe.steps, len(recipe.chips.scales), config)


def _segmentation(settings: Settings, source: Path, choice: ModelChoice, files: Files, found: list[str]) -> OwnTask:
    """Read segmentation data, and add its files and what was found."""
    train, test = read_segmentation(
        source, settings.seg_images, settings.seg_classes, settings.split_seed, leave_out_bad=settings.leave_out_bad
    )
    name, title, amount = "own_seg", data_title(source), choice.segmentation_amount
    epochs = settings.epochs or amount.epochs_for(len(train.images))
    each = amount.steps_per_epoch(len(train.images))

    def config(epochs: int) -> ConfigFile:
        return segmentation_config(choice, train, test, epochs * each, name)

    task = OwnTask(name, "segmentation", title, epochs, epochs * each, config=config)
    for part, called in ((train, "train"), (test, "test")):
        pairs = zip(part.images, part.maps, strict=True)
        files[f"data/{name}_{called}.txt"] = _lines(f"{photo}\t{label_map}" for photo, label_map in pairs)
        files |= {f"data/{name}_{DRAWN}/{label_map}": png for label_map, png in part.drawn.items()}
    files[f"data/{name}_classes.txt"] = class_names_text(train.classes)
    if choice.frozen:
        files[f"configs/{name}_scratch.py"] = segmentation_scratch_config(choice, name)
    found.append(describe_maps(title, train, test, task))
    return task


def _pretrainings(
    settings: Settings,
    choice: ModelChoice,
    inits: Sequence[OwnInit],
    files: Files,
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


def inits_of(given: Sequence[str], choice: ModelChoice) -> list[OwnInit]:
    """The initializations ``KEY=WEIGHTS`` for the backbone of a model, see `read_own_inits`."""
    published = choice.zoo is not None
    if choice.backbone is None or not given:
        return read_own_inits(given, find_config(choice.reference), published=published)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, f"{choice.backbone}.py")
        reference_config(choice).write(reference)
        return read_own_inits(given, reference, published=published)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def _check(settings: Settings) -> None:
    data = [*settings.det, *settings.pretrain.values()]
    inits = [split_source(init.partition("=")[2])[0] for init in settings.inits]
    own = [settings.seg, settings.seg_images, settings.seg_classes, settings.cls]
    paths = [settings.out.absolute(), *own, CONFIG_ROOT.resolve(), *inits]
    for path in [*paths, *(path for one in data for path in one.paths())]:
        if path is not None and (problem := path_problem(path)):
            raise ValueError(f"The path {str(path)!r} {problem}: rename it, or give another one.")
    if not settings.det and settings.cls is None and settings.seg is None:
        raise ValueError(
            "no data: give --det DATA (COCO JSON, VOC XML, YOLO ...), --seg DATA, --cls FOLDER, or several."
        )
    for option in ("seg_images", "seg_classes"):
        if getattr(settings, option) is not None and settings.seg is None:
            raise ValueError(f"--{option.replace('_', '-')} needs --seg.")
    if settings.model is not None and settings.model not in MODELS:
        raise ValueError(f"--model is {settings.model!r}: choose one of {', '.join(MODELS)}.")
    for name in ("seeds", "epochs"):
        if (value := getattr(settings, name)) is not None and value < 1:
            raise ValueError(f"--{name} is {value}: give 1 or more.")
    if settings.search is not None and (settings.search < 2 or not settings.det):
        raise ValueError("--search tries so many chip settings for --det: give that, and 2 or more.")
    if settings.cls_per_class is not None and settings.cls is None:
        raise ValueError("--cls-per-class needs --cls.")
    if settings.budget is not None:
        read_duration(settings.budget)
    if not (settings.inits or settings.pretrain) and any(one != "all" for one in settings.trainable_stages):
        raise ValueError("--trainable-stages needs --init or --pretrain: from scratch all of the backbone is trained.")
    if any(one.test_images is not None and one.test is None for one in data):
        raise ValueError("--det-test-images needs --det-test.")


def _parent(out: Path) -> Path:
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    return out.absolute().parent


def _shown(files: Files) -> set[str]:
    """Names of files; of drawn label maps their folder."""
    return {f"{os.path.dirname(name)}/*.png" if isinstance(file, bytes) else name for name, file in files.items()}


def _next_steps(settings: Settings, files: Files, tasks: Sequence[OwnTask]) -> str:
    out = str(settings.out)
    quoted = {name: shlex.quote(os.path.join(out, name)) for name in ("chips", "study.yaml")}
    detectors = (os.path.join(out, "configs", f"{task.name}.py") for task in tasks if task.kind == "detection")
    look = "".join(
        f"Look at the chips:  mmdetpre chips {shlex.quote(config)} --out-dir {quoted['chips']}\n"
        for config in detectors
    )
    return (
        f"Written to {out}:\n"
        + "".join(f"  {name}\n" for name in sorted(_shown(files)))
        + f"{look}Run the study:      mmdetpre study run {quoted['study.yaml']}"
    )
