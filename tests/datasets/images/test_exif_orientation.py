"""A photo that EXIF turns sideways: test pipelines and chips see the orientation that the annotations speak of."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmdetpre.datasets.images.decoding import decode_image
from mmdetpre.registry import DATASETS, TRANSFORMS
from mmdetpre.visualization.compare_runs import _read_image

BASES = [f"{name}{twin}" for name in ("coco_chips", "voc_chips") for twin in ("", "_sample")]


@pytest.fixture
def sideways(tmp_path, openimages_files):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(openimages_files.encoded(openimages_files.picture(90, 40), exif=exif))
    return tmp_path / "a.jpg"


def load_step(repository, name):
    cfg = Config.fromfile(repository / f"configs/_base_/{name}.py")
    return (cfg.tta_pipeline if name.startswith("tta/") else cfg.test_dataloader.dataset.pipeline)[0]


@pytest.mark.parametrize("name", [*(f"datasets/{n}" for n in BASES), "tta/three_scales", "tta/three_scales_sample"])
def test_tests_on_coco_and_voc_see_the_stored_picture(repository, sideways, name):
    init_default_scope("mmdet")
    image = TRANSFORMS.build(load_step(repository, name))(dict(img_path=str(sideways)))["img"]
    assert image.shape == (40, 90, 3)
    np.testing.assert_array_equal(image, decode_image(sideways.read_bytes(), (90, 40))[0])  # as the chips do
    assert LoadImageFromFile()(dict(img_path=str(sideways)))["img"].shape == (90, 40, 3)  # without the setting


@pytest.mark.parametrize("name", ["openimages_chips", "imagenet_loc_chips", "imagenet_loc_chips_sample"])
def test_tests_on_sizes_from_the_header_see_it_upright(repository, sideways, name):
    init_default_scope("mmdet")
    image = TRANSFORMS.build(load_step(repository, f"datasets/{name}"))(dict(img_path=str(sideways)))["img"]
    assert image.shape == (90, 40, 3)
    np.testing.assert_array_equal(image, decode_image(sideways.read_bytes(), (40, 90))[0])


def test_boxes_of_coco_lie_in_the_loaded_picture(repository, sideways):
    init_default_scope("mmdet")
    content = dict(
        images=[dict(id=1, file_name="a.jpg", width=90, height=40)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[60, 10, 25, 20], area=500, iscrowd=0)],
        categories=[dict(id=1, name="cat")],
    )
    (sideways.parent / "a.json").write_text(json.dumps(content))
    cfg = dict(type="mmdetpre.PackedCocoDataset", data_root=str(sideways.parent), ann_file="a.json", classes=["cat"])
    pipeline = [load_step(repository, "datasets/coco_chips")]
    dataset = DATASETS.build(cfg | dict(data_prefix=dict(img=""), pipeline=pipeline, test_mode=True))
    sample = dataset[0]
    assert sample["img"].shape[:2] == (sample["height"], sample["width"]) == (40, 90)
    assert sample["instances"][0]["bbox"] == [60, 10, 85, 30]


@pytest.mark.parametrize("size", [(90, 40), (40, 90)])
def test_comparisons_show_what_the_run_saw(sideways, size):
    np.testing.assert_array_equal(_read_image(sideways, size)[..., ::-1], decode_image(sideways.read_bytes(), size)[0])
