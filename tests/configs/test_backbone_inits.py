"""The initializations of Table 2 reach the backbone: one key chooses, and a classifier hands its weights over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.transfer import BackboneInit, load_backbone, read_checkpoint
from mmdetpre.transfer.backbone_init import chosen_init
from mmdetpre.transfer.preprocessing import from_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXPERIMENTS = sorted(path for folder in ("det", "seg", "cls") for path in (CONFIGS / folder).glob("*.py"))
TASKS = {
    "det/sniper_voc.py": "imagenet_cls",
    "det/sniper_coco.py": "imagenet_cls",
    "seg/deeplab_voc.py": "imagenet_cls",
    "seg/deeplabv3_voc.py": "openimages",
    "cls/caltech256.py": "imagenet_cls",
    "cls/caltech256_linear.py": "openimages",
    "det/sniper_voc_sample.py": "scratch",
    "seg/deeplab_voc_sample.py": "scratch",
    "cls/caltech256_sample.py": "scratch",
}
"""Configs of tasks, and their initialization if none is chosen."""
NAMES = ("imagenet_cls", "imagenet_loc", "coco", "openimages")


def read(path: Path) -> Config:
    return Config.fromfile(path, import_custom_modules=False)


def hooks(cfg: Config) -> list[str]:
    return [hook.type for hook in cfg.default_hooks.values()]


@pytest.mark.parametrize("name", TASKS)
def test_one_key_chooses_the_initialization(name: str, tmp_path: Path) -> None:
    cfg = read(CONFIGS / name)
    assert cfg.backbone_init == {"name": TASKS[name]}
    (tmp_path / "two_lines.py").write_text(f"_base_ = {str(CONFIGS / name)!r}\nbackbone_init = dict(name='coco')\n")
    two_lines, option, file = read(tmp_path / "two_lines.py"), read(CONFIGS / name), read(CONFIGS / name)
    option.merge_from_dict({"backbone_init": "coco"})
    assert chosen_init(two_lines) == chosen_init(option) == {**cfg.backbone_inits.coco, "name": "coco"}
    assert BackboneInit().changed_by(chosen_init(option)).checkpoint.startswith("work_dirs/sniper_coco")
    file.merge_from_dict({"backbone_init.checkpoint": "mine.pth"})
    assert chosen_init(file) == {"checkpoint": "mine.pth"}
    option.merge_from_dict({"backbone_init": "cocoo"})
    with pytest.raises(ValueError, match=r"'cocoo' is not known to this config; choose one of .*coco, openimages"):
        chosen_init(option)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_from_scratch_nothing_is_frozen(path: Path) -> None:
    cfg = read(path)
    if "backbone_inits" not in cfg:
        assert path.stem.startswith(("imagenet_cls", "faster_rcnn_r50_fpn", "retinanet")) and chosen_init(cfg) is None
        return
    if isinstance(cfg.backbone_inits.scratch, str):
        with pytest.raises(ValueError, match="a frozen random backbone teaches nothing"):
            chosen_init({**cfg, "backbone_init": "scratch"})
        return
    before = cfg.model.backbone.frozen_stages
    cfg.merge_from_dict({"backbone_init": "scratch"})
    scratch = with_chosen_backbone(cfg)
    assert chosen_init(scratch) == {"checkpoint": None, "name": "scratch"}
    assert scratch.model.backbone.frozen_stages == -1 and cfg.model.backbone.frozen_stages == before
    assert with_chosen_backbone(scratch).model == scratch.model, "what a work dir keeps reads as the same"
    if path.parent.name == "seg" and not path.stem.endswith("_sample"):
        assert (scratch.model.backbone.norm_eval, scratch.sync_bn) == (False, "torch") and cfg.model.backbone.norm_eval


def test_changes_reach_a_model_that_tta_wraps() -> None:
    cfg = read(CONFIGS / "det" / "sniper_voc.py")
    cfg.model, cfg.backbone_init = dict(type="DetTTAModel", module=cfg.model), "scratch"
    assert with_chosen_backbone(cfg).model.module.backbone.frozen_stages == -1
    assert "backbone" not in with_chosen_backbone(cfg).model


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_config_loads_exports_and_freezes_only_what_it_loads(path: Path) -> None:
    cfg = read(path)
    assert {"mmdetpre.LoadBackboneHook", "mmdetpre.ExportBackboneHook"} <= set(hooks(cfg))
    backbone = cfg.model.backbone
    chosen = chosen_init(cfg) or {}
    assert (
        chosen.get("checkpoint")
        or "Pretrained" in str(backbone.get("init_cfg"))
        or (backbone.get("frozen_stages", -1) < 0)
    ), "frozen random weights"
    for entry in (cfg.get("backbone_inits") or {}).values():
        checkpoint = "" if isinstance(entry, str) else entry.checkpoint or ""
        if checkpoint.startswith("work_dirs/"):
            _, name, file = checkpoint.split("/")
            (source,) = [other for other in EXPERIMENTS if other.stem == name]
            assert file == "backbone_final.pth", "what ExportBackboneHook of that config writes"
            if checkpoint == chosen.get("checkpoint") or not path.stem.endswith("_deform_roi_sample"):
                assert architecture(read(source)) == architecture(cfg) or path.stem == "sniper_coco_deform_roi_sample"


def architecture(cfg: Config) -> dict:
    """What of a config decides names and shapes of the backbone."""
    backbone = cfg.model.backbone
    stages = backbone.stage_with_dcn if backbone.get("dcn") else None
    return {key: backbone.get(key) for key in ("depth", "base_channels", "stem_channels", "dcn")} | {"stages": stages}


def test_torchvision_weights_start_the_full_detector(tmp_path: Path) -> None:
    """As ``torchvision://resnet101`` gives them: with a classifier, without offsets and, in older files, counters."""
    cfg = read(CONFIGS / "det" / "sniper_coco.py")
    init_default_scope("mmdet")
    backbone = MODELS.build(cfg.model.backbone)
    state = torchvision.models.resnet101().state_dict()
    state = {name: value for name, value in state.items() if "num_batches" not in name}
    state["bn1.running_mean"] += 0.5
    torch.save(state, tmp_path / "resnet101.pth")
    checkpoint = replace(read_checkpoint(tmp_path / "resnet101.pth"), source=chosen_init(cfg)["checkpoint"])
    report = load_backbone(backbone, checkpoint, preprocessing=from_config(cfg), dry_run=True)
    assert report.verdict == "expected" and report.source == "torchvision://resnet101", str(report)
    assert "by rule" in report.preprocessing["file"]
    cfg.model.data_preprocessor.bgr_to_rgb = False
    report = load_backbone(backbone, checkpoint, preprocessing=from_config(cfg), dry_run=True)
    assert report.verdict == "refused"


