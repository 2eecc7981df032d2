import logging
import shutil

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdetpre.datasets.imagenet.det_classes import IMAGENET_DET_WNIDS
from mmdetpre.datasets.packed import dataset as packed_dataset
from mmdetpre.datasets.packed.annotations import OCCLUDED, TRUNCATED
from mmdetpre.registry import DATASETS
from mmdetpre.sample import World, object_classes, render
from mmdetpre.sample.instances import annotate

CAT, DOG = "n02121808", "n02084071"


@pytest.fixture(autouse=True)
def _mmdet_scope():
    init_default_scope("mmdet")


def packed(root, **changes):
    config = {"type": "mmdetpre.PackedImageNetLOCDataset", "data_root": str(root), "data_prefix": {"img": "images/"}}
    return DATASETS.build(config | changes)


def annotation(*objects, size=(100, 80)):
    rows = []
    for name, box in objects:
        corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        rows.append(f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>")
    width, height = size
    return f"<annotation><size><width>{width}</width><height>{height}</height></size>{''.join(rows)}</annotation>"


@pytest.fixture
def tree(tmp_path, openimages_files):
    """Two classes with one image each; a third folder is empty."""
    for wnid, box in ((CAT, (0, 0, 100, 80)), (DOG, (10, 20, 30, 40))):
        (tmp_path / "Annotation" / wnid).mkdir(parents=True)
        (tmp_path / "images" / wnid).mkdir(parents=True)
        (tmp_path / "Annotation" / wnid / f"{wnid}_1.xml").write_text(annotation((wnid, box)))
        (tmp_path / "images" / wnid / f"{wnid}_1.JPEG").write_bytes(
            openimages_files.encoded(openimages_files.picture(100, 80))
        )
    (tmp_path / "Annotation" / "n00000001").mkdir()
    (tmp_path / "words.txt").write_text(f"{CAT}\tdomestic cat, house cat\n{DOG}\tdog, domestic dog\n")
    return tmp_path


def test_every_folder_with_annotations_is_a_class(tree):
    dataset = packed(tree, names_file="words.txt")
    assert dataset.metainfo["wnids"] == (DOG, CAT) and dataset.metainfo["classes"] == ("dog", "domestic cat")
    info = dataset.get_data_info(1)
    assert info["img_id"] == f"{CAT}/{CAT}_1" and info["img_path"] == str(tree / "images" / CAT / f"{CAT}_1.JPEG")
    assert info["instances"][0]["bbox"] == [0, 0, 100, 80] and info["instances"][0]["bbox_label"] == 1


@pytest.mark.parametrize("in_file", [False, True])
def test_classes_are_chosen_by_wordnet_id(tree, in_file):
    (tree / "chosen.txt").write_text(f"{CAT} domestic cat\n")
    dataset = packed(tree, classes="chosen.txt" if in_file else [CAT])
    assert len(dataset) == 1 and dataset.metainfo["classes"] == (CAT,)
    assert packed(tree, classes=[CAT, DOG]).metainfo["wnids"] == (CAT, DOG)


def test_the_classes_of_ilsvrc_det_need_no_file(tree):
    (tree / "val.txt").write_text(f"{CAT}/{CAT}_1 1\n{DOG}/{DOG}_1 2\n")
    dataset = packed(tree, classes="imagenet_det", ann_file="val.txt", names_file="words.txt")
    assert dataset.metainfo["wnids"] == IMAGENET_DET_WNIDS
    assert [dataset.metainfo["classes"][label] for label in dataset.packed.labels] == ["domestic_cat", "dog"]


def test_mistakes_of_the_annotations_are_a_warning(tree, monkeypatch):
    levels = []
    monkeypatch.setattr(packed_dataset, "print_log", lambda text, _, level: levels.append(level))
    packed(tree)
    for box in ((9, 9, 9, 20), (5, 5, 101, 9)):
        (tree / "Annotation" / CAT / f"{CAT}_1.xml").write_text(annotation((CAT, box)))
        packed(tree)
    assert levels == [logging.INFO, logging.WARNING, logging.WARNING]


def test_only_the_boxes_that_r_fcn_3000_keeps(tree):
    boxes = [(0, 0, 100, 80), (-1, 0, 9, 9), (5, 5, 101, 9), (9, 9, 9, 20), (20, 9, 9, 20), (0, 0, 4001, 9)]
    rows = [(CAT, box) for box in boxes] + [("n09999999", (1, 1, 9, 9))]
    (tree / "Annotation" / CAT / f"{CAT}_1.xml").write_text(annotation(*rows, size=(5000, 5000)))
    dataset = packed(tree)
    assert dataset.packed.boxes_of(1).tolist() == [[0, 0, 100, 80]]
    assert dataset.packed.sizes.tolist() == [[100, 80]] * 2  # of the images, not of the size tags
    assert dataset.packed.notes == {
        "boxes of other classes": 1,
        "boxes with a coordinate above 4000": 1,
        "boxes without area": 2,
        "boxes not inside their image": 2,
    }


def test_the_drawn_tree_and_its_det_part(tiny_imagenet_loc, repository):
    base = Config.fromfile(repository / "configs/_base_/datasets/imagenet_loc_chips_sample.py")
    configs = base.train_dataloader.dataset.dataset, base.val_dataloader.dataset
    train, val = (DATASETS.build(config | {"data_root": str(tiny_imagenet_loc)}) for config in configs)
    names = [c.name for c in object_classes("source")]
    assert list(train.metainfo["classes"]) == names and len(train) == 24 and len(val) == 6
    assert (train.packed.flags & (OCCLUDED | TRUNCATED)).any()
    world = World("source")
    for i in range(6):
        scene = world.scene("validation", i)
        drawn = annotate(scene, render(scene), merge_groups=False)
        found = val.get_data_info(i)["instances"]
        # the last class has no counterpart, the two before it share one
        expected = [(list(x.box), min(x.label, 5)) for x in drawn if x.label != 7]
        assert [(item["bbox"], item["bbox_label"]) for item in found] == expected
    mapping = val.metainfo["class_map"]
    labels = [val.metainfo["wnids"].index(mapping[w]) if w in mapping else None for w in train.metainfo["wnids"]]
    assert labels == [0, 1, 2, 3, 4, 5, 5, None]
    for i in range(len(train)):
        assert len({item["bbox_label"] for item in train.get_data_info(i)["instances"]}) == 1


def test_a_list_decides_and_without_classes_takes_what_it_finds(tree):
    (tree / "val.txt").write_text(f"{DOG}/{DOG}_1 1\n")
    dataset = packed(tree, ann_file="val.txt")
    assert len(dataset) == 1 and dataset.metainfo["wnids"] == (DOG,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["cat"]}, "cat: no WordNet id. An id is n and eight digits"),
        ({"classes": [CAT, CAT]}, f"names {CAT} more than once"),
        ({"classes": []}, "names no class"),
        ({"class_map": {"n00000005": "n00000006"}}, f"class_map leads to classes.*n00000006.*{DOG}"),
        ({"class_map": {"cat": CAT}}, "cat: no WordNet id"),
        ({"ann_dir": "images"}, "has no folder with XML in it. Expected layout"),
        ({"ann_file": "val.txt", "classes": ["n00000005"]}, f"class list does not match.*n00000005.*{CAT}"),
    ],
)
def test_what_does_not_fit(tree, changes, message):
    (tree / "val.txt").write_text(f"{CAT}/{CAT}_1\n")
    with pytest.raises(ValueError, match="(?s)" + message):
        packed(tree, **changes)


def test_missing_files_are_named_at_once(tree):
    with pytest.raises(FileNotFoundError) as error:
        packed(tree, ann_dir="xml", data_prefix={"img": "photos"}, names_file="names.txt", class_map="map.txt")
    for what in ("xml", "photos", "names.txt", "map.txt", "ILSVRC/ImageSets/DET/val.txt"):
        assert what in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"2 of the 3 classes have no XML.*n00000001, n00000002"):
        packed(tree, classes=[CAT, "n00000001", "n00000002"])
    shutil.rmtree(tree / "images" / DOG)
    with pytest.raises(FileNotFoundError, match="1 of the 2 images in Annotation.*max_unreadable"):
        packed(tree)
