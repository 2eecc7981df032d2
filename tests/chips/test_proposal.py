from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips.coverage import coverage_report
from mmdetpre.chips.proposal import propose_settings


def pack(images):
    """Columns from {name: ((width, height), [box, ...])}."""
    offsets = np.concatenate([[0], np.cumsum([len(boxes) for _, boxes in images.values()])])
    boxes = np.array([box for _, boxes in images.values() for box in boxes], dtype=np.float32).reshape(-1, 4)
    return np.array([size for size, _ in images.values()]), offsets, boxes


def openimages_boxes(path, width=1024, height=768):
    images = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            x1, x2, y1, y2 = (float(row[key]) for key in ("XMin", "XMax", "YMin", "YMax"))
            boxes = images.setdefault(row["ImageID"], ((width, height), []))[1]
            boxes.append((x1 * width, y1 * height, x2 * width, y2 * height))
    return pack(images)


def coco_boxes(path):
    content = json.loads(path.read_text())
    images = {image["id"]: ((image["width"], image["height"]), []) for image in content["images"]}
    for annotation in content["annotations"]:
        x, y, w, h = annotation["bbox"]
        images[annotation["image_id"]][1].append((x, y, x + w, y + h))
    return pack(images)


@pytest.mark.parametrize("name", ["openimages", "coco"])
def test_every_real_box_is_learned(name, shared_data):
    if name == "openimages":
        data = openimages_boxes(shared_data / "openimages/train-annotations-bbox.csv")
    else:
        data = coco_boxes(shared_data / "coco_tiny/annotations/instances_train2017.json")
    settings = propose_settings(*data)
    report = coverage_report(*data, settings)
    assert report.valid_nowhere <= 0.001 * report.boxes
    assert report.orphans <= 0.02 * report.boxes
    assert report.warnings == ()
    # COCO's small objects ask for all three scales; these OpenImages boxes are large, two scales show them.
    assert len(settings.scales) == {"openimages": 2, "coco": 3}[name]


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 128, 512, 800]), st.integers(1, 5), st.floats(0.005, 0.9))
def test_proposal_fits_any_data(seed, chip_size, scales_count, largest):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(100, 2000, size=(20, 2))
    extent = np.repeat(sizes, 5, axis=0)
    sides = np.maximum(np.exp(rng.uniform(np.log(0.004), np.log(largest), size=(100, 1))) * extent, 3)
    corner = rng.uniform(size=extent.shape) * (extent - sides)
    data = sizes, np.arange(21) * 5, np.concatenate([corner, corner + sides], axis=1)
    settings = propose_settings(*data, chip_size=chip_size, scales_count=scales_count)
    assert settings.scales[-1] == (-1, chip_size) and 1 <= len(settings.scales) <= scales_count
    targets = [side for _, side in settings.scales]
    assert targets == sorted(targets, reverse=True) and len(set(targets)) == len(targets)
    for (_, hi), (lo, _) in zip(settings.valid_ranges, settings.valid_ranges[1:], strict=False):
        assert lo < hi
    assert coverage_report(*data, settings).valid_nowhere == 0


def test_large_objects_need_one_scale():
    assert propose_settings([[640, 480]], [0, 1], [[0, 0, 400, 400]]).scales == ((-1, 512),)


def test_nothing_to_propose_from():
    with pytest.raises(ValueError, match="None of the 1 boxes is usable"):
        propose_settings([[640, 480]], [0, 1], [[0, 0, 40, 40]], ignore=[True])
    with pytest.raises(ValueError, match="scales_count is 0"):
        propose_settings([[640, 480]], [0, 1], [[0, 0, 40, 40]], scales_count=0)
