"""Deformable RoI pooling: values by hand, equality with RoIAlign and mmcv, gradients, memory, the detector on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv import ops
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdetpre.models import deform_roi_pool as module
from mmdetpre.models.deform_roi_pool import DeformRoIExtractor, TwoStepDeformRoIPool, deform_roi_pool
from mmdetpre.registry import MODELS


def ramp(dtype=torch.float64):
    """f(x, y) = x + 10 y on 32 x 32."""
    x = torch.arange(32, dtype=dtype)
    return (x[None, :] + 10 * x[:, None])[None, None]


def random_rois(count, images, side, generator, outside=0.0):
    corner = torch.rand(count, 2, generator=generator) * side * (1 + outside) - side * outside / 2
    size = 1 + torch.rand(count, 2, generator=generator) * side * (1 + outside) / 2
    image = torch.randint(images, (count, 1), generator=generator).float()
    return torch.cat([image, corner, corner + size], dim=1)


def test_worked_example_on_a_ramp():
    """Example 25 of the specification, whose samples lie an eighth of a bin to the upper left of ours."""
    roi = torch.tensor([[0, 0, 0, 112, 112]], dtype=torch.float64)
    none = torch.zeros(1, 2, 7, 7, dtype=torch.float64)
    pooled = deform_roi_pool(ramp(), roi, none, 1 / 16)[0, 0]
    # Half of the samples of the first row and column lie outside and read the edge: 0.125 instead of 0.
    first = torch.tensor([0.125, 1, 2, 3, 4, 5, 6], dtype=torch.float64)
    torch.testing.assert_close(pooled, first[None, :] + 10 * first[:, None])

    roi = torch.tensor([[0, 64, 32, 192, 160]], dtype=torch.float64)
    pooled = deform_roi_pool(ramp(), roi, none, 1 / 16)[0, 0]
    eighth = 11 * (8 / 7) / 8
    torch.testing.assert_close(pooled[0, 0].item(), 23.2142857 + eighth, rtol=0, atol=1e-6)
    torch.testing.assert_close(pooled[0, 6].item(), 30.0714286 + eighth, rtol=0, atol=1e-6)
    moved = none.clone()
    moved[0, :, 0, 0] = torch.tensor([1, -0.5])
    pooled = deform_roi_pool(ramp(), roi, moved, 1 / 16)[0, 0]
    torch.testing.assert_close(pooled[0, 0].item(), 20.0142857 + eighth, rtol=0, atol=1e-6)


@given(seed=st.integers(0, 1000), bins=st.integers(1, 7), height=st.integers(1, 12), width=st.integers(1, 12))
def test_without_offsets_it_is_roi_align(seed, bins, height, width):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, height, width, generator=generator)
    rois = random_rois(9, 2, 100, generator, outside=0.5)
    pooled = deform_roi_pool(maps, rois, torch.zeros(9, 2, bins, bins), 1 / 8)
    aligned = ops.roi_align(maps, rois, (bins, bins), 1 / 8, 4, "avg", True)
    torch.testing.assert_close(pooled, aligned, rtol=0, atol=1e-5)


def test_an_offset_is_roi_align_of_the_moved_region():
    generator = torch.Generator().manual_seed(0)
    maps, rois = torch.randn(1, 4, 16, 16, generator=generator), random_rois(5, 1, 100, generator)
    offset = torch.randn(5, 2, generator=generator)
    moved = rois.clone()
    size = rois[:, 3:] - rois[:, 1:3]
    moved[:, 1:] += (0.1 * offset * size).repeat(1, 2)
    pooled = deform_roi_pool(maps, rois, offset[:, :, None, None].expand(5, 2, 3, 3), 1 / 8)
    torch.testing.assert_close(pooled, ops.roi_align(maps, moved, (3, 3), 1 / 8, 4, "avg", True), rtol=0, atol=1e-5)


def test_gradients_of_features_and_offsets():
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(2, 2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    rois = random_rois(4, 2, 40, generator).double()
    offsets = torch.randn(4, 2, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, o: deform_roi_pool(f, rois, o, 1 / 8), (maps, offsets))


def test_portions_do_not_change_the_result_and_bound_what_is_held(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    maps, rois = torch.randn(3, 4, 8, 8, generator=generator), random_rois(40, 3, 64, generator)
    offsets = torch.randn(40, 2, 7, 7, generator=generator)
    whole = deform_roi_pool(maps, rois, offsets, 1 / 8)
    held = []
    sample = torch.nn.functional.grid_sample

    def record(*args, **kwargs):
        values = sample(*args, **kwargs)
        held.append(values.numel())
        return values

    monkeypatch.setattr(module.F, "grid_sample", record)
    monkeypatch.setattr(module, "MAX_ELEMENTS", 4 * 49 * 16 * 3)
    torch.testing.assert_close(deform_roi_pool(maps, rois, offsets, 1 / 8), whole)
    assert len(held) >= 13
    assert max(held) <= module.MAX_ELEMENTS


def test_no_region_gives_no_feature():
    maps = torch.zeros(2, 4, 8, 8, requires_grad=True)
    pooled = deform_roi_pool(maps, torch.zeros(0, 5), torch.zeros(0, 2, 7, 7), 1 / 8)
    assert pooled.shape == (0, 4, 7, 7)


def test_images_without_regions_between_others():
    maps, offsets = torch.randn(4, 2, 8, 8), torch.randn(2, 2, 3, 3)
    rois = torch.tensor([[3.0, 8, 8, 40, 40], [1, 0, 0, 30, 50]])
    pooled = deform_roi_pool(maps, rois, offsets, 1 / 8)
    alone = [
        deform_roi_pool(maps[[i]], rois[[k]] * rois.new_tensor([0, 1, 1, 1, 1]), offsets[[k]], 1 / 8)
        for k, i in enumerate((3, 1))
    ]
    torch.testing.assert_close(pooled, torch.cat(alone))


def test_offsets_of_other_regions_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 2, 7, 7\).*2 regions need \(2, 2, P, Q\)"):
        deform_roi_pool(torch.zeros(1, 4, 8, 8), torch.zeros(2, 5), torch.zeros(3, 2, 7, 7), 1 / 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="mmcv's operator runs on GPUs only (MMDETPRE_TEST_GPU=1)")
def test_mmcv_operator_gives_the_same_values_and_gradients():
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(2, 8, 16, 16, generator=generator)
    rois, offsets = random_rois(30, 2, 100, generator), torch.randn(30, 2, 7, 7, generator=generator)
    rois[:, 1:].clamp_(20, 108)  # mmcv's gradient of offsets differs beyond the centres of the outermost pixels
    results = []
    for device in ("cpu", "cuda"):
        leaves = [t.to(device).requires_grad_() for t in (maps, 0.5 * offsets)]
        pooled = deform_roi_pool(leaves[0], rois.to(device), leaves[1], 1 / 8)
        pooled.square().sum().backward()
        results.append([pooled.detach().cpu()] + [leaf.grad.cpu() for leaf in leaves])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_two_steps_begin_as_roi_align_and_learn_offsets():
    torch.manual_seed(0)
    layer = TwoStepDeformRoIPool(channels=4, spatial_scale=1 / 8, output_size=3)
    maps, rois = torch.randn(2, 4, 8, 8), random_rois(6, 2, 60, torch.Generator().manual_seed(0))
    aligned = ops.roi_align(maps, rois, (3, 3), 1 / 8, 4, "avg", True)
    torch.testing.assert_close(layer(maps, rois), aligned, rtol=0, atol=1e-5)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    target = deform_roi_pool(maps, rois, torch.full((6, 2, 3, 3), 0.8), 1 / 8)
    losses = []
    for _ in range(20):
        loss = (layer(maps, rois) - target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_offsets_are_computed_in_float32_under_mixed_precision():
    torch.manual_seed(0)
    layer = TwoStepDeformRoIPool(channels=4, spatial_scale=1 / 8, output_size=3)
    torch.nn.init.normal_(layer.offset_fc.weight)
    maps, rois = torch.randn(1, 4, 8, 8), random_rois(6, 1, 60, torch.Generator().manual_seed(0))
    full = layer(maps, rois)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(maps, rois)
    assert torch.equal(full, mixed)


def test_extractor_has_a_layer_of_its_own_for_each_map():
    extractor = MODELS.build(
        dict(
            type="mmdetpre.DeformRoIExtractor",
            roi_layer=dict(output_size=3),
            out_channels=4,
            featmap_strides=[4, 8],
            finest_scale=16,
        )
    )
    assert isinstance(extractor, DeformRoIExtractor)
    rois = random_rois(8, 2, 60, torch.Generator().manual_seed(0))
    pooled = extractor((torch.randn(2, 4, 16, 16), torch.randn(2, 4, 8, 8)), rois)
    assert pooled.shape == (8, 4, 3, 3)
    assert [layer.spatial_scale for layer in extractor.roi_layers] == [1 / 4, 1 / 8]


DEFORMABLE = dict(
    type="mmdetpre.DeformRoIExtractor", roi_layer=dict(output_size=7), out_channels=64, featmap_strides=[8]
)


def deformable(sample_config):
    cfg = sample_config(model__roi_head__bbox_head__roi_feat_size=7)
    cfg.model.roi_head.bbox_roi_extractor = DEFORMABLE
    return cfg


@pytest.mark.parametrize("mixed", [False, True])
def test_detector_learns_through_the_offsets(sample_config, mixed):
    from mmengine.dataset import pseudo_collate

    from mmdetpre.datasets import ChipDataset, ChipMiningSampler

    init_default_scope("mmdet")
    cfg = deformable(sample_config)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    offset_fc = model.roi_head.bbox_roi_extractor.roi_layers[0].offset_fc
    assert not offset_fc.weight.any() and not offset_fc.bias.any()
    data = cfg.train_dataloader.dataset
    dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
    batch = pseudo_collate([dataset[record] for record in list(ChipMiningSampler(dataset, seed=0))[:2]])
    batch = model.train().data_preprocessor(batch, True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        losses = model.loss(batch["inputs"], batch["data_samples"])
    loss = losses["loss_cls"] + losses["loss_bbox"]
    loss.backward()
    assert torch.isfinite(loss)
    assert offset_fc.weight.grad.abs().sum() > 0
    model.eval()
    with torch.no_grad():
        assert len(model.predict(batch["inputs"], batch["data_samples"])) == 2


def test_layer_that_does_not_fit_the_head_is_refused(sample_config):
    init_default_scope("mmdet")
    cfg = deformable(sample_config)
    cfg.model.roi_head.bbox_head.roi_feat_size = 14
    with pytest.raises(ValueError, match=r"pools 7x7 bins.*roi_feat_size=7"):
        MODELS.build(cfg.model)
    cfg = deformable(sample_config)
    cfg.model.roi_head.bbox_roi_extractor.out_channels = 256
    with pytest.raises(ValueError, match="proj_channels=64.*out_channels=256"):
        MODELS.build(cfg.model)


@pytest.mark.parametrize("name, weight_decay", [("sniper_coco_deform_roi", 0), ("sniper_coco_deform_roi_sample", None)])
def test_offsets_learn_at_a_hundredth_of_the_rate(repository, name, weight_decay):
    cfg = Config.fromfile(repository / "configs" / "det" / f"{name}.py").optim_wrapper
    model = torch.nn.ModuleDict(dict(pool=TwoStepDeformRoIPool(2, 1 / 8, 3), other=torch.nn.Linear(2, 2)))
    rates = {}
    for group in build_optim_wrapper(model, cfg).optimizer.param_groups:
        name = next(n for n, p in model.named_parameters() if p is group["params"][0])
        rates[name] = group["lr"] / cfg.optimizer.lr
        if name.endswith("bias") and weight_decay is not None:
            assert group["weight_decay"] == weight_decay
    assert rates["pool.offset_fc.weight"] == rates["pool.offset_fc.bias"] == pytest.approx(0.01)
    assert rates["other.weight"] == 1
