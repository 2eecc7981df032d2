"""Several detection data, and such that a study pre-trains on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from PIL import Image

from mmdetpre.config_files import find_config
from mmdetpre.study.custom_data.detection_data import data_of_options
from mmdetpre.study.custom_data.init_study import Settings, init_study
from mmdetpre.study.plan import make_plan
from mmdetpre.study.spec import read_study


def boxes(root: Path) -> Path:
    """A COCO file over six photos with a box each."""
    (root / "images").mkdir(parents=True)
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).resize((160, 120)).save(root / "images" / f"{i}.jpg")
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 160, "height": 120} for i in range(6)],
        "annotations": [{"id": i, "image_id": i, "category_id": 1, "bbox": [20, 10, 60, 50]} for i in range(6)],
        "categories": [{"id": 1, "name": "bolt"}],
    }
    file = root / f"{root.name}.json"
    file.write_text(json.dumps(content))
    return file


def test_several_data_and_a_pre_training(tmp_path: Path) -> None:
    backbone = tmp_path / "backbone.pth"
    network = MODELS.build(Config.fromfile(find_config("det/sniper_voc_sample.py")).model.backbone)
    for name, value in network.named_buffers():  # statistics of a network that has seen images
        if name.endswith("running_mean"):
            value.fill_(0.1)
    torch.save({"state_dict": network.state_dict()}, backbone)
    one, two, other = (boxes(tmp_path / name) for name in ("bolts", "nuts", "photos"))
    options = [("--det", one), ("--pretrain", f"cls_photos={other}"), ("--det-images", other.parent / "images")]
    det, pretrain = data_of_options([(name, str(value)) for name, value in [*options, ("--det", two)]])
    out = tmp_path / "study"
    settings = Settings(
        out, det=det, pretrain=pretrain, inits=[f"imagenet_cls={backbone}"], model="sample", seeds=1, epochs=2
    )
    text = init_study(settings)
    assert "cls_photos: trained here on photos, from imagenet_cls, " in text
    study = read_study(out / "study.yaml")
    plan = make_plan(study)
    assert [name for name in plan if "figures" not in name] == [
        "pretraining/cls_photos",
        "pretraining_test/cls_photos",
        *(f"own_det_{data}/{key}/seed0" for data in ("bolts", "nuts") for key in study.inits),
    ]
    trained = plan["pretraining/cls_photos"].config
    assert trained is not None and trained["backbone_init"]["checkpoint"] == str(backbone)
    assert study.inits["cls_photos"].title == "imagenet_cls (backbone.pth), then photos"
    assert plan["own_det_nuts/cls_photos/seed0"].needs == ["pretraining/cls_photos"]
    for pair, message in (("imagenet_cls", "is called 'imagenet_cls' already"), ("A b", "is not of small letters")):
        with pytest.raises(ValueError, match=message):
            init_study(replace(settings, out=tmp_path / "other", pretrain={pair: det[0]}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([("--det-images", "a")], "--det-images needs --det"),
        ([("--det-images", "a"), ("--det", "b"), ("--det", "c")], "--det-images a stands before any --det"),
        ([("--det", "b"), ("--det-test", "c"), ("--det-test", "d")], "--det-test is given twice for b"),
        ([("--pretrain", "b.json")], "has not the form KEY=DATA"),
        ([("--pretrain", "a=b.json"), ("--pretrain", "a=c.json")], "each with its own KEY"),
    ],
)
def test_options_that_belong_to_nothing(options: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data_of_options(options)
