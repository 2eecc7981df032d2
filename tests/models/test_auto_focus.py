"""A detector with the focus branch: losses, names of weights, any detector of mmdet, one line of a config."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.models import AutoFocus, FocusHead

RETINANET = dict(
    type="RetinaNet",
    data_preprocessor=dict(type="DetDataPreprocessor", pad_size_divisor=32),
    backbone=dict(type="ResNet", depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type="BN")),
    neck=dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
    bbox_head=dict(
        type="RetinaHead",
        num_classes=3,
        in_channels=16,
        stacked_convs=1,
        feat_channels=16,
        anchor_generator=dict(type="AnchorGenerator", scales=[4], ratios=[1.0], strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
    ),
    train_cfg=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4), allowed_border=-1, pos_weight=-1
    ),
    test_cfg=dict(nms_pre=30, score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=5),
)
SHAPES = ("img_shape", "ori_shape", "pad_shape", "batch_input_shape")
HEAD = dict(type="mmdetpre.FocusHead", channels=8)


def build(model, **changes):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict({**copy.deepcopy(model), **changes}))
    model.init_weights()
    return model


def focusing(**changes):
    return build(RETINANET, **{"type": "mmdetpre.AutoFocus", "detector": "RetinaNet", "focus_head": HEAD, **changes})


def sample(truth, ignored=(), **flags):
    one = DetDataSample(metainfo=dict(dict.fromkeys(SHAPES, (64, 96)), scale_factor=(1.0, 1.0)))
    for name, rows, more in (("gt_instances", truth, {}), ("ignored_instances", ignored, flags)):
        boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
        setattr(one, name, InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long), **more))
    return one


def test_a_stock_detector_learns_on_its_map_of_stride_16_and_keeps_its_weights_names():
    model, plain = focusing(), build(RETINANET)
    assert isinstance(model, AutoFocus) and isinstance(model, MODELS.get("RetinaNet"))
    names = [name for name in model.state_dict() if not name.startswith("focus_head.")]
    assert names == list(plain.state_dict()) and len(names) < len(model.state_dict())
    assert not isinstance(plain, AutoFocus)
    images, samples = torch.rand(1, 3, 64, 96), [sample([[3, 3, 33, 30]])]
    losses = model.train().loss(images, samples)
    assert set(losses) == {"loss_cls", "loss_bbox", "loss_focus"}
    losses["loss_focus"].backward()
    assert all(part.grad.abs().sum() > 0 for part in model.focus_head.parameters())
    assert model.backbone.layer3[0].downsample[0].weight.grad.abs().sum() > 0, "trained together with everything else"
    with torch.no_grad():
        found, focus = model.eval().predict_with_focus(images, samples)
    assert focus.shape == (1, 4, 6) and len(found[0].pred_instances) == 5 and model._kept is None
    assert ((focus > 0) & (focus < 1)).all()


def test_the_loss_is_the_mean_over_labeled_cells():
    head = FocusHead(4, channels=4, loss_weight=2.0)
    head.init_weights()
    for part in head.parameters():
        part.data.normal_(std=0.3)
    samples = [
        sample([[0, 0, 32, 32]], [[40, 0, 60, 16], [64, 32, 96, 64]], group_of=torch.tensor([False, True])),
        sample([], [[0, 0, 16, 16]]),  # of a pipeline without chips: a crowd
    ]
    maps = [torch.randn(2, 4, 8, 12), torch.randn(2, 4, 4, 6)]
    labels = torch.zeros(2, 4, 6, dtype=torch.long)
    labels[0, :2, :2] = labels[0, :1, 2:4] = 1
    labels[0, 2:, 4:] = labels[1, 0, 0] = -1
    expected = 2 * torch.nn.functional.cross_entropy(head(maps[1]), labels, ignore_index=-1)
    torch.testing.assert_close(head.loss(maps, samples, (64, 96))["loss_focus"], expected)
    nothing = [sample([], [[0, 0, 96, 64]])]
    assert head.loss([maps[1][:1]], nothing, (64, 96))["loss_focus"] == 0, "no cell is labeled"


def test_what_does_not_fit_is_one_clear_error():
    with pytest.raises(ValueError, match=r"no map of stride 12.*8 x 12 cells"):
        FocusHead(4, featmap_stride=12).map_of([torch.zeros(1, 4, 8, 12)], (64, 96))
    for wrong in ("RetinaHead", "NoSuchDetector", "", "mmdetpre.AutoFocus"):
        with pytest.raises(ValueError, match=r"model\.detector is"):
            focusing(detector=wrong)
    silent = focusing()
    del silent.bbox_head.in_channels
    with pytest.raises(ValueError, match="MyDetector does not tell .* set model.focus_head.in_channels"):
        silent._channels("MyDetector")


def test_one_line_of_a_config_adds_the_branch(sample_config, repository, tmp_path):
    bases = f'["{repository}/configs/det/sniper_coco.py", "{repository}/configs/_base_/models/autofocus.py"]'
    (tmp_path / "mine.py").write_text(f"_base_ = {bases}\n")
    cfg = Config.fromfile(tmp_path / "mine.py")
    assert cfg.model.type == "mmdetpre.SNIPER"
    chosen = with_chosen_backbone(cfg)
    assert (chosen.model.type, chosen.model.detector) == ("mmdetpre.AutoFocus", "mmdetpre.SNIPER")
    assert with_chosen_backbone(chosen).model == chosen.model, "what a work dir keeps reads as the same"
    assert "focus_head" not in with_chosen_backbone(sample_config()).model
    cfg.model = dict(type="mmdetpre.FocusTTA", module=cfg.model)
    assert with_chosen_backbone(cfg).model.module.type == "mmdetpre.AutoFocus"
    small = Config.fromfile(repository / "configs/det/sniper_coco_autofocus_sample.py")
    small.model.backbone = dict(small.model.backbone, name="swin_tiny")
    small.model.backbone.frozen_stages = -1
    assert with_chosen_backbone(small).model.focus_head.featmap_stride == 16, "of the backbone's maps"
