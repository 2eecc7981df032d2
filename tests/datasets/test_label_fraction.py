"""Parts of the training images: nested, of every class, the same on every rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.datasets.label_fraction import fraction_indices, take_fraction
from mmdetpre.utils.read_config import read_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FRACTIONS = st.floats(0.01, 1)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), FRACTIONS, FRACTIONS, st.integers(0, 3))
def test_smaller_parts_lie_inside_greater_ones_and_classes_keep_their_share(
    labels: list[int], first: float, second: float, seed: int
) -> None:
    low, high = sorted((first, second))
    small, great = (fraction_indices([[label] for label in labels], len(labels), f, (), seed) for f in (low, high))
    assert set(small) <= set(great) and small == sorted(set(small))
    for label in set(labels):
        count = labels.count(label)
        assert sum(labels[i] == label for i in small) == int(np.ceil(low * count))
    assert fraction_indices([[label] for label in labels], len(labels), 1.0) == list(range(len(labels)))


def test_a_part_without_a_class_says_what_would_do() -> None:
    labels = [[0]] * 99 + [[0, 1]]
    with pytest.raises(
        ValueError, match=r"label_fraction=0.02 is 2 of 100 .* 1 classes .* 'rare': give at least (0\.\d+)"
    ) as caught:
        fraction_indices(labels, 100, 0.02, ("cat", "rare"))
    least = float(str(caught.value).split("give at least ")[1].split(",")[0])
    assert 99 in fraction_indices(labels, 100, least)
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        fraction_indices(None, 10, 0.0)
    assert len(fraction_indices(None, 10, 0.15)) == 2, "rounded up"


@pytest.mark.parametrize(
    ("config", "root", "images"),
    [
        ("det/sniper_openimages_sample.py", "tiny_sample", 24),
        ("det/sniper_coco_sample.py", "tiny_coco", 24),
        ("seg/deeplab_voc_sample.py", "tiny_voc", 24),
    ],
)
def test_data_sets_of_the_toolboxes_are_cut(
    config: str, root: str, images: int, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(root)
    options = {"data_root": str(data / "VOCdevkit" / "VOC2012" if root == "tiny_voc" else data)}
    whole = open_dataset(CONFIGS / config, "train", options, inner=True)
    assert len(whole) <= images
    half = open_dataset(CONFIGS / config, "train", options | {"label_fraction": 0.5}, inner=True)
    assert len(half) == int(np.ceil(0.5 * len(whole)))
    paths = [whole.get_data_info(i)["img_path"] for i in range(len(whole))]
    assert {half.get_data_info(i)["img_path"] for i in range(len(half))} < set(paths)
    assert len(open_dataset(CONFIGS / config, "val", options | {"label_fraction": 0.5}, inner=True)) > 3, "untouched"


def test_indices_of_the_config_come_first(tiny_coco: Path) -> None:
    options = {"data_root": str(tiny_coco), "train_dataloader.dataset.dataset.indices": 10, "label_fraction": 0.5}
    cfg = read_config(CONFIGS / "det" / "sniper_coco_sample.py", options)
    take_fraction(cfg)
    chosen = cfg.train_dataloader.dataset.dataset.indices
    assert len(chosen) == 5 and max(chosen) < 10
    again = Config(cfg.to_dict())
    take_fraction(again)
    assert again.train_dataloader.dataset.dataset.indices == chosen, "as a work dir has it"


def test_a_config_without_training_data_is_named() -> None:
    with pytest.raises(ValueError, match="label_fraction=0.5 is for configs with one training data set"):
        take_fraction(Config({"label_fraction": 0.5}))
