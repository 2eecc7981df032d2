"""Configs over the shipped bases for a user's own data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from mmdetpre.backbones.change import on_backbone
from mmdetpre.backbones.table import named_backbone
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.classes import OwnClasses
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.recipe import DetectionRecipe
from mmdetpre.utils.config_writer import Beside, ConfigFile, Named
from mmdetpre.utils.plain_config import PlainConfig

Steps = list[PlainConfig]
DATA = Beside(("..", "data"))
"""Folder of the splits as the configs name it: a study can be moved as a whole."""


def detection_config(
    choice: ModelChoice,
    recipe: DetectionRecipe,
    train: OwnBoxes,
    test: OwnBoxes,
    name: str = "own_det",
    data: str | None = None,
) -> ConfigFile:
    """Config of a detector on the user's boxes, for every initialization; class names are in a file of the data.

    Args:
        choice: The model.
        recipe: Schedule and sizes.
        train: Boxes and training images.
        test: Boxes and test images.
        name: Name of the config, without suffix.
        data: What the names of its files in the folder data begin with; None: as the config's.
    """
    chips, data = recipe.chips, data or name
    test_pipeline, tta_pipeline = _test_pipelines(choice, recipe, bool(test.upright))
    val_data = {
        "data_root": Named("data_root"),
        "ann_file": f"{data}_test.json",
        "data_prefix": {"img": _folder(test.images_dir)},
        "classes": Named("classes"),
        "pipeline": Named("test_pipeline"),
    }
    train_data = {
        "data_root": Named("data_root"),
        "ann_file": f"{data}_train.json",
        "data_prefix": {"img": _folder(train.images_dir)},
        "classes": Named("classes"),
    }
    values: PlainConfig = {
        "backbone_init": no_init(choice),
        "data_root": DATA,
        "classes": Named("data_root", f"{data}_classes.txt"),
        "model": {"roi_head": {"bbox_head": {"num_classes": len(train.classes)}}} | _chip_pixels(choice, chips),
        "chips": {
            "scales": _pairs(chips.scales),
            "valid_ranges": _pairs(chips.valid_ranges),
            "range_reference": None if chips.range_reference is None else _number(chips.range_reference),
        }
        | ({} if chips.chip_size == choice.chip_size else {"chip_size": chips.chip_size, "strides": chips.strides}),
        "test_pipeline": test_pipeline,
        "tta_model": {
            "test_ranges": _pairs(recipe.test_ranges),
            "range_reference": None if chips.range_reference is None else _number(chips.range_reference),
        },
        "tta_pipeline": tta_pipeline,
        "train_dataloader": {"dataset": {"chips": Named("chips"), "dataset": train_data}},
        "val_dataloader": {"dataset": val_data},
        "test_dataloader": Named("val_dataloader"),
        "val_evaluator": {
            "_delete_": True,
            "type": "mmdetpre.VOCIoUMetric",
            "eval_mode": "area",
        },
        "test_evaluator": Named("val_evaluator"),
        "max_epochs": recipe.epochs,
        "train_cfg": {"max_epochs": Named("max_epochs"), "val_interval": Named("max_epochs")},
        "param_scheduler": [
            {
                "type": "LinearLR",
                "start_factor": 1 / 30 if choice.frozen else 0.05,
                "by_epoch": False,
                "begin": 0,
                "end": max(1, min(1000, recipe.steps // 10) if choice.frozen else min(50, recipe.steps // 3)),
            },
            _steps(round(recipe.epochs * 10 / 14)) if choice.frozen else _COSINE,
        ],
        "default_hooks": {"checkpoint": {"interval": max(1, recipe.epochs // 4)}},
    }
    values |= changed_backbone(choice.backbone, choice.detection, values["model"])
    return ConfigFile(values, base_files(choice.detection), _detection_comments(choice, recipe, train, test, name))


def _chip_pixels(choice: ModelChoice, chips: ChipSettings) -> PlainConfig:
    """What the model says of the size of chips, where it is not the usual one."""
    if chips.chip_size == choice.chip_size:
        return {}
    pad = {"type": "BatchFixedSizePad", "size": (chips.chip_size, chips.chip_size), "pad_mask": False}
    return {"data_preprocessor": {"batch_augments": [pad]}}


def _test_pipelines(choice: ModelChoice, recipe: DetectionRecipe, upright: bool) -> tuple[Steps, Steps]:
    """The pipelines of the bases, at the scales of the data, with photos turned by their orientation or not."""
    base = _merged(choice.detection)

    def fitted(steps: Steps, sides: Sequence[int]) -> Steps:
        found = []
        for step in steps:
            if step["type"] == "LoadImageFromFile" and upright:
                step = step | {"color_type": "color"}
            found += [step | {"scale": (side, side)} for side in sides] if step["type"] == "Resize" else [step]
        return found

    load, augment = base["tta_pipeline"]
    (first, *_), *rest = augment["transforms"]
    scaled = fitted([first], [side for _, side in recipe.chips.scales])
    tta = [*fitted([load], ()), augment | {"transforms": [scaled, *rest]}]
    return fitted(base["test_pipeline"], [recipe.test_side]), tta


def _detection_comments(
    choice: ModelChoice, recipe: DetectionRecipe, train: OwnBoxes, test: OwnBoxes, name: str
) -> Mapping[str, str]:
    tta = " --tta" if len(recipe.chips.scales) > 1 else ""
    flagged = "occluded" in test.known_flags
    hidden = "the flag `occluded`" if flagged else "the share of a box that others cover, as there is no flag"
    return {
        "": f"""\
