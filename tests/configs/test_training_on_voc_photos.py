"""SNIPER's VOC config on real photos, through config overrides alone."""

import math

import pytest
from mmengine.config import Config
from mmengine.runner import Runner


@pytest.mark.slow
def test_sniper_trains_and_is_measured_on_voc_photos(repository, shared_data, tmp_path):
    cfg = Config.fromfile(repository / "configs" / "det" / "sniper_voc_sample.py")
    data = {
        "data_root": str(shared_data / "voc2012" / "VOCdevkit"),
        "cache_dir": str(tmp_path / "tables"),
        "classes": None,
    }
    # 128-pixel chips of photos at half the size that the full config takes
    chips = dict(scales=[(-1, 350), (-1, 128)], valid_ranges=[(-1, 160), (120, -1)])
    for key in ("train_dataloader.dataset.dataset", "val_dataloader.dataset"):
        cfg.merge_from_dict({f"{key}.{name}": value for name, value in data.items()})
    cfg.train_dataloader.dataset.chips.update(chips)
    cfg.train_dataloader.dataset.dataset.indices = 6
    cfg.val_dataloader.dataset.indices = 4
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 4
    cfg.train_cfg = dict(type="IterBasedTrainLoop", max_iters=2, val_interval=2)
    cfg.param_scheduler = None
    cfg.model.roi_head.bbox_head.num_classes = 20
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.default_hooks = dict(logger=dict(cfg.default_hooks.logger, interval=1))
    cfg.work_dir = str(tmp_path / "work")
    cfg.randomness = dict(seed=0)
    runner = Runner.from_cfg(cfg)
    losses, step = [], runner.model.train_step

    def record(*args, **kwargs):
        result = step(*args, **kwargs)
        losses.append(float(result["loss"]))
        return result

    runner.model.train_step = record
    runner.train()
    assert len(losses) == 2 and all(map(math.isfinite, losses))
    dataset = runner.train_dataloader.dataset
    assert len(dataset.metainfo["classes"]) == 20 and not dataset.packed.ignore.any()
    scalars = runner.message_hub.log_scalars
    assert all(0 <= scalars[f"val/pascal_voc/{name}"].current() <= 1 for name in ("AP50", "AP70", "mAP"))
