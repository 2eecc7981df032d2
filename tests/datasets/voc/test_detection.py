import json
import logging

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.evaluation import VOCMetric
from mmdet.evaluation.functional import eval_map
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmengine.registry import init_default_scope

from mmdetpre.datasets.packed import dataset as packed_dataset
from mmdetpre.datasets.packed.annotations import DIFFICULT, IGNORE, OCCLUDED, TRUNCATED
from mmdetpre.datasets.transforms import LoadChip
from mmdetpre.datasets.voc import detection as voc
from mmdetpre.evaluation.voc_ap.metric import VOCIoUMetric
from mmdetpre.registry import DATASETS

TARGET = ["Arrow", "Hourglass", "Arch", "Clover"]


@pytest.fixture(autouse=True)
def _mmdet_scope():
    init_default_scope("mmdet")


def packed(root, cache, **changes):
    config = {"type": "mmdetpre.PackedVOCDataset", "data_root": str(root), "cache_dir": str(cache)}
    return DATASETS.build(config | changes)


def pair(root, cache, split, **changes):
    """mmdet's reader and ours on the same image set, for evaluation."""
    arguments = {
        "data_root": f"{root}/",
        "ann_file": f"VOC2012/ImageSets/Main/{split}.txt",
        "data_prefix": {"sub_data_root": "VOC2012/"},
        "test_mode": True,
    } | changes
    theirs = DATASETS.build({"type": "VOCDataset", **arguments})
    return theirs, DATASETS.build({"type": "mmdetpre.PackedVOCDataset", "cache_dir": str(cache), **arguments})


def same_images(theirs, ours):
    assert len(theirs) == len(ours) and theirs.metainfo["classes"] == ours.metainfo["classes"]
    for i in range(len(theirs)):
        expected, found = theirs.get_data_info(i), ours.get_data_info(i)
        keys = ("img_path", "img_id", "width", "height")
        assert [found[key] for key in keys] == [expected[key] for key in keys]
        keys = ("bbox_label", "ignore_flag")
        assert [[item[key] for key in keys] for item in found["instances"]] == [
            [item[key] for key in keys] for item in expected["instances"]
        ]
        last_pixels = np.array([item["bbox"] for item in expected["instances"]]).reshape(-1, 4)
        half_open = [item["bbox"] for item in found["instances"]]
        np.testing.assert_array_equal(np.reshape(half_open, (-1, 4)), last_pixels + (0, 0, 1, 1))


def test_same_images_boxes_and_ids_as_mmdet(shared_data, tmp_path):
    theirs, ours = pair(shared_data / "voc2012/VOCdevkit", tmp_path, "trainval")
    same_images(theirs, ours)
    assert len(ours) == 67 and ours.metainfo["dataset_type"] == theirs.metainfo["dataset_type"] == "VOC2012"


def detected(dataset, shift, last_pixel):
    """Test results, by the same half-open boxes from a detector: those of the XML, moved at random."""
    rng = np.random.default_rng(0)
    less = torch.tensor([0.0, 0.0, 1.0, 1.0]) * last_pixel
    for i in range(len(dataset)):
        instances = dataset.get_data_info(i)["instances"]
        boxes = torch.tensor([item["bbox"] for item in instances], dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor([item["bbox_label"] for item in instances], dtype=torch.int64)
        ignored = torch.tensor([item["ignore_flag"] for item in instances], dtype=torch.bool)
        guesses = boxes + less + torch.from_numpy(rng.normal(0, shift, boxes.shape).astype(np.float32))
        scores = torch.from_numpy(rng.random(len(boxes), np.float32))
        yield {
            "img_id": str(i),
            "gt_instances": {"bboxes": boxes[~ignored], "labels": labels[~ignored]},
            "ignored_instances": {"bboxes": boxes[ignored], "labels": labels[ignored]},
            "pred_instances": {"bboxes": guesses - less, "scores": scores, "labels": labels},
        }


def ap_by_our_metric(dataset, samples, folder, **options):
    metric = VOCIoUMetric(outfile_prefix=f"{folder}/run", overwrite=True, **options)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, samples)
    metric.evaluate(len(dataset))
    [run] = json.loads((folder / "run.json").read_text())["runs"]
    return run


