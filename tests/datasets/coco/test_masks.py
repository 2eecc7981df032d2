"""Instance masks of a packed table: those of the file, for chips and for mmdet's own pipelines."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from mmdet.datasets.transforms import LoadAnnotations

from mmdetpre.datasets import ChipDataset, ChipMiningSampler, PackedCocoDataset
from mmdetpre.datasets.coco.outlines import outline_mask

CLASSES = ["Disc", "Ring", "Crescent", "Square", "Triangle", "Cross", "Star", "Heart"]
FILE = "annotations/instances_train2017.json"


def dataset(root, **changes):
    options = {"ann_file": FILE, "data_prefix": {"img": "train2017/"}, "classes": CLASSES, "with_masks": True}
    return PackedCocoDataset(data_root=f"{root}/", **(options | changes))


@pytest.fixture
def copied(tiny_coco, tmp_path):
    """A copy of the annotations beside the same images, and its content."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train2017").symlink_to(tiny_coco / "train2017")
    shutil.copy(tiny_coco / FILE, tmp_path / FILE)
    return tmp_path, json.loads((tmp_path / FILE).read_text())


def test_every_object_has_the_mask_of_the_file(tiny_coco, tmp_path):
    content = json.loads((tiny_coco / FILE).read_text())
    found = dataset(tiny_coco, cache_dir=str(tmp_path))
    crowds = 0
    for i in range(len(found)):
        info = found.get_data_info(i)
        rows = [row for row in content["annotations"] if row["image_id"] == info["img_id"]]
        assert len(rows) == len(info["instances"])
        size = info["width"], info["height"]
        for row, instance in zip(rows, info["instances"], strict=True):
            assert np.array_equal(outline_mask(instance["mask"], *size), outline_mask(row["segmentation"], *size))
            crowds += row["iscrowd"]
    assert crowds  # run lengths
    loaded = LoadAnnotations(with_mask=True)(info | {"ori_shape": size[::-1], "img_shape": size[::-1]})
    assert len(loaded["gt_masks"]) == len(info["instances"]) and loaded["gt_masks"].masks.any(axis=(1, 2)).all()
    table = found.packed
    again = pickle.loads(pickle.dumps(table)).subset(np.array([3, 1]))
    assert [again.mask_of(1, k) for k in range(2)] == [table.mask_of(1, k) for k in range(2)]
    plain = dataset(tiny_coco, cache_dir=str(tmp_path), with_masks=False).packed
    assert plain.directory != table.directory and plain.masks is None and plain.mask_of(0, 0) is None


def test_chips_decode_the_masks_of_their_own_objects_only(tiny_coco, tmp_path, monkeypatch):
    from mmdetpre.datasets.transforms import load_chip

    decoded = []
    monkeypatch.setattr(load_chip, "outline_mask", lambda *given: (decoded.append(1), outline_mask(*given))[1])
    chips = {"chip_size": 128, "scales": [(288, 384), (-1, 128)], "valid_ranges": [(-1, 40), (30, -1)]}
    pipeline = [{"type": "mmdetpre.LoadChip"}, {"type": "mmdetpre.PackChipInputs"}]
    chipped = ChipDataset(dataset(tiny_coco, cache_dir=str(tmp_path)), chips | {"strides": (14, 15)}, pipeline)
    ignored = 0
    for record in list(ChipMiningSampler(chipped, seed=0))[:12]:
        decoded.clear()
        sample = chipped[record]["data_samples"]
        objects = sample.gt_instances
        assert len(decoded) == len(objects) == len(objects.masks)
        ignored += len(sample.ignored_instances)
        for mask, box in zip(objects.masks, objects.bboxes.tensor.numpy(), strict=True):
            x1, y1, x2, y2 = np.round(box).astype(int)
            assert mask[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1].sum() == mask.sum() > 0
    assert ignored


def test_objects_without_mask_are_told_and_keep_their_boxes(copied):
    root, content = copied
    content["annotations"][4]["segmentation"] = [[1, 2, 3, 4]]
    del content["annotations"][7]["segmentation"]
    (root / FILE).write_text(json.dumps(content))
    table = dataset(root).packed
    assert "2 of" in table.extra["remarks"][-1] and "a polygon of 4 numbers" in table.extra["remarks"][-1]
    assert sum(not text for text in table.masks) == 2 and len(table.masks) == len(table.boxes)


def test_a_file_without_any_mask_is_refused(copied):
    root, content = copied
    for row in content["annotations"]:
        row["segmentation"] = []
    (root / FILE).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"none of its \d+ objects has a mask \(no outline\)"):
        dataset(root)
