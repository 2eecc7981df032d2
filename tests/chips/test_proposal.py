from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmdetpre.chips.class_sizes import class_sizes
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


def any_data(seed, largest, classes=1, images=20):
    """Images of any size, five boxes each, of ``classes`` classes whose sizes differ."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(100, 2000, size=(images, 2))
    extent = np.repeat(sizes, 5, axis=0)
    labels = rng.integers(classes, size=len(extent))
    of_class = np.exp(rng.uniform(np.log(0.004), np.log(largest), size=classes))
    sides = np.clip(of_class[labels, None] * rng.uniform(0.5, 2, extent.shape) * extent, 3, 0.95 * extent)
    corner = rng.uniform(size=extent.shape) * (extent - sides)
    return (sizes, np.arange(images + 1) * 5, np.concatenate([corner, corner + sides], axis=1)), labels


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([64, 128, 256, 512, 800]),
    st.integers(1, 5),
    st.floats(0.005, 0.9),
    st.integers(1, 5),
)
def test_proposal_fits_any_data(seed, chip_size, scales_count, largest, classes):
    data, labels = any_data(seed, largest, classes)
    settings = propose_settings(*data, labels=labels, chip_size=chip_size, scales_count=scales_count)
    assert settings.chip_size <= chip_size  # never larger than asked for
    assert settings.scales[-1] == (-1, settings.chip_size) and 1 <= len(settings.scales) <= scales_count
    targets = [side for _, side in settings.scales]
    assert targets == sorted(targets, reverse=True) and len(set(targets)) == len(targets)
    assert max(targets) <= 3 * settings.range_reference + 32
    assert settings.valid_ranges[0][0] == settings.valid_ranges[-1][1] == -1
    for (lo, hi), (coarser_lo, coarser_hi) in zip(settings.valid_ranges, settings.valid_ranges[1:], strict=False):
        assert lo < coarser_lo < hi and (hi < coarser_hi or coarser_hi == -1)  # no size is in none of them
    report = coverage_report(*data, settings)
    assert report.valid_nowhere == 0
    assert not any("selects no box" in text for text in report.warnings)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([128, 256, 512]), st.floats(0.01, 0.9), st.integers(1, 5))
def test_every_class_has_pixels_enough_where_its_images_have_them(seed, chip_size, largest, classes):
    """At a finest scale of 3 times the image, half of a class's objects have 16 network pixels or cannot have them."""
    data, labels = any_data(seed, largest, classes)
    settings = propose_settings(*data, labels=labels, chip_size=chip_size, scales_count=5)
    for size in class_sizes(*data, labels, settings, [str(label) for label in range(classes)]):
        enlarged_most = size.enlargement > 2 or settings.scales[0][1] >= 3 * settings.range_reference - 16
        assert size.network_pixels >= 16 or enlarged_most
        assert (size.warning is not None) == (size.network_pixels < 16)


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.9), st.floats(1.2, 3))
def test_finer_is_finer(seed, largest, finer):
    data, labels = any_data(seed, largest, 3)
    first, second = (propose_settings(*data, labels=labels, chip_size=128, finer=times) for times in (1, finer))
    assert second.scales[0][1] >= first.scales[0][1]


CELLS = {"cell": (80, 100), "platelet": (25, 35)}


def cells(images=20, seed=0):
    """Up to 30 cells of 80 to 100 pixels and a platelet in images of 640 x 480."""
    rng = np.random.default_rng(seed)
    boxes, labels = [], []
    for _ in range(images):
        for label, count in enumerate((20, 1)):
            sides = rng.uniform(*list(CELLS.values())[label], size=(count, 2))
            corner = rng.uniform(size=(count, 2)) * ([640, 480] - sides)
            boxes.append(np.concatenate([corner, corner + sides], axis=1))
            labels += [label] * count
    return (np.tile([640, 480], (images, 1)), np.arange(images + 1) * 21, np.concatenate(boxes)), np.array(labels)


@pytest.mark.parametrize("chip_size", [128, 256, 512])
def test_a_rare_class_of_small_objects_gets_a_finer_scale(chip_size):
    """1 of 21 boxes: the 10 % quantile of all boxes says nothing about it."""
    data, labels = cells()
    with_classes, without = (propose_settings(*data, labels=known, chip_size=chip_size) for known in (labels, None))
    sizes = {size.name: size.network_pixels for size in class_sizes(*data, labels, with_classes, list(CELLS))}
    assert sizes["platelet"] >= 24 and sizes["cell"] >= 32
    assert with_classes.scales[0][1] >= without.scales[0][1]
    assert chip_size == 512 or with_classes.scales[0][1] > 1.5 * without.scales[0][1]


def test_chips_are_no_larger_than_images_enlarged_three_times():
    data = [[100, 80]], [0, 1], [[10, 10, 60, 60]]
    assert propose_settings(*data, chip_size=512).scales == ((-1, 320),)
    assert propose_settings(*data, chip_size=512).chip_size == 320
    assert propose_settings(*data, chip_size=256).chip_size == 256


def test_a_scale_that_no_box_needs_is_left_out():
    """Objects of 8 and of 400 pixels: nothing is to be seen at the scales between."""
    boxes = [[x, y, x + 8, y + 8] for x in range(0, 600, 60) for y in (100, 200)] + [[0, 0, 400, 400]]
    settings = propose_settings([[640, 480]], [0, len(boxes)], boxes, chip_size=128)
    assert len(settings.scales) == 2 and settings.scales[0][1] == 1920


def test_large_objects_need_one_scale():
    assert propose_settings([[640, 480]], [0, 1], [[0, 0, 400, 400]]).scales == ((-1, 512),)


def test_nothing_to_propose_from():
    with pytest.raises(ValueError, match="None of the 1 boxes is usable"):
        propose_settings([[640, 480]], [0, 1], [[0, 0, 40, 40]], ignore=[True])
    with pytest.raises(ValueError, match="scales_count is 0"):
        propose_settings([[640, 480]], [0, 1], [[0, 0, 40, 40]], scales_count=0)
