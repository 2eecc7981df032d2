"""Region proposal networks alone: their test run is the proposals of the training images."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmdetpre.datasets import ChipDataset, ChipMiningSampler, Proposals


@pytest.mark.parametrize("name", ["voc", "coco", "voc_sample", "coco_sample"])
def test_the_test_run_sees_the_training_images_as_they_are(repository, name):
    cfg = Config.fromfile(repository / "configs" / "det" / f"rpn_{name}.py")
    trained, tested = dict(cfg.train_dataloader.dataset.dataset), dict(cfg.test_dataloader.dataset)
    assert tested.pop("test_mode") and "filter_cfg" not in trained
    for pipeline in (tested.pop("pipeline"), cfg.tta_pipeline):
        assert "Flip" not in str(pipeline) and "LoadAnnotations" in str(pipeline)
    assert tested == trained
    assert cfg.test_evaluator == dict(type="mmdetpre.DumpProposals", out_dir=f"work_dirs/proposals/{name}")
    assert cfg.tta_model["merge"] == dict(type="nms", iou_threshold=0.7) and cfg.tta_model.test_ranges is None
    assert cfg.val_dataloader is None and cfg.model.type == "RPN"


@pytest.mark.parametrize("name", ["voc", "coco"])
def test_two_of_the_originals_epochs_at_a_constant_rate(repository, name):
    cfg = Config.fromfile(repository / "configs" / "det" / f"rpn_{name}.py")
    assert cfg.train_cfg.max_epochs == 4 and cfg.tta_model.max_per_img == 900
    assert [scheduler.type for scheduler in cfg.param_scheduler] == ["LinearLR"]
    assert cfg.model.test_cfg.rpn.max_per_img == 300 and cfg.model.test_cfg.rpn.nms.iou_threshold == 0.7


@pytest.mark.slow
def test_from_training_to_negative_chips(sample_config, tmp_path):
    """Trains a little, writes proposals, and mines with them."""
    out = str(tmp_path / "proposals")
    cfg = sample_config(train_cfg__max_epochs=1, train_dataloader__dataset__dataset__max_images=8)
    cfg.model.update(type="RPN", roi_head=None)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    tested = dict(cfg.train_dataloader.dataset.dataset) | dict(pipeline=cfg.test_pipeline, test_mode=True)
    cfg.test_dataloader.dataset = tested
    cfg.test_evaluator = dict(type="mmdetpre.DumpProposals", out_dir=out)
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    data = cfg.train_dataloader.dataset
    plain = ChipDataset(data.dataset, data.chips, data.pipeline)
    assert metrics["proposals/images"] == len(plain) == 8 and metrics["proposals/recall@900"] > 0
    assert (Proposals.open(out).check(plain.packed)[:, 1] > 0).all()
    negatives = dict(finest_threshold=1, other_threshold=1)
    dataset = ChipDataset(data.dataset, data.chips, data.pipeline, proposals=out, negatives=negatives)
    assert ChipMiningSampler(dataset, seed=0).table.negative.any()