@pytest.mark.parametrize("source", ["real", "drawn"])
@pytest.mark.parametrize("mode", ["11points", "area"])
def test_half_open_boxes_are_evaluated_by_vocs_rule_as_in_mmdet(request, tmp_path, source, mode):
    if source == "real":
        theirs, ours = pair(request.getfixturevalue("shared_data") / "voc2012/VOCdevkit", tmp_path, "trainval")
    else:
        root = request.getfixturevalue("tiny_voc") / "VOCdevkit"
        theirs, ours = pair(root, tmp_path, "train", metainfo={"classes": tuple(TARGET)})
    shift = {"real": 12, "drawn": 4}[source]
    samples, own_samples = list(detected(theirs, shift, True)), list(detected(ours, shift, False))
    stock = VOCMetric(iou_thrs=[0.5, 0.7], eval_mode=mode)
    stock.dataset_meta = theirs.metainfo
    stock.process({}, samples)
    annotations, detections = zip(*stock.results, strict=True)
    expected = stock.evaluate(len(theirs))
    found = ap_by_our_metric(ours, own_samples, tmp_path, eval_mode=mode)
    assert not found["plus_one"] and 0.05 < expected["pascal_voc/AP70"] < expected["pascal_voc/AP50"] < 1
    for iou_thr, mean_ap in zip(found["iou_thrs"], found["mean_ap"], strict=True):
        options = {"iou_thr": iou_thr, "eval_mode": mode, "use_legacy_coordinate": True, "logger": "silent"}
        assert mean_ap == float(eval_map(detections, annotations, **options)[0])  # in every bit
    assert ap_by_our_metric(theirs, samples, tmp_path, eval_mode=mode) == found | {"plus_one": True}
    with pytest.raises(ValueError, match="plus_one is True, but the boxes of the data set are half-open.*Remove plus"):
        ap_by_our_metric(ours, own_samples, tmp_path, plus_one=True)


def test_a_flipped_image_and_a_flipped_chip_have_the_boxes_of_a_flipped_annotation(tmp_path, openimages_files):
    """VOC's XML of the mirrored photo, written by hand: pixel 1 becomes pixel 100."""
    boxes = [(1, 1, 100, 80), (11, 12, 40, 41), (33, 5, 33, 9)]
    mirrored = [(101 - xmax, ymin, 101 - xmin, ymax) for xmin, ymin, xmax, ymax in boxes]
    tables = []
    for name, written in (("plain", boxes), ("mirrored", mirrored)):
        (tmp_path / name).mkdir()
        arguments = folder(tmp_path / name, openimages_files, *(item(box=box) for box in written))
        tables.append(packed(tmp_path / name, tmp_path / "cache" / name, **arguments))
    plain, other = tables
    flip = MMDET_TRANSFORMS.build({"type": "RandomFlip", "prob": 1.0})
    load = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "with_bbox": True}]
    image = flip(Compose([MMDET_TRANSFORMS.build(step) for step in load])(plain.get_data_info(0)))
    np.testing.assert_array_equal(image["gt_bboxes"].tensor.numpy(), other.packed.boxes)
    for scale, x in ((1.0, 8), (2.0, 60)):  # the chip x, 10, 80 x 40 of the plain photo, and its mirror image
        chips = []
        for table, left in ((plain, x), (other, round(100 * scale) - x - 80)):
            record = {"chip": (left, 10, 80, 40), "chip_scale": scale, "valid": np.arange(3)}
            columns = {key: np.array(getattr(table.packed, key)) for key in ("boxes", "labels", "flags")}
            chips.append(LoadChip()(table.get_data_info(0) | record | columns))
        np.testing.assert_array_equal(flip(chips[0])["gt_bboxes"].tensor.numpy(), chips[1]["gt_bboxes"].tensor.numpy())


def test_difficult_objects_are_dropped_in_training_and_ignored_in_evaluation(shared_data, tmp_path):
    arguments = {"sets": [("VOC2012", "train"), ("VOC2012", "val")]}
    root = shared_data / "voc2012/VOCdevkit"
    training = packed(root, tmp_path, **arguments)
    assert len(training.packed.boxes) == 151 and training.packed.notes == {"difficult objects": 30}
    assert not (training.packed.flags & (IGNORE | DIFFICULT)).any()
    for changes in ({"test_mode": True}, {"difficult": "ignore"}):
        other = packed(root, tmp_path, **arguments, **changes).packed
        assert len(other.boxes) == 181 and int(other.ignore.sum()) == 30
        np.testing.assert_array_equal(other.ignore, (other.flags & DIFFICULT).astype(bool))
    with pytest.raises(ValueError, match="difficult is 'keep': choose 'drop', 'ignore'"):
        packed(root, tmp_path, difficult="keep", **arguments)


