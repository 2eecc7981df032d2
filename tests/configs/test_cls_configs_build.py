"""Every classification config is read, short, documented, and builds a classifier on the detectors' backbone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmpretrain.structures import DataSample

from mmdetpre.backbones import with_chosen_backbone
from mmdetpre.transfer.backbone_init import chosen_init

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "cls"
SETS = {"caltech256": 257, "sun397": 397, "flowers102": 102}
LINEAR = [f"{name}_linear" for name in SETS]
DEFORMABLE = "caltech256_deform_roi_sample"
SAMPLES = ["caltech256_sample", "caltech256_linear_sample", DEFORMABLE]
CONFIGS = [*SETS, *LINEAR, *SAMPLES, "imagenet_cls", "imagenet_cls_sample"]


def read(name: str) -> Config:
    return Config.fromfile(FOLDER / f"{name}.py", import_custom_modules=False)


def test_the_list_is_complete() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_short_and_says_how_to_run_it(name: str) -> None:
    lines = (FOLDER / f"{name}.py").read_text().splitlines()
    assert len(lines) <= 40
    header = [line for line in lines if line.startswith("#")]
    assert any(f"mim train mmpretrain configs/cls/{name}.py" in line for line in header)
    assert any("2 cores" in line if name.endswith("_sample") else "Hardware" in line for line in header)
    assert name.endswith("_sample") or any(line.startswith("# Paper: ") for line in header)
    assert name in (FOLDER / "metafile.yml").read_text().split()


@pytest.mark.parametrize("name", CONFIGS)
def test_backbone_is_that_of_the_detectors(name: str) -> None:
    cfg = read(name)
    sample = name.endswith("_sample")
    detector = "_base_/models/sniper_r18_sample.py" if sample else "_base_/models/sniper_r101_dcn.py"
    detector = "det/sniper_coco_deform_roi_sample.py" if name == DEFORMABLE else detector
    theirs = Config.fromfile(FOLDER.parent / detector, import_custom_modules=False).model.backbone
    ours = cfg.model.backbone
    own = {"type", "out_indices", "frozen_stages", "norm_eval"}
    if name == "imagenet_cls":  # an ordinary ResNet-101
        own |= {"strides", "dilations", "dcn", "stage_with_dcn"}
        assert (ours.strides, ours.dilations, ours.dcn) == ((1, 2, 2, 2), (1, 1, 1, 1), None)
    assert {key: ours[key] for key in ours if key not in own} == {key: theirs[key] for key in theirs if key not in own}
    linear = "_linear" in name
    assert (ours.frozen_stages, ours.norm_eval) == ((4, True) if linear else (-1, False))


@pytest.mark.parametrize("name", CONFIGS)
def test_classes_are_those_of_the_data(name: str) -> None:
    cfg = read(name)
    known = SETS | {"caltech256_sample": 5, "imagenet_cls": 1000, "imagenet_cls_sample": 8}
    key = "caltech256_sample" if name in SAMPLES else name.split("_linear")[0].split("_from")[0]
    assert cfg.model.head.num_classes == known[key]
    if cfg.get("val_dataloader"):
        train, test = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
        assert (train.type, train.data_root) == (test.type, test.data_root) and train.split != test.split
        assert cfg.test_dataloader.dataset.split == test.split
        assert [train.get(option) for option in ("per_class", "seed", "partition")] == [
            test.get(option) for option in ("per_class", "seed", "partition")
        ]


@pytest.mark.parametrize("name", ["caltech256", "caltech256_linear", "imagenet_cls"])
def test_full_model_takes_a_step(name: str) -> None:
    """One of each kind: the others differ in the number of classes."""
    init_default_scope("mmpretrain")
    model = MODELS.build(read(name).model)
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    model.train()
    samples = [DataSample().set_gt_label(label) for label in (0, 3)]
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    losses: dict[str, Any] = model(images, samples, mode="loss")
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"])
    without = {key for key, value in model.named_parameters() if value.grad is None}
    backbone = {f"backbone.{key}" for key, _ in model.backbone.named_parameters()}
    frozen = "_linear" in name
    assert without == (backbone if frozen else set())
    changed = {key for key, value in model.backbone.state_dict().items() if not torch.equal(value, before[key])}
    assert bool(changed) != frozen, "statistics of batch normalisation"


def test_own_images_as_the_page_shows(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "classification.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "own.py").write_text(code.replace('"configs/', f'"{repository}/configs/'))
    cfg = Config.fromfile(tmp_path / "own.py", import_custom_modules=False)
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(52):
            (tmp_path / "own" / name / f"{i}.jpg").touch()
    init_default_scope("mmpretrain")
    for loader, split, images in ((cfg.train_dataloader, "train", 100), (cfg.test_dataloader, "test", 4)):
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(tmp_path / "own")))
        assert (dataset.split, len(dataset)) == (split, images) and len(dataset.pipeline.transforms) == 4
    assert cfg.model.head.num_classes == 12 and chosen_init(cfg)["checkpoint"]


def test_only_what_is_trained_gets_new_offsets() -> None:
    for name in (*SETS, *LINEAR):
        cfg = read(name)
        for init in ("imagenet_loc", "coco", "openimages"):
            assert chosen_init({**cfg, "backbone_init": init})["reset_offsets"] == (name in SETS)


@pytest.mark.parametrize("name", LINEAR)
def test_a_frozen_classification_network_keeps_its_strides(name: str) -> None:
    cfg = read(name)
    detector = with_chosen_backbone(cfg).model.backbone
    assert (detector.strides, detector.dilations) == ((1, 2, 2, 1), (1, 1, 1, 2)), "as it was trained"
    cfg.merge_from_dict({"backbone_init": "imagenet_cls"})
    classifier = with_chosen_backbone(cfg).model.backbone
    assert (classifier.strides, classifier.dilations) == ((1, 2, 2, 2), (1, 1, 1, 1))
    assert chosen_init(cfg) == {"checkpoint": "torchvision://resnet101", "name": "imagenet_cls"}
    assert classifier.frozen_stages == 4
