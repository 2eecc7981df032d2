"""Every config is read, short, documented, and builds its detector."""

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdetpre.chips.settings import ChipSettings

CONFIGS = ["sniper_openimages.py", "sniper_openimages_sample.py"]


def test_the_list_is_complete(repository):
    assert sorted(path.name for path in (repository / "configs" / "det").glob("*.py")) == CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_short_and_says_how_to_run_it(repository, name):
    path = repository / "configs" / "det" / name
    lines = path.read_text().splitlines()
    assert len(lines) <= 40
    assert any(f"mim train mmdet configs/det/{name}" in line for line in lines if line.startswith("#"))


@pytest.mark.parametrize("name", CONFIGS)
def test_detector_builds_and_fits_its_data(repository, name):
    init_default_scope("mmdet")
    cfg = Config.fromfile(repository / "configs" / "det" / name)
    settings = ChipSettings(**cfg.train_dataloader.dataset.chips)
    assert tuple(cfg.model.data_preprocessor.batch_augments[0].size) == (settings.chip_size,) * 2
    model = MODELS.build(cfg.model)
    stride = model.roi_head.bbox_roi_extractor.featmap_strides[0]
    assert model.rpn_head.prior_generator.strides[0] == (stride, stride)
    classes = cfg.train_dataloader.dataset.dataset.classes
    assert model.roi_head.bbox_head.num_classes == (500 if classes == "challenge" else len(classes))
    assert cfg.val_dataloader.dataset.classes == classes