@pytest.mark.parametrize(
    ("name", "images", "boxes"), [("kangaroo", 81, 129), ("raccoon", 99, 108)]
)  # fmt: skip
def test_plain_folders_of_xml(shared_data, tmp_path, name, images, boxes):
    subdir = {"kangaroo": "annots", "raccoon": "annotations"}[name]
    dataset = packed(shared_data / name, tmp_path, ann_subdir=subdir, img_subdir="images", classes=[name])
    assert (len(dataset), len(dataset.packed.boxes), len(dataset.packed.unreadable())) == (images, boxes, 0)


def test_the_drawn_sample(tiny_voc, tmp_path):
    theirs, ours = pair(tiny_voc / "VOCdevkit", tmp_path, "train", metainfo={"classes": tuple(TARGET)})
    same_images(theirs, ours)
    assert ours.metainfo["dataset_type"] is None  # mmdet would print VOC's class names
    flags = ours.packed.flags
    assert all(0 < int(((flags & bit) > 0).sum()) < len(flags) for bit in (DIFFICULT, OCCLUDED, TRUNCATED))
    instances = [item for i in range(len(ours)) for item in ours.get_data_info(i)["instances"]]
    assert {key for key in instances[0] if key.startswith("is_")} == {"is_difficult", "is_occluded", "is_truncated"}
    assert sum(item["is_occluded"] for item in instances) == int(((flags & OCCLUDED) > 0).sum())
    both = packed(tiny_voc / "VOCdevkit", tmp_path, sets=[("VOC2012", "train"), ("VOC2012", "val")], classes=TARGET)
    assert len(both) == 30 and both.get_data_info(0)["img_id"] == "2012_000001"
    with pytest.raises(ValueError, match="2012_000001 is in two of the sets"):
        packed(tiny_voc / "VOCdevkit", tmp_path, sets=[("VOC2012", "train"), ("VOC2012", "trainval")], classes=TARGET)


def item(name="cat", box=(11, 11, 30, 30), tags="<difficult>0</difficult>"):
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name>{tags}<bndbox>{corners}</bndbox></object>"


SIZE = "<size><width>100</width><height>80</height><depth>3</depth></size>"


def folder(root, openimages_files, *objects, size=SIZE, text=None):
    for name in ("xml", "img"):
        (root / name).mkdir(exist_ok=True)
    body = f"<annotation>{size}{''.join(objects)}</annotation>" if text is None else text
    (root / "xml" / "a.xml").write_text(body)
    (root / "img" / "a.jpg").write_bytes(openimages_files.encoded(openimages_files.picture(100, 80)))
    return {"ann_subdir": "xml", "img_subdir": "img", "classes": ["cat", "dog"]}


def test_boxes_count_from_1_and_parts_are_no_objects(tmp_path, openimages_files):
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></part>"
    tags = "<occluded>1</occluded><truncated>1</truncated><pose>Unspecified</pose>"
    arguments = folder(
        tmp_path, openimages_files, item(box=(1, 1, 100, 80)), item("dog", (11.9, 12, 40.2, 41), tags + part)
    )
    dataset = packed(tmp_path, tmp_path / "cache", **arguments)
    assert dataset.packed.boxes.tolist() == [[0, 0, 100, 80], [10, 11, 40, 41]]
    assert dataset.packed.flags.tolist() == [0, OCCLUDED | TRUNCATED]


def test_what_is_left_out_is_counted_and_named(tmp_path, openimages_files):
    arguments = folder(
        tmp_path, openimages_files, item(), item(box=(20, 5, 19, 9)), item("horse"), item(box=(300, 5, 320, 9))
    )
    dataset = packed(tmp_path, tmp_path / "cache", empty_boxes="drop", **arguments)
    assert dataset.packed.notes == {
        "objects of other classes": 1,
        f"boxes without area (e.g. in {tmp_path / 'xml' / 'a.xml'})": 1,
        "boxes outside their image": 1,
    }


@pytest.mark.parametrize("box", [(20, 5, 19, 9), (20, 9, 30, 5), (20.1, 5, 19.9, 9)])
def test_an_empty_box_is_an_error_unless_dropped(tmp_path, openimages_files, monkeypatch, box):
    logged = []
    monkeypatch.setattr(packed_dataset, "print_log", lambda text, _, level: logged.append((text, level)))
    arguments = folder(tmp_path, openimages_files, item(), item("dog", box)) | {
        "root": tmp_path,
        "cache": tmp_path / "cache",
    }
    dropping = packed(**arguments, empty_boxes="drop")
    [(text, level)] = logged
    assert dropping.packed.boxes.tolist() == [[10, 10, 30, 30]] and "1 boxes without area (e.g. in " in text
    assert level == logging.WARNING
    corners = "xmin {:g}, ymin {:g}, xmax {:g}, ymax {:g}".format(*box)
    with pytest.raises(ValueError, match=f"a.xml: the box of an object 'dog' is empty, with {corners} .*'drop'"):
        packed(**arguments)  # the table without the box is not taken for this one
    with pytest.raises(ValueError, match="empty_boxes is 'keep': choose 'error' or 'drop'"):
        packed(**arguments, empty_boxes="keep")
    folder(tmp_path, openimages_files, item(), item("horse", box), item("dog", box, "<difficult>1</difficult>"))
    assert len(packed(**arguments).packed.boxes) == 1  # not among the objects to learn


