"""Every segmentation config is short, documented and builds; every one for drawn data trains and is evaluated."""

import functools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdetpre.transfer import read_checkpoint

SEG = Path(__file__).resolve().parents[2] / "configs" / "seg"
CONFIGS = sorted(SEG.glob("*.py"))
TWINS = [path for path in CONFIGS if path.stem.endswith("_sample")]
FULL = [path for path in CONFIGS if path not in TWINS]


@pytest.fixture(autouse=True)
def _mmseg_scope():
    init_default_scope("mmseg")


def test_every_head_has_a_config_and_a_twin():
    names = ["deeplab_voc", "deeplabv3_voc", "deeplabv3plus_voc"]
    assert [path.stem for path in FULL] == sorted(names)
    deformable = "deeplab_voc_deform_roi"
    assert [path.stem for path in TWINS] == sorted(f"{name}_sample" for name in [*names, deformable])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_is_short_and_says_how_to_run_it(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 40
    assert any(f"mim train mmsegmentation configs/seg/{path.name}" in line for line in lines if line.startswith("#"))
    assert path.stem in (SEG / "metafile.yml").read_text().split()


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_segmentor_has_the_detectors_backbone_and_a_gradient_everywhere(path):
    cfg = Config.fromfile(path)
    detector = Config.fromfile(SEG.parent / "det" / "sniper_coco.py").model.backbone
    names = ("depth", "strides", "dilations", "dcn", "stage_with_dcn", "style", "norm_cfg")
    assert {name: cfg.model.backbone[name] for name in names} == {name: detector[name] for name in names}
    model = cfg.model.to_dict()
    model["backbone"] |= dict(base_channels=4, stem_channels=4, dcn=dict(type="DCN", deform_groups=1))
    head = model["decode_head"]
    for key, of_64 in dict(in_channels=2048, c1_in_channels=256).items():
        if key in head:
            assert head[key] == of_64
            head[key] = of_64 // 16
    head["channels"] = head["in_channels"] if head["type"] == "FCNHead" else 8
    check_gradients(json.dumps(model))


@functools.cache  # configs that differ in their initialization build the same segmentor
def check_gradients(model):
    segmentor = MODELS.build(ConfigDict(json.loads(model))).train()
    images = [torch.randint(0, 255, (3, 45, 70), dtype=torch.uint8), torch.randint(0, 255, (3, 60, 36)).byte()]
    samples = [sample(image.shape[1:]) for image in images]
    data = segmentor.data_preprocessor(dict(inputs=images, data_samples=samples), training=True)
    assert data["inputs"].shape == (2, 3, 64, 80)
    assert all(one.gt_sem_seg.data.shape == (1, 64, 80) for one in data["data_samples"])
    loss, _ = segmentor.parse_losses(segmentor(**data, mode="loss"))
    loss.backward()
    for name, value in segmentor.named_parameters():
        if value.requires_grad:
            assert value.grad is not None and value.grad.isfinite().all(), name
    frozen = segmentor.backbone.frozen_stages >= 0
    assert segmentor.backbone.conv1.weight.requires_grad != frozen
    segmentor.eval()
    data = segmentor.data_preprocessor(dict(inputs=images[:1], data_samples=samples[:1]), training=False)
    (found,) = segmentor(**data, mode="predict")
    assert found.pred_sem_seg.data.shape == (1, 45, 70) and found.seg_logits.data.shape == (21, 45, 70)


def sample(size):
    labels = torch.randint(0, 21, (1, *size))
    labels[0, :3] = 255
    shapes = dict(img_shape=tuple(size), ori_shape=tuple(size), pad_shape=tuple(size))
    return SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=shapes)


def test_short_side_360_and_long_side_at_most_600():
    cfg = Config.fromfile(SEG / "deeplab_voc.py")
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.test_dataloader.dataset.pipeline):
        (resize,) = [step for step in pipeline if step.type == "Resize"]
        resize = TRANSFORMS.build(resize)
        for size, expected in {(375, 500): (360, 480), (500, 334): (539, 360), (200, 500): (240, 600)}.items():
            assert resize(dict(img=np.zeros((*size, 3), np.uint8)))["img_shape"] == expected


class Losses(Hook):
    def __init__(self):
        self.values = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.values.append(float(outputs["loss"].detach()))


def shortened(path, root, work_dir, steps):
    cfg = Config.fromfile(path)
    cfg.work_dir, cfg.randomness = str(work_dir), dict(seed=0)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_iters=steps, val_interval=steps)
    cfg.default_hooks.logger.interval = 1
    return cfg


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_twin_trains_saves_and_is_evaluated(path, tiny_voc, tmp_path, monkeypatch, write_initial_weights):
    monkeypatch.chdir(tmp_path)
    cfg = shortened(path, tiny_voc / "VOCdevkit/VOC2012", tmp_path / "run", 2)
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = 2
    cfg.test_evaluator.outfile_prefix = str(tmp_path / "trimap")
    digests = write_initial_weights(cfg)
    runner, losses = Runner.from_cfg(cfg), Losses()
    runner.register_hook(losses)
    runner.train()
    assert len(losses.values) == 2 and all(map(math.isfinite, losses.values))
    assert runner.message_hub.get_scalar("val/mIoU").current() >= 0
    assert (tmp_path / "run" / "iter_2.pth").exists()
    reports = [json.loads(report.read_text()) for report in (tmp_path / "run").glob("backbone_load_*.json")]
    assert [(report["verdict"], report["digest"]) for report in reports] == [("complete", one) for one in digests]
    assert read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata["iter"] == 2
    scores = runner.test()
    assert {"trimap/whole_mIoU", "trimap/mIoU_1", "trimap/anti_mIoU_12"} <= set(scores)
    assert (tmp_path / "trimap.json").exists()


@pytest.mark.slow
def test_deeplab_trains_on_voc_photos(shared_data, tmp_path):
    root = shared_data / "voc2012/VOCdevkit/VOC2012"
    cfg = shortened(SEG / "deeplab_voc_sample.py", root, tmp_path / "run", 12)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.classes = None
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = 4
    cfg.train_dataloader.dataset.indices = 2
    cfg.model.decode_head.num_classes = 21
    cfg.param_scheduler = None
    runner, losses = Runner.from_cfg(cfg), Losses()
    runner.register_hook(losses)
    runner.train()
    assert sum(losses.values[-3:]) < 0.7 * sum(losses.values[:3])
    scores = runner.test()
    assert len(scores) == 27 and all(0 <= score <= 100 for score in scores.values())


def test_data_that_is_not_there_is_listed(tmp_path):
    cfg = shortened(SEG / "deeplab_voc_sample.py", tmp_path / "nowhere", tmp_path / "run", 1)
    with pytest.raises(FileNotFoundError, match=r"(?s)nowhere/ImageSets/Segmentation/train.txt.*--layout voc"):
        Runner.from_cfg(cfg).train()


def test_data_of_another_class_count_stops(tiny_voc, tmp_path):
    cfg = shortened(SEG / "deeplab_voc_sample.py", tiny_voc / "VOCdevkit/VOC2012", tmp_path / "run", 1)
    cfg.model.decode_head.num_classes = 4
    with pytest.raises(ValueError, match="has 5 classes .*model.decode_head.num_classes is 4. Set it to 5"):
        Runner.from_cfg(cfg).train()
