import pickle

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.evaluation import OpenImagesMetric
from PIL import Image

from mmdetpre.registry import DATASETS


def build(folder, **changes):
    return DATASETS.build(folder.config(**changes))


def test_data_infos_are_those_of_mmdet(folder):
    dataset = build(folder)
    assert len(dataset) == 3 and dataset.metainfo["classes"] == ("Car", "Vehicle", "Cat")
    info = dataset.get_data_info(0)
    assert info["img_path"] == str(folder.images / "a.jpg") and (info["width"], info["height"]) == (200, 100)
    car, cats = info["instances"]
    np.testing.assert_allclose(car.pop("bbox"), [20, 20, 100, 80], atol=1e-3)
    assert car == {
        "bbox_label": 0,
        "ignore_flag": 0,
        "is_group_of": False,
        "is_occluded": True,
        "is_truncated": False,
    }
    assert cats["is_group_of"] and cats["ignore_flag"] == 1 and cats["bbox_label"] == 2
    assert dataset.get_data_info(-1)["img_id"] == "c" and dataset.get_data_info(-1)["sample_idx"] == 2
    assert dataset.get_cat_ids(1) == [2]


def test_mmdets_own_reader_gives_the_same(folder):
    # mmdet's reader needs the rows of an image next to each other, and a file of image sizes
    lines = folder.csv.read_text().splitlines()
    folder.csv.write_text("\n".join([lines[0], *sorted(lines[1:], key=lambda line: line[0])]) + "\n")
    metas = [{"filename": f"{name}.jpg", "ori_shape": shape} for name, shape in
             (("a", (100, 200)), ("b", (160, 120)), ("c", (64, 64)))]  # fmt: skip
    (folder.csv.parent / "metas.pkl").write_bytes(pickle.dumps(metas))
    config = folder.config(type="mmdet.OpenImagesDataset", meta_file="annotations/metas.pkl")
    config.pop("classes")
    theirs, ours = DATASETS.build(config), build(folder)
    np.testing.assert_array_equal(ours.metainfo["RELATION_MATRIX"], theirs.metainfo["RELATION_MATRIX"])
    for i in range(3):
        expected, found = theirs.get_data_info(i), ours.get_data_info(i)
        # mmdet's reader gives the last image of a file the path of the one before if it has a single row
        for key in ("img_path", "img_id", "width", "height")[i == 2 :]:
            assert found[key] == expected[key]
        for a, b in zip(found["instances"], expected["instances"], strict=True):
            np.testing.assert_allclose(a["bbox"], b["bbox"], atol=1e-3)
            assert (a["bbox_label"], a["is_group_of"]) == (b["bbox_label"], b["is_group_of"])


@pytest.mark.parametrize("get_supercategory", [True, False])
def test_open_images_metric_gives_1_for_perfect_detections(folder, get_supercategory):
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "mmdet.PackDetInputs", "meta_keys": ("img_id", "instances")},
    ]
    dataset = build(folder, pipeline=pipeline, test_mode=True)
    assert isinstance(dataset.pipeline.transforms[1], PackDetInputs)
    metric = OpenImagesMetric(use_group_of=True, get_supercategory=get_supercategory)
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        sample = dataset[i]["data_samples"]
        instances = sample.instances
        prediction = {
            "bboxes": torch.tensor([instance["bbox"] for instance in instances]),
            "scores": torch.ones(len(instances)),
            "labels": torch.tensor([instance["bbox_label"] for instance in instances]),
        }
        metric.process({}, [{"instances": instances, "pred_instances": prediction}])
    assert metric.evaluate(len(dataset))["openimages/mAP"] == 1


def test_the_table_is_built_once_per_choice(folder, caplog):
    build(folder)
    places = {path for path in (folder.root / ".mmdetpre").iterdir() if path.is_dir()}
    times = {path: path.stat().st_mtime_ns for path in places}
    build(folder)
    build(folder, classes=["cat"])
    after = {path for path in (folder.root / ".mmdetpre").iterdir() if path.is_dir()}
    assert len(places) == 1 and len(after) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_an_outdated_table_is_built_again(folder, openimages_files):
    assert len(build(folder).packed.boxes) == 4
    folder.write([openimages_files.row("a")])
    assert len(build(folder).packed.boxes) == 1


