"""The whole detector: gradients, learning, errors, and heads that start from scratch."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmdetpre.datasets import ChipDataset, ChipMiningSampler


def build(model_cfg, device="cpu"):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(model_cfg)
    model.init_weights()
    return model.to(device)


def chips(cfg, count):
    init_default_scope("mmdet")
    data = cfg.train_dataloader.dataset
    dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
    records = list(ChipMiningSampler(dataset, seed=0))[:count]
    return pseudo_collate([dataset[record] for record in records])


def total(losses):
    return sum(value for name, value in losses.items() if "loss" in name)


def test_every_trainable_parameter_learns(sample_config, device):
    cfg = sample_config(model__backbone__frozen_stages=1)
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 8), True)
    for block in model.backbone.modules():  # a zero-initialised residual branch passes no gradient on
        if getattr(block, "norm2_name", None):
            torch.nn.init.ones_(block.norm2.weight)
    losses = model.loss(data["inputs"], data["data_samples"])
    assert set(losses) == {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "positive_rois"}
    total(losses).backward()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {name.split(".")[1] for name in frozen} == {"conv1", "bn1", "layer1"}
    for name, parameter in model.named_parameters():
        if name in frozen:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_frozen_stages_keep_their_statistics_and_others_move(sample_config, device):
    cfg = sample_config(model__backbone__frozen_stages=1)
    model = build(cfg.model, device).train()
    before = {name: b.clone() for name, b in model.named_buffers() if name.endswith("running_mean")}
    with torch.no_grad():
        model.loss(*model.data_preprocessor(chips(cfg, 4), True).values())
    for name, value in model.named_buffers():
        if name in before:
            frozen = name.split(".")[1] in ("bn1", "layer1")
            assert torch.equal(value, before[name]) == frozen, name


@pytest.mark.slow
def test_eight_chips_can_be_learned_by_heart(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 8), True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    history = []
    for _ in range(60):
        losses = model.loss(data["inputs"], data["data_samples"])
        optimizer.zero_grad()
        total(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    assert history[-1]["loss_rpn_cls"] < 0.25 * history[0]["loss_rpn_cls"]
    assert history[-1]["loss_cls"] < 0.35 * history[0]["loss_cls"]


def test_chips_without_boxes_give_finite_losses(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 2), True)
    for sample in data["data_samples"]:
        sample.gt_instances = sample.gt_instances[:0]
        sample.ignored_instances = sample.ignored_instances[:0]
    losses = model.loss(data["inputs"], data["data_samples"])
    assert torch.isfinite(total(losses))
    assert losses["loss_bbox"] == 0
    total(losses).backward()


def test_range_that_no_proposal_meets_gives_finite_losses(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 2), True)
    for sample in data["data_samples"]:
        sample.set_metainfo(dict(valid_range=(5000.0, 6000.0)))
    losses = model.loss(data["inputs"], data["data_samples"])
    assert losses["loss_cls"] == 0
    total(losses).backward()
    # Distributed training waits for ever for a parameter without a gradient.
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_mixed_precision_gives_nearly_the_same_rpn_loss(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 4), True)
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)  # the same anchors are sampled
        with torch.autocast(device, dtype=torch.bfloat16, enabled=enabled):
            losses.append(model.loss(data["inputs"], data["data_samples"]))
    full, mixed = losses
    total(mixed).backward()
    assert float(mixed["loss_rpn_cls"].detach()) == pytest.approx(float(full["loss_rpn_cls"].detach()), rel=0.05)
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in mixed.values())


def test_proposals_obey_the_valid_range_only_in_training(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device)
    data = model.data_preprocessor(chips(cfg, 2), True)
    for sample in data["data_samples"]:
        sample.set_metainfo(dict(valid_range=(20.0, 40.0)))

    def sides():
        with torch.no_grad():
            features = model.extract_feat(data["inputs"])
            results = model.rpn_head.predict(features, data["data_samples"], rescale=False)
        boxes = torch.cat([r.bboxes for r in results])
        return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()

    model.train()
    assert ((sides() >= 20) & (sides() < 40)).all()
    model.eval()
    assert not ((sides() >= 20) & (sides() < 40)).all()


def test_a_proposal_of_the_whole_chip_is_in_an_open_range(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    anchor = torch.tensor([[0.0, 0.0, 128.0, 128.0]], device=device)
    model.rpn_head.prior_generator.grid_priors = lambda *args, **kwargs: [anchor]
    meta = dict(img_shape=(128, 128), valid_range=(60.0, 128.0))
    maps = [torch.zeros(1, 2, 1, 1)], [torch.zeros(1, 4, 1, 1)]
    (proposals,) = model.rpn_head.predict_by_feat(*maps, batch_img_metas=[meta], cfg=cfg.model.train_cfg.rpn_proposal)
    assert proposals.bboxes.tolist() == anchor.tolist()


def test_another_nms_of_proposals_is_refused(sample_config, device):
    cfg = sample_config(model__train_cfg__rpn_proposal__nms__type="soft_nms")
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 1), True)
    with pytest.raises(ValueError, match="soft_nms"):
        model.loss(data["inputs"], data["data_samples"])


def test_whole_images_as_training_samples_are_refused(sample_config, device):
    cfg = sample_config()
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(cfg, 1), True)
    data["data_samples"][0].pop("valid_range")
    with pytest.raises(KeyError, match="mmdetpre.ChipDataset"):
        model.loss(data["inputs"], data["data_samples"])


def test_wrong_neck_channels_name_the_key(sample_config):
    cfg = sample_config(model__neck__in_channels=[128, 512])
    with pytest.raises(ValueError, match="neck.in_channels"):
        build(cfg.model).extract_feat(torch.zeros(1, 3, 64, 64))


def test_fine_tuning_takes_the_backbone_and_begins_the_heads_anew(sample_config, tmp_path):
    source = build(sample_config().model)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.5)
    torch.save(dict(state_dict=source.state_dict(), meta={}), tmp_path / "source.pth")
    checkpoint = str(tmp_path / "source.pth")
    pretrained = dict(type="Pretrained", checkpoint=checkpoint, prefix="backbone.")
    cfg = sample_config(model__roi_head__bbox_head__num_classes=4)
    cfg.model.backbone.init_cfg = pretrained
    target = build(cfg.model)
    state = source.backbone.state_dict()
    for name, value in target.backbone.state_dict().items():
        assert torch.equal(value, state[name]), name
    for name in ("rpn_head.rpn_conv.weight", "roi_head.conv_proj.weight"):
        weight = target.state_dict()[name]
        assert weight.abs().mean() < 0.1 and weight.std() > 0, name
    assert target.roi_head.bbox_head.fc_cls.out_features == 5


@pytest.mark.slow
def test_deformable_resnet_runs_forward_and_backward(repository, sample_config, device):
    cfg = Config.fromfile(repository / "configs" / "det" / "sniper_openimages.py")
    cfg.model.backbone.update(depth=50, init_cfg=None)
    cfg.model.roi_head.bbox_head.update(num_classes=8, fc_out_channels=64)
    cfg.model.data_preprocessor.batch_augments[0].size = (128, 128)
    model = build(cfg.model, device).train()
    data = model.data_preprocessor(chips(sample_config(), 2), True)
    total(model.loss(data["inputs"], data["data_samples"])).backward()
    offsets = [p for name, p in model.named_parameters() if "conv_offset" in name]
    assert len(offsets) == 6
    assert all(p.grad is not None for p in offsets)
    assert offsets[0].shape == (72, 512, 3, 3)
    assert model.backbone.conv1.weight.grad is None
