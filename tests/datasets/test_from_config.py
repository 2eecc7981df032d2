from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdetpre.datasets.from_config import open_dataset

CONFIG = "configs/det/sniper_openimages_sample.py"


def scope_name() -> str | None:
    return getattr(DefaultScope.get_current_instance(), "scope_name", None)


def test_the_scope_is_the_configs_and_stays_in_the_call(repository: Path, tiny_sample: Path) -> None:
    before = scope_name()
    options = {"val_dataloader.dataset.data_root": f"{tiny_sample}/"}
    dataset = open_dataset(repository / CONFIG, "val", options)  # PackDetInputs is mmdet's
    assert len(dataset) > 0
    assert scope_name() == before


def test_the_scope_of_a_config_without_one_is_the_callers(tmp_path: Path) -> None:
    cfg = Config(dict(test_dataloader=dict(dataset=dict(type="CocoDataset", lazy_init=True))))
    with pytest.raises(KeyError, match="CocoDataset"):
        open_dataset(cfg, full_init=False)
    assert type(open_dataset(cfg, scope="mmdet", full_init=False)).__name__ == "CocoDataset"


def test_chips_are_opened_or_what_they_are_cut_from(repository: Path, tiny_sample: Path) -> None:
    cfg = Config.fromfile(repository / CONFIG)
    options = {"train_dataloader.dataset.dataset.data_root": f"{tiny_sample}/"}
    assert type(open_dataset(cfg, "train", options)).__name__ == "ChipDataset"
    assert type(open_dataset(cfg, "train", options, inner=True)).__name__ == "PackedOpenImagesDataset"
    assert cfg.train_dataloader.dataset.dataset.data_root == "data/sample/", "the caller's config stays as it is"


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (None, "no test_dataloader, it has one for train"),
        ({"batch_size": 2}, "a test_dataloader without a dataset, it has one for train"),
        ([{}, {}], "test_dataloader of .* is a list of 2: give a config with one"),
    ],
)
def test_a_config_without_these_data_is_refused(loader: object, message: str) -> None:
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type="CocoDataset")), test_dataloader=loader))
    with pytest.raises(ValueError, match=message):
        open_dataset(cfg)
