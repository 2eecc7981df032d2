"""Configs of a segmentation network on a user's photos and label maps, over the shipped bases."""

from __future__ import annotations

import os

from mmdetpre.backbones.table import named_backbone
from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.study.custom_data.configs import DATA, INIT_COMMENT, base_files, changed_backbone, no_init
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.segmentation.own_maps import VOID, OwnMaps
from mmdetpre.utils.config_writer import ConfigFile, Named
from mmdetpre.utils.plain_config import PlainConfig

DRAWN = "maps"
"""Folder of drawn label maps, after the name of the task."""
_BORDERED = 0.5
"""Share of the maps with void pixels from which on these are borders of objects."""


def segmentation_config(
    choice: ModelChoice, train: OwnMaps, test: OwnMaps, steps: int, name: str = "own_seg"
) -> ConfigFile:
    """Config of DeepLab on the user's photos, for every initialization.

    Args:
        choice: The model.
        train, test: The two parts.
        steps: Of the training.
        name: Name of the config, without suffix.
    """

    def dataset(part: OwnMaps, called: str) -> PlainConfig:
        maps = Named("data_root", f"{name}_{DRAWN}/") if part.maps_dir is None else os.path.join(part.maps_dir, "")
        return {
            "_delete_": True,
            "type": "mmdetpre.LabelMapDataset",
            "data_root": Named("data_root"),
            "ann_file": f"{name}_{called}.txt",
            "data_prefix": {"img_path": os.path.join(part.images_dir, ""), "seg_map_path": maps},
            "classes": Named("classes"),
            "pipeline": Named(f"_base_.{called}_pipeline"),
            "test_mode": called == "test",
        }

    values: PlainConfig = {
        "backbone_init": no_init(choice),
        "data_root": DATA,
        "classes": Named("data_root", f"{name}_classes.txt"),
        "model": {"decode_head": {"num_classes": len(train.classes)}},
        "train_dataloader": {"batch_size": choice.segmentation_amount.batch, "dataset": dataset(train, "train")},
        "val_dataloader": {"dataset": dataset(test, "test")},
        "test_dataloader": Named("val_dataloader"),
        "test_evaluator": {"boundary": "void" if bordered(test) else "label"},
        "steps": steps,
        "train_cfg": {"max_iters": Named("steps"), "val_interval": Named("steps")},
        "param_scheduler": [
            {
                "type": "LinearLR",
                "start_factor": 0.05,
                "by_epoch": False,
                "begin": 0,
                "end": max(1, min(50, steps // 3)),
            },
            {"type": "CosineAnnealingLR", "by_epoch": False, "begin": 0, "end": Named("steps")},
        ],
        "default_hooks": {"checkpoint": {"interval": max(1, steps // 4)}},
    }
    comments = {
        "": f"""\
DeepLab on your photos: {len(train.images)} training and {len(test.images)} test images, {len(train.classes)} classes.
{choice.title}.
  mim train {toolbox_name("mmsegmentation")} configs/{name}.py --cfg-options backbone_init.checkpoint=FILE
  mim test {toolbox_name("mmsegmentation")} configs/{name}.py --checkpoint work_dirs/{name}/iter_{steps}.pth""",
        "backbone_init": INIT_COMMENT,
        "data_root": """\
The folder data of the study, wherever that is moved; names of the classes, in label order. A line of the lists is a
photo, a tab, and its label map.""",
        "test_evaluator": """\
mIoU of whole images, in trimaps around boundaries and outside of them. The boundary is the void border of the label
maps, or the border between labels where they have none.""",
    }
    values |= changed_backbone(choice.backbone, choice.segmentation, values["model"])
    return ConfigFile(values, base_files(choice.segmentation), comments)


def segmentation_scratch_config(choice: ModelChoice, name: str = "own_seg") -> ConfigFile:
    """Config of the same network from scratch, where the other one freezes stages and statistics."""
    backbone = None if choice.backbone is None else named_backbone(choice.backbone)
    changes: PlainConfig = {"frozen_stages": -1 if backbone is None else backbone.frozen(-1)}
    if backbone is None or backbone.norm_eval:
        changes["norm_eval"] = False
    comment = f"{name}.py from scratch: nothing is frozen, and batch normalization is trained, over all GPUs."
    values: PlainConfig = {"model": {"backbone": changes}, "sync_bn": "torch"}
    return ConfigFile(values, [f"{name}.py"], {"": comment})


def bordered(part: OwnMaps) -> bool:
    """Whether void pixels surround the objects, as in VOC: most of the label maps, which were not drawn, have some."""
    return part.maps_dir is not None and sum(VOID in counts for counts in part.pixels) > _BORDERED * len(part.pixels)
