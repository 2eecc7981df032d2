"""Detectors of one scale as ONNX files, held to what the detectors themselves predict."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from PIL import Image

from mmdetpre.inference.build_model import build_model
from mmdetpre.inference.onnx_detector import SingleScaleDetector, detections_difference, export_detector_onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'mmdetpre[onnx]'")
SIZE = (64, 96)
AGNOSTIC = dict(type="nms", iou_threshold=0.6, class_agnostic=True)
RGB = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)


def small(name: str, root: Path) -> Config:
    config = Config.fromfile(root / "configs/det" / name)
    model = config.model
    if model.neck.type == "FPN":
        model.backbone.update(depth=18, base_channels=8, stem_channels=8, init_cfg=None)
        model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
        if "roi_head" in model:
            model.rpn_head.update(in_channels=16, feat_channels=16)
            model.roi_head.bbox_roi_extractor.out_channels = 16
            model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
        else:
            model.bbox_head.update(in_channels=16, feat_channels=16, num_classes=3, stacked_convs=1)
    return config


def built(config: Config) -> torch.nn.Module:
    """The model with scores that are far apart and boxes that stay near: equal scores have no order."""
    torch.manual_seed(0)
    model = build_model(config).model
    for name, weights in model.named_parameters():
        if "head" in name and weights.dim() > 1:
            weights.data.normal_(0, 1.5 / weights[0].numel() ** 0.5)
    return model


def predicted(model: torch.nn.Module, x: torch.Tensor) -> list[np.ndarray]:
    shape = tuple(x.shape[2:])
    meta = dict(img_shape=shape, ori_shape=shape, batch_input_shape=shape, scale_factor=(1, 1))
    with torch.no_grad():
        [sample] = model.predict(x, [DetDataSample(metainfo=meta)], rescale=False)
    found = sample.pred_instances
    return [found.bboxes.numpy(), found.scores.numpy(), found.labels.numpy()]


@pytest.mark.parametrize("name", ["sniper_coco_sample.py", "retinanet_chips_coco.py"])
def test_onnxruntime_finds_what_predict_does(
    name: str, repository: Path, tmp_path: Path, run_tool_here: Callable
) -> None:
    config = small(name, repository)
    model = built(config)
    torch.save({"state_dict": model.state_dict(), "meta": {}}, tmp_path / "a.pth")
    config.dump(tmp_path / "a.py")
    Image.fromarray(RGB).save(tmp_path / "a.png")
    tool, files = repository / "tools/model_converters/export_backbone.py", (tmp_path / "a.pth", tmp_path / "a.onnx")
    told = run_tool_here(tool, *files, "--detector", tmp_path / "a.py", "--size", *SIZE, "--image", tmp_path / "a.png")
    assert re.search(r"differ by \d\S* of the largest value, on \d+ detections", told.stdout), told.stderr
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    norm = config.model.data_preprocessor
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (norm.mean, norm.std))
    pixels = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1)) * 255
    expected = predicted(model, (pixels - mean) / std)
    found = session.run(["boxes", "scores", "labels"], {"image": pixels.numpy()})
    assert len(expected[0]) > 10 and detections_difference(expected, found) < 1e-3
    assert (np.diff(found[1]) <= 0).all()


def fcos(model: dict) -> None:
    model.update(
        type="FCOS", test_cfg=dict(nms_pre=100, score_thr=0.6, min_bbox_size=1.3, max_per_img=50, nms=AGNOSTIC)
    )
    model["bbox_head"] = dict(type="FCOSHead", num_classes=3, in_channels=16, feat_channels=16, norm_cfg=None)


@pytest.mark.parametrize(
    ("name", "change"), [("faster_rcnn_r50_fpn_chips_coco.py", None), ("retinanet_chips_coco.py", fcos)]
)
def test_others_with_the_common_decoding_give_what_predict_does(
    name: str, change: Callable | None, repository: Path
) -> None:
    config = small(name, repository)
    if change:
        change(config.model)
    model = built(config)
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = [one.numpy() for one in SingleScaleDetector(model, SIZE).eval()(x)]
    expected = predicted(model, x)
    assert len(expected[0]) > 10 and detections_difference(expected, found) < 1e-3


def test_what_is_not_exported_is_said(repository: Path, tmp_path: Path) -> None:
    fine = Config.fromfile(repository / "configs/det/sniper_imagenet_loc_sample.py")
    with pytest.raises(ValueError, match="RFCN3000RoIHead is not exported"):
        SingleScaleDetector(build_model(fine).model, SIZE)
    sniper = small("sniper_coco_sample.py", repository)
    with pytest.raises(ValueError, match=r"--size is 40 64: the config wants multiples of 16, such as 48 64\."):
        export_detector_onnx(sniper, tmp_path / "a.pth", tmp_path / "a.onnx", (40, 64), RGB)
    sniper.model.test_cfg.rcnn.score_thr = 1.0
    torch.save({"state_dict": build_model(sniper).model.state_dict(), "meta": {}}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="finds nothing in the image"):
        export_detector_onnx(sniper, tmp_path / "a.pth", tmp_path / "a.onnx", SIZE, RGB)
    sniper.model.test_cfg.rcnn.nms = dict(type="soft_nms", iou_threshold=0.3)
    with pytest.raises(ValueError, match="'soft_nms', which ONNX does not know"):
        SingleScaleDetector(build_model(sniper).model, SIZE)


def test_a_detection_that_lacks_or_moved_is_a_difference() -> None:
    one = [np.array([[0.0, 0, 10, 10], [5, 5, 20, 20], [1, 1, 2, 2]]), np.array([0.9, 0.5, 0.1]), np.array([0, 1, 1])]
    assert detections_difference(one, one) == detections_difference(one, [part[::-1] for part in one]) == 0
    assert detections_difference(one, [part[1:] for part in one]) == 1
    assert detections_difference([part[:0] for part in one], one) == 1
    assert detections_difference(one, [part[[0, 1, 1]] for part in one]) == pytest.approx(18 / 20)  # one twice
    assert detections_difference(one, [*one[:2], np.array([1, 1, 1])]) == 1
    moved = one[0] + [[0, 0, 0, 1], [0] * 4, [0] * 4]
    assert detections_difference(one, [moved, *one[1:]]) == pytest.approx(1 / 20)
    assert not detections_difference(one, [moved * np.nan, *one[1:]]) <= 1e-3
