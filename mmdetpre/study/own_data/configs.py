"""Configs over the shipped bases for a user's own data, as text."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.own_data.boxes import OwnBoxes
from mmdetpre.study.own_data.classes import OwnClasses
from mmdetpre.study.own_data.models import ModelChoice
from mmdetpre.study.own_data.recipe import DetectionRecipe

DATA = '"{{ fileDirname }}/../data/"'
"""Folder of the splits as the configs name it: a study can be moved as a whole."""
_STEPS = 'dict(type="MultiStepLR", by_epoch=True, milestones=[{}], gamma=0.1)'
_COSINE = 'dict(type="CosineAnnealingLR", by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True)'


def detection_config(
    choice: ModelChoice, recipe: DetectionRecipe, train: OwnBoxes, test: OwnBoxes, title: str, name: str = "own_det"
) -> str:
    """Config of a detector on the user's boxes, for every start."""
    chips = recipe.chips
    tta = " --tta" if len(chips.scales) > 1 else ""
    flagged = any("occluded" in annotation for annotation in test.annotations)
    hidden = "the flag `occluded` tells" if flagged else "no flag tells, so the share of a box that others cover does"
    scales = "".join(
        f'                dict(type="Resize", scale=({side}, {side}), keep_ratio=True),\n' for _, side in chips.scales
    )
    color = "color" if test.upright else "color_ignore_orientation"
    start = "dict(checkpoint=None, reset_offsets=True)" if choice.frozen else "dict(checkpoint=None)"
    warmup = max(1, min(1000, recipe.steps // 10) if choice.frozen else min(50, recipe.steps // 3))
    decay = _STEPS.format("round(max_epochs * 10 / 14)") if choice.frozen else _COSINE
    optimizer = (
        "# For 1 GPU x 16 chips: 1e-4 * 16 / chips of all GPUs. The learning rate follows by itself (auto_scale_lr).\n"
        "optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))\n"
        if choice.frozen
        else ""
    )
    return f"""\
# SNIPER on {title}: {len(train.images)} images to train on, {len(test.images)} to test on.
# {choice.title}.
#   mim train mmdet configs/{name}.py --cfg-options backbone_start.checkpoint=FILE
#   mim test mmdet configs/{name}.py --checkpoint work_dirs/{name}/epoch_{recipe.epochs}.pth{tta}
# Look before you train:
#   python tools/analysis_tools/chip_report.py configs/{name}.py
#   python tools/misc/browse_chips.py configs/{name}.py --out-dir chips
_base_ = [
{_bases(choice.detection)}]
backbone_start = {start}  # the study sets the checkpoint; None: from scratch

data_root = {DATA}
images = {_folder(train.images_dir)}
test_images = {_folder(test.images_dir)}
classes = {_listed(train.classes)}
model = dict(roi_head=dict(bbox_head=dict(num_classes={len(train.classes)})))

# Proposed from the boxes of the training part: scales (longer image side), finest first, and the sizes learned at each,
# in pixels of the square root of the area of an image whose longer side has {chips.range_reference:g} pixels.
chips = dict(
    scales={_pairs(chips.scales)},
    valid_ranges={_pairs(chips.valid_ranges)},
    range_reference={chips.range_reference:g},
)
test_pipeline = [
    dict(type="LoadImageFromFile", color_type="{color}"),
    dict(type="Resize", scale=({recipe.test_side}, {recipe.test_side}), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")),
]
# `--tta` tests at all scales; each keeps the sizes of its range, somewhat wider than what it learned.
tta_model = dict(test_ranges={_pairs(recipe.test_ranges)}, range_reference={chips.range_reference:g})
tta_pipeline = [
    dict(type="LoadImageFromFile", color_type="{color}"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
{scales}            ],
            [dict(type="LoadAnnotations", with_bbox=True)],
            [
                dict(
                    type="PackDetInputs",
                    meta_keys=(
                        "img_id",
                        "img_path",
                        "ori_shape",
                        "img_shape",
                        "scale_factor",
                        "flip",
                        "flip_direction",
                        "instances",
                    ),
                )
            ],
        ],
    ),
]

train_dataloader = dict(
    dataset=dict(
        chips=chips,
        dataset=dict(
            data_root=data_root, ann_file="{name}_train.json", data_prefix=dict(img=images), classes=classes
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file="{name}_test.json",
        data_prefix=dict(img=test_images),
        classes=classes,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
# mAP at IoU 0.1 to 0.9 (area under the curve; "11points" is the rule of VOC 2007). test_evaluator.outfile_prefix=...
# writes what the analyses read: Figures 1 and 2, Table 3.
# What is hidden: {hidden}.
val_evaluator = dict(_delete_=True, type="mmdetpre.VOCIoUMetric", eval_mode="area", plus_one=False)
test_evaluator = val_evaluator

# {recipe.coverage.chips} chips an epoch, {recipe.steps} steps of {choice.detection_amount.batch} chips in all.
max_epochs = {recipe.epochs}
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor={"1 / 30" if choice.frozen else "0.05"}, by_epoch=False, begin=0, end={warmup}),
    {decay},
]
{optimizer}default_hooks = dict(checkpoint=dict(interval={max(1, recipe.epochs // 4)}))
"""


def detection_scratch_config(name: str = "own_det") -> str:
    """Config of the same detector from scratch, where the other one freezes stages."""
    return f"""\
# {name}.py from scratch: nothing is frozen, for a random stage that is never trained would teach nothing.
_base_ = ["{name}.py"]
model = dict(backbone=dict(frozen_stages=-1))
"""


def classification_config(
    choice: ModelChoice, classes: OwnClasses, epochs: int, title: str, name: str = "own_cls"
) -> str:
    """Config of a classifier on the user's images, for every start."""
    count = len(classes.counts)
    start = "dict(checkpoint=None, reset_offsets=True)" if choice.frozen else "dict(checkpoint=None)"
    decay = _STEPS.format("(max_epochs + 1) // 2, round(max_epochs * 5 / 6)") if choice.frozen else _COSINE
    return f"""\
# Classification of {title}: {len(classes.train)} images to train on, {len(classes.test)} to test on, {count} classes.
# {choice.title}.
#   mim train mmpretrain configs/{name}.py --cfg-options backbone_start.checkpoint=FILE
#   mim test mmpretrain configs/{name}.py --checkpoint work_dirs/{name}/epoch_{epochs}.pth
_base_ = [
{_bases(choice.classification)}]
backbone_start = {start}  # the study sets the checkpoint; None: from scratch
model = dict(head=dict(num_classes={count}))

# The split: one FOLDER/FILE a line. Size of the crops: the pipelines of the second file of _base_.
splits = {DATA}
own = dict(_delete_=True, type="mmdetpre.ClassFolders", data_root={_text(classes.root)})
train_dataloader = dict(
    dataset=dict(**own, split="train", split_file=splits + "{name}_train.txt", pipeline=_base_.train_pipeline)
)
val_dataloader = dict(
    dataset=dict(**own, split="test", split_file=splits + "{name}_test.txt", pipeline=_base_.test_pipeline)
)
del own
test_dataloader = val_dataloader
# accuracy/top1 over images; single-label/recall is the mean of the classes' accuracies.
val_evaluator = [dict(type="Accuracy", topk=(1,)), dict(type="SingleLabelMetric", items=("recall",))]
test_evaluator = val_evaluator

max_epochs = {epochs}
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [{decay}]
default_hooks = dict(checkpoint=dict(interval={max(1, epochs // 4)}))
"""


def _bases(files: Sequence[str]) -> str:
    root = CONFIG_ROOT.resolve() / "_base_"
    return "".join(f"    {_text(root / file)},\n" for file in files)


def _folder(path: Path) -> str:
    return json.dumps(os.path.join(path, ""), ensure_ascii=False)


def _text(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)


def _listed(names: Sequence[str]) -> str:
    one_line = json.dumps(list(names), ensure_ascii=False)
    if len(one_line) < 100:
        return one_line
    return "[\n" + "".join(f"    {json.dumps(name, ensure_ascii=False)},\n" for name in names) + "]"


def _pairs(pairs: Sequence[Sequence[float]]) -> str:
    return "[" + ", ".join(f"({lo:g}, {hi:g})" for lo, hi in pairs) + "]"