def test_the_cache_may_lie_elsewhere(folder, tmp_path):
    build(folder, cache_dir=str(tmp_path / "elsewhere"))
    assert not (folder.root / ".mmdetpre").exists() and any((tmp_path / "elsewhere").iterdir())
    (folder.root / ".mmdetpre").write_text("a file, not a folder")
    with pytest.raises(OSError, match="cache_dir="):
        build(folder)


def test_classes_can_be_chosen(folder):
    dataset = build(folder, classes=["cat", "car"])
    assert dataset.metainfo["classes"] == ("Cat", "Car")
    assert [i["bbox_label"] for i in dataset.get_data_info(0)["instances"]] == [1, 0]
    assert dataset.get_data_info(2)["instances"] == [] and dataset.packed.notes == {"class not chosen": 1}
    assert build(folder, metainfo={"classes": ["cat"]}).metainfo["classes"] == ("Cat",)


def test_images_without_boxes_stay_unless_filtered(folder):
    arguments = {"classes": ["cat", "car"], "filter_cfg": {"filter_empty_gt": True}}
    assert len(build(folder, **arguments)) == 2
    assert len(build(folder, **arguments, test_mode=True)) == 3
    assert len(build(folder, filter_cfg={"min_size": 65})) == 2


def test_parts_of_the_data(folder):
    assert len(build(folder, max_images=2)) == 2
    assert [build(folder, indices=[2, 0]).get_data_info(i)["img_id"] for i in range(2)] == ["c", "a"]
    dataset = build(folder)
    part = dataset.get_subset([1])
    assert len(dataset) == 3 and len(part) == len(part.packed) == 1 and part.get_data_info(0)["img_id"] == "b"
    assert len(dataset.get_subset(-2)) == 2


def test_every_missing_file_is_named_at_once(tmp_path, openimages_files):
    empty = openimages_files.OpenImagesFolder(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="make demo") as error:
        build(empty)
    for what in ("ann_file", "label_file", "hierarchy_file", "data_prefix", "annotations/train.csv", "Expected layout"):
        assert what in str(error.value)


def test_missing_and_unreadable_photos_are_counted_up_to_a_limit(folder):
    (folder.images / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="1 of the 3 images.*b.jpg.*max_unreadable=1.0"):
        build(folder)
    dataset = build(folder, max_unreadable=0.5)
    assert [dataset.get_data_info(i)["img_id"] for i in range(len(dataset))] == ["a", "c"]
    assert len(dataset.packed) == 3 and dataset.packed.sizes[1].tolist() == [0, 0]
    assert dataset.packed.notes == {"boxes in unreadable images": 1}
    folder.photo("b", 120, 160)
    assert len(build(folder)) == 3


def test_no_box_at_all_is_an_error(folder, openimages_files):
    folder.write([openimages_files.row("a", box=(0.5, 0.5, 0.1, 0.2))])
    with pytest.raises(ValueError, match="line 2 is the first of 1 of 1 rows with a box without area"):
        build(folder)
    folder.write([openimages_files.row("a", box=(0.5, 0.501, 0.1, 0.2))])
    with pytest.raises(ValueError, match="No image of.*boxes below 1 pixel"):
        build(folder)


def test_exif_rotated_photos_have_the_size_they_are_decoded_with(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.photo("a", 200, 100, exif=exif)
    info = build(folder, pipeline=[{"type": "LoadImageFromFile"}]).get_data_info(0)
    assert (info["width"], info["height"]) == (100, 200)
    np.testing.assert_allclose(info["instances"][0]["bbox"], [10, 40, 50, 160], atol=1e-3)


def test_the_official_files_load(shared_data, tmp_path, openimages_files):
    source = shared_data / "openimages"
    folder = openimages_files.OpenImagesFolder(tmp_path)
    folder.images.mkdir(parents=True)
    lines = (source / "validation-annotations-bbox.csv").read_text().splitlines()[1:]
    for name in {line.split(",")[0] for line in lines[:40]}:
        folder.photo(name)
    dataset = build(
        folder,
        ann_file=str(source / "validation-annotations-bbox.csv"),
        label_file=str(source / "class-descriptions-boxable.csv"),
        hierarchy_file=str(source / "bbox_labels_600_hierarchy.json"),
        classes="challenge",
        max_unreadable=1.0,
        lazy_init=True,
    )
    assert len(dataset.packed) == 693 and 0 < len(dataset) <= 40
    assert dataset.metainfo["dataset_type"] == "oid_challenge" and len(dataset.metainfo["classes"]) == 500
    assert dataset.metainfo["RELATION_MATRIX"].shape == (500, 500)
