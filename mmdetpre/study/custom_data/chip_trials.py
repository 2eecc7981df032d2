"""Trials of chip settings: a short training with each, as a study of their own, scored on held-out training images."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmdetpre.chips.settings import ChipSettings
from mmdetpre.evaluation.bootstrap.resampled import image_counts
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.voc_ap.average_precision import voc_average_precision
from mmdetpre.evaluation.voc_ap.resampled import resampled_mean_ap
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.configs import detection_config, detection_scratch_config
from mmdetpre.study.custom_data.inits import OwnInit
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.recipe import DetectionRecipe, detection_recipe
from mmdetpre.study.custom_data.study_yaml import OwnTask, study_settings, study_text
from mmdetpre.study.layout import work_dir
from mmdetpre.study.spec import SCRATCH
from mmdetpre.study.workflow import run_study
from mmdetpre.transfer.backbone_file import export_backbone
from mmdetpre.utils.class_list import class_names_text
from mmdetpre.utils.own_files import write_own

_DATA = "held_out"
_IOU = 0.5


@dataclass(frozen=True)
class Trial:
    """What came of one of the settings.

    Attributes:
        name: Of the settings.
        recipe: They, what they cost, and how long was trained.
        cost: Pixels of an image that are trained on, relative to the whole image in one chip of the usual size.
        ap50: Mean AP at IoU 0.5 on the held-out images, percent.
        class_ap50: The same of each class that has a box there.
        resampled: (B,) mean AP on resamples of these images, the same for all trials.
    """

    name: str
    recipe: DetectionRecipe
    cost: float
    ap50: float
    class_ap50: Mapping[str, float]
    resampled: np.ndarray


def short_training(choice: ModelChoice, steps: int = 300) -> ModelChoice:
    """The same model, trained for so many steps at most, and no fewer where an epoch has fewer.

    Example:
        >>> from mmdetpre.study.custom_data.models import MODELS
        >>> short_training(MODELS["paper"]).detection_amount
        Amount(batch=16, steps=300, epochs=(1, 100))
    """
    amount = choice.detection_amount
    return replace(
        choice, detection_amount=replace(amount, steps=min(amount.steps, steps), epochs=(1, amount.epochs[1]))
    )


def try_chips(
    folder: Path,
    settings: Mapping[str, ChipSettings],
    train: OwnBoxes,
    held_out: OwnBoxes,
    choice: ModelChoice,
    init: OwnInit | None = None,
) -> list[Trial]:
    """Train with each of the settings and test on held-out images; what was tried in this folder before is kept.

    Args:
        folder: Folder of the trials. Those of other data, another model or other weights are beside them.
        settings: Settings by name.
        train: Boxes and images that are trained on.
        held_out: Boxes and images that score.
        choice: The model, and how much it is trained.
        init: Weights that all begin with; None: from scratch.

    Returns:
        One entry for each training that succeeded.

    Raises:
        ValueError: If none did, or an image resample has no box.
    """
    data = {part: json.dumps(boxes.to_coco()) for part, boxes in (("train", train), ("test", held_out))}
    what = [choice.name, choice.detection_amount, str(train.images_dir), init and init.checkpoint, *data.values()]
    folder = folder / hashlib.sha256(repr(what).encode()).hexdigest()[:8]
    files = {f"data/{_DATA}_{part}.json": text for part, text in data.items()}
    files[f"data/{_DATA}_classes.txt"] = class_names_text(train.classes)
    recipes = {name: detection_recipe(train, choice, chips=chips) for name, chips in settings.items()}
    for name, recipe in recipes.items():
        files[f"configs/{name}.py"] = detection_config(choice, recipe, train, held_out, name, _DATA).text()
        if choice.frozen:
            files[f"configs/{name}_scratch.py"] = detection_scratch_config(choice, name).text()
    files["study.yaml"] = study_text(_study(folder, recipes, choice, init), choice)
    write_own(folder, files)
    if init is not None and init.part is not None and not (folder / init.weights).is_file():
        prefix, entry = init.part
        export_backbone(init.checkpoint, folder / init.weights, prefix=prefix, entry=entry)
    run_study(folder / "study.yaml", cores=os.cpu_count() or 1, timing=False)
    trials = []
    for name, recipe in recipes.items():
        results = work_dir(folder / "results", f"{name}/{init.key if init else SCRATCH}/seed0") / "test" / "results.npz"
        if results.is_file():
            trials.append(_trial(name, recipe, choice, Detections.load(results)))
    if not trials:
        raise ValueError(
            f"None of the trainings of the search succeeded: their logs are in {folder / 'results' / 'logs'}."
        )
    return trials


def _study(
    folder: Path, recipes: Mapping[str, DetectionRecipe], choice: ModelChoice, init: OwnInit | None
) -> dict[str, object]:
    """Content of the trials' study file: a task for each of the settings, one initialization, one seed."""
    tasks = [
        OwnTask(name, "detection", name, recipe.epochs, recipe.steps, len(recipe.chips.scales))
        for name, recipe in recipes.items()
    ]
    given = [] if init is None else [replace(init, detector=None)]
    content = study_settings(
        name="chip_search",
        out=Path(os.path.abspath(folder), "results"),
        seeds=1,
        inits=given,
        tasks=tasks,
        choice=choice,
    )
    key, inits = init.key if init else SCRATCH, content["inits"]
    assert isinstance(inits, dict)
    return content | {"inits": {key: inits[key]}, "reference": key, "contrast": key, "figures": []}


def _trial(name: str, recipe: DetectionRecipe, choice: ModelChoice, run: Detections) -> Trial:
    found = voc_average_precision(run, [_IOU], mode="area")
    by_class = {name: 100 * float(ap) for name, (ap,) in zip(found.classes, found.ap, strict=True) if np.isfinite(ap)}
    resampled = resampled_mean_ap(run, image_counts(len(run.names)), [_IOU])[:, 0]
    pixels = recipe.coverage.chips_per_image * recipe.chips.chip_size**2
    cost = pixels / choice.chip_size**2
    return Trial(name, recipe, cost, 100 * float(found.mean_ap[0]), by_class, resampled)


def standard_error(one: Trial, other: Trial) -> float:
    """Standard error of the difference of two trials over the choice of the held-out images, in points.

    Args:
        one, other: Tested on the same images.
    """
    return float(np.nanstd(one.resampled - other.resampled))


def cheapest_of_the_best(trials: Sequence[Trial]) -> Trial:
    """The cheapest of the trials whose distance to the best noise may explain: one standard error of the difference
    over the choice of the held-out images, and 3 points at most.

    Args:
        trials: One at least.

    Source: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984.
    """
    best = max(trials, key=lambda trial: trial.ap50)
    alike = [one for one in trials if best.ap50 - one.ap50 <= min(standard_error(best, one), LARGEST_TIE)]
    return min(alike, key=lambda trial: (trial.cost, -trial.ap50))


LARGEST_TIE = 3.0
"""Points of AP that the cheaper settings may be worse at most."""
