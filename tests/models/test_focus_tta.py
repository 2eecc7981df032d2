"""FocusTTA equals MultiScaleTTA where everything is focus, and its steps by hand where a part is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmdetpre.compat import toolbox_commands
from mmdetpre.models import FocusTTA, MultiScaleTTA

ORIGINAL, SIZES, RANGES = (60, 80), [(120, 160), (72, 96)], [(-1, 40), (1, -1)]  # height, width
EVERYTHING = [dict(threshold=0)]


@pytest.fixture(scope="module")
def detector(device):
    """RetinaNet of random weights with a focus branch, whose detections are many."""
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = dict(
        type="mmdetpre.AutoFocus",
        detector="RetinaNet",
        focus_head=dict(type="mmdetpre.FocusHead", channels=8),
        data_preprocessor=dict(type="DetDataPreprocessor", mean=[127.0] * 3, std=[60.0] * 3, pad_size_divisor=32),
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
            init_cfg=dict(type="Normal", std=0.3),
        ),
        test_cfg=dict(nms_pre=100, score_thr=0.3, nms=dict(type="nms", iou_threshold=0.5), max_per_img=50),
    )
    model = MODELS.build(ConfigDict(model)).eval()
    model.init_weights()
    return model.to(device)


def views(images=1, sizes=SIZES):
    generator = torch.Generator().manual_seed(1)
    data = dict(inputs=[], data_samples=[])
    for height, width in sizes:
        inputs = [torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=generator)] * images
        ratio = (width / ORIGINAL[1], height / ORIGINAL[0])
        meta = dict(ori_shape=ORIGINAL, img_shape=(height, width), scale_factor=ratio)
        data["inputs"].append(inputs)
        data["data_samples"].append([DetDataSample(metainfo=dict(meta, img_id=i)) for i in range(images)])
    return data


def run(tta, data):
    with torch.no_grad():
        return [sample.pred_instances.cpu() for sample in tta.test_step(copy.deepcopy(data))]


def test_with_everything_in_focus_it_is_the_multi_scale_test(detector):
    focus = FocusTTA(detector, EVERYTHING, test_ranges=RANGES)
    (expected,), (found,) = run(MultiScaleTTA(detector, RANGES), views()), run(focus, views())
    assert len(expected) > 20
    for name in ("bboxes", "scores", "labels"):
        assert torch.equal(found[name], expected[name]), name
    assert focus.seen_pixels == focus.all_pixels == 128 * 160 + 96 * 96


@pytest.mark.parametrize("pixels", ["scale", "original"])
def test_a_focused_part_equals_the_steps_by_hand(detector, pixels, monkeypatch):
    """The first of two images is focus in one cell, the second nowhere."""
    data, predict = views(images=2), detector.predict_with_focus

    def in_one_cell(inputs, data_samples):
        found, probability = predict(inputs, data_samples)
        probability = torch.zeros_like(probability)
        probability[0, 2, 3] = 0.9
        return found, probability

    monkeypatch.setattr(detector, "predict_with_focus", in_one_cell)
    settings = [dict(threshold=0.5, dilation=1, min_side=2)]
    tta = FocusTTA(detector, settings, test_ranges=RANGES, edge_margin=6, edge_pixels=pixels)
    with torch.no_grad():
        (_, (coarse, fine)), (_, (_, nothing)) = tta.look(copy.deepcopy(data))
    # Two cells of 16 of 96 x 72 pixels, and the whole cells around them of 160 x 120.
    assert fine.rectangles.tolist() == [[48, 16, 112, 80]] and nothing.rectangles.shape == (0, 4)
    assert coarse.focus.shape == (5, 6) and coarse.focus.nonzero() == (2, 3) and fine.focus is None
    meta = dict(ori_shape=ORIGINAL, img_shape=(64, 64), scale_factor=(2.0, 2.0))
    part = dict(inputs=[data["inputs"][0][0][:, 16:80, 48:112]], data_samples=[DetDataSample(metainfo=meta)])
    with torch.no_grad():
        by_hand = detector.test_step(part)[0].pred_instances.cpu()
    boxes = by_hand.bboxes + torch.tensor([24.0, 8, 24, 8])
    torch.testing.assert_close(fine.boxes, boxes, atol=1e-3, rtol=0)
    margin = 3 if pixels == "scale" else 6
    inside = ((boxes - torch.tensor([24.0, 8, 56, 40])).abs() >= margin).all(dim=1)
    small = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) <= 40**2
    assert torch.equal(fine.kept, inside & small) and not inside.all() and fine.kept.any()
    found = run(tta, data)
    expected = tta.suppress(
        *(
            torch.cat([getattr(one, name) for one in (fine, coarse)])
            for name in vars(fine)
            if name in ("boxes", "scores", "labels", "kept")
        )
    )
    assert torch.equal(found[0].scores, expected.scores) and len(found[1]) and nothing.boxes.shape == (0, 4)
    assert tta.seen_pixels == 2 * (2 * 96 * 96 + 64 * 64) and tta.all_pixels == 2 * 2 * (96 * 96 + 160 * 128)


def test_what_does_not_fit_is_refused(detector):
    plain = copy.deepcopy(detector.data_preprocessor)
    plain.test_step = print
    for message, arguments, options in (
        ("with a focus branch, and DetDataPreprocessor has none", (plain, EVERYTHING), {}),
        ("3 test_ranges and 1 entries of focus", (detector, EVERYTHING), dict(test_ranges=[*RANGES, (5, -1)])),
        ("edge_pixels 'chip'", (detector, EVERYTHING), dict(edge_pixels="chip")),
        ("edge_margin is -1", (detector, EVERYTHING), dict(edge_margin=-1)),
        ("dilation is 2", (detector, [dict(threshold=0.1, dilation=2)]), {}),
    ):
        with pytest.raises(ValueError, match=message):
            FocusTTA(*arguments, **options)
    tta = FocusTTA(detector, EVERYTHING)
    flipped = views()
    flipped["data_samples"][1][0].set_metainfo(dict(flip=True))
    for message, data in (
        ("gives 2 views, 96, 160 pixels wide", views(sizes=SIZES[::-1])),
        ("gives 1 views, 160 pixels wide: .* needs 2 scales", views(sizes=SIZES[:1])),
        ("some of them flipped", flipped),
    ):
        with pytest.raises(ValueError, match=message):
            tta.test_step(data)


def test_mim_trains_the_branch_and_tests_from_coarse_to_fine(
    run_warm: Callable, repository: Path, tiny_coco: Path, tmp_path: Path
) -> None:
    config, out = repository / "configs/det/sniper_coco_autofocus_sample.py", tmp_path / "run"
    data = [f"data_root={tiny_coco}/", "randomness.seed=0", "test_dataloader.num_workers=0"]
    data += ["test_dataloader.persistent_workers=False"]
    short = ["train_dataloader.dataset.dataset.max_images=2", "train_cfg.max_epochs=1", "train_cfg.val_interval=9"]
    done = run_warm(
        toolbox_commands.training_command("mmdet", config, "--work-dir", out, "--cfg-options", *data, *short),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert ", focus " in done.stdout, done.stdout
    state = torch.load(out / "epoch_1.pth", weights_only=False)["state_dict"]
    assert "focus_head.layers.4.bias" in state
    everything = ["tta_model.focus.0.threshold=0", "tta_model.focus.1.threshold=0"]
    done = run_warm(
        toolbox_commands.testing_command(
            "mmdet",
            config,
            out / "epoch_1.pth",
            "--work-dir",
            tmp_path / "test",
            "--tta",
            "--cfg-options",
            *data,
            *everything,
        ),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (scores,) = (tmp_path / "test").glob("*/*.json")
    assert json.loads(scores.read_text())["focus_pixels_percent"] == pytest.approx(100)