@pytest.mark.parametrize(
    "size", ["", "<size><width>0</width><height>0</height></size>", "<size><width>?</width></size>"]
)
def test_an_unknown_size_is_read_from_the_image(tmp_path, openimages_files, size):
    dataset = packed(tmp_path, tmp_path / "cache", **folder(tmp_path, openimages_files, item(), size=size))
    assert dataset.packed.sizes.tolist() == [[100, 80]]


@pytest.mark.parametrize(
    ("objects", "text", "message"),
    [
        (["<object><name>cat</name></object>"], None, "a.xml: an object has no complete box.*<name>cat</name>"),
        ([item(box=(1, 2, "x", 4))], None, "a.xml: an object has no complete box"),
        ([item(name="")], None, "a.xml: an object has no name"),
        ([], "<annotation><object>", "a.xml is not valid XML.*cut off or damaged"),
        ([item("horse")], None, "class list does not match.*of the data set: cat, dog.*in the XML: horse"),
        ([], None, "nothing to learn"),
    ],
)
def test_bad_files(tmp_path, openimages_files, objects, text, message):
    with pytest.raises(ValueError, match="(?s)" + message):
        packed(tmp_path, tmp_path / "cache", **folder(tmp_path, openimages_files, *objects, text=text))


def test_a_class_spelled_in_another_way_is_pointed_out(tmp_path, openimages_files, monkeypatch):
    logged = []
    monkeypatch.setattr(voc, "print_log", lambda text, _, level: logged.append((text, level)))
    packed(tmp_path, tmp_path / "cache", **folder(tmp_path, openimages_files, item(), item("dogs")))
    [(text, level)] = logged
    assert level == logging.WARNING and "no object of dog, but of classes not chosen" in text and "cat, dogs" in text


def test_missing_files_are_named_at_once(tmp_path, openimages_files):
    arguments = folder(tmp_path, openimages_files, item())
    with pytest.raises(FileNotFoundError) as error:
        packed(tmp_path, tmp_path / "cache", sets=[("VOC2007", "trainval"), ("VOC2012", "trainval")])
    for year in ("VOC2007", "VOC2012"):
        for path in ("ImageSets/Main/trainval.txt", "Annotations", "JPEGImages"):
            assert str(tmp_path / year / path) in str(error.value)
    (tmp_path / "list.txt").write_text("a\nb\nc\n")
    with pytest.raises(FileNotFoundError, match=r"(?s)2 of the 3 files that list.txt names.*xml/b.xml\n.*xml/c.xml"):
        packed(tmp_path, tmp_path / "cache", ann_file="list.txt", **arguments)
    with pytest.raises(ValueError, match="holds no \\*.xml file: set ann_subdir"):
        packed(tmp_path, tmp_path / "cache", **arguments | {"ann_subdir": "img"})


def test_a_changed_xml_and_an_image_that_came_back_are_noticed(tmp_path, openimages_files):
    arguments = folder(tmp_path, openimages_files, item())
    assert len(packed(tmp_path, tmp_path / "cache", **arguments).packed.boxes) == 1
    folder(tmp_path, openimages_files, item(), item("dog"))
    assert len(packed(tmp_path, tmp_path / "cache", **arguments).packed.boxes) == 2
    (tmp_path / "img" / "a.jpg").rename(tmp_path / "a.jpg")
    (tmp_path / "xml" / "b.xml").write_text((tmp_path / "xml" / "a.xml").read_text())
    (tmp_path / "img" / "b.jpg").write_bytes(openimages_files.encoded(openimages_files.picture(100, 80)))
    assert len(packed(tmp_path, tmp_path / "cache", max_unreadable=0.5, **arguments)) == 1
    (tmp_path / "a.jpg").rename(tmp_path / "img" / "a.jpg")
    assert len(packed(tmp_path, tmp_path / "cache", **arguments)) == 2
