from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.datasets.chips.dataset import ChipDataset
from mmdetpre.datasets.chips.from_config import load_chip_dataset

ROOT_KEY = "train_dataloader.dataset.dataset.data_root"


@pytest.fixture
def config(repository: Path) -> Path:
    return repository / "configs/det/sniper_openimages_sample.py"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.py"
    path.write_text(text)
    return path


def test_loads_what_training_would_see(config: Path, tiny_sample: Path) -> None:
    chips = {ROOT_KEY: f"{tiny_sample}/", "train_dataloader.dataset.lazy_init": True}
    dataset = load_chip_dataset(config, chips)
    assert isinstance(dataset, ChipDataset)
    assert len(dataset) == 24 and dataset.chip_settings.chip_size == 128


def test_missing_config_and_missing_data_are_named(config: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.py"):
        load_chip_dataset(tmp_path / "absent.py")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_chip_dataset(config, {ROOT_KEY: f"{tmp_path}/nowhere/"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("val_dataloader = None", "no train_dataloader"),
        ("train_dataloader = None", "no train_dataloader"),
        ("train_dataloader = dict(batch_size=2)", "a train_dataloader without a dataset"),
    ],
)
def test_config_without_training_data_is_refused(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(ValueError, match=f"config.py has {found}, it has none: give another config"):
        load_chip_dataset(write(tmp_path, text))


def test_other_data_sets_are_refused_with_the_line_that_wraps_them(tmp_path: Path) -> None:
    path = write(tmp_path, "train_dataloader = dict(dataset=dict(type='CocoDataset', lazy_init=True))")
    with pytest.raises(ValueError, match=r"is a CocoDataset(?s:.*)Wrap it: dataset=dict\(type='mmdetpre.ChipDataset'"):
        load_chip_dataset(path)