SNIPER on your boxes: {len(train.files)} training and {len(test.files)} test images.
{choice.title}.
  mim train {toolbox_name("mmdet")} configs/{name}.py --cfg-options backbone_init.checkpoint=FILE
  mim test {toolbox_name("mmdet")} configs/{name}.py --checkpoint work_dirs/{name}/epoch_{recipe.epochs}.pth{tta}
Look before you train:
  mim run mmdetpre chip_report configs/{name}.py
  mmdetpre chips configs/{name}.py --out-dir chips""",
        "backbone_init": INIT_COMMENT,
        "data_root": "The folder data of the study, wherever that is moved; names of the classes, in label order.",
        "chips": f"""\
Proposed from the boxes of the training part: scales (longer image side), finest first, and the sizes learned at each,
in pixels of the square root of the area of an image whose longer side has {recipe.chips.range_reference:g} pixels.""",
        "tta_model": "`--tta` tests at all scales; each keeps a somewhat wider range than it learned.",
        "val_evaluator": f"""\
mAP at IoU 0.1 to 0.9 (area under the curve; "11points" is the rule of VOC 2007). test_evaluator.outfile_prefix=...
writes what the analyses read: Figures 1 and 2, Table 3.
What counts as hidden: {hidden}.""",
        "max_epochs": f"{recipe.coverage.chips} chips an epoch, {recipe.steps} steps of {choice.detection_amount.batch}"
        f" chips in all.{_MILESTONES * choice.frozen}",
    }


def detection_scratch_config(choice: ModelChoice, name: str = "own_det") -> ConfigFile:
    """Config of the same detector from scratch, where the other one freezes stages."""
    nothing = -1 if choice.backbone is None else named_backbone(choice.backbone).frozen(-1)
    comment = (
        f"{name}.py from scratch: nothing is frozen, for a random stage that is never trained would teach nothing."
    )
    return ConfigFile({"model": {"backbone": {"frozen_stages": nothing}}}, [f"{name}.py"], {"": comment})


def classification_config(choice: ModelChoice, classes: OwnClasses, epochs: int, name: str = "own_cls") -> ConfigFile:
    """Config of a classifier on the user's images, for every initialization.

    Args:
        choice: The model.
        classes: Class names and images.
        epochs: Number of epochs.
        name: Name of the config, without suffix.
    """
    count = len(classes.counts)

    def dataset(part: str) -> PlainConfig:
        return {
            "_delete_": True,
            "type": "mmdetpre.ClassFolders",
            "data_root": str(classes.root),
            "split": part,
            "split_file": Named("splits", f"{name}_{part}.txt"),
            "pipeline": Named(f"_base_.{part}_pipeline"),
        }

    decay = _steps((epochs + 1) // 2, round(epochs * 5 / 6)) if choice.frozen else _COSINE
    values: PlainConfig = {
        "backbone_init": no_init(choice),
        "model": {"head": {"num_classes": count}},
        "splits": DATA,
        "train_dataloader": {"dataset": dataset("train")},
        "val_dataloader": {"dataset": dataset("test")},
        "test_dataloader": Named("val_dataloader"),
        "val_evaluator": [
            {"type": "Accuracy", "topk": (1,)},
            {"type": "SingleLabelMetric", "items": ("recall",)},
        ],
        "test_evaluator": Named("val_evaluator"),
        "max_epochs": epochs,
        "train_cfg": {"max_epochs": Named("max_epochs"), "val_interval": Named("max_epochs")},
        "param_scheduler": [decay],
        "default_hooks": {"checkpoint": {"interval": max(1, epochs // 4)}},
    }
    comments = {
        "": f"""\
