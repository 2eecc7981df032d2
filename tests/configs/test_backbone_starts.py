"""The starts of Table 2 reach the backbone: a classifier trained by mmpretrain hands every weight to the detector."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner


@pytest.mark.slow
def test_a_classifier_of_the_drawn_imagenet_starts_the_detector(repository, tiny_imagenet_loc, tmp_path):
    cfg = Config.fromfile(repository / "configs" / "cls" / "imagenet_cls_sample.py")
    assert len((repository / "configs" / "cls" / "imagenet_cls_sample.py").read_text().splitlines()) <= 40
    cfg.train_dataloader.update(num_workers=0, batch_size=16)
    cfg.train_dataloader.dataset.data_root = str(tiny_imagenet_loc / "images")
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    assert list(runner.train_dataloader.dataset.metainfo["classes"] or runner.train_dataloader.dataset.CLASSES)
    runner.train()
    weights = {name: value.clone() for name, value in runner.model.backbone.state_dict().items()}
    detector = Config.fromfile(repository / "configs" / "det" / "sniper_voc_from_imagenet_cls_sample.py")
    assert detector.pretrained.endswith("imagenet_cls_sample/epoch_2.pth")
    detector.model.backbone.init_cfg.checkpoint = str(tmp_path / "epoch_2.pth")
    init_default_scope("mmdet")
    model = MODELS.build(detector.model)
    model.init_weights()
    found = model.backbone.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in found)
