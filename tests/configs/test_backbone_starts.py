"""The starts of Table 2 reach the backbone: one line chooses among them, and a classifier hands its weights over."""

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

from mmdetpre.transfer import BackboneStart, load_backbone, read_checkpoint
from mmdetpre.transfer.preprocessing import from_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
STARTS = sorted((CONFIGS / "_base_" / "starts").glob("*.py"))
EXPERIMENTS = sorted(path for folder in ("det", "seg", "cls") for path in (CONFIGS / folder).glob("*.py"))
ONE_EACH = ["det/sniper_voc.py", "det/sniper_voc_sample.py", "seg/deeplab_voc_sample.py", "cls/imagenet_cls_sample.py"]


def read(path: Path) -> Config:
    return Config.fromfile(path, import_custom_modules=False)


def hooks(cfg: Config) -> list[str]:
    return [hook.type for hook in cfg.custom_hooks]


def test_the_four_initialisations_are_there() -> None:
    names = ["coco", "imagenet_cls", "imagenet_loc", "openimages"]
    samples = [f"{name}_sample" for name in [*names, "coco_deform_roi"]]
    assert [path.stem for path in STARTS] == sorted(names + samples)


@pytest.mark.parametrize("start", STARTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", ONE_EACH)
def test_one_line_switches_any_config(name: str, start: Path, tmp_path: Path) -> None:
    (tmp_path / "switched.py").write_text(f"_base_ = [{str(CONFIGS / name)!r}, {str(start)!r}]\n")
    before, after = read(CONFIGS / name), read(tmp_path / "switched.py")
    assert before.get("backbone_start") is None and after.backbone_start == read(start).backbone_start
    assert BackboneStart().changed_by(after.backbone_start).checkpoint
    after.merge_from_dict({"backbone_start.checkpoint": "mine.pth"})
    assert after.backbone_start.checkpoint == "mine.pth"
    assert hooks(after) == hooks(before)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_config_loads_exports_and_freezes_only_what_it_loads(path: Path) -> None:
    cfg = read(path)
    assert {"mmdetpre.LoadBackboneHook", "mmdetpre.ExportBackboneHook"} <= set(hooks(cfg))
    backbone = cfg.model.backbone
    loads = (cfg.get("backbone_start") or {}).get("checkpoint") or "Pretrained" in str(backbone.get("init_cfg"))
    assert loads or backbone.get("frozen_stages", -1) < 0, "frozen random weights"
    if (checkpoint := (cfg.get("backbone_start") or {}).get("checkpoint", "")).startswith("work_dirs/"):
        _, name, file = checkpoint.split("/")
        (source,) = [other for other in EXPERIMENTS if other.stem == name]
        assert file == "backbone_final.pth", "what ExportBackboneHook of that config writes"
        assert architecture(read(source)) == architecture(cfg)


def architecture(cfg: Config) -> dict:
    """What of a config decides names and shapes of the backbone."""
    backbone = cfg.model.backbone
    stages = backbone.stage_with_dcn if backbone.get("dcn") else None
    return {key: backbone.get(key) for key in ("depth", "base_channels", "stem_channels", "dcn")} | {"stages": stages}


def test_the_line_of_a_config_is_the_start_that_its_name_says() -> None:
    for path in EXPERIMENTS:
        _, found, start = path.stem.partition("_from_")
        if found:
            expected = read(CONFIGS / "_base_" / "starts" / f"{start}.py").backbone_start
            if "_linear_" in path.stem and "reset_offsets" in expected:
                expected.reset_offsets = False  # a backbone that is not trained on needs its offsets
            assert read(path).backbone_start == expected


def test_torchvision_weights_start_the_full_detector(tmp_path: Path) -> None:
    """As ``torchvision://resnet101`` gives them: with a classifier, without offsets and, in older files, counters."""
    cfg = read(CONFIGS / "det" / "sniper_coco.py")
    init_default_scope("mmdet")
    backbone = MODELS.build(cfg.model.backbone)
    state = torchvision.models.resnet101().state_dict()
    state = {name: value for name, value in state.items() if "num_batches" not in name}
    state["bn1.running_mean"] += 0.5
    torch.save(state, tmp_path / "resnet101.pth")
    checkpoint = replace(read_checkpoint(tmp_path / "resnet101.pth"), source=cfg.backbone_start.checkpoint)
    report = load_backbone(backbone, checkpoint, preprocessing=from_config(cfg), dry_run=True)
    assert report.verdict == "expected" and report.source == "torchvision://resnet101", str(report)
    assert "by rule" in report.preprocessing["file"]
    cfg.model.data_preprocessor.bgr_to_rgb = False
    report = load_backbone(backbone, checkpoint, preprocessing=from_config(cfg), dry_run=True)
    assert report.verdict == "refused"


def test_testing_does_not_need_the_start(sample_config) -> None:
    runner = Runner.from_cfg(sample_config(backbone_start=dict(checkpoint="work_dirs/nowhere/backbone_final.pth")))
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

    detector = Config.fromfile(CONFIGS / "det" / "sniper_voc_from_imagenet_cls_sample.py")
    assert detector.backbone_start.checkpoint == "work_dirs/imagenet_cls_sample/backbone_final.pth"
    init_default_scope("mmdet")
    backbone = MODELS.build(detector.model.backbone)
    assert BackboneStart().changed_by({**detector.backbone_start, "checkpoint": str(left)}).load(backbone).good
    found = backbone.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in found)

    cfg = Config.fromfile(CONFIGS / "seg" / "deeplab_voc_sample.py")
    cfg.merge_from_dict({"backbone_start.checkpoint": str(left), "train_cfg.max_iters": 2, "train_cfg.val_interval": 2})
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
