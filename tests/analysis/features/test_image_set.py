"""Images in a fixed order, from folders and from data sets of all toolboxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.analysis.features.image_set import images_of_config, images_of_folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("cat/2.png", "cat/1.png", "dog/1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    return root


def test_folders_are_classes(photos: Path, tmp_path: Path) -> None:
    images = images_of_folder(photos)
    assert images.names == ("cat/1.png", "cat/2.png", "dog/1.png") and images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 1] and Path(images.path(2)) == photos / "dog/1.png"
    (tmp_path / "split.txt").write_text("dog/1.png\ncat/2.png\n")
    chosen = images_of_folder(photos, tmp_path / "split.txt")
    assert chosen.names == ("dog/1.png", "cat/2.png") and chosen.labels.tolist() == [1, 0]
    assert chosen.classes == ("cat", "dog") and chosen.description["split_file"].endswith("split.txt")


def test_missing_images_and_empty_folders_are_named(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "split.txt").write_text("dog/1.png\ndog/7.png\n")
    with pytest.raises(FileNotFoundError, match=r"1 of the 2 files that .*split.txt names are missing:\n.*dog/7.png"):
        images_of_folder(photos, tmp_path / "split.txt")
    (photos / "bird").mkdir()
    with pytest.raises(ValueError, match="1 of the 3 class folders in .* hold no image: bird. Fill or remove"):
        images_of_folder(photos)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        images_of_folder(tmp_path / "nowhere")


def config(path: Path, **loaders: str) -> Path:
    lines = [f"{name}_dataloader = dict(batch_size=1, dataset={dataset})" for name, dataset in loaders.items()]
    path.write_text("\n".join(['custom_imports = dict(imports=["mmdetpre"])', 'default_scope = "mmpretrain"', *lines]))
    return path


def test_data_of_a_classification_config(photos: Path, tmp_path: Path) -> None:
    dataset = f'dict(type="CustomDataset", data_root="{photos}", pipeline=[])'
    repeated = f'dict(type="RepeatDataset", times=3, dataset={dataset})'
    file = config(tmp_path / "pets.py", train=repeated, test=dataset)
    for part in ("train", "test"):
        images = images_of_config(file, part)
        assert images.names == ("cat/1.png", "cat/2.png", "dog/1.png") and images.labels.tolist() == [0, 0, 1]
        assert images.classes == ("cat", "dog") and images.description["part"] == part
        assert Path(images.path(0)) == photos / "cat/1.png"
    with pytest.raises(ValueError, match="has no val_dataloader, it has one for train, test"):
        images_of_config(file, "val")
    with pytest.raises(FileNotFoundError, match="There is no config"):
        images_of_config(tmp_path / "nowhere.py")


def test_config_with_missing_images_or_none(photos: Path, tmp_path: Path) -> None:
    (photos / "list.txt").write_text("cat/1.png 0\ncat/9.png 0\n")
    missing = f'dict(type="CustomDataset", data_root="{photos}", ann_file="list.txt", pipeline=[])'
    with pytest.raises(FileNotFoundError, match=r"(?s)1 of the 2 files that test_dataloader of .*cat/9.png"):
        images_of_config(config(tmp_path / "a.py", test=missing))
    with pytest.raises(ValueError, match="has no test_dataloader, it has none"):
        images_of_config(config(tmp_path / "b.py"))


def test_data_of_detection_configs_have_no_classes(repository: Path, tiny_coco: Path) -> None:
    options = {}
    for part, inner in (("train", ".dataset"), ("test", "")):
        options[f"{part}_dataloader.dataset{inner}.data_root"] = f"{tiny_coco}/"
    config = repository / "configs/det/sniper_coco_sample.py"
    counts = {}
    for part in ("train", "test"):
        images = images_of_config(config, part, options)
        counts[part] = len(images)
        assert images.classes == () and np.all(images.labels == -1)
        assert all(Path(images.path(row)).is_file() for row in range(len(images)))
        assert not any(Path(name).is_absolute() for name in images.names)
    assert counts["test"] == 6 and 0 < counts["train"] <= 24
