"""ImageNet weights that everybody can have, against none, on real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.config_files import find_config
from mmdetpre.transfer import load_backbone
from mmdetpre.transfer.preprocessing import Preprocessing, from_config

SIDE = 128


def images(root: Path, part: str, preprocessing: Preprocessing) -> tuple[torch.Tensor, list[str]]:
    """Photos (N, 3, 128, 128) of 12 classes as the network wants them, and the names of their classes."""
    paths = (root / f"{part}.txt").read_text().split()
    paths = [path for path in paths if path.endswith(".jpg")]
    photos = [Image.open(root / "101_ObjectCategories" / path).convert("RGB").resize((SIDE, SIDE)) for path in paths]
    pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    return (pixels - mean) / std, [Path(path).parent.name for path in paths]


@torch.no_grad()
def features(backbone: nn.Module, pixels: torch.Tensor) -> np.ndarray:
    backbone.eval()
    return torch.cat([backbone(batch)[-1].mean((2, 3)) for batch in pixels.split(16)]).numpy()


@pytest.mark.slow
def test_imagenet_weights_beat_random_ones_on_photos(shared_data: Path) -> None:
    root = shared_data / "caltech101"
    cfg = Config.fromfile(find_config("caltech256_linear"))
    cfg.merge_from_dict({"backbone_init": "imagenet_cls", "model.backbone.name": "efficientnet_lite0"})
    cfg = with_chosen_backbone(cfg)
    preprocessing = from_config(cfg)
    assert preprocessing is not None
    data = {part: images(root, part, preprocessing) for part in ("train", "test")}
    scores = {}
    for start in ("scratch", "zoo:efficientnet-lite0/imagenet"):
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("mmpretrain"):
            backbone = MODELS.build(cfg.model.backbone)
        if start != "scratch":
            assert load_backbone(backbone, start, preprocessing=preprocessing).good
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probe.fit(features(backbone, data["train"][0]), data["train"][1])
        scores[start] = probe.score(features(backbone, data["test"][0]), data["test"][1])
    print(scores, len(data["train"][1]), len(data["test"][1]))
    assert scores["zoo:efficientnet-lite0/imagenet"] > 0.95 and scores["scratch"] < 0.6