Classification: {len(classes.train)} training and {len(classes.test)} test images, {count} classes.
{choice.title}.
  mim train {toolbox_name("mmpretrain")} configs/{name}.py --cfg-options backbone_init.checkpoint=FILE
  mim test {toolbox_name("mmpretrain")} configs/{name}.py --checkpoint work_dirs/{name}/epoch_{epochs}.pth""",
        "backbone_init": INIT_COMMENT,
        "splits": """\
The split, in the folder data of the study, wherever that is moved: one FOLDER/FILE a line. Size of the crops: the
pipelines of the second file of _base_.""",
        "val_evaluator": "accuracy/top1 over images; single-label/recall is the mean of the classes' accuracies.",
        "max_epochs": (_MILESTONES * choice.frozen).strip(),
    }
    values |= changed_backbone(choice.backbone, choice.classification, values["model"])
    return ConfigFile(values, base_files(choice.classification), comments)


INIT_COMMENT = "The study sets the checkpoint; None: from scratch."
_MILESTONES = " With other epochs, change the milestones below too."
_COSINE = {
    "type": "CosineAnnealingLR",
    "by_epoch": True,
    "begin": 0,
    "end": Named("max_epochs"),
    "convert_to_iter_based": True,
}


def _steps(*milestones: int) -> PlainConfig:
    return {"type": "MultiStepLR", "by_epoch": True, "milestones": list(milestones), "gamma": 0.1}


def no_init(choice: ModelChoice) -> PlainConfig:
    """Value of ``backbone_init`` from scratch."""
    return {"checkpoint": None, **({"reset_offsets": True} if choice.deformable else {})}


def base_files(files: Sequence[str]) -> list[str]:
    """Paths of files of ``configs/_base_``."""
    root = CONFIG_ROOT.resolve() / "_base_"
    return [str(root / file) for file in files]


def _merged(files: Sequence[str]) -> PlainConfig:
    """The keys of files of ``configs/_base_``, of which no two have the same."""
    base: PlainConfig = {}
    for file in base_files(files):
        base |= Config.fromfile(file, import_custom_modules=False).to_dict()
    return base


def reference_config(choice: ModelChoice) -> ConfigFile:
    """Config with the model's backbone and preprocessing alone, which the initializations have to fit.

    Raises:
        ValueError: If the model is one of the shipped configs, which has that.
    """
    if choice.backbone is None:
        raise ValueError(f"{choice.name} is {choice.reference}.")
    model = changed_backbone(choice.backbone, choice.detection, {})["model"]
    kept = {key: model[key] for key in ("backbone", "data_preprocessor")}
    return ConfigFile({"custom_imports": {"imports": ["mmdetpre"]}, "default_scope": "mmdet", "model": kept})


def changed_backbone(backbone: str | None, files: Sequence[str], model: PlainConfig) -> PlainConfig:
    """What the bases say otherwise with another backbone: the model with all that follows, and its optimizer.

    Args:
        backbone: File of ``configs/_base_/backbones``; None: nothing changes.
        files: The bases.
        model: Changes of the model, which are kept.
    """
    if backbone is None:
        return {}
    base = Config(_merged(files))
    changed = on_backbone(base, named_backbone(backbone))
    changed.merge_from_dict({"model": model})
    before, after = base.to_dict(), changed.to_dict()
    return {key: {"_delete_": True, **value} for key, value in after.items() if value != before.get(key)}


def _folder(path: Path) -> str:
    return os.path.join(path, "")


def _pairs(pairs: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    return [tuple(map(_number, pair)) for pair in pairs]


def _number(value: float) -> float:
    """As few digits as people write: 6 at most, whole numbers without a point."""
    return int(value) if float(value).is_integer() else float(f"{value:g}")
