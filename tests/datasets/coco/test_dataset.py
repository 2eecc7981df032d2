import contextlib
import io
import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.registry import init_default_scope

from mmdetpre.datasets.packed.annotations import IGNORE
from mmdetpre.registry import DATASETS


@pytest.fixture(autouse=True)
def _mmdet_scope():
    init_default_scope("mmdet")


def options(root, split, **changes):
    return {
        "data_root": f"{root}/",
        "ann_file": f"annotations/instances_{split}2017.json",
        "data_prefix": {"img": f"{split}2017/"},
        "test_mode": True,
    } | changes


def pair(root, split, cache, **changes):
    """mmdet's reader and ours on the same files."""
    arguments = options(root, split, **changes)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = DATASETS.build({"type": "CocoDataset", **arguments})
    return theirs, DATASETS.build({"type": "mmdetpre.PackedCocoDataset", "cache_dir": str(cache), **arguments})


def same_images(theirs, ours):
    assert len(theirs) == len(ours) and theirs.metainfo["classes"] == ours.metainfo["classes"]
    for i in range(len(theirs)):
        expected, found = theirs.get_data_info(i), ours.get_data_info(i)
        for key in ("img_path", "img_id", "width", "height"):
            assert found[key] == expected[key] and type(found[key]) is type(expected[key])
        columns = [[[item[key] for item in info["instances"]] for key in ("bbox", "bbox_label", "ignore_flag")]
                   for info in (found, expected)]  # fmt: skip
        np.testing.assert_allclose(*[np.reshape(c[0], (-1, 4)) for c in columns], atol=1e-4)
        assert columns[0][1:] == columns[1][1:]


