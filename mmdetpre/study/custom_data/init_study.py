"""A study of a user's own data: what was found in them, and the folder that runs it."""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mmdetpre.config_files import CONFIG_ROOT, find_config
from mmdetpre.study.custom_data.boxes import OwnBoxes, read_own_boxes
from mmdetpre.study.custom_data.classes import read_own_classes
from mmdetpre.study.custom_data.configs import (
    classification_config,
    detection_config,
    detection_scratch_config,
    reference_config,
)
from mmdetpre.study.custom_data.inits import OwnInit, read_own_inits, split_source
from mmdetpre.study.custom_data.models import MODELS, ModelChoice
from mmdetpre.study.custom_data.propose_model import propose_model
from mmdetpre.study.custom_data.recipe import detection_recipe
from mmdetpre.study.custom_data.split import same_files, split_images_by_class
from mmdetpre.study.custom_data.study_yaml import study_settings, study_text
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
from mmdetpre.utils.plain_text import path_problem, require_names
from mmdetpre.utils.whole_file import write_text

_CONFIG = os.path.join("configs", "own_det.py")
_GENERAL = re.compile(
    r"(ann\w*|images?|labels?|xml|coco|train\w*|instances_\w+|result|\d+_ObjectCategories)", re.IGNORECASE
)


@dataclass(frozen=True)
class Settings:
    """What a user asks for; the arguments of ``mmdetpre study init``.

    Attributes:
        out: Folder to write; it must not exist.
        det: Annotations in a format that `mmdetpre.study.custom_data.recognize` knows; None: no detection.
        det_images: Folder of its images.
        det_test: The same of the test images; None: a part of their own, or one that is split off.
        det_test_images: Folder of the test images; None: as ``det_images``.
        cls: Folder of class folders; None: no classification.
        cls_per_class: Training images of each class.
        inits: ``KEY=FILE`` of each.
        model: Key of `mmdetpre.study.custom_data.models.MODELS`; None: as the initializations and the machine say.
        seeds: Number of seeds of the study.
        epochs: Of both tasks; None: fitted to the data.
        split_seed: Seed of the splits.
        leave_out_bad: Continue without what cannot be used.
    """

    out: Path
    det: Path | None = None
    det_images: Path | None = None
    det_test: Path | None = None
    det_test_images: Path | None = None
    cls: Path | None = None
    cls_per_class: int | None = None
    inits: Sequence[str] = ()
    model: str | None = None
    seeds: int = 3
    epochs: int | None = None
    split_seed: int = 0
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
    boxes_title = classes_title = None
    scales, trained, steps = 1, {}, {}
    if settings.det is not None:
        boxes_title = _title(settings.det)
        train, test = _detection_parts(settings)
        for part in (train, test):
            require_names(part.classes, f"{part.title}: the category")
            require_names(part.files, f"{part.title}: the image")
        recipe = detection_recipe(train, choice, settings.epochs)
        scales, trained["own_det"] = len(recipe.chips.scales), recipe.epochs
        steps["own_det"] = recipe.steps
        files["data/own_det_train.json"] = json.dumps(train.to_coco())
        files["data/own_det_test.json"] = json.dumps(test.to_coco())
        files["data/own_det_classes.txt"] = class_names_text(train.classes)
        files["configs/own_det.py"] = detection_config(choice, recipe, train, test)
        if choice.frozen:
            files["configs/own_det_scratch.py"] = detection_scratch_config(choice)
        found.append(describe_boxes(boxes_title, train, test, recipe))
    if settings.cls is not None:
        classes_title = _title(settings.cls)
        classes = read_own_classes(
            settings.cls, settings.cls_per_class, settings.split_seed, leave_out_bad=settings.leave_out_bad
        )
        trained["own_cls"] = epochs = settings.epochs or choice.classification_amount.epochs_for(len(classes.train))
        steps["own_cls"] = epochs * choice.classification_amount.steps_per_epoch(len(classes.train))
        files["data/own_cls_train.txt"] = _lines(classes.train)
        files["data/own_cls_test.txt"] = _lines(classes.test)
        files["configs/own_cls.py"] = classification_config(choice, classes, epochs)
        found.append(describe_classes(classes_title, classes, epochs))
    files |= {f"configs/init_{init.key}.py": init.detector for init in inits if init.detector}
    content = study_settings(
        name=out.name,
        out=Path(os.path.abspath(out), "results"),
        seeds=settings.seeds,
        inits=inits,
        boxes=boxes_title,
        classes=classes_title,
        choice=choice,
        epochs=trained,
        scales=scales,
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
    found.append(describe_inits(inits, choice, probed=settings.cls is not None))
    if choice.for_gpus and not gpu:
        found.append(describe_cpu(choice, steps, runs=(len(inits) + 1) * settings.seeds))
    return "\n\n".join([*found, _next_steps(settings, files)])


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
    paths = [settings.out.absolute(), settings.det, settings.det_images, settings.det_test, settings.det_test_images]
    inits = [split_source(init.partition("=")[2])[0] for init in settings.inits]
    for path in [*paths, settings.cls, CONFIG_ROOT.resolve(), *inits]:
        if path is not None and (problem := path_problem(path)):
            raise ValueError(f"The path {str(path)!r} {problem}: rename it, or give another one.")
    if settings.det is None and settings.cls is None:
        raise ValueError("no data: give --det DATA (COCO JSON, VOC XML, YOLO ...), --cls FOLDER, or both.")
    if settings.model is not None and settings.model not in MODELS:
        raise ValueError(f"--model is {settings.model!r}: choose one of {', '.join(MODELS)}.")
    for name in ("seeds", "epochs"):
        if (value := getattr(settings, name)) is not None and value < 1:
            raise ValueError(f"--{name} is {value}: give 1 or more.")
    for name, needed in (("det_images", "det"), ("det_test", "det"), ("cls_per_class", "cls")):
        if getattr(settings, name) is not None and getattr(settings, needed) is None:
            raise ValueError(f"--{name.replace('_', '-')} needs --{needed}.")
    if settings.det_test_images is not None and settings.det_test is None:
        raise ValueError("--det-test-images needs --det-test.")


def _parent(out: Path) -> Path:
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    return out.absolute().parent


def _detection_parts(settings: Settings) -> tuple[OwnBoxes, OwnBoxes]:
    assert settings.det is not None
    bad = settings.leave_out_bad
    train = read_own_boxes(settings.det, settings.det_images, leave_out_bad=bad)
    if settings.det_test is not None or train.own_test:
        source, images, option = settings.det, settings.det_images, "--det-images"
        if settings.det_test is not None:
            source, images = settings.det_test, settings.det_test_images or images
            option = "--det-test-images"
        test = read_own_boxes(source, images, leave_out_bad=bad, classes=train.classes, option=option)
        return _without_test_images(train, test, leave_out_bad=bad), test
    shown: list[set[int]] = [set() for _ in train.files]
    for box in train.boxes[~train.boxes["crowd"]]:
        shown[box["image"]].add(int(box["label"]))
    try:
        rows = split_images_by_class(train.files, same_files(train.paths()), shown, seed=settings.split_seed)
    except ValueError as error:
        raise ValueError(f"{train.source}: {error} Give --det-test, or add images.") from error
    return train.of_images(rows[0]), train.of_images(rows[1])


def _without_test_images(train: OwnBoxes, test: OwnBoxes, *, leave_out_bad: bool) -> OwnBoxes:
    """The training part; photos that the test part has too are refused, or left out of it."""
    paths, first = [*train.paths(), *test.paths()], len(train.files)
    both = [g for g in same_files(paths) if g[0] < first <= g[-1]]
    if both and not leave_out_bad:
        pairs = ", ".join(f"{paths[g[0]].name} = {paths[g[-1]].name}" for g in both[:3])
        raise ValueError(
            f"{len(both)} images are in {train.title} and in {test.title} as well: {pairs}"
            f"{', ...' if len(both) > 3 else ''}. Take them out of one of the two: the test would know them. Or add"
            " --leave-out-bad to take them out of the training part."
        )
    if not both:
        return train
    known = {i for group in both for i in group}
    kept = [i for i in range(first) if i not in known]
    if not kept or not np.isin(train.boxes["image"], kept).any():
        raise ValueError(f"{train.title}: no box is left to train on, all its images are in {test.title} as well.")
    train.left_out["training images that are test images as well"] = first - len(kept)
    return train.of_images(kept)


def _title(source: Path) -> str:
    """What the data are called: the nearest name of the path that says more than that here are annotations."""
    path = Path(os.path.abspath(source))
    names = [path.stem if path.is_file() else path.name, *(parent.name for parent in path.parents)]
    return next((name for name in names if name and not _GENERAL.fullmatch(name)), names[0])


def _next_steps(settings: Settings, files: Iterable[str]) -> str:
    out = str(settings.out)
    configs, chips, study = (shlex.quote(os.path.join(out, name)) for name in (_CONFIG, "chips", "study.yaml"))
    look = f"Look at the chips:  mmdetpre chips {configs} --out-dir {chips}\n" if settings.det is not None else ""
    return (
        f"Written to {out}:\n"
        + "".join(f"  {name}\n" for name in sorted(files))
        + f"{look}Run the study:      mmdetpre study run {study}"
    )
