"""The multi-scale detector of a config and a checkpoint: same results as its parts, from files, arrays and lists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

import mmdetpre
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.models import MultiScaleTTA


@pytest.fixture(scope="module")
def config(repository, tiny_sample) -> Config:
    cfg = Config.fromfile(repository / "configs/det/sniper_openimages_sample.py")
    cfg.model.roi_head.bbox_head.init_cfg = dict(type="Normal", layer="Linear", std=0.05)
    return cfg


def save(model_cfg, path: Path, **meta) -> Path:
    init_default_scope("mmdet")
    torch.manual_seed(0)
    model = MODELS.build(model_cfg)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


@pytest.fixture(scope="module")
def checkpoint(config, tmp_path_factory) -> Path:
    names = ["a", "b", "c", "d", "e", "f", "g", "h"]
    return save(config.model, tmp_path_factory.mktemp("weights") / "a.pth", dataset_meta=dict(classes=names))


@pytest.fixture(scope="module")
def detector(config, checkpoint, device) -> MultiScaleDetector:
    return MultiScaleDetector(config, checkpoint, device=device)


@pytest.fixture(scope="module")
def photos(tiny_sample) -> list[Path]:
    return sorted((tiny_sample / "OpenImages/validation").glob("*"))[:3]


def same(first, second) -> None:
    for name in ("bboxes", "scores", "labels"):
        torch.testing.assert_close(first.pred_instances[name], second.pred_instances[name], atol=1e-4, rtol=1e-4)


def test_files_arrays_and_batches_agree(detector, photos):
    one_by_one = [detector.detect(path) for path in photos]
    assert all(len(sample.pred_instances) >= 200 for sample in one_by_one)
    assert one_by_one[0].pred_instances.bboxes.max() > 128  # pixels of the image, not of a scale
    pixels = [cv2.imread(str(path)) for path in photos]
    for a, b in zip(one_by_one, detector.detect(pixels), strict=True):
        same(a, b)
    same(one_by_one[0], detector.detect(np.ascontiguousarray(pixels[0][..., ::-1]), channels="rgb"))
    assert not torch.equal(
        one_by_one[0].pred_instances.scores, detector.detect(pixels[0], channels="rgb").pred_instances.scores
    )
    for a, b in zip(one_by_one, detector.detect(list(map(str, photos)), batch_size=2), strict=True):
        torch.testing.assert_close(a.pred_instances.scores, b.pred_instances.scores, atol=1e-4, rtol=1e-4)


def test_it_is_the_config_of_tta(detector, config):
    assert isinstance(detector.model, MultiScaleTTA) and not detector.model.training
    assert [list(pair) for pair in detector.model.test_ranges] == [list(pair) for pair in config.tta_model.test_ranges]
    assert detector.classes == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert "module" not in config.tta_model  # the config is left as it was


def test_scales_serve_a_config_without_tta(config, checkpoint, photos, detector, device):
    plain = config.copy()
    for key in ("tta_model", "tta_pipeline"):
        plain._cfg_dict.pop(key)
    with pytest.raises(ValueError, match="no tta_model and no tta_pipeline: give scales"):
        MultiScaleDetector(plain, checkpoint, device="cpu")
    ranges = config.tta_model.test_ranges
    same_scales = MultiScaleDetector(
        plain, checkpoint, scales=[(192, 256), (120, 128)], test_ranges=ranges, device=device
    )
    same(same_scales.detect(photos[0]), detector.detect(photos[0]))


def test_scales_and_ranges_of_different_length(config, checkpoint, photos):
    with pytest.raises(ValueError, match="2 scales but 3 test_ranges"):
        MultiScaleDetector(config, checkpoint, scales=[(192, 256), (96, 128)], test_ranges=[(-1, 9)] * 3)
    with pytest.raises(ValueError, match="tta_pipeline has 2 scales but tta_model.test_ranges has 3 pairs"):
        MultiScaleDetector(config, checkpoint, test_ranges=[(-1, 9)] * 3, device="cpu").detect(photos[0])


def test_checkpoints_that_do_not_fit(config, checkpoint, tmp_path):
    with pytest.raises(
        ValueError, match=r"was trained for 8 classes, the config asks for 4: roi_head.bbox_head.fc_cls"
    ):
        MultiScaleDetector(config, checkpoint, cfg_options={"model.roi_head.bbox_head.num_classes": 4})
    weights = torch.load(checkpoint)["state_dict"]
    backbone = {key: value for key, value in weights.items() if key.startswith("backbone.")}
    torch.save(dict(state_dict=backbone), tmp_path / "backbone.pth")
    with pytest.raises(ValueError, match=r"backbone.pth lacks \d+ of the \d+ weights of this model, e.g. rpn_head"):
        MultiScaleDetector(config, tmp_path / "backbone.pth")
    with pytest.raises(FileNotFoundError, match="There is no checkpoint .*absent.pth"):
        MultiScaleDetector(config, tmp_path / "absent.pth")


def test_images_that_cannot_be_used(detector, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no image .*absent.jpg"):
        detector.detect(tmp_path / "absent.jpg")
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("text.jpg", "empty.jpg"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            detector.detect(tmp_path / name)
    with pytest.raises(ValueError, match=r"float64 of shape \(4, 4\): expected uint8"):
        detector.detect(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="channels is 'grb'"):
        detector.detect(np.zeros((4, 4, 3), np.uint8), channels="grb")


def test_importing_the_package_stays_cheap():
    assert mmdetpre.MultiScaleDetector is MultiScaleDetector
    code = (
        "import sys, mmdetpre; sys.exit('mmdetpre.inference.detector' in sys.modules or 'mmdet.models' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="'mmdetpre' has no attribute 'Detektor'"):
        mmdetpre.Detektor  # noqa: B018


def test_photos_are_turned_upright(config, checkpoint, tmp_path, photos):
    """Also by a config whose test set counts pixels as they are stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photos[0]).convert("RGB").save(tmp_path / "sideways.jpg", exif=exif)
    stored = config.copy()
    stored.tta_pipeline[0].color_type = "color_ignore_orientation"
    detector = MultiScaleDetector(stored, checkpoint, device="cpu")
    width, height = Image.open(photos[0]).size
    found = detector.detect(tmp_path / "sideways.jpg")
    assert tuple(found.ori_shape) == (width, height) != (height, width)
