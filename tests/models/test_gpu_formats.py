"""SNIPER with deformable convolutions in what GPUs are fast in: mixed precision, and channels last."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdetpre.datasets import ChipDataset, ChipMiningSampler


@pytest.fixture
def amp_without_gpu(monkeypatch) -> None:
    """``AmpOptimWrapper`` wants a GPU, but its autocast works on the CPU too, where its scaling of losses rests."""
    monkeypatch.setattr("mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available", lambda: True)


@pytest.fixture
def model_and_batch(sample_config, device):
    """The detector with a narrow ResNet-50, and two chips."""
    dcn = dict(type="mmdetpre.DCN", deform_groups=2)
    cfg = sample_config(model__train_cfg__rpn_proposal__max_per_img=8, model__train_cfg__rcnn__num_rois=8)
    cfg.model.backbone.update(depth=50, zero_init_residual=False, base_channels=4)
    cfg.model.backbone.update(dcn=dcn, stage_with_dcn=(False, False, False, True))
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    data = cfg.train_dataloader.dataset
    dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
    return model.to(device).train(), pseudo_collate(
        [dataset[record] for record in list(ChipMiningSampler(dataset, seed=0))[:2]]
    )


def test_channels_last_gives_the_same_losses(model_and_batch):
    model, batch = model_and_batch
    data = model.data_preprocessor(batch, True)
    losses = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)  # the same anchors are sampled
        model.to(memory_format=layout)
        losses.append(model.loss(data["inputs"].to(memory_format=layout), data["data_samples"]))
    for name, value in losses[0].items():
        torch.testing.assert_close(
            losses[1][name], value, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: name + text
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*GradScaler:UserWarning", "ignore:.*GradScaler:FutureWarning")
def test_a_step_in_bfloat16_is_near_one_in_float32(model_and_batch, amp_without_gpu):
    model, batch = model_and_batch
    losses, steps = {}, {}
    for kind in (dict(type="OptimWrapper"), dict(type="AmpOptimWrapper", dtype="bfloat16")):
        trained = copy.deepcopy(model).train()
        wrapper = build_optim_wrapper(trained, dict(optimizer=dict(type="SGD", lr=0.1), **kind))
        torch.manual_seed(0)  # the same anchors are sampled
        found = trained.train_step(copy.deepcopy(batch), wrapper)
        losses[kind["type"]] = {name: torch.as_tensor(value).detach() for name, value in found.items()}
        steps[kind["type"]] = {
            name: after.detach() - before
            for (name, after), before in zip(trained.named_parameters(), model.parameters(), strict=True)
        }
    full, mixed = losses["OptimWrapper"], losses["AmpOptimWrapper"]
    assert mixed.keys() == full.keys()
    for name in ("loss_rpn_cls", "loss_rpn_bbox"):  # which regions follow depends on the last digits
        assert float(mixed[name]) == pytest.approx(float(full[name]), rel=0.05), name
    for name, value in mixed.items():
        assert torch.isfinite(value), name
    for name, step in steps["AmpOptimWrapper"].items():
        assert torch.isfinite(step).all() and step.dtype == torch.float32, name
        assert step.any() == steps["OptimWrapper"][name].any(), name
    assert sum("conv_offset" in name and bool(step.any()) for name, step in steps["AmpOptimWrapper"].items()) > 0
