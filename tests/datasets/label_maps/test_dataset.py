"""Pairs of photos and label maps as a data set of mmseg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdetpre.datasets.label_maps.dataset import LabelMapDataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, value in (("a photo.jpg", 9), ("b.png", 9), ("m.png", 1), ("n.png", 0)):
        Image.fromarray(np.full((4, 5), value, np.uint8)).save(tmp_path / name)
    (tmp_path / "list.txt").write_text("a photo.jpg\tm.png\nb.png\tn.png\n")
    (tmp_path / "classes.txt").write_text("sky\ncat\n")
    return tmp_path


def opened(root: Path, **changes: Any) -> LabelMapDataset:
    config: dict[str, Any] = dict(ann_file="list.txt", classes=str(root / "classes.txt"), data_root=str(root))
    return LabelMapDataset(**config | dict(data_prefix=dict(img_path="", seg_map_path=str(root))) | changes)


def test_pairs(root: Path) -> None:
    data = opened(root)
    entries = [data.get_data_info(i) for i in range(len(data))]
    assert [(Path(one["img_path"]).name, Path(one["seg_map_path"]).name) for one in entries] == [
        ("a photo.jpg", "m.png"),
        ("b.png", "n.png"),
    ]
    assert data.metainfo["classes"] == ("sky", "cat") and data.metainfo["palette"][1] == [128, 0, 0]


def test_faults(root: Path) -> None:
    with pytest.raises(ValueError, match="do not fit 1 classes"):
        opened(root, classes=["sky"])
    (root / "list.txt").write_text("a photo.jpg m.png\n")
    with pytest.raises(ValueError, match=r"list.txt, line 1: expected a photo, a tab, and its label map"):
        opened(root)
    (root / "list.txt").write_text("a photo.jpg\tnone.png\n")
    with pytest.raises(FileNotFoundError, match=r"none.png"):
        opened(root)
