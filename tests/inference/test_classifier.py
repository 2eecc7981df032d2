from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmdetpre.inference.classifier import open_classifier

CLASSES = ["cat", "dog", "cow", "goat"]
SMALL = {"model.backbone.base_channels": 4, "model.backbone.stem_channels": 4, "model.head.in_channels": 32}


def config(repository: Path, **options: object) -> Config:
    cfg = Config.fromfile(repository / "configs/cls/imagenet_cls_sample.py")
    cfg.merge_from_dict(SMALL | {"model.head.num_classes": 4} | options)
    return cfg


def saved(cfg: Config, folder: Path, **meta: object) -> tuple[Path, Path, torch.nn.Module]:
    """Config, checkpoint with random weights, and the model that has them."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model).eval()
    cfg.dump(folder / "config.py")
    torch.save({"state_dict": model.state_dict(), "meta": meta}, folder / "model.pth")
    return folder / "config.py", folder / "model.pth", model


def test_gives_the_probabilities_of_the_head(repository: Path, tmp_path: Path) -> None:
    *files, model = saved(config(repository), tmp_path, dataset_meta={"classes": CLASSES})
    classifier = open_classifier(*files)
    images = torch.randn(3, 3, 64, 48)
    with torch.inference_mode():
        found, expected = classifier(images), model(images, mode="tensor").softmax(dim=1)
    torch.testing.assert_close(found, expected)
    assert classifier.classes == tuple(CLASSES) and not classifier.model.training


def test_other_backbones_and_heads_serve_too(repository: Path, tmp_path: Path) -> None:
    cfg = Config(
        dict(
            default_scope="mmpretrain",
            data_preprocessor=dict(mean=[1, 2, 3], std=[2, 2, 2], to_rgb=False),
            model=dict(
                type="ImageClassifier",
                backbone=dict(type="MobileNetV2", widen_factor=0.1),
                neck=dict(type="GlobalAveragePooling"),
                head=dict(type="MultiLabelLinearClsHead", num_classes=4, in_channels=1280),
            ),
            val_dataloader=dict(dataset=dict(type="CustomDataset", metainfo=dict(classes=CLASSES))),
        )
    )
    *files, model = saved(cfg, tmp_path)
    classifier = open_classifier(*files)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(images), model(images, mode="tensor").sigmoid())
    assert classifier.classes == tuple(CLASSES)
    assert classifier.normalized((30, 20, 10)).tolist() == [4.5, 9, 13.5]  # blue first


def test_colors_are_normalized_in_the_order_of_the_network(repository: Path, tmp_path: Path) -> None:
    *files, _ = saved(config(repository), tmp_path)
    classifier = open_classifier(*files)
    assert classifier.classes == ("class 0", "class 1", "class 2", "class 3")
    torch.testing.assert_close(classifier.normalized((123.675, 116.28, 103.53)), torch.zeros(3))
    expected = [(128 - 123.675) / 58.395, (128 - 116.28) / 57.12, (128 - 103.53) / 57.375]
    torch.testing.assert_close(classifier.normalized((128, 128, 128)), torch.tensor(expected))


def test_refuses_what_is_no_classifier_or_does_not_fit(repository: Path, tmp_path: Path) -> None:
    file, checkpoint, _ = saved(config(repository), tmp_path, dataset_meta={"classes": CLASSES})
    for options, message in (
        ({"model.head.num_classes": 5}, "trained for 4 classes, the config asks for 5"),
        ({"model.backbone.depth": 34}, "lacks"),
    ):
        with pytest.raises(ValueError, match=message):
            open_classifier(file, checkpoint, options=options)
    backbone = tmp_path / "backbone.pth"
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    torch.save({name: value for name, value in weights.items() if name.startswith("backbone.")}, backbone)
    with pytest.raises(ValueError, match="backbone.pth lacks 2 of the"):
        open_classifier(file, backbone)
    with pytest.raises(ValueError, match="mmdet.SNIPER, which gives no class probabilities"):
        open_classifier(repository / "configs/det/sniper_coco_sample.py", checkpoint)
    with pytest.raises(FileNotFoundError, match="There is no config nowhere.py"):
        open_classifier("nowhere.py", checkpoint)
    with pytest.raises(FileNotFoundError, match="nowhere.pth is not there"):
        open_classifier(file, "nowhere.pth")
