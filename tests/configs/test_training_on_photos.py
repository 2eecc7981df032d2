"""The sample's training on real photos, through config overrides alone."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

OVERRIDE = """
_base_ = {base!r}
root = {root!r}
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        chips=dict(
            chip_size=256,
            scales=[(400, 640), (-1, 256)],
            valid_ranges=[(-1, 120), (80, -1)],
            range_reference=None,
            strides=(28, 29),
        ),
        dataset=dict(
            _delete_=True,
            type="CocoDataset",
            data_root=root,
            ann_file="annotations/instances_train2017.json",
            data_prefix=dict(img="train2017/"),
            filter_cfg=dict(filter_empty_gt=True),
        ),
    ),
)
val_dataloader = None
val_evaluator = None
val_cfg = None
model = dict(
    data_preprocessor=dict(batch_augments=[dict(type="BatchFixedSizePad", size=(256, 256), pad_mask=False)]),
    roi_head=dict(bbox_head=dict(num_classes=80)),
)
train_cfg = dict(_delete_=True, type="EpochBasedTrainLoop", max_epochs=1)
param_scheduler = None
default_hooks = dict(logger=dict(interval=10))
"""


@pytest.mark.slow
def test_sniper_trains_on_coco_photos(repository, shared_data, tmp_path):
    base = str(repository / "configs" / "det" / "sniper_openimages_sample.py")
    config = tmp_path / "coco_photos.py"
    config.write_text(OVERRIDE.format(base=base, root=str(shared_data / "coco_tiny") + "/"))
    cfg = Config.fromfile(config)
    cfg.work_dir = str(tmp_path / "work")
    cfg.randomness = dict(seed=0)
    runner = Runner.from_cfg(cfg)
    losses = []
    step = runner.model.train_step

    def record(*args, **kwargs):
        result = step(*args, **kwargs)
        losses.append(float(result["loss"]))
        return result

    runner.model.train_step = record
    runner.train()
    assert len(losses) >= 20
    assert all(torch.isfinite(torch.tensor(losses)))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert (tmp_path / "work" / "epoch_1.pth").exists()