@pytest.mark.parametrize("name", ["coco_tiny", "coco_tiny_38"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_same_images_boxes_and_ids_as_mmdet(shared_data, tmp_path, name, split):
    same_images(*pair(shared_data / name, split, tmp_path))


def test_same_with_some_of_the_classes_and_filtered(shared_data, tmp_path):
    metainfo = {"classes": ("person", "car", "dog")}
    filters = {"filter_empty_gt": True, "min_size": 400}
    theirs, ours = pair(
        shared_data / "coco_tiny", "train", tmp_path, metainfo=metainfo, test_mode=False, filter_cfg=filters
    )
    assert 10 < len(ours) < 80
    same_images(theirs, ours)
    assert ours.cat_ids == theirs.cat_ids == [1, 3, 18] and ours.cat2label == theirs.cat2label
    assert ours.get_cat_ids(0) == theirs.get_cat_ids(0)


def test_coco_metric_cannot_tell_them_apart(shared_data, tmp_path):
    theirs, ours = pair(shared_data / "coco_tiny", "val", tmp_path)
    values = []
    for dataset, ann_file in ((theirs, True), (ours, True), (ours, False)):
        rng = np.random.default_rng(0)
        metric = CocoMetric(ann_file=theirs.ann_file if ann_file else None, metric="bbox")
        metric.dataset_meta = dataset.metainfo
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            boxes = np.reshape([item["bbox"] for item in info["instances"]], (-1, 4)).astype(np.float32)
            boxes = np.round(boxes + rng.normal(0, 6, boxes.shape), 1).astype(np.float32)
            metric.process({}, [{
                "img_id": info["img_id"],
                "ori_shape": (info["height"], info["width"]),
                "instances": info["instances"],
                "pred_instances": {
                    "bboxes": torch.from_numpy(boxes),
                    "scores": torch.from_numpy(rng.random(len(boxes), np.float32)),
                    "labels": torch.tensor([item["bbox_label"] for item in info["instances"]], dtype=torch.int64),
                },
            }])  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            values.append(metric.evaluate(len(dataset)))
    assert values[0] == values[1] and 0.1 < values[0]["coco/bbox_mAP"] < 0.9
    # without the file the metric takes the areas of boxes instead of masks
    assert values[2]["coco/bbox_mAP"] == pytest.approx(values[0]["coco/bbox_mAP"], abs=2e-3)


def test_crowds_are_ignored_and_tables_are_reused(shared_data, tmp_path):
    _, ours = pair(shared_data / "coco_tiny", "train", tmp_path)
    assert int((ours.packed.flags == IGNORE).sum()) == 6
    tables = [path for path in tmp_path.iterdir() if path.is_dir()]
    times = [path.stat().st_mtime_ns for path in tables]
    _, again = pair(shared_data / "coco_tiny", "train", tmp_path)
    assert again.packed.ids.tolist() == ours.packed.ids.tolist() and again.cat_ids == ours.cat_ids
    assert [path.stat().st_mtime_ns for path in tables] == times


def test_the_drawn_sample(tiny_coco, tmp_path):
    classes = ("Disc", "Ring", "Crescent", "Square", "Triangle", "Cross", "Star", "Heart")
    theirs, ours = pair(tiny_coco, "train", tmp_path, metainfo={"classes": classes})
    same_images(theirs, ours)
    assert ours.cat_ids == [1, 4, 7, 10, 13, 16, 19, 22]
    subset = ours.get_subset([3])
    assert subset.get_data_info(0)["img_id"] == ours.get_data_info(3)["img_id"] == 4
    assert len(subset.packed) == 1 and subset.cat_ids == ours.cat_ids


def content(**changes):
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}, {"id": 9, "file_name": "b.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 20, 20], "area": 400},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [10, 10, 0.5, 20], "area": 10},
            {"id": 4, "image_id": 7, "category_id": 3, "bbox": [200, 10, 20, 20], "area": 400},
            {"id": 5, "image_id": 7, "category_id": 3, "bbox": [0, 0, 20, 20], "area": 400, "ignore": 1},
            {"id": 6, "image_id": 9, "category_id": 5, "bbox": [30, 30, 90, 90], "area": 8100},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
    } | changes


def made(folder, openimages_files, classes=("cat", "dog"), text=None, **changes):
    (folder / "images").mkdir(exist_ok=True)
    for name, size in (("a", (100, 80)), ("b", (64, 48))):
        (folder / "images" / f"{name}.jpg").write_bytes(openimages_files.encoded(openimages_files.picture(*size)))
    (folder / "a.json").write_text(json.dumps(content(**changes)) if text is None else text)
    return {"type": "mmdetpre.PackedCocoDataset", "data_root": str(folder), "ann_file": "a.json",
            "data_prefix": {"img": "images/"}, "classes": classes}  # fmt: skip


def test_what_is_left_out_is_counted_and_sizes_come_from_headers(tmp_path, openimages_files):
    dataset = DATASETS.build(made(tmp_path, openimages_files))
    assert dataset.packed.sizes.tolist() == [[100, 80], [64, 48]]
    assert dataset.packed.boxes.tolist() == [[10, 10, 30, 30], [10, 10, 30, 30], [30, 30, 64, 48]]
    assert dataset.packed.ignore.tolist() == [False, True, False]
    reasons = ("boxes without area", "boxes outside their image", "boxes marked ignore")
    assert dataset.packed.notes == dict.fromkeys(reasons, 1)
    assert dataset.packed.extra["remarks"] == [
        "1 box reaches beyond the image, by up to 72 pixels: cut at its edge (x1 y1 x2 y2 [30, 30, 120, 120] in b.jpg)"
    ]
    dogs = DATASETS.build(made(tmp_path, openimages_files, classes=["dog"]))
    assert len(dogs.packed.boxes) == 2 and dogs.packed.notes["boxes of classes not chosen"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["cat", "horse"]}, "no horse.*classes of the data set: cat, horse.*of the file: cat, dog"),
        ({"classes": ["dog", "cat"]}, r"order of the file.*Set classes=\['cat', 'dog'\]"),
        ({"text": '{"images": ['}, "is not valid JSON"),
        ({"text": "[1, 2]"}, "is not a COCO file: it holds a list, expected an object"),
        ({"annotations": [{"id": 8, "image_id": 7, "category_id": 3}]}, r"annotations\[0\].* has no 'bbox'"),
        (
            {"annotations": [{"id": 8, "image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 9]}]},
            r"annotations\[0\] has image_id 1, which images lacks",
        ),
        ({"images": [{"id": 7, "file_name": "a.jpg"}] * 2}, "two images have the id 7: they must differ"),
        ({"categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "cat"}]}, "two categories have the name 'cat'"),
        ({"annotations": []}, "nothing to learn and nothing to measure.*require_boxes=False"),
    ],
)
def test_bad_files(tmp_path, openimages_files, changes, message):
    with pytest.raises(ValueError, match="(?s)" + message):
        DATASETS.build(made(tmp_path, openimages_files, **changes))


def test_a_test_set_with_secret_boxes(tmp_path, openimages_files):
    config = made(tmp_path, openimages_files, annotations=[]) | {"test_mode": True, "require_boxes": False}
    dataset = DATASETS.build(config)
    assert [dataset.get_data_info(i)["img_id"] for i in range(len(dataset))] == [7, 9]


def test_a_union_of_files_is_one_data_set(shared_data, tmp_path):
    """COCO's trainval: all images of both files, with their own folders, ids and boxes; the cache is another one."""
    root = shared_data / "coco_tiny"
    parts = [pair(root, split, tmp_path)[1] for split in ("train", "val")]
    further = {"further": [("annotations/instances_val2017.json", "val2017/")]}
    config = {"type": "mmdetpre.PackedCocoDataset", "cache_dir": str(tmp_path), **options(root, "train")}
    both = DATASETS.build(config | further)
    assert len(both) == sum(map(len, parts)) and both.cat_ids == parts[0].cat_ids
    apart = [part.get_data_info(k) for part in parts for k in range(len(part))]
    for i, info in enumerate(apart):
        assert both.get_data_info(i) == info | {"sample_idx": i}
    few = DATASETS.build(config | further | {"max_images": len(parts[0]) + 2})
    assert len(few) == len(parts[0]) + 2
    again = DATASETS.build(config)
    assert len(again) == len(parts[0])


def test_files_that_are_no_parts_of_one_set(shared_data, tmp_path):
    root = shared_data / "coco_tiny"
    config = {"type": "mmdetpre.PackedCocoDataset", "cache_dir": str(tmp_path), **options(root, "train")}
    with pytest.raises(ValueError, match="both have an image of id"):
        DATASETS.build(config | {"further": [("annotations/instances_train2017.json", "train2017/")]})
    with pytest.raises(FileNotFoundError, match=r"(?s)further, a\.json: .*further, b/: "):
        DATASETS.build(config | {"further": [("a.json", "b/")]})


def test_missing_files_are_named_at_once(tmp_path, openimages_files):
    config = made(tmp_path, openimages_files)
    with pytest.raises(FileNotFoundError) as error:
        DATASETS.build(config | {"ann_file": "b.json", "data_prefix": {"img": "photos/"}})
    for text in ("b.json", "photos/", "data_prefix['img']", "Expected layout", "instances_train2017.json"):
        assert text in str(error.value)
    (tmp_path / "images" / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="1 of the 2 images.*b.jpg"):
        DATASETS.build(config)
    assert len(DATASETS.build(config | {"max_unreadable": 0.5})) == 1


def test_unknown_filters_are_refused(tmp_path, openimages_files):
    with pytest.raises(ValueError, match="has bbox_min_size: it knows filter_empty_gt, min_size"):
        DATASETS.build(made(tmp_path, openimages_files) | {"filter_cfg": {"bbox_min_size": 32}})