def test_testing_does_not_need_the_initialization(sample_config) -> None:
    runner = Runner.from_cfg(sample_config(backbone_init=dict(checkpoint="work_dirs/nowhere/backbone_final.pth")))
    assert "openimages/mAP" in runner.test()


@pytest.mark.slow
def test_a_classifier_of_the_drawn_imagenet_starts_detector_and_segmentor(
    repository: Path, tiny_imagenet_loc: Path, tiny_voc: Path, tmp_path: Path
) -> None:
    cfg = Config.fromfile(CONFIGS / "cls" / "imagenet_cls_sample.py")
    assert len((CONFIGS / "cls" / "imagenet_cls_sample.py").read_text().splitlines()) <= 40
    cfg.train_dataloader.update(num_workers=0, batch_size=16)
    cfg.train_dataloader.dataset.data_root = str(tiny_imagenet_loc / "images")
    cfg.work_dir = str(tmp_path / "cls")
    runner = Runner.from_cfg(cfg)
    assert list(runner.train_dataloader.dataset.metainfo["classes"] or runner.train_dataloader.dataset.CLASSES)
    runner.train()
    weights = {name: value.clone() for name, value in runner.model.backbone.state_dict().items()}
    left = tmp_path / "cls" / "backbone_final.pth"

    detector = Config.fromfile(CONFIGS / "det" / "sniper_voc_sample.py")
    chosen = chosen_init({**detector, "backbone_init": "imagenet_cls"})
    assert chosen["checkpoint"] == "work_dirs/imagenet_cls_sample/backbone_final.pth"
    init_default_scope("mmdet")
    backbone = MODELS.build(detector.model.backbone)
    assert BackboneInit().changed_by({**chosen, "checkpoint": str(left)}).load(backbone).good
    found = backbone.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in found)

    cfg = Config.fromfile(CONFIGS / "seg" / "deeplab_voc_sample.py")
    cfg.merge_from_dict({"backbone_init.checkpoint": str(left), "train_cfg.max_iters": 2, "train_cfg.val_interval": 2})
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(tiny_voc / "VOCdevkit" / "VOC2012")
    cfg.work_dir = str(tmp_path / "seg")
    runner = Runner.from_cfg(cfg)
    runner.train()
    (report,) = (tmp_path / "seg").glob("backbone_load_*.json")
    assert '"verdict": "complete"' in report.read_text()
    assert runner.message_hub.get_scalar("val/mIoU").current() > 0
    assert (tmp_path / "seg" / "backbone_final.pth").exists()
