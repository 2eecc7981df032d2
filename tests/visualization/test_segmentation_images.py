from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetpre.plotting.palette import voc_palette
from mmdetpre.visualization.segmentation_images import SegmentationImages, images_of_config, images_of_folders

CONFIG = """
data = dict(
    type="BaseSegDataset", data_root="{root}", data_prefix=dict(img_path="images", seg_map_path="truth"),
    metainfo=dict(classes=("sky", "cat")), {options}
    pipeline=[dict(type="LoadImageFromFile"), dict(type="Resize", scale=(4, 4)), {load}, dict(type="PackSegInputs")],
)
test_dataloader = dict(batch_size=1, num_workers=0, sampler=dict(type="DefaultSampler"), dataset=data)
"""
TRUTH = np.array([[0, 1, 255], [1, 2, 0]], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "truth"):
        (tmp_path / name).mkdir()
    for name in "ba":
        Image.new("RGB", (3, 2)).save(tmp_path / f"images/{name}.jpg")
        Image.fromarray(TRUTH).save(tmp_path / f"truth/{name}.png")
    return tmp_path


@pytest.fixture
def write_config(folder: Path):
    def write(options: str = "", load: str = 'dict(type="LoadAnnotations")') -> Path:
        path = folder / "config.py"
        path.write_text(CONFIG.format(root=folder, options=options, load=load))
        return path

    return write


def test_test_data_of_a_config(write_config, folder: Path) -> None:
    images = images_of_config(write_config())
    assert images.names == ["a", "b"] and images.paths[0] == folder / "images/a.jpg"
    assert list(images.classes) == ["sky", "cat"] and images.first_label == 0
    np.testing.assert_array_equal(images.read_truth(1), TRUTH)  # not resized
    np.testing.assert_array_equal(images.palette[:2], voc_palette()[:2])  # not mmseg's random colours


def test_label_maps_and_colors_are_read_as_the_config_says(write_config) -> None:
    options = {"test_dataloader.dataset.metainfo": {"classes": ("sky", "cat"), "palette": [[1, 2, 3], [4, 5, 6]]}}
    images = images_of_config(write_config("reduce_zero_label=True,"), options)
    assert images.first_label == 1 and images.palette.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert images.read_truth(0).tolist() == [[255, 0, 255], [0, 1, 255]]
    load = 'dict(type="mmdetpre.LoadLabelMap")'
    assert images_of_config(write_config(load=load)).read_truth(0).tolist() == TRUTH.tolist()


def test_voc_data_of_the_project(tiny_voc: Path, repository: Path) -> None:
    root = str(tiny_voc / "VOCdevkit/VOC2012")
    config = repository / "configs/seg/deeplab_voc_sample.py"
    images = images_of_config(config, {"test_dataloader.dataset.data_root": root})
    assert len(images.names) == 6 and images.classes[0] == "background"
    assert set(np.unique(images.read_truth(0))) <= {0, 1, 2, 3, 4, 255}


def test_configs_that_will_not_do(write_config, folder: Path) -> None:
    with pytest.raises(ValueError, match="come without label maps: its pipeline needs LoadAnnotations"):
        images_of_config(write_config(load='dict(type="Resize", scale=(8, 8))'))
    with pytest.raises(ValueError, match="come without label maps"):
        path = write_config()
        path.write_text(path.read_text().replace(', seg_map_path="truth"', ""))
        images_of_config(path)
    with pytest.raises(ValueError, match="hold no image"):
        images_of_config(write_config("serialize_data=False, img_suffix='.tif',"))
    with pytest.raises(ValueError, match="are a ConcatDataset: give a config with a plain data set"):
        path = write_config()
        path.write_text(
            path.read_text().replace("dataset=data)", "dataset=dict(type='ConcatDataset', datasets=[data]))")
        )
        images_of_config(path)
    (folder / "empty.py").write_text("a = 1\n")
    with pytest.raises(ValueError, match="has no test_dataloader, it has none: give another config"):
        images_of_config(folder / "empty.py")


def test_folders(folder: Path) -> None:
    images = images_of_folders(folder / "images", folder / "truth")
    assert images.names == ["a", "b"] and len(images.classes) == 21 and images.paths[1].name == "b.jpg"
    np.testing.assert_array_equal(images.read_truth(0), TRUTH)
    assert images_of_folders(folder / "images", folder / "truth", ["x", "y"]).classes == ("x", "y")
    (folder / "images/a.jpg").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"1 of the 2 label maps in .*truth have no image in .*images, e.g. 'a'"
    ):
        images_of_folders(folder / "images", folder / "truth")
    with pytest.raises(FileNotFoundError, match="images holds no label maps: one <image>.png per image"):
        images_of_folders(folder / "images", folder / "images")
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere"):
        images_of_folders(folder / "nowhere", folder / "truth")


def test_names_must_tell_images_apart() -> None:
    with pytest.raises(ValueError, match="2 images are called 'a'"):
        SegmentationImages(["b", "a", "a"], [Path()] * 3, lambda i: TRUTH, ["x"], voc_palette())
