"""Every config is read, short, documented, and builds its detector."""

import functools
import json

import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.sample import object_classes

CONFIGS = [
    "faster_rcnn_r50_fpn_chips_coco.py",
    "faster_rcnn_r50_fpn_chips_coco_sample.py",
    "retinanet_chips_coco.py",
    "retinanet_chips_coco_sample.py",
    "rpn_coco.py",
    "rpn_coco_sample.py",
    "rpn_voc.py",
    "rpn_voc_sample.py",
    "sniper_coco.py",
    "sniper_coco_autofocus.py",
    "sniper_coco_autofocus_sample.py",
    "sniper_coco_deform_roi.py",
    "sniper_coco_deform_roi_sample.py",
    "sniper_coco_sample.py",
    "sniper_coco_test_dev.py",
    "sniper_coco_test_dev_sample.py",
    "sniper_coco_trainval.py",
    "sniper_coco_trainval_sample.py",
    "sniper_imagenet_loc.py",
    "sniper_imagenet_loc_sample.py",
    "sniper_mask_coco.py",
    "sniper_mask_coco_sample.py",
    "sniper_mobilenetv2_coco.py",
    "sniper_mobilenetv2_coco_sample.py",
    "sniper_openimages.py",
    "sniper_openimages_sample.py",
    "sniper_voc.py",
    "sniper_voc_sample.py",
]


def test_the_list_is_complete(repository):
    assert sorted(path.name for path in (repository / "configs" / "det").glob("*.py")) == sorted(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_short_and_says_how_to_run_it(repository, name):
    path = repository / "configs" / "det" / name
    lines = path.read_text().splitlines()
    assert len(lines) <= 40
    assert any(f"mim train mmdet configs/det/{name}" in line for line in lines if line.startswith("#"))
    assert name.removesuffix(".py") in (path.parent / "metafile.yml").read_text().split()


@pytest.mark.parametrize("name", CONFIGS)
def test_detector_builds_and_fits_its_data(repository, name):
    cfg = Config.fromfile(repository / "configs" / "det" / name)
    settings = ChipSettings(**cfg.train_dataloader.dataset.chips)
    for augment in cfg.model.data_preprocessor.get("batch_augments") or []:
        assert tuple(augment.size) == (settings.chip_size,) * 2
    check_detector(json.dumps(without_initial_weights(with_chosen_backbone(cfg).model)))
    dataset = cfg.train_dataloader.dataset.dataset
    assert set(class_counts(cfg.model)) <= {number_of_classes(dataset)}
    if cfg.get("val_dataloader") and dataset.type != "mmdetpre.PackedImageNetLOCDataset":
        assert cfg.val_dataloader.dataset.classes == dataset.classes


@functools.cache  # of no result: a full-size detector that is kept costs 400 MB
def check_detector(model):
    init_default_scope("mmdet")
    detector = MODELS.build(ConfigDict(json.loads(model)))
    extractor = getattr(getattr(detector, "roi_head", None), "bbox_roi_extractor", None)
    if extractor is not None:
        strides = [(stride, stride) for stride in extractor.featmap_strides]
        assert detector.rpn_head.prior_generator.strides[: len(strides)] == strides


def without_initial_weights(model):
    """Configs that differ in their initialization build the same detector."""
    model = model.to_dict()
    if model["backbone"].get("init_cfg"):
        assert model["backbone"].pop("init_cfg")["type"] == "Pretrained"
    return model


def class_counts(model):
    """Every ``num_classes`` of a model config, that of a region proposal network (1) left out."""
    for key, value in model.items():
        if key == "num_classes":
            yield value
        elif isinstance(value, dict) and key != "rpn_head":
            yield from class_counts(value)


def number_of_classes(dataset):
    named = {"challenge": 500, "wnids_3130.txt": 3130, "imagenet_det": 200}
    default = {
        "mmdetpre.PackedCocoDataset": len(CocoDataset.METAINFO["classes"]),
        "mmdetpre.PackedVOCDataset": len(VOCDataset.METAINFO["classes"]),
        "mmdetpre.PackedImageNetLOCDataset": len(object_classes("source")),  # every class of the synthetic sample
    }
    if dataset.classes is None:
        return default[dataset.type]
    return named[dataset.classes] if isinstance(dataset.classes, str) else len(dataset.classes)
